// Guest programs that call EL3, as text: each CPU has a list of calls, whose results lie in memory one after the other.

import type { BareMachine } from "../support/bare-machine.ts";
import { plainTiming, type Figures } from "../support/plain-timing.ts";
import { wait } from "../instructions/arm64/gic.ts";
import { DATA, Guest, park, setVectors, vectors } from "../instructions/arm64/guest.ts";
import type { FirmwareChoice } from "../../src/firmware/index.ts";
import type { Accelerations } from "../../src/machine/accelerations.ts";

/** Function identifiers (DEN 0028 7, DEN 0022F.b table 5.1, DEN 0054C table 5.1). */
export const ids = {
  SMCCC_VERSION: 0x8000_0000,
  SMCCC_ARCH_FEATURES: 0x8000_0001,
  PSCI_VERSION: 0x8400_0000,
  CPU_SUSPEND: 0xc400_0001,
  CPU_OFF: 0x8400_0002,
  CPU_ON: 0xc400_0003,
  AFFINITY_INFO: 0xc400_0004,
  MIGRATE: 0xc400_0005,
  MIGRATE_INFO_TYPE: 0x8400_0006,
  SYSTEM_OFF: 0x8400_0008,
  SYSTEM_RESET: 0x8400_0009,
  PSCI_FEATURES: 0x8400_000a,
  SYSTEM_RESET2: 0xc400_0012,
  SDEI_VERSION: 0xc400_0020,
  EVENT_REGISTER: 0xc400_0021,
  EVENT_ENABLE: 0xc400_0022,
  EVENT_DISABLE: 0xc400_0023,
  EVENT_CONTEXT: 0xc400_0024,
  EVENT_COMPLETE: 0xc400_0025,
  EVENT_COMPLETE_AND_RESUME: 0xc400_0026,
  EVENT_UNREGISTER: 0xc400_0027,
  EVENT_STATUS: 0xc400_0028,
  EVENT_GET_INFO: 0xc400_0029,
  EVENT_ROUTING_SET: 0xc400_002a,
  PE_MASK: 0xc400_002b,
  PE_UNMASK: 0xc400_002c,
  INTERRUPT_BIND: 0xc400_002d,
  INTERRUPT_RELEASE: 0xc400_002e,
  EVENT_SIGNAL: 0xc400_002f,
  SDEI_FEATURES: 0xc400_0030,
  PRIVATE_RESET: 0xc400_0031,
  SHARED_RESET: 0xc400_0032,
} as const;

export const SUCCESS = 0n;
export const NOT_SUPPORTED = -1n;
export const INVALID_PARAMETERS = -2n;
export const DENIED = -3n;
export const ALREADY_ON = -4n;
export const ON_PENDING = -5n;
export const PENDING = -5n;
export const INVALID_ADDRESS = -9n;
export const OUT_OF_RESOURCE = -10n;

/** A number, or a label's address. */
export type Argument = number | bigint | string;
export type Function = keyof typeof ids | number;

const idOf = (name: Function): number => (typeof name === "number" ? name : ids[name]);

/** A call; changes X0 to X5. */
export function call(name: Function, ...values: readonly Argument[]): string {
  const lines = values.map((value, index) =>
    typeof value === "string"
      ? `adr x${index + 1}, ${value}`
      : `li x${index + 1}, #${BigInt.asUintN(64, BigInt(value))}`,
  );
  return `${lines.join("\n")}\n li x0, #${idOf(name)}\n smc #0\n`;
}

/** Keeps X0 as the next result of the CPU. */
export const keep = "str x0, [x28], #8\n";

/** A call whose result is kept. */
export function ask(name: Function, ...values: readonly Argument[]): string {
  return call(name, ...values) + keep;
}

/** Keeps any register. */
export const keepRegister = (register: string): string => `str ${register}, [x28], #8\n`;

export { wait };

/** Cycles, since the machine runs at 1 GHz. */
export const figures = {
  firmwareCall: 10,
  interrupt: 30,
  selfInterrupt: 20,
  cpuOn: 500,
  cpuOff: 300,
  psciLock: 40,
  sdeiLock: 15,
} as const satisfies Figures;

