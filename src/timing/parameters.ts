// The parameters of a timing model: what each is, in which unit, and where it goes in the core's table.

import { MOST_STORES, Timing } from "../abi.ts";

/** `ticks` are simple-instruction slots of the issue width: a cycle has `issueWidth` of them. */
export type TimingUnit = "cycles" | "ticks" | "ns" | "kHz" | "stores";

/**
 * How much a figure is worth: `A` raw measurement data was read; `B` a figure in a publication, patch or driver table; `C`
 * second-hand; `fit` solved or chosen so that the model reproduces a published figure, which the source names; `estimate` no
 * figure was found, the range says within what it should lie.
 */
export type Confidence = "A" | "B" | "C" | "fit" | "estimate";

/** One value with its origin (law 6: every timing number has a source). */
export interface Sourced {
  readonly value: number;
  readonly source: string;
  readonly confidence: Confidence;
  /** For estimates: what the true value should lie within. */
  readonly range?: readonly [least: number, most: number];
}

export interface ParameterDescription {
  readonly unit: TimingUnit;
  readonly index: Timing;
  /** The least value that makes sense, in the unit. */
  readonly least: number;
  /** The greatest, where there is one. */
  readonly most?: number;
  /** The least number of whole cycles that it comes to; 1 if not given. */
  readonly leastCycles?: number;
  readonly what: string;
}

