// The kernel module ipi_benchmark (Yury Norov, linux-arm-kernel, 19 December 2017, "IPI performance benchmark", v2) as a request:
// functions called on the CPU itself, on one other, and on all others, so many times each; then the same by the ways of sending
// that the kernel doesn't take here, and an NMI.

import {
  addressOf,
  asInteger,
  cast,
  codeOf,
  global,
  i32,
  nothing,
  ptr,
  routine,
  slot,
  struct,
  u32,
  u64,
  x64,
  type Builder,
  type Value,
} from "../../asm/index.ts";
import { SendingWay } from "../irqchip/controller.ts";
import { rawSpinLock, rawSpinUnlock } from "../lib/spinlock.ts";
import { Request, local } from "../percpu.ts";
import { preemptDisable, preemptEnable } from "../sched/schedule.ts";
import { smpCallFunctionMany, smpCallFunctionSingle } from "./call-function.ts";

const Cell = struct("ipi_benchmark_cell", { value: u64 });

/** The lock of "Broadcast lock": on a line of its own, as on the sender's stack. */
const broadcastLock = global("ipi_benchmark_lock", u32, { align: 64 });

/** ktime_get(), without the scaling to nanoseconds. */
function readClock(k: Builder): Value<"u64"> {
  return k.arch(
    {
      x64: (a, { result }) => {
        a.lfence().rdtsc().shl(x64.rdx, 32).or(x64.rax, x64.rdx);
        void result;
      },
      arm64: (a, { result }) => void a.isb().mrs(result, "cntvct_el0"),
    },
    { uses: {}, result: u64, resultIn: { x64: "rax" }, clobbers: { x64: ["rax", "rdx"] } },
  );
}

/** A time that the function replaces by what has passed since, or nothing. */
const handleIpi = routine("handle_ipi", { time: u64 }, nothing, (k, { time }) => {
  k.mark("start");
  k.if(time.ne(0), () => {
    const cell = k.let("cell", cast(time, Cell));
    k.set(cell.value, readClock(k).sub(cell.value));
  });
  k.mark("end");
});

const handleIpiSpinlock = routine("handle_ipi_spinlock", { lock: u64 }, nothing, (k, { lock }) => {
  k.mark("start");
  k.call(rawSpinLock, cast(lock, u32));
  rawSpinUnlock(k, cast(lock, u32));
});

/** Sends an NMI to a CPU and waits until it has been handled; nothing where the architecture has none. */
export const pokeNmi = slot("ipi_benchmark_nmi", { cpu: u32 }, nothing);

/** What the module does first. */
export const preparePokes = slot("ipi_benchmark_prepare", {}, nothing);

/** How the kernel interrupts all others here: SendingWay. */
export const kernelsWay = slot("ipi_benchmark_way", {}, u32);

/** Cases in the order in which they are run; marks of the routine are named after them. */
export const benchmarkCases = ["dry", "self", "one", "all", "lock", "broadcast", "lists", "each", "nmi"] as const;
export type BenchmarkCase = (typeof benchmarkCases)[number];

/** Rounds of each case before those that count: lines are where they will be, and loops foreseen. */
export const BENCHMARK_WARM_UP = 4;

interface Poke {
  readonly k: Builder;
  readonly target: Value<"u32">;
  readonly way: Value<"u32">;
}

/** smp_call_function_single() with the time at which it is called. */
function pokeOne(k: Builder, cpu: Value<"u32">, name: BenchmarkCase): void {
  const time = k.stackStruct(`time_${name}`, Cell);
  k.set(time.value, readClock(k));
  k.mark(`send_${name}`);
  k.call(smpCallFunctionSingle, cpu, codeOf(handleIpi), asInteger(time));
}

function pokeAll(k: Builder, way: Value<"u32"> | number): void {
  k.call(smpCallFunctionMany, codeOf(handleIpi), 0, way);
}

/** send_ipi(): what each case does between get_cpu() and put_cpu(). */
const pokes: Readonly<Record<BenchmarkCase, (poke: Poke) => void>> = {
  dry: () => undefined,
  self: ({ k }) => pokeOne(k, local.here.cpu, "self"),
  one: ({ k, target }) => pokeOne(k, target, "one"),
  all: ({ k, way }) => pokeAll(k, way),
  lock: ({ k, way }) =>
    void k.call(smpCallFunctionMany, codeOf(handleIpiSpinlock), asInteger(addressOf(broadcastLock)), way),
  broadcast: ({ k }) => pokeAll(k, SendingWay.Broadcast),
  lists: ({ k }) => pokeAll(k, SendingWay.Lists),
  each: ({ k }) => pokeAll(k, SendingWay.Each),
  nmi: ({ k, target }) => {
    k.mark("send_nmi");
    k.call(pokeNmi, target);
  },
};

/** The request block says which CPU `one` is, and how often each case counts. */
export const callIpiBenchmark = routine("ipi_benchmark", { request: ptr(Request) }, i32, (k, { request }) => {
  const target = k.let("target", request.first);
  const times = k.let("times", request.second.add(BENCHMARK_WARM_UP));
  const way = k.let("way", k.call(kernelsWay));
  k.call(preparePokes);
  for (const name of benchmarkCases) {
    k.for(`i_${name}`, 0, times, () => {
      k.mark(name);
      preemptDisable(k);
      pokes[name]({ k, target, way });
      k.call(preemptEnable);
    });
    k.mark(`${name}_end`);
  }
  k.return(0);
});
