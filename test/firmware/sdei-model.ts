// SDEI on one PE as a simple model, written from the specification (Arm DEN 0054C) and independently of the core: what calls
// return, and which events are dispatched when. Personality "compliant".

import {
  DENIED,
  INVALID_PARAMETERS,
  NOT_SUPPORTED,
  OUT_OF_RESOURCE,
  PENDING,
  SUCCESS,
  ids,
  type Function,
} from "./calls.ts";

interface Event {
  readonly number: number;
  readonly kind: "private" | "shared";
  readonly critical: boolean;
  /** Bound by the platform, or by software, or (event 0) not at all. */
  interrupt: number | undefined;
  readonly canBind: boolean;
  registered: boolean;
  enabled: boolean;
  running: boolean;
  routedToPe: boolean;
  affinity: bigint;
  pending: boolean;
}

function event(number: number, kind: Event["kind"], critical = false, interrupt?: number): Event {
  const canBind = number !== 0 && !critical;
  const handler = {
    registered: false,
    enabled: false,
    running: false,
    routedToPe: false,
    affinity: 0n,
    pending: false,
  };
  return { number, kind, critical, interrupt, canBind, ...handler };
}

/** What a call does to the flow of control. */
export type Reply = bigint | "completed";

export class SdeiModel {
  readonly events: readonly Event[] = [
    event(0, "private"),
    event(1000, "private"),
    event(1001, "private"),
    event(1002, "private"),
    event(3000, "private", true, 17),
    event(2000, "shared"),
    event(2001, "shared"),
    event(2002, "shared"),
    event(4000, "shared", true, 96),
  ];
  masked = true;
  /** Events whose dispatches are open, the innermost last, with X17 as they have interrupted it. */
  readonly open: { event: Event; x17: bigint }[] = [];
  /** A signal is on its way. */
  signalled = false;

  /** The event that would be dispatched now: critical before normal. */
  next(): Event | undefined {
    const ready = this.events.filter(
      (one) => one.pending && one.registered && one.enabled && !one.running && !this.masked,
    );
    const critical = this.open.some((dispatch) => dispatch.event.critical);
    return (
      (critical ? undefined : ready.find((one) => one.critical)) ??
      (this.open.length > 0 ? undefined : ready.find((one) => !one.critical))
    );
  }

  dispatch(chosen: Event, x17: bigint): void {
    chosen.pending = false;
    chosen.running = true;
    this.open.push({ event: chosen, x17 });
  }

  call(name: Function, a = 0n, b = 0n, c = 0n, d = 0n, e = 0n): Reply {
    switch (name as string) {
      case "PE_MASK": {
        const before = this.masked;
        this.masked = true;
        return before ? 0n : 1n;
      }
      case "PE_UNMASK":
        this.masked = false;
        return SUCCESS;
      case "EVENT_SIGNAL":
        if (a !== 0n || b !== 0n) return INVALID_PARAMETERS;
        this.signalled = true;
        return SUCCESS;
      case "EVENT_CONTEXT":
        if (a > 17n) return INVALID_PARAMETERS;
        return this.open.at(-1)?.x17 ?? DENIED;
      case "EVENT_COMPLETE":
      case "EVENT_COMPLETE_AND_RESUME": {
        const done = this.open.pop();
        if (done === undefined) return DENIED;
        done.event.running = false;
        return "completed";
      }
      case "INTERRUPT_BIND":
        return this.#bind(Number(a));
      case "SDEI_FEATURES":
        return a === 0n ? 0x3_0003n : a === 1n ? 1n : INVALID_PARAMETERS;
      case "PRIVATE_RESET":
        return this.#reset("private");
      case "SHARED_RESET":
        return this.#sharedReset();
      default:
        return this.#about(name, a, [b, c, d, e]);
    }
  }

