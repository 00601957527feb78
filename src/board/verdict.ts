// How the run of a bare-metal image ended, in words and numbers: for people, and for programs that compare.

import type { Machine, MachineStop, RunEnd } from "../machine/machine.ts";
import { nsOf } from "../timing/index.ts";
import { formatCpuList } from "../topology/index.ts";
import { nameInstruction } from "./instruction.ts";
import { describeDeviceAddress } from "./virt.ts";

/**
 * `off`: the guest switched the board off; `reset`: it asked for a reset; `error`: it did what this version can't do, or took an
 * exception that it has no vector for; `quiescent`: nothing can happen any more; `limit`: the cycle limit is reached.
 */
export type ExecOutcome = "off" | "reset" | "error" | "quiescent" | "limit";

/** Exit codes of `allstop exec`. 2 is wrong usage. */
export const execExitCodes: Readonly<Record<ExecOutcome, number>> = {
  off: 0,
  error: 1,
  reset: 3,
  quiescent: 4,
  limit: 5,
};

/** CPUs that stand at the same place in the same state. */
export interface CpuPlace {
  /** As a list, such as "1-3,7". */
  readonly cpus: string;
  /** running, waiting in WFI, spinning and so on; "off" for CPUs that were never started. */
  readonly state: string;
  readonly pc?: number;
  /** Symbol and offset of the pc, where the image has one. */
  readonly at?: string;
}

/** How the run of an image ended, and where each CPU stood. */
export interface ExecVerdict {
  readonly outcome: ExecOutcome;
  /** One sentence. */
  readonly message: string;
  /** Simulated cycles and nanoseconds until then. */
  readonly cycles: number;
  readonly ns: number;
  /** Instructions of all CPUs. */
  readonly instructions: number;
  /** CPUs that have been started. */
  readonly started: number;
  readonly stop?: Omit<MachineStop, "detail"> & { readonly detail: string };
  readonly places: readonly CpuPlace[];
}

export function verdictOf(machine: Machine, end: RunEnd): ExecVerdict {
  const stop = end.kind === "stopped" ? end.stop : undefined;
  const outcome = outcomeOf(end, stop);
  const cycles = stop?.cycle ?? machine.cycle;
  const groups = groupsOf(machine);
  const present = groups.flatMap(({ place, cpus }) => (place.state === "off" ? [] : cpus));
  return {
    outcome,
    message: messageOf(machine, outcome, stop),
    cycles,
    ns: nsOf(machine.timing, cycles),
    instructions: machine.work.guestInstructions,
    started: present.length,
    ...(stop === undefined ? {} : { stop: { ...stop, detail: hex(stop.detail) } }),
    places: groups.map(({ place, cpus }) => ({ cpus: formatCpuList(cpus), ...place })),
  };
}

function outcomeOf(end: RunEnd, stop: MachineStop | undefined): ExecOutcome {
  if (stop?.reason === "SYSTEM_OFF") return "off";
  if (stop?.reason === "SYSTEM_RESET") return "reset";
  if (stop !== undefined) return "error";
  return end.kind === "quiescent" ? "quiescent" : "limit";
}

function messageOf(machine: Machine, outcome: ExecOutcome, stop: MachineStop | undefined): string {
  switch (outcome) {
    case "off":
      return "the guest switched the board off (PSCI SYSTEM_OFF)";
    case "reset":
      return "the guest asked for a reset (PSCI SYSTEM_RESET)";
    case "quiescent":
      return "nothing can happen any more: every CPU waits, spins for ever or is off";
    case "limit":
      return "the cycle limit is reached";
    case "error":
      return stop === undefined ? "the machine stopped" : describeStop(machine, stop);
  }
}

/** "CPU 3 at 0x40080010 (main+0x10): …" */
function describeStop(machine: Machine, stop: MachineStop): string {
  const symbol = stop.at === undefined ? "" : ` (${stop.at})`;
  return `CPU ${stop.cpu} at ${hex(stop.pc)}${symbol}: ${reasonOf(machine, stop)}`;
}

function reasonOf(machine: Machine, { reason, pc, detail }: MachineStop): string {
  if (reason === "UNHANDLED_ABORT")
    return `an exception, and no code at its vector; ${describeSyndrome(Number(detail))}`;
  if (reason !== "UNSUPPORTED") return `the emulator's ${reason.toLowerCase().replaceAll("_", " ")}`;
  const word = wordAt(machine, pc);
  const device = describeDeviceAddress(Number(detail), machine.topology.cpus.length);
  // Of an access the detail is the address, of an instruction its word (of ERET, what it would return to).
  const isInstruction = word !== undefined && (BigInt(word) === detail || word === 0xd69f_03e0);
  if (isInstruction) return `instruction ${hex(word, 8)}, ${nameInstruction(word)}, is not modelled`;
  return `access to ${hex(detail)}, ${device ?? "a device"}: not modelled`;
}

function wordAt(machine: Machine, pc: number): number | undefined {
  const inMemory = machine.image.segments.some(
    ({ address, memoryBytes }) => pc >= address && pc + 4 <= address + memoryBytes,
  );
  return inMemory && pc % 4 === 0 ? machine.readUint32(pc) : undefined;
}

/** Exception classes, ESR_EL1.EC (Arm ARM DDI 0487 D24.2.44), that can be met here. */
const exceptionClasses: Readonly<Record<number, string>> = {
  0x00: "undefined instruction",
  0x0e: "illegal execution state",
  0x15: "SVC",
  0x21: "instruction abort",
  0x22: "PC alignment fault",
  0x25: "data abort",
  0x3c: "BRK",
};

/** ESR_EL1 is that of the exception, unless it was an interrupt. */
function describeSyndrome(esr: number): string {
  const exceptionClass = Math.floor(esr / 2 ** 26) % 64;
  return `ESR_EL1 ${hex(esr)} (${exceptionClasses[exceptionClass] ?? `class ${hex(exceptionClass)}`})`;
}

interface Group {
  readonly place: Omit<CpuPlace, "cpus">;
  readonly cpus: number[];
}

function groupsOf(machine: Machine): Group[] {
  const groups = new Map<string, Group>();
  for (const { number, state: presence } of machine.topology.cpus) {
    if (presence === "absent") continue;
    const { state, waitsIn, pc, at } = machine.cpu(number);
    const isOff = state === "OFFLINE";
    const what = isOff ? "off" : state === "WAITING" ? `waiting in ${waitsIn}` : state.toLowerCase();
    const place = isOff ? { state: what } : { state: what, pc, ...(at === undefined ? {} : { at }) };
    const key = JSON.stringify(place);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { place, cpus: [number] });
    else group.cpus.push(number);
  }
  return [...groups.values()];
}

function hex(value: number | bigint, digits = 1): string {
  return `0x${value.toString(16).padStart(digits, "0")}`;
}
