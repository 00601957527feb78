// Random sequences of SDEI calls, by a program and by the handlers that interrupt it, against the model: every result, and
// every dispatch at its place among the calls.

import { describe, expect, it } from "vitest";
import { DATA } from "../instructions/arm64/guest.ts";
import { Random } from "../support/random.ts";
import { callers, ids, type Function } from "./calls.ts";
import { SdeiModel } from "./sdei-model.ts";

const SEEDS = Number(process.env["ALLSTOP_SEEDS"] ?? 15);
const CALLS = 160;

// The stream: X0 to X5 of each call, how long to wait afterwards, and a word of padding. Handlers take calls off the same
// stream as what they have interrupted: X19 goes on, since firmware leaves X18 to X30 alone.
const STREAM = DATA;
const RECORD = 64;
const RESULTS = DATA + 0x4000;
/** Event number, and how far the stream had come. */
const LOG = DATA + 0x8000;
const END = 0xffff_fffe;
/** An unknown function: the host lets an interrupt come while the program waits behind it. */
const MARK = 0x8400_001f;
const UNTOUCHED = 0x5555_5555n;

const program = `
  li x19, #${STREAM}
  li x20, #${RESULTS}
  li x21, #${LOG}
next:
  ldp x0, x1, [x19], #16
  ldp x2, x3, [x19], #16
  ldp x4, x5, [x19], #16
  ldp x16, x15, [x19], #16
  li x14, #${END}
  cmp x0, x14
  b.eq park
  mov x17, x20
  add x20, x20, #8
  smc #0
  str x0, [x17]
waiting:
  sub x16, x16, #1
  cbnz x16, waiting
  b next
`;
const code = `
handler:
  str x0, [x21], #8
  str x19, [x21], #8
  b next
resumed:
  eret
`;

interface Call {
  readonly name: Function;
  readonly values: readonly bigint[];
  /** Event whose interrupt comes behind it. */
  readonly trigger?: number;
}

const numbers = [0n, 0n, 0n, 0n, 1000n, 1000n, 3000n, 3000n, 3000n, 1001n, 2000n, 4000n, 999n];

function randomCall(random: Random, model: SdeiModel): Call {
  const number = random.pick(numbers);
  const of = (name: Function, ...rest: bigint[]): Call => ({ name, values: [number, ...rest] });
  const kind = random.between(0, 99);
  if (kind < 17)
    return of("EVENT_REGISTER", -1n, 5n, BigInt(random.pick([0, 0, 0, 0, 1, 4])), BigInt(random.pick([0, 0, 7])));
  if (kind < 36) return of("EVENT_ENABLE");
  if (kind < 38) return of("EVENT_DISABLE");
  if (kind < 41) return of("EVENT_UNREGISTER");
  if (kind < 46) return of("EVENT_STATUS");
  if (kind < 48) return of("EVENT_GET_INFO", BigInt(random.between(0, 5)));
  if (kind < 50) return of("EVENT_ROUTING_SET", BigInt(random.between(0, 2)), BigInt(random.pick([0, 0, 7])));
  if (kind < 52) return { name: "PE_MASK", values: [] };
  if (kind < 64) return { name: "PE_UNMASK", values: [] };
  if (kind < 69)
    return { name: "INTERRUPT_BIND", values: [BigInt(random.pick([20, 20, 3, 17, 20, 21, 22, 23, 40, 41, 96, 1020]))] };
  if (kind < 70) return of("INTERRUPT_RELEASE");
  if (kind < 79)
    return { name: "EVENT_SIGNAL", values: [BigInt(random.chance(95) ? 0 : 1000), BigInt(random.chance(95) ? 0 : 7)] };
  if (kind < 81) return { name: "EVENT_CONTEXT", values: [BigInt(random.between(17, 18))] };
  if (kind < 83) return { name: "SDEI_FEATURES", values: [BigInt(random.between(0, 2))] };
  if (kind === 83) return { name: random.pick(["PRIVATE_RESET", "SHARED_RESET"] as const), values: [] };
  if (kind < 93 && model.open.length > 0)
    return { name: random.pick(["EVENT_COMPLETE", "EVENT_COMPLETE_AND_RESUME"] as const), values: [0n] };
  if (kind === 93) return { name: "EVENT_COMPLETE", values: [0n] };
  return { name: MARK, values: [], trigger: random.pick([1000, 3000, 3000]) };
}

interface Expected {
  readonly calls: readonly Call[];
  readonly results: readonly bigint[];
  readonly log: readonly (readonly [event: number, calls: number])[];
}

