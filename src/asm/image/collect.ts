// What goes into an image: everything reachable from its roots, lowered or encoded, with bindings, options and imports checked.

import { Arm64Assembler } from "../arm64/assembler.ts";
import { Arm64Lowering } from "../arm64/lower.ts";
import type { Arm64Flavour } from "../arm64/operands.ts";
import type { Code, LinkSymbol } from "../code-buffer.ts";
import { DirectRoutine } from "../direct.ts";
import type { AllstopError } from "../../errors.ts";
import { invalid, reportAt, unreachable } from "../failure.ts";
import type { LoweredMark, LoweredRoutine, LoweringOptions } from "../lower/lowered.ts";
import { Binding, Callable } from "../record/callable.ts";
import type { DataSymbol, ImageOption, ListBinding, PerCpuSymbol } from "../record/data.ts";
import { CPU_COUNT, isOptionName, PER_CPU_STRIDE } from "../record/data.ts";
import { checkedConstant } from "../record/expressions.ts";
import { Routine } from "../record/routine.ts";
import type { Statement } from "../record/tree.ts";
import { formatPosition } from "../source.ts";
import type { SourceMark } from "../source.ts";
import type { FieldType } from "../types.ts";
import { array } from "../types.ts";
import { X64Assembler } from "../x64/assembler.ts";
import { X64Lowering } from "../x64/lower.ts";
import type { DataRelocation } from "./initial.ts";
import { initialBytes } from "./initial.ts";

/** The instruction sets that code is made for. */
export type Architecture = "x86-64" | "arm64";

/** Code of one routine, not yet placed. */
export interface CodeUnit {
  readonly kind: "code";
  readonly symbol: Routine | DirectRoutine;
  readonly code: Code<Statement | undefined, LoweredMark>;
  readonly source: SourceMark;
  readonly frameBytes: number;
  /** For tests of the allocator; undefined for direct routines. */
  readonly lowered: LoweredRoutine | undefined;
}

/** One variable, not yet placed. */
export interface DataUnit {
  readonly kind: "data";
  readonly symbol: DataSymbol;
  readonly type: FieldType;
  readonly bytes: Uint8Array | undefined;
  readonly size: number;
  readonly relocations: readonly DataRelocation[];
}

export type Unit = CodeUnit | DataUnit;
export type PlacedSymbol = Routine | DirectRoutine | DataSymbol;

export interface CollectOptions {
  readonly architecture: Architecture;
  readonly flavour: Arm64Flavour;
  readonly bindings: readonly (Binding | ListBinding)[];
  readonly options: Readonly<Record<string, number | bigint>>;
  readonly without: readonly string[];
  readonly cpus: number;
  readonly perCpuStride: number;
  readonly imports: Readonly<Record<string, readonly string[]>> | undefined;
}

export interface Collected {
  readonly units: readonly Unit[];
  readonly perCpu: ReadonlySet<PerCpuSymbol>;
  /** Values of all options that the code mentions. */
  readonly optionValues: ReadonlyMap<string, bigint>;
  readonly slots: ReadonlyMap<string, string>;
  /** The placed thing that a symbol stands for: slots resolved. */
  readonly target: (symbol: Callable | DataSymbol) => PlacedSymbol;
}

/** Largest routine: the reach of tbz (Arm ARM, TBZ), kept on both architectures so that a routine never fits only one. */
const MAXIMUM_ROUTINE_BYTES = 0x8000;

export function collect(roots: readonly (Callable | DataSymbol)[], options: CollectOptions): Collected {
  return new Collector(options).run(roots);
}

class Collector {
  readonly #options: CollectOptions;
  readonly #lowering: LoweringOptions;
  readonly #slots = new Map<Callable, Callable>();
  readonly #lists = new Map<DataSymbol, ListBinding>();
  readonly #listCounts = new Map<ImageOption, bigint>();
  readonly #units = new Map<PlacedSymbol, Unit>();
  readonly #queue: PlacedSymbol[] = [];
  readonly #perCpu = new Set<PerCpuSymbol>();
  readonly #fences = new Set<string>();
  readonly #values = new Map<string, bigint>();

