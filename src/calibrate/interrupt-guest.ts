// Guest program of the interrupt measurements: the little kernel with a task that interrupts its own CPU, one other CPU, and
// all CPUs but itself, as Linux's ipi_benchmark module does, but without the queue of functions to call.

import {
  imageOption,
  nothing,
  routine,
  u32,
  u64,
  x64,
  type Architecture,
  type Builder,
  type Image,
} from "../asm/index.ts";
import { LinuxVector } from "../abi.ts";
import { buildKernel } from "../guest/kernel.ts";
import { IPI_RESCHEDULE } from "../guest/irqchip/gicv3.ts";
import { sendReschedule } from "../guest/irqchip/controller.ts";
import { numOnlineCpus } from "../guest/lib/cpumask.ts";
import { onlineWanted } from "../guest/load/parameters.ts";
import { relaxFor } from "../guest/load/work.ts";
import { local } from "../guest/percpu.ts";

/** The CPU that "one" means. */
const target = imageOption("calibrationTarget", u32, 1);
/** Turns of cpu_relax() between two sends: all handlers are through, all idle CPUs idle again. */
const settle = imageOption("calibrationSettle", u64, 1000);
const rounds = imageOption("calibrationRounds", u32, 3);

const MSR_X2APIC_ICR = 0x830;
const ICR_ALL_BUT_SELF = 0xc_0000;
/** ICC_SGI1R_EL1.IRM: to all but self. */
const SGI1R_IRM = 2 ** 40;

/** One write that reaches everybody: the all-but-self shorthand, or IRM. */
function sendToAllButSelf(k: Builder): void {
  const sgi = k.let("sgi", SGI1R_IRM + IPI_RESCHEDULE * 2 ** 24, u64);
  k.interprocessorFence("all");
  k.arch(
    {
      x64: (a) => {
        a.xor(x64.edx, x64.edx).mov(x64.eax, ICR_ALL_BUT_SELF | LinuxVector.RESCHEDULE);
        a.mov(x64.ecx, MSR_X2APIC_ICR).wrmsr();
      },
      arm64: (a, { sgi: value }) => void a.msr("icc_sgi1r_el1", value).isb(),
    },
    { uses: { sgi }, clobbers: { x64: ["rax", "rcx", "rdx"] } },
  );
}

const sender = routine(
  "ipi_sender",
  [],
  nothing,
  (k) => {
    k.irqEnable();
    k.while(
      () => k.readOnce(numOnlineCpus).lt(onlineWanted),
      () => k.cpuRelax(),
    );
    k.for("round", 0, rounds, () => {
      relaxFor(k, settle);
      k.mark("self");
      k.call(sendReschedule, local.here.cpu);
      k.mark("sent_self");
      relaxFor(k, settle);
      k.mark("one");
      k.call(sendReschedule, target);
      k.mark("sent_one");
      relaxFor(k, settle);
      k.mark("all");
      sendToAllButSelf(k);
      k.mark("sent_all");
    });
    relaxFor(k, settle);
    k.mark("done");
    k.loop(() => k.cpuRelax());
  },
  { noReturn: true },
);

/** Kinds of sends, in the order of a round; marks of the sender are named after them. */
export const sends = ["self", "one", "all"] as const;
export type Send = (typeof sends)[number];

export const interruptMarks = {
  before: { self: "ipi_sender:self", one: "ipi_sender:one", all: "ipi_sender:all" },
  after: { self: "ipi_sender:sent_self", one: "ipi_sender:sent_one", all: "ipi_sender:sent_all" },
  done: "ipi_sender:done",
  fatal: "bad_exception:fatal",
  sender: sender.name,
} as const;

/** Where each architecture's interrupt path comes by, behind the entry stub and the controller's acknowledgement. */
export const handlerMarks: Readonly<Record<Architecture, string>> = {
  "x86-64": "common_interrupt:resched",
  arm64: "gic_handle_irq:resched",
};

export interface InterruptImageOptions {
  readonly architecture: Architecture;
  readonly cpus: number;
  readonly online: number;
  readonly target: number;
  readonly settleTurns: number;
  readonly rounds: number;
}

/** The kernel with the sender in it: the entry option names a root, which the host doesn't start at. */
export function interruptImage({
  architecture,
  cpus,
  online,
  target,
  settleTurns,
  rounds,
}: InterruptImageOptions): Image {
  return buildKernel({
    architecture,
    cpus,
    entry: sender,
    parameters: {
      onlineWanted: online,
      calibrationTarget: target,
      calibrationSettle: settleTurns,
      calibrationRounds: rounds,
    },
  });
}