/** Draws calls while the model plays them. */
function play(random: Random): Expected {
  const model = new SdeiModel();
  const calls: Call[] = [];
  const results: bigint[] = Array.from({ length: CALLS }, () => UNTOUCHED);
  const log: [number, number][] = [];
  /** Results that interrupted calls will leave when their handlers are through, the innermost last. */
  const interrupted: ({ slot: number; value: bigint } | undefined)[] = [];
  let store: { slot: number; value: bigint } | undefined;
  /** X17 at the moment. */
  const slots: bigint[] = [];
  let x17 = 0n;
  const dispatch = (): boolean => {
    const event = model.next();
    if (event === undefined) return false;
    model.dispatch(event, x17);
    log.push([event.number, calls.length]);
    interrupted.push(store);
    slots.push(x17);
    store = undefined;
    return true;
  };
  for (let slot = 0; slot < CALLS; slot++) {
    let call = randomCall(random, model);
    x17 = BigInt(RESULTS + 8 * slot);
    const [a, b, c, d, e] = call.values;
    const reply =
      call.name === "EVENT_ROUTING_SET"
        ? model.callRouting(a ?? 0n, b ?? 0n, c ?? 0n)
        : model.call(call.name, a, b, c, d, e);
    if (reply === "completed") {
      store = interrupted.pop();
      x17 = slots.pop() ?? 0n;
      // An event that came at the resumption point would spoil ELR_EL1 there.
      if (model.next() !== undefined) call = { ...call, name: "EVENT_COMPLETE" };
    } else {
      store = { slot, value: reply };
    }
    calls.push(call);
    if (dispatch()) continue;
    if (store !== undefined) results[store.slot] = store.value;
    store = undefined;
    const event0 = model.events[0];
    if (model.signalled && event0 !== undefined) event0.pending = true;
    model.signalled = false;
    const triggered = model.events.find(({ number }) => number === call.trigger);
    if (triggered !== undefined) triggered.pending = true;
    dispatch();
  }
  return { calls, results, log };
}

function runGuest({ calls }: Expected): Expected {
  const guest = callers([program], { code });
  const { machine } = guest;
  calls.forEach(({ name, values, trigger }, index) => {
    const at = STREAM + RECORD * index;
    const isAddress = name === "EVENT_REGISTER" || name === "EVENT_COMPLETE_AND_RESUME";
    machine.write64(at, BigInt(typeof name === "number" ? name : ids[name]));
    values.forEach((value, position) => {
      machine.write64(at + 8 + 8 * position, value);
    });
    if (isAddress)
      machine.write64(
        at + (name === "EVENT_REGISTER" ? 16 : 8),
        guest.label(name === "EVENT_REGISTER" ? "handler" : "resumed"),
      );
    machine.write64(at + 48, trigger === undefined ? 60n : 1000n);
  });
  machine.write64(STREAM + RECORD * calls.length, BigInt(END));
  for (let slot = 0; slot < calls.length; slot++) machine.write64(RESULTS + 8 * slot, UNTOUCHED);
  calls.forEach(({ trigger }, slot) => {
    if (trigger === undefined) return;
    for (let slices = 0; machine.read64(RESULTS + 8 * slot) === UNTOUCHED && slices < 2000; slices++) guest.run(300);
    machine.core.triggerEvent(0, trigger, BigInt.asUintN(64, machine.core.counter(0) + 1n));
  });
  guest.run(200_000);
  const log: [number, number][] = [];
  for (let at = LOG; machine.read64(at + 8) !== 0n; at += 16) {
    log.push([Number(machine.read64(at)), (Number(machine.read64(at + 8)) - STREAM) / RECORD]);
  }
  const results = calls.map((_, slot) => BigInt.asIntN(64, machine.read64(RESULTS + 8 * slot)));
  return { calls, results, log };
}

describe("random SDEI calls", () => {
  it(`do what the model says (${SEEDS} seeds)`, () => {
    let dispatches = 0;
    let nested = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const expected = play(new Random(seed));
      const { results, log } = runGuest(expected);
      const mistake = results.findIndex((result, slot) => result !== expected.results[slot]);
      const call = expected.calls[mistake];
      expect({ seed, mistake, call, result: results[mistake], log }).toEqual({
        seed,
        mistake: -1,
        call: undefined,
        result: undefined,
        log: expected.log,
      });
      dispatches += log.length;
      nested += log.filter(([number]) => number === 3000).length;
    }
    // The sequences are worth something.
    expect(dispatches).toBeGreaterThan(8 * SEEDS);
    expect(nested).toBeGreaterThan(SEEDS);
  });
});
