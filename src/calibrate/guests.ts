// Guest programs of the line measurements, as the publications' own programs do it: a flag that two CPUs flip in turn by
// compare-and-swap (nviennot/core-to-core-latency, src/bench/cas.rs), and a counter that all CPUs increment as fast as they
// can (travisdowns/concurrency-hierarchy-bench, bench.cpp: `atomic add`, `cas add`).

import {
  asInteger,
  buildImage,
  cast,
  nothing,
  perCpu,
  ptr,
  routine,
  struct,
  u32,
  u64,
  type Arm64Flavour,
  type Architecture,
  type Image,
} from "../asm/index.ts";

/** Flag and counter lie in a CPU's block: so the host chooses the node of their home. */
const flag = perCpu("handoff_flag", u32, { offset: 0 });
const counter = perCpu("contended_counter", u64, { offset: 64 });

const PING = 0;
const PONG = 1;

/** Flips the flag from `from` to `to`, for ever; the mark is passed at each flip. */
function flipping(name: string, from: number, to: number) {
  return routine(name, { cell: ptr(u32) }, nothing, (k, { cell }) => {
    const expected = k.let("expected", from, u32);
    const flips = k.let("flips", 0, u64);
    k.loop(() => {
      k.set(expected, from);
      k.if(k.tryCmpxchg(cell.at(0), expected, to, "relaxed"), () => {
        k.mark("flip");
        k.set(flips, flips.add(1));
      });
    });
  });
}

export const ping = flipping("handoff_ping", PONG, PING);
export const pong = flipping("handoff_pong", PING, PONG);

/** Single atomics; with the LL/SC flavour of an arm64 image, loops of exclusive accesses. */
export const fetchAddWork = routine("fetch_add_work", { cell: ptr(u64) }, nothing, (k, { cell }) => {
  const done = k.let("done", 0, u64);
  k.loop(() => {
    k.fetchAdd(cell.at(0), 1, "relaxed");
    k.set(done, done.add(1));
  });
});

/**
 * A load, then compare-and-swap with what it found until that succeeds, without a pause. A failed attempt has loaded what
 * there is now, and goes on with that: so the publication's compare_exchange_weak, which GCC compiles for Neoverse N1 to as many
 * instructions: CASAL and nine others, LDAR among them.
 */
export const casWork = routine("cas_work", { cell: ptr(u64) }, nothing, (k, { cell }) => {
  const done = k.let("done", 0, u64);
  const current = k.let("current", 0, u64);
  k.loop(() => {
    k.set(current, k.loadAcquire(cell.at(0)));
    k.while(
      () => k.tryCmpxchg(cell.at(0), current, current.add(1)).not(),
      () => {
        // Nothing to load.
      },
    );
    k.set(done, done.add(1));
  });
});

const TicketLock = struct("ticket_lock", { dispenser: u64, serving: u64 });
const ticketLock = perCpu("ticket_lock", TicketLock, { offset: 128 });

/**
 * Takes a ticket lock for each increment: those who wait all read the line that whoever leaves writes. It is what a
 * rendezvous does with its state.
 */
export const ticketWork = routine("ticket_work", { cell: ptr(u64) }, nothing, (k, { cell }) => {
  const lock = k.let("lock", cast(asInteger(cell).add(ticketLock.symbol.offset - counter.symbol.offset), TicketLock));
  const done = k.let("done", 0, u64);
  k.loop(() => {
    const ticket = k.let("ticket", k.fetchAdd(lock.dispenser, 1, "relaxed"));
    k.while(
      () => k.loadAcquire(lock.serving).ne(ticket),
      () => {
        // Without a pause, as `ticket spin` of the publication.
      },
    );
    k.set(cell.at(0), cell.at(0).add(1));
    k.storeRelease(lock.serving, k.readOnce(lock.serving).add(1));
    k.set(done, done.add(1));
  });
});

export function lineImage(architecture: Architecture, cpus: number, atomics: Arm64Flavour["atomics"] = "lse"): Image {
  return buildImage({
    architecture,
    cpus,
    roots: [ping, pong, fetchAddWork, casWork, ticketWork, flag, counter, ticketLock],
    flavour: { atomics },
  });
}

export const cellOffsets = { flag: flag.symbol.offset, counter: counter.symbol.offset } as const;