/** Everything in a timing model besides clock, issue width and line latencies. */
export const timingParameters = {
  simple: cost(Timing.COST_SIMPLE, "simple instruction"),
  load: cost(Timing.COST_LOAD, "load that hits the innermost cache"),
  store: cost(Timing.COST_STORE, "store to a line already owned"),
  branch: cost(Timing.COST_BRANCH, "branch"),
  multiply: cost(Timing.COST_MULTIPLY, "multiplication"),
  divide: cycles(Timing.COST_DIVIDE, "division"),
  atomic: cycles(Timing.COST_ATOMIC, "atomic read-modify-write on a line already owned"),
  compareAndSwap: cycles(
    Timing.COST_COMPARE_AND_SWAP,
    "compare-and-swap on a line already owned, until the next access of the line may start",
  ),
  fullFence: cycles(Timing.COST_FULL_FENCE, "MFENCE; DSB, DMB of all accesses"),
  storeFence: cycles(Timing.COST_STORE_FENCE, "SFENCE; DMB of stores"),
  loadFence: cycles(Timing.COST_LOAD_FENCE, "LFENCE; DMB of loads"),
  serialize: cycles(Timing.COST_SERIALIZE, "CPUID, SERIALIZE; ISB"),
  readCounter: cycles(Timing.COST_READ_COUNTER, "RDTSC; read of CNTVCT_EL0"),
  relax: cycles(Timing.COST_RELAX, "PAUSE; YIELD"),
  systemRead: cycles(Timing.COST_SYSTEM_READ, "RDMSR, MOV from CR; MRS"),
  systemWrite: cycles(Timing.COST_SYSTEM_WRITE, "WRMSR, MOV to CR, CLI, STI; MSR"),
  sendInterrupt: cycles(Timing.COST_SEND_INTERRUPT, "WRMSR to the x2APIC ICR; MSR ICC_SGI1R_EL1"),
  exceptionEntry: cycles(
    Timing.COST_EXCEPTION_ENTRY,
    "taking an interrupt or exception, up to the handler's first instruction",
  ),
  exceptionReturn: cycles(Timing.COST_EXCEPTION_RETURN, "IRETQ; ERET"),
  port: cycles(Timing.COST_PORT, "IN, OUT, beside the device's latency"),
  flushLine: cycles(Timing.COST_FLUSH_LINE, "CLFLUSH"),
  writeBackAll: cycles(Timing.COST_WRITE_BACK_ALL, "WBINVD"),
  apicAccess: cycles(Timing.COST_APIC_ACCESS, "load or store of a register of the local APIC in xAPIC mode"),
  llcOccupancy: latency(Timing.LLC_OCCUPANCY, "a last-level cache is busy with a line after serving a request for it"),
  homeOccupancy: latency(Timing.HOME_OCCUPANCY, "a home is busy with a line after serving a request for it"),
  sibling: latency(
    Timing.SIBLING_LATENCY,
    "a line that a thread has got to write, until an SMT sibling sees what it has written",
  ),
  memory: latency(Timing.MEMORY_LATENCY, "home to data, for a line that no cache holds"),
  interrupt: latency(
    Timing.INTERRUPT_LATENCY,
    "interrupt message between CPUs of one last-level cache; others are a hop farther",
  ),
  siblingInterrupt: latency(Timing.SIBLING_INTERRUPT_LATENCY, "interrupt message between SMT threads of one core"),
  selfInterrupt: latency(Timing.SELF_INTERRUPT_LATENCY, "interrupt message of a CPU to itself"),
  interruptGap: latency(Timing.INTERRUPT_MESSAGE_GAP, "least distance of two interrupt messages of one sender"),
  interruptMember: skew(
    Timing.INTERRUPT_MEMBER_SKEW,
    "a message for several CPUs reaches each next one of a target list, or of a last-level cache, so much later",
  ),
  interruptCopy: skew(
    Timing.INTERRUPT_COPY_SKEW,
    "a broadcast leaves so much later for each next node, and within a node for each next last-level cache",
  ),
  device: latency(Timing.DEVICE_LATENCY, "one way between a CPU and a device register"),
  firmwareCall: latency(Timing.FIRMWARE_CALL, "half a round trip of HVC or SMC to firmware"),
  wakeHlt: latency(Timing.WAKE_HLT, "interrupt to first instruction, out of HLT"),
  wakeMwait: latency(Timing.WAKE_MWAIT, "store or interrupt to first instruction, out of MWAIT"),
  wakeWfi: latency(Timing.WAKE_WFI, "interrupt to first instruction, out of WFI"),
  wakeWfe: latency(Timing.WAKE_WFE, "event to first instruction, out of WFE"),
  wakePause: latency(Timing.WAKE_PAUSE, "time or event to first instruction, out of TPAUSE and UMWAIT"),
  cpuOn: latency(
    Timing.CPU_ON_LATENCY,
    "PSCI CPU_ON, start-up IPI, or INIT of CPU 0, to the first instruction of the CPU",
  ),
  cpuOff: latency(Timing.CPU_OFF_LATENCY, "PSCI CPU_OFF, from the firmware's locks until the CPU is off"),
  psciLock: latency(Timing.PSCI_LOCK, "a CPU_OFF, or a CPU that comes up, holds the firmware's power-domain locks"),
  sdeiLock: latency(Timing.SDEI_LOCK, "a call holds the firmware's lock of an SDEI event"),
  storeBuffer: {
    unit: "stores",
    index: Timing.STORE_BUFFER,
    least: 1,
    most: MOST_STORES,
    what: "stores that a store buffer holds",
  },
  storeDrain: skew(
    Timing.STORE_DRAIN_DELAY,
    "a store that can't be done at once waits before it asks for its line, or drains",
  ),
  smm: latency(Timing.SMM_DURATION, "in system-management mode, for an SMI that doesn't say how long"),
  microcodeUpdate: latency(
    Timing.MICROCODE_UPDATE,
    "WRMSR to IA32_BIOS_UPDT_TRIG: a CPU loads microcode and does nothing else",
  ),
  apicTimerClock: frequency(
    Timing.APIC_TIMER_CLOCK,
    "core crystal clock: what the APIC timer counts, and the TSC is a multiple of (CPUID 15H)",
  ),
} as const satisfies Record<string, ParameterDescription>;

/** A figure of a timing model: a key of `timingParameters`, which has its unit. */
export type TimingParameter = keyof typeof timingParameters;

function cost(index: Timing, what: string): ParameterDescription {
  return { unit: "ticks", index, least: 1, what };
}

function cycles(index: Timing, what: string): ParameterDescription {
  return { unit: "cycles", index, least: 1, what };
}

function latency(index: Timing, what: string): ParameterDescription {
  return { unit: "ns", index, least: 0, what };
}

/** Something that is added to a latency, and may be nothing. */
function skew(index: Timing, what: string): ParameterDescription {
  return { ...latency(index, what), leastCycles: 0 };
}

function frequency(index: Timing, what: string): ParameterDescription {
  return { unit: "kHz", index, least: 1, what };
}