  #about(name: Function, number: bigint, [b, , d, e]: readonly [bigint, bigint, bigint, bigint]): Reply {
    if (typeof name === "number" || !(ids[name] >= ids.SDEI_VERSION)) return NOT_SUPPORTED;
    const one = this.events.find((each) => BigInt(each.number) === number);
    if (one === undefined) return INVALID_PARAMETERS;
    switch (name as string) {
      case "EVENT_REGISTER": {
        // The entry point is good. Flags: bit 0 routing, bit 1 relative.
        const toPe = (d & 1n) !== 0n;
        if (d > 3n || (one.kind === "shared" && toPe && e !== 0n)) return INVALID_PARAMETERS;
        if (one.canBind && one.interrupt === undefined) return DENIED;
        if (one.registered || one.running) return DENIED;
        Object.assign(one, { registered: true, routedToPe: toPe, affinity: e });
        if (one.number !== 0) one.pending = false;
        return SUCCESS;
      }
      case "EVENT_ENABLE":
      case "EVENT_DISABLE":
        if (!one.registered) return DENIED;
        one.enabled = name === "EVENT_ENABLE";
        return SUCCESS;
      case "EVENT_UNREGISTER":
        return this.#unregister(one);
      case "EVENT_STATUS":
        return BigInt((one.registered ? 1 : 0) + (one.enabled ? 2 : 0) + (one.running ? 4 : 0));
      case "EVENT_GET_INFO":
        return this.#info(one, Number(b));
      case "EVENT_ROUTING_SET": {
        // Its flags and affinity stand one argument earlier than those of REGISTER.
        return this.#route(one, b, this.#third);
      }
      case "INTERRUPT_RELEASE":
        return this.#release(one);
      default:
        return NOT_SUPPORTED;
    }
  }

  /** Third argument of ROUTING_SET, which is always this PE or nobody. */
  #third = 0n;
  callRouting(number: bigint, flags: bigint, affinity: bigint): Reply {
    this.#third = affinity;
    return this.call("EVENT_ROUTING_SET", number, flags, affinity);
  }

  #route(one: Event, flags: bigint, affinity: bigint): bigint {
    if (flags > 1n || one.kind === "private" || (flags === 1n && affinity !== 0n)) return INVALID_PARAMETERS;
    if (one.interrupt === undefined) return INVALID_PARAMETERS;
    if (!one.registered || one.enabled || one.running) return DENIED;
    one.routedToPe = flags === 1n;
    one.affinity = affinity;
    return SUCCESS;
  }

  #info(one: Event, item: number): bigint {
    if (item === 0) return one.kind === "shared" ? 1n : 0n;
    if (item === 1) return one.number === 0 ? 1n : 0n;
    if (item === 2) return one.critical ? 1n : 0n;
    if (item > 4 || one.kind === "private") return INVALID_PARAMETERS;
    if (!one.registered) return DENIED;
    if (item === 3) return one.routedToPe ? 1n : 0n;
    return one.routedToPe ? one.affinity : INVALID_PARAMETERS;
  }

  #unregister(one: Event): bigint {
    if (!one.registered) return one.running ? PENDING : DENIED;
    Object.assign(one, { registered: false, enabled: false, routedToPe: false, affinity: 0n });
    if (one.number !== 0) one.pending = false;
    return one.running ? PENDING : SUCCESS;
  }

  #bind(interrupt: number): bigint {
    if (interrupt < 16 || interrupt > 1019) return INVALID_PARAMETERS;
    const kind = interrupt < 32 ? "private" : "shared";
    const has = this.events.find((one) => one.interrupt === interrupt);
    if (has !== undefined) return has.canBind ? BigInt(has.number) : INVALID_PARAMETERS;
    const free = this.events.find((one) => one.kind === kind && one.canBind && one.interrupt === undefined);
    if (free === undefined) return OUT_OF_RESOURCE;
    free.interrupt = interrupt;
    return BigInt(free.number);
  }

  #release(one: Event): bigint {
    if (!one.canBind) return INVALID_PARAMETERS;
    if (one.registered || one.running) return DENIED;
    if (one.interrupt === undefined) return INVALID_PARAMETERS;
    one.interrupt = undefined;
    return SUCCESS;
  }

  #reset(kind: Event["kind"]): bigint {
    const outcomes = this.events.filter((one) => one.kind === kind).map((one) => this.#unregister(one));
    return outcomes.includes(PENDING) ? DENIED : SUCCESS;
  }

  #sharedReset(): bigint {
    const result = this.#reset("shared");
    if (result !== SUCCESS) return result;
    const bound = this.events.filter((one) => one.canBind && one.interrupt !== undefined);
    return bound.map((one) => this.#release(one)).find((released) => released !== SUCCESS) ?? SUCCESS;
  }
}