export interface CallsOptions {
  readonly firmware?: FirmwareChoice;
  readonly figures?: Figures;
  /** CPUs in all, if more than have a program. */
  readonly cpus?: number;
  /** Further code, with labels. */
  readonly code?: string;
  readonly handlers?: Parameters<typeof vectors>[0];
  readonly accelerations?: Partial<Accelerations>;
  /** Cycles to run. */
  readonly cycles?: number;
}

/** Bytes of results per CPU. */
const ROOM = 0x400;

/** Where a CPU's results begin. */
export const resultsAt = (cpu: number): number => DATA + 0x4000 + cpu * ROOM;

/** Builds a machine whose first CPUs run these programs, which end in a loop of WFI. */
export function callers(programs: readonly string[], options: CallsOptions = {}): Guest {
  const { firmware = "compliant", cpus = programs.length, code = "", handlers = {} } = options;
  const texts = programs.map((text, cpu) => `cpu${cpu}: ${setVectors}\n ${results(cpu)}\n ${text}\n b park\n`);
  const guest = new Guest(`${texts.join("\n")}\n ${code}\n ${park}\n ${vectors(handlers)}`, {
    cpus,
    firmware,
    accelerations: options.accelerations ?? {},
    timing: plainTiming("arm64", { ...figures, ...options.figures }),
  });
  return guest.start(...programs.map((_, cpu) => `cpu${cpu}`));
}

/** Lets X28 point to a CPU's results. */
export const results = (cpu: number): string => `li x28, #${resultsAt(cpu)}\n`;

/** As callers(), run to the end. */
export function called(programs: readonly string[], options: CallsOptions = {}): Guest {
  const guest = callers(programs, options);
  guest.run(options.cycles ?? 20_000);
  return guest;
}

/** The results that a CPU has kept, signed, as many as asked for; zeros behind the last. */
export function kept(guest: Guest, cpu: number, count: number): bigint[] {
  return Array.from({ length: count }, (_, index) =>
    BigInt.asIntN(64, guest.machine.read64(resultsAt(cpu) + 8 * index)),
  );
}

/** Results of one CPU's calls on a machine of one, or of more that are off. */
export function answers(calls: readonly string[], options: CallsOptions = {}): bigint[] {
  return kept(called([calls.join("\n")], options), 0, calls.length);
}

/** An event handler that notes how it was entered (X0 to X3) at X27 and completes; changes nothing else it may not. */
export const countingHandler = `
handler:
  stp x0, x1, [x27], #16
  stp x2, x3, [x27], #16
  ${call("EVENT_COMPLETE", 0)}
`;

/** Lets X27 point to a CPU's notes of events. */
export const notesAt = (cpu: number): number => DATA + 0xa000 + cpu * ROOM;
export const notes = (cpu: number): string => `li x27, #${notesAt(cpu)}\n`;

export interface Note {
  readonly event: bigint;
  readonly argument: bigint;
  readonly pc: bigint;
  readonly pstate: bigint;
}

/** How often the handler has been entered, and how, as long as arguments aren't 0. */
export function entriesOf(guest: Guest, cpu: number): Note[] {
  const noted: Note[] = [];
  for (let at = notesAt(cpu); guest.machine.read64(at + 8) !== 0n; at += 32) {
    const [event, argument, pc, pstate] = [0, 8, 16, 24].map((offset) => guest.machine.read64(at + offset));
    noted.push({ event: event ?? 0n, argument: argument ?? 0n, pc: pc ?? 0n, pstate: pstate ?? 0n });
  }
  return noted;
}

/** Registers and enables event 0 with the counting handler, and unmasks; results are not kept. */
export const ready = (cpu: number): string =>
  notes(cpu) + call("EVENT_REGISTER", 0, "handler", 0xabc, 0, 0) + call("EVENT_ENABLE", 0) + call("PE_UNMASK");

/** Lets an interrupt of a bound event come. */
export function trigger(machine: BareMachine, cpu: number, event: number, cycle: bigint | number): void {
  if (!machine.core.triggerEvent(cpu, event, BigInt(cycle))) throw new Error(`no event ${event}`);
}