  constructor(options: CollectOptions) {
    this.#options = options;
    for (const name of Object.keys(options.options)) {
      if (!isOptionName(name))
        throw invalid("no loaded module declares this image option", {
          value: name,
          allowed: "names given to imageOption",
        });
    }
    this.#lowering = {
      option: (option) => this.#optionValue(option),
      without: new Set(options.without),
      perCpuShift: Math.log2(options.perCpuStride),
      seen: (item) => {
        if ("fence" in item) this.#fences.add(item.fence);
        else this.#perCpu.add(item);
      },
    };
    for (const binding of options.bindings) this.#bind(binding);
  }

  run(roots: readonly (Callable | DataSymbol)[]): Collected {
    for (const root of roots) this.#reach(root, undefined);
    for (let unit = this.#queue.shift(); unit !== undefined; unit = this.#queue.shift()) this.#make(unit);
    for (const mark of this.#options.without) {
      if (!this.#fences.has(mark)) {
        throw invalid("no fence of this image has that mark", {
          value: mark,
          allowed: [...this.#fences].sort().join(", "),
        });
      }
    }
    const slots = new Map([...this.#slots].map(([slot, routine]) => [slot.name, routine.name]));
    const units = [...this.#units.values()].sort((one, other) => one.symbol.ordinal - other.symbol.ordinal);
    return { units, perCpu: this.#perCpu, optionValues: this.#values, slots, target: (symbol) => this.#target(symbol) };
  }

  // --- bindings and options -------------------------------------------------------------------------------------------------------

  #bind(binding: Binding | ListBinding): void {
    if (binding instanceof Binding) {
      const { slot, routine } = binding;
      const other = this.#slots.get(slot);
      if (other !== undefined)
        throw invalid(`slot ${slot.name} is bound to both ${other.name} and ${routine.name}`, {
          value: slot.name,
          allowed: "one binding",
        });
      this.#slots.set(slot, routine);
      return;
    }
    const { slot, entries } = binding;
    if (this.#lists.has(slot.symbol))
      throw invalid(`list slot ${slot.name} is bound twice`, { value: slot.name, allowed: "one binding" });
    this.#lists.set(slot.symbol, binding);
    this.#listCounts.set(slot.countOption, BigInt(entries.length));
  }

  #optionValue(option: ImageOption): bigint {
    const { cpus, perCpuStride, options } = this.#options;
    if (option === CPU_COUNT) return BigInt(cpus);
    if (option === PER_CPU_STRIDE) return BigInt(perCpuStride);
    const given = options[option.name];
    const value =
      this.#listCounts.get(option) ?? (given === undefined ? option.initial : checkedConstant(option.type, given));
    this.#values.set(option.name, value);
    return value;
  }

  // --- reachability ---------------------------------------------------------------------------------------------------------------

  #reach(symbol: LinkSymbol, from: Callable | undefined): void {
    if (symbol.kind === "perCpuStart" || symbol.kind === "deferred") return;
    const target = this.#target(symbol, from?.name);
    if (from !== undefined && symbol instanceof Callable) this.#checkImport(from, symbol);
    if (this.#units.has(target) || this.#queue.includes(target)) return;
    this.#queue.push(target);
  }

  #target(symbol: Callable | DataSymbol, from = "the roots"): PlacedSymbol {
    if (!(symbol instanceof Callable)) return symbol;
    let target: Callable = symbol;
    for (let steps = 0; target.kind === "slot"; steps++) {
      const bound = this.#slots.get(target);
      if (bound === undefined)
        throw invalid(`slot ${target.name}, used by ${from}, is not bound`, {
          value: target.name,
          allowed: `bind(${target.name}, …) among the bindings`,
        });
      if (steps > this.#slots.size)
        throw invalid(`slot ${symbol.name} is bound to itself`, {
          value: symbol.name,
          allowed: "a routine in the end",
        });
      target = bound;
    }
    if (target instanceof Routine || target instanceof DirectRoutine) return target;
    throw unreachable(`a callable of unknown kind: ${target.name}`);
  }

  /** Modules import downwards; what a slot is bound to is the image's choice. */
  #checkImport(from: Callable, to: Callable): void {
    const { imports } = this.#options;
    if (imports === undefined || from.module === undefined || to.module === undefined || from.module === to.module)
      return;
    if (imports[from.module]?.includes(to.module) !== true) {
      throw invalid(
        `${from.name} of module ${from.module} uses ${to.name} of module ${to.module}, which it does not import`,
        { value: to.module, allowed: (imports[from.module] ?? []).join(", ") || "no module" },
      );
    }
  }

  #make(symbol: PlacedSymbol): void {
    if (symbol.kind === "data") {
      const unit = this.#data(symbol);
      this.#units.set(symbol, unit);
      for (const relocation of unit.relocations) this.#reach(relocation.symbol, undefined);
      return;
    }
    const unit = symbol instanceof Routine ? this.#lower(symbol) : this.#assemble(symbol);
    if (unit.code.bytes.length >= MAXIMUM_ROUTINE_BYTES && symbol instanceof Routine) {
      throw invalid(`routine ${symbol.name} is too long`, {
        value: unit.code.bytes.length,
        allowed: `below ${MAXIMUM_ROUTINE_BYTES} bytes`,
        ...placeOf(symbol),
      });
    }
    this.#units.set(symbol, unit);
    for (const relocation of unit.code.relocations) this.#reach(relocation.symbol, symbol);
  }

  #data(symbol: DataSymbol): DataUnit {
    const list = this.#lists.get(symbol);
    const type = list === undefined ? symbol.type : array(list.slot.element, list.entries.length);
    const initial = list === undefined ? symbol.initial : list.entries;
    if (symbol.section === "arena")
      return { kind: "data", symbol, type, bytes: undefined, size: type.bytes, relocations: [] };
    const before = reportAt(symbol.source);
    try {
      const { bytes, relocations } = initialBytes(symbol.name, type, initial);
      return { kind: "data", symbol, type, bytes, size: type.bytes, relocations };
    } finally {
      reportAt(before);
    }
  }

  #lower(symbol: Routine): CodeUnit {
    const lowering =
      this.#options.architecture === "x86-64"
        ? new X64Lowering(symbol, this.#lowering)
        : new Arm64Lowering(symbol, this.#lowering, this.#options.flavour);
    const lowered = lowering.lower();
    return {
      kind: "code",
      symbol,
      code: lowered.code,
      source: symbol.source,
      frameBytes: lowered.frame.bytes,
      lowered,
    };
  }

  #assemble(symbol: DirectRoutine): CodeUnit {
    const { x64, arm64 } = symbol.bodies;
    let assembler: X64Assembler | Arm64Assembler;
    if (this.#options.architecture === "x86-64") {
      if (x64 === undefined) throw bodyMissing(symbol, "x86-64");
      assembler = new X64Assembler();
      assembler.line(undefined);
      x64(assembler);
    } else {
      if (arm64 === undefined) throw bodyMissing(symbol, "AArch64");
      assembler = new Arm64Assembler();
      assembler.line(undefined);
      arm64(assembler);
    }
    const before = reportAt(symbol.source);
    try {
      const code = assembler.finish() as CodeUnit["code"];
      return { kind: "code", symbol, code, source: symbol.source, frameBytes: 0, lowered: undefined };
    } finally {
      reportAt(before);
    }
  }
}

/** The declaration of a routine, for mistakes of the whole of it. */
function placeOf({ source }: Routine | DirectRoutine): { at?: string } {
  const at = formatPosition(source.position);
  return at === undefined ? {} : { at };
}

function bodyMissing(symbol: DirectRoutine, name: "x86-64" | "AArch64"): AllstopError {
  return invalid(`${symbol.name} has no ${name} body and is used in an ${name} image`, {
    value: Object.keys(symbol.bodies),
    allowed: `a body for each architecture it is used on`,
    ...placeOf(symbol),
  });
}
