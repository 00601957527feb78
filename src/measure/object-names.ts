// What lies at an address of the guest's memory: a variable, of which CPU, and which field of it.

import { TraceKind } from "../abi.ts";
import { STACK_TOP } from "../guest/percpu.ts";
import type { Machine } from "../machine/machine.ts";
import type { TraceLog } from "../machine/trace-log.ts";
import type { MachineImage } from "../machine/guest-image.ts";
import type { StructDescription } from "../asm/index.ts";

/** A place in memory by name. */
export interface ObjectName {
  /** Variable, or struct on a stack. */
  readonly symbol: string;
  /** Path of fields, such as "stop_work.list.next"; empty where there is none to be told. */
  readonly field: string;
  /** Whose, of what each CPU has. */
  readonly cpu?: number;
  /** On that CPU's stack. */
  readonly isOnStack?: true;
  /** Bytes from the beginning of the variable. */
  readonly offset: number;
}

/**
 * Structs in frames of stacks that other CPUs are given pointers to: marks at which a local points to one.
 * The names of variants follow those of the kernel's routines.
 */
const SHARED_FRAMES = [
  { mark: /^multi_cpu_stop\w*:enter$/, local: "msdata", struct: "multi_stop_data" },
  { mark: /^cpu_stopper_run_work:enter$/, local: "done", struct: "cpu_stop_done" },
] as const;

/** Finds names. Structs on stacks have one from when somebody has come by with a pointer to them. */
export class ObjectNames {
  readonly #image: MachineImage;
  readonly #structs: ReadonlyMap<string, StructDescription>;
  readonly #variables: MachineImage["symbols"];
  readonly #globals: MachineImage["symbols"];
  /** Structs in frames, by their addresses. */
  readonly #framed: ReadonlyMap<number, string>;

  /** @param framed struct by address: see findFramed() */
  constructor(image: MachineImage, framed: ReadonlyMap<number, string> = new Map()) {
    this.#image = image;
    this.#structs = new Map((image.structs ?? []).map((struct) => [struct.name, struct]));
    const objects = image.symbols.filter(({ kind }) => kind === "object");
    const isBlock = (address: number): boolean =>
      address >= image.perCpuStart && address < image.perCpuStart + image.cpus * image.perCpuStride;
    this.#variables = objects.filter(({ address, type }) => type !== undefined && isBlock(address));
    this.#globals = image.symbols.filter(({ address }) => !isBlock(address));
    this.#framed = framed;
  }

  /** What lies at an address: a variable, a field, a CPU's stack. */
  nameOf(address: number): ObjectName {
    const { perCpuStart, perCpuStride, cpus } = this.#image;
    const block = address - perCpuStart;
    if (perCpuStart === 0 || block < 0 || block >= cpus * perCpuStride) return this.#global(address);
    const cpu = Math.floor(block / perCpuStride);
    const offset = block % perCpuStride;
    const framed = this.#framedAt(address);
    if (framed !== undefined) return { ...framed, cpu, isOnStack: true };
    const at = perCpuStart + offset;
    const variable = this.#variables.find((one) => at >= one.address && at < one.address + one.size);
    if (variable !== undefined) return { ...this.#within(variable, at - variable.address), cpu };
    const stack = Object.entries(STACK_TOP).find(([, top]) => offset < top)?.[0];
    return { symbol: `${stack ?? "unnamed"} stack`, field: "", cpu, offset };
  }

  #global(address: number): ObjectName {
    const symbol = this.#globals.findLast((one) => one.address <= address);
    if (symbol === undefined || address >= symbol.address + Math.max(symbol.size, 1)) {
      return { symbol: `0x${address.toString(16)}`, field: "", offset: 0 };
    }
    return this.#within(symbol, address - symbol.address);
  }

  #within({ name, type = "" }: MachineImage["symbols"][number], offset: number): ObjectName {
    return { symbol: name, field: this.#fieldOf(type, offset), offset };
  }

  #framedAt(address: number): Pick<ObjectName, "symbol" | "field" | "offset"> | undefined {
    for (const [start, name] of this.#framed) {
      const bytes = this.#structs.get(name)?.bytes ?? 0;
      if (address < start || address >= start + bytes) continue;
      return { symbol: name, field: this.#fieldOf(name, address - start), offset: address - start };
    }
    return undefined;
  }

  /** Path of the field at an offset of a type. */
  #fieldOf(type: string, offset: number): string {
    const field = this.#structs
      .get(type)
      ?.fields.find((one) => offset >= one.offset && offset < one.offset + one.bytes);
    if (field === undefined) return "";
    const inner = this.#fieldOf(field.type, offset - field.offset);
    return inner === "" ? field.name : `${field.name}.${inner}`;
  }
}

/** Sets the probes that tell of structs in frames; returns what has been found when the run is over: struct by address. */
export function watchFrames(machine: Machine): () => ReadonlyMap<number, string> {
  const read = probeFrames(machine);
  return () => read(machine.trace);
}

/** Sets the same probes; returns what reads a log of this machine, or of a copy of it. */
export function probeFrames(machine: Machine): (trace: TraceLog) => Map<number, string> {
  const structs = new Map<number, { readonly struct: string; readonly place: number }>();
  for (const { name } of machine.image.marks) {
    const frame = SHARED_FRAMES.find(({ mark }) => mark.test(name));
    if (frame === undefined) continue;
    const { number, values } = machine.probe(name, { values: [frame.local], join: true });
    structs.set(number, { struct: frame.struct, place: values.indexOf(frame.local) });
  }
  return (trace) => {
    const found = new Map<number, string>();
    for (const { subject, value, value2 } of trace.ofKinds(1 << TraceKind.PROBE)) {
      const frame = structs.get(subject);
      if (frame === undefined) continue;
      const address = Number(frame.place === 0 ? value : value2);
      if (address !== 0) found.set(address, frame.struct);
    }
    return found;
  };
}

/** A name for people: "cpu_stopper.lock of CPU 5". */
export function objectText({ symbol, field, cpu, isOnStack }: ObjectName): string {
  const whole = field === "" ? symbol : `${symbol}.${field}`;
  if (cpu === undefined) return whole;
  return isOnStack ? `${whole} on CPU ${cpu}'s stack` : `${whole} of CPU ${cpu}`;
}
