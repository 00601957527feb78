// What there is to see of a CPU where a run stands: registers, interrupts, code, and the lines of memory that it touches.

import { LINE_BYTES } from "../abi.ts";
import { Disassembler, type ListedInstruction } from "../disassembly/disassemble.ts";
import { AllstopError } from "../errors.ts";
import {
  arm64Flags,
  interruptsOf,
  systemRegisters,
  x86Bases,
  x86Flags,
  type CpuInterrupts,
} from "../inspect/interrupts.ts";
import { Lines, type BlockedFor, type LineHolders, type WaitingStore } from "../inspect/lines.ts";
import { CoreRecords } from "../inspect/records.ts";
import type { CpuView, Machine } from "../machine/machine.ts";
import { registerNames } from "../machine/registers.ts";
import { objectText } from "../measure/object-names.ts";
import { operandAddresses } from "./operand-addresses.ts";
import type { Stepper } from "./stepper.ts";

/** A line of memory and why it is of interest. */
export interface TouchedLine extends LineHolders {
  /** What is accessed: by name, where it has one. */
  readonly name: string;
  /** `next`: by the next instruction; `store`: by a store that waits; `blocked`: by the access that the CPU waits for. */
  readonly by: "next" | "store" | "blocked" | "before";
}

/** All that is to be seen of a CPU at a moment. */
export interface CpuPicture {
  readonly cpu: number;
  readonly view: CpuView;
  /** General-purpose registers, then a few system registers; 64 bits. */
  readonly registers: readonly (readonly [name: string, value: bigint])[];
  readonly system: readonly (readonly [name: string, value: bigint])[];
  /** RFLAGS; or PSTATE.NZCV in bits 3 to 0. */
  readonly flags: number;
  readonly interrupts: CpuInterrupts;
  readonly blockedFor: BlockedFor | undefined;
  readonly stores: readonly WaitingStore[];
  /** Instructions of the routine around the next one, which is that at `pc`; none where there is no code to show. */
  readonly code: readonly ListedInstruction[];
  readonly lines: readonly TouchedLine[];
}

/** Makes pictures of the CPUs of one run. */
export class Pictures {
  readonly #stepper: Stepper;
  readonly #disassembler: Disassembler | undefined;
  /** By CPU: lines that instructions have touched where it stood before, the last first. */
  readonly #before = new Map<number, readonly number[]>();
  /** Why there is no code to see, if there is none. */
  readonly missing: string | undefined;

  private constructor(stepper: Stepper, disassembler: Disassembler | undefined, missing: string | undefined) {
    this.#stepper = stepper;
    this.#disassembler = disassembler;
    this.missing = missing;
  }

  /** Loads what is needed to show code; without the optional package for that there are pictures all the same. */
  static async of(stepper: Stepper): Promise<Pictures> {
    try {
      return new Pictures(stepper, await Disassembler.of(stepper.machine.image), undefined);
    } catch (error) {
      if (!(error instanceof AllstopError) || error.code !== "PACKAGE_MISSING") throw error;
      return new Pictures(stepper, undefined, error.message);
    }
  }

  /** @param around instructions to show before and behind the next one */
  of(cpu: number, around = 4): CpuPicture {
    const { machine } = this.#stepper;
    const { architecture } = machine.image;
    const records = new CoreRecords(machine);
    const lines = new Lines(records, machine.topology);
    const view = this.#stepper.cpu(cpu);
    const stores = lines.waitingStores(cpu);
    const blockedFor = view.state === "BLOCKED" ? lines.blockedFor(cpu) : undefined;
    const code = this.#code(view.pc, around);
    const next = code.find(({ address }) => address === view.pc);
    const touched =
      next === undefined ? [] : operandAddresses(next, architecture, registerReader(machine, records, cpu));
    return {
      cpu,
      view,
      registers: registerNames(architecture).map((name) => [name, machine.readRegister(cpu, name)] as const),
      system: systemRegisters(records, cpu, architecture),
      flags: architecture === "x86-64" ? x86Flags(records, cpu) : arm64Flags(records, cpu),
      interrupts: interruptsOf(records, cpu, architecture),
      blockedFor,
      stores,
      code,
      lines: this.#lines(lines, cpu, touched, stores, blockedFor),
    };
  }

  #code(pc: number, around: number): readonly ListedInstruction[] {
    const instructions = this.#disassembler?.routineAt(pc)?.instructions ?? [];
    const index = instructions.findIndex(({ address }) => address === pc);
    return index < 0 ? [] : instructions.slice(Math.max(0, index - around), index + around + 1);
  }

  /** The next instruction's first, and last those of instructions before. */
  #lines(
    lines: Lines,
    cpu: number,
    touched: readonly number[],
    stores: readonly WaitingStore[],
    blockedFor: BlockedFor | undefined,
  ): TouchedLine[] {
    const blocked = blockedFor?.kind === "line" ? [blockedFor.address] : [];
    const before = this.#before.get(cpu) ?? [];
    const wanted: readonly (readonly [number, TouchedLine["by"]])[] = [
      ...touched.map((address) => [address, "next"] as const),
      ...blocked.map((address) => [address, "blocked"] as const),
      ...stores.map(({ address }) => [address, "store"] as const),
      ...before.map((address) => [address, "before"] as const),
    ];
    this.#before.set(cpu, [...new Set([...touched, ...before])].slice(0, MOST_BEFORE));
    const found = new Map<number, TouchedLine>();
    for (const [address, by] of wanted) {
      const line = address - (address % LINE_BYTES);
      if (found.has(line) || !isInRam(this.#stepper.machine, line)) continue;
      found.set(line, { ...lines.holders(address), name: this.name(address), by });
    }
    return [...found.values()];
  }

  /** Who holds the line of a place, and what it is called. @throws NAME_UNKNOWN, OPTION_INVALID */
  line(place: string | number): LineHolders & { readonly name: string } {
    const { machine } = this.#stepper;
    const address = machine.address(place);
    machine.readMemory(address, 1);
    const lines = new Lines(new CoreRecords(machine), machine.topology);
    return { ...lines.holders(address), name: this.name(address) };
  }

  /** "cpu_stopper.lock of CPU 5", or the address. */
  name(address: number): string {
    return objectText(this.#stepper.names.nameOf(address));
  }
}

/** Lines of instructions before the next one that are shown. */
const MOST_BEFORE = 4;

function isInRam(machine: Machine, address: number): boolean {
  try {
    machine.readMemory(address, 1);
    return true;
  } catch {
    return false;
  }
}

function registerReader(machine: Machine, records: CoreRecords, cpu: number): (name: string) => bigint {
  return (name) => {
    if (name === "gs" || name === "fs") return x86Bases(records, cpu)[name];
    if (name === "xzr" || name === "wzr") return 0n;
    return machine.readRegister(cpu, name);
  };
}
