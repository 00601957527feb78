// What must hold of any calls of the stop family, in whatever order they meet: found from events, knowing no routine.

import type { Event } from "./family.ts";

const DISABLE_IRQ = 2;
const EXIT = 4;

interface Captured {
  readonly owner: number;
  state: number;
}

/** One call that has been made. */
export interface MadeCall {
  readonly requester: number;
  readonly returned: number;
  /** CPUs that were in the rendezvous when the function ran, and those that ran it, in ascending order. */
  readonly captured: readonly number[];
  readonly ran: readonly number[];
}

/**
 * Reads the events of a run. Complains when a CPU is captured twice at a time, when states come out of order, when a function runs in a
 * rendezvous before all of its CPUs have interrupts off, or when one of them leaves before it has ended.
 */
export function readCalls(events: readonly Event[]): { calls: MadeCall[]; complaints: string[] } {
  const reader = new Reader();
  for (const event of events) reader.read(event);
  return { calls: reader.calls, complaints: reader.complaints };
}

class Reader {
  readonly calls: MadeCall[] = [];
  readonly complaints: string[] = [];
  readonly #inside = new Map<number, Captured>();
  /** By owner: CPUs that run its function at the moment, that have run it, that were captured. */
  readonly #running = new Map<number, Set<number>>();
  readonly #ran = new Map<number, number[]>();
  readonly #captured = new Map<number, Set<number>>();

  #complain({ kind, cpu, cycle }: Event, what: string): void {
    this.complaints.push(`cycle ${cycle}, CPU ${cpu}, ${kind}: ${what}`);
  }

  read(event: Event): void {
    const { kind, cpu, owner } = event;
    const place = this.#inside.get(cpu);
    switch (kind) {
      case "enter":
        if (place !== undefined) this.#complain(event, `is in the rendezvous of ${place.owner}`);
        this.#inside.set(cpu, { owner, state: 0 });
        setOf(this.#captured, owner).add(cpu);
        break;
      case "ack":
        if (place?.owner !== owner) this.#complain(event, `of ${owner}, without having entered`);
        else if (event.value !== place.state + 1) this.#complain(event, `state ${event.value} after ${place.state}`);
        else place.state = event.value;
        break;
      case "run":
        this.#run(event, true);
        break;
      case "ran":
        if (place !== undefined) this.#running.get(place.owner)?.delete(cpu);
        break;
      case "leave":
        if (place?.state !== EXIT) this.#complain(event, `in state ${place?.state}`);
        if (place !== undefined && setOf(this.#running, place.owner).size > 0)
          this.#complain(event, "a function still runs");
        this.#inside.delete(cpu);
        break;
      case "function":
        // In a rendezvous "run" has said so already; without one, stop_one_cpu() calls it directly.
        if (place === undefined) this.#run(event, false);
        break;
      case "return":
        this.calls.push({
          requester: owner,
          returned: event.value,
          captured: [...setOf(this.#captured, owner)].sort((a, b) => a - b),
          ran: (this.#ran.get(owner) ?? []).toSorted((a, b) => a - b),
        });
        this.#captured.delete(owner);
        this.#ran.delete(owner);
        break;
      case "call":
      case "work":
      case "worked":
      case "parked":
      case "dead":
      case "retry":
      case "busy":
        break;
    }
  }

  #run(event: Event, inRendezvous: boolean): void {
    const { cpu, owner } = event;
    this.#ran.set(owner, [...(this.#ran.get(owner) ?? []), cpu]);
    if (!inRendezvous) return;
    setOf(this.#running, owner).add(cpu);
    for (const other of setOf(this.#captured, owner)) {
      const place = this.#inside.get(other);
      if (place?.owner !== owner || place.state < DISABLE_IRQ) this.#complain(event, `CPU ${other} is not stopped`);
    }
  }
}

function setOf(map: Map<number, Set<number>>, key: number): Set<number> {
  const found = map.get(key) ?? new Set<number>();
  map.set(key, found);
  return found;
}
