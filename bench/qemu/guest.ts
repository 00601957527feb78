// What runs on QEMU and here: the guest kernel, with a dot on the console after each batch of rounds, and a line in the end that says what
// was done. The dots are what a host times; the rounds between two of them start and end at the same point.
//
// "idle": stop_machine() again and again, from the moment that all CPUs sleep. "spinning": one stop_machine() whose function runs on all
// CPUs, and there meets the others in round after round of the four states, by the kernel's own set_state and ack_state.

import type { Architecture } from "allstop/topology";
import {
  MultiStopData,
  ackState,
  print,
  printField,
  runDirectly,
  runFunction,
  setState,
  type KernelOptions,
} from "allstop/guest";
import {
  addressOf,
  array,
  bind,
  global,
  i32,
  imageOption,
  ptr,
  routine,
  struct,
  u32,
  u64,
  type Builder,
} from "allstop/asm";

export type Protocol = "idle" | "spinning";

/** What one run does. */
export interface Work {
  readonly protocol: Protocol;
  readonly architecture: Architecture;
  readonly cpus: number;
  readonly batches: number;
  readonly roundsPerBatch: number;
}

const STATES_PER_ROUND = 4;
const MOST_CPUS = 512;
/** The function's `cpus` argument: the online mask. */
const ON_ALL_CPUS = 1;
/** Between two calls. On QEMU one turn lets every other CPU have its own, in which it goes to sleep; more would only cost it time. */
const SETTLE_TURNS = 1;

const roundsPerBatch = imageOption("benchRoundsPerBatch", u32, 1);
/** The state that the last round ends in: they are counted on, over all rounds. */
const lastState = imageOption("benchLastState", u32, 1);

/** Says that a batch is over. The mark is where a run stops here. */
function dot(k: Builder): void {
  k.mark("batch");
  print(k, ".");
}

/** The places where runs stop, by protocol. */
export const batchMark = { idle: "bench_run_counted:batch", spinning: "bench_spin_rounds:batch" } as const;

const roundsLeft = global("bench_rounds_left", u32, { align: 64 });

/** In RUN, on the CPU that runs the function: the others wait for it. */
const runCounted = routine("bench_run_counted", { msdata: ptr(MultiStopData) }, i32, (k, { msdata }) => {
  k.if(roundsLeft.eq(0), () => {
    k.set(roundsLeft, roundsPerBatch);
    dot(k);
  });
  k.set(roundsLeft, roundsLeft.sub(1));
  k.return(k.call(runDirectly, msdata));
});

/** What a CPU writes while it spins, as in multi_cpu_stop(): the watchdog's time stamp and RCU's count, on a line of its own. */
const Spinner = struct("bench_spinner", { touched: u32, watching: u32, reserved: array(u64, 7) });
const spinners = global("bench_spinners", array(Spinner, MOST_CPUS), { align: 64 });
const spin = global("bench_spin", MultiStopData, { align: 64 });
/** CPUs that have come; states that all of them have acknowledged, added up by those that have left. */
const arrived = global("bench_arrived", u32, { align: 64 });
const departed = global("bench_departed", u32);
const acknowledged = global("bench_acknowledged", u64);

/** In RUN, on every CPU, interrupts off: multi_cpu_stop()'s loop, over many rounds. The first to come says when it starts. */
const spinRounds = routine("bench_spin_rounds", { msdata: ptr(MultiStopData) }, i32, (k, { msdata }) => {
  const number = k.let("number", k.fetchAdd(arrived, 1));
  const mine = k.let("mine", addressOf(spinners.at(number)));
  const nextDot = k.let("next_dot", 1, u32);
  const curstate = k.let("curstate", 0, u32);
  k.if(number.eq(0), () => {
    k.set(spin.num_threads, msdata.num_threads);
    k.call(setState, addressOf(spin), 1);
  });
  k.doWhile(() => {
    k.cpuRelax();
    const newstate = k.readOnce(spin.state);
    k.if(
      newstate.ne(curstate),
      () => {
        k.set(curstate, newstate);
        k.if(number.eq(0).and(curstate.eq(nextDot)), () => {
          k.set(nextDot, nextDot.add(roundsPerBatch.mul(STATES_PER_ROUND)));
          dot(k);
        });
        k.call(ackState, addressOf(spin));
      },
      () => {
        k.set(mine.touched, 1);
        k.atomicAdd(mine.watching, 8);
      },
    );
  }, curstate.ne(lastState));
  k.atomicAdd(acknowledged, curstate.to(u64));
  k.if(k.fetchAdd(departed, 1).add(1).eq(spin.num_threads), () => printField(k, "states", acknowledged));
  k.return(k.call(runDirectly, msdata));
});

const routines = { idle: runCounted, spinning: spinRounds };

function roundsOf({ batches, roundsPerBatch: each }: Work): number {
  return batches * each;
}

/** The kernel of a run. Between batches + 1 dots stand the batches. */
export function kernelOptions(work: Work): KernelOptions {
  const { protocol, architecture, cpus } = work;
  const rounds = roundsOf(work);
  return {
    architecture,
    cpus,
    bindings: [bind(runFunction, routines[protocol])],
    parameters: {
      settleTurns: SETTLE_TURNS,
      benchRoundsPerBatch: work.roundsPerBatch,
      ...(protocol === "idle"
        ? { rounds: rounds + 1 }
        : { rounds: 1, activeCpus: ON_ALL_CPUS, benchLastState: STATES_PER_ROUND * rounds + 1 }),
    },
  };
}

/** All that the guest must have said, if it has done its work: nothing of it comes from a run. */
export function expectedConsole(work: Work): string {
  const { protocol, cpus, batches } = work;
  const dots = ".".repeat(batches + 1);
  if (protocol === "idle") {
    const rounds = roundsOf(work) + 1;
    return `${dots}stop_machine: cpus=${cpus} rounds=${rounds} returned=0 calls=${rounds} callers=1`;
  }
  const states = cpus * (STATES_PER_ROUND * roundsOf(work) + 1);
  return `${dots} states=${states}stop_machine: cpus=${cpus} rounds=1 returned=0 calls=${cpus} callers=${cpus}`;
}
