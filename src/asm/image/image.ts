// Images of a guest: building them from roots, and what a machine, a debugger or an inspector asks of them.

import type { Arm64Flavour } from "../arm64/operands.ts";
import { PER_CPU_START } from "../code-buffer.ts";
import { invalid, unknownName } from "../failure.ts";
import type { Binding } from "../record/callable.ts";
import { Callable } from "../record/callable.ts";
import type { ListBinding, PerCpu, PerCpuSymbol, DataSymbol } from "../record/data.ts";
import { ListSlot, MAXIMUM_STRIDE, symbolicAddress } from "../record/data.ts";
import type { PositionTable, SourcePosition } from "../source.ts";
import { isPowerOfTwo } from "../types.ts";
import type { Architecture, Collected, Unit } from "./collect.ts";
import { collect } from "./collect.ts";
import type { Linked, LinkedSection } from "./link.ts";
import { link } from "./link.ts";
import { PAGE_BYTES } from "./sections.ts";
import { Sha256 } from "./sha256.ts";
import { describeStructs } from "./structs.ts";
import type { StructDescription } from "./structs.ts";
import { compareText, linesOf, marksOf, segmentsOf, symbolsOf, uniqueNames } from "./tables.ts";
import type { ImageLine, ImageMark, ImageSection, ImageSegment, ImageSymbol } from "./tables.ts";

/** A routine, the place of a global, a list slot or a per-CPU variable that must be in the image. */
export type ImageRoot = Callable | ListSlot | PerCpu<unknown> | object;

/** What an image consists of, and the choices that its code depends on. */
export interface ImageOptions {
  readonly architecture: Architecture;
  /** Everything reachable from these is placed. */
  readonly roots: readonly ImageRoot[];
  /** Where execution starts; a root by itself. */
  readonly entry?: Callable;
  readonly bindings?: readonly (Binding | ListBinding)[];
  /** Values of image options by name. */
  readonly options?: Readonly<Record<string, number | bigint>>;
  /** Fences to leave out, as "routine:mark". */
  readonly without?: readonly string[];
  /** Number of per-CPU blocks; 1 if not given. */
  readonly cpus?: number;
  /** Distance between two CPUs' blocks in bytes, a power of two; 16,384 if not given. */
  readonly perCpuStride?: number;
  /** Of the first section; 0x20_0000 on x86-64 and 0x4008_0000 on AArch64 if not given. */
  readonly baseAddress?: number;
  /** How an AArch64 image does atomics and masks interrupts. */
  readonly flavour?: Partial<Arm64Flavour>;
  /** Which modules each module may use; not checked if not given. */
  readonly imports?: Readonly<Record<string, readonly string[]>>;
  /** Source positions recorded in advance, which take precedence over captured ones. */
  readonly positions?: PositionTable;
}

const BASE_ADDRESSES: Readonly<Record<Architecture, number>> = { "x86-64": 0x20_0000, arm64: 0x4008_0000 };
const DEFAULT_FLAVOUR: Arm64Flavour = {
  atomics: "lse",
  interrupts: "daif",
  pmrSync: true,
  perCpuRegister: "tpidr_el1",
};
const DEFAULT_STRIDE = 16384;
const MINIMUM_STRIDE = 64;
/** More CPUs than any machine of this project has. */
const MAXIMUM_CPUS = 0x1_0000;
/** Addresses stay exact numbers, and no image lies near the end of any address space. */
const MAXIMUM_ADDRESS = 2 ** 47;

/** A linked guest image: what is loaded, and the tables that describe it. Immutable; equal sources and options give equal bytes. */
export class Image {
  readonly architecture: Architecture;
  readonly flavour: Arm64Flavour;
  readonly entry: number | undefined;
  readonly segments: readonly ImageSegment[];
  readonly sections: readonly ImageSection[];
  /** By address. */
  readonly symbols: readonly ImageSymbol[];
  /** By address. */
  readonly marks: readonly ImageMark[];
  readonly structs: readonly StructDescription[];
  /** Slot name to routine name. */
  readonly slots: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, bigint>>;
  readonly without: readonly string[];
  readonly cpus: number;
  readonly perCpuStride: number;
  /** Address of CPU 0's block; 0 without per-CPU memory. */
  readonly perCpuStart: number;
  readonly #linked: Linked;
  readonly #positions: PositionTable;
  readonly #byName: ReadonlyMap<string, ImageSymbol>;
  #lines: readonly ImageLine[] | undefined;
  #hash: string | undefined;

  constructor(options: ResolvedOptions, collected: Collected, linked: Linked) {
    this.#linked = linked;
    this.#positions = options.positions;
    this.architecture = options.architecture;
    this.flavour = options.flavour;
    this.cpus = options.cpus;
    this.perCpuStride = options.perCpuStride;
    this.perCpuStart = linked.perCpuStart;
    this.without = [...options.without];
    this.slots = Object.fromEntries([...collected.slots].sort(([one], [other]) => compareText(one, other)));
    this.options = Object.fromEntries([...collected.optionValues].sort(([one], [other]) => compareText(one, other)));
    this.sections = linked.sections.map(({ name, address, size, align, bytes, readable, writable, executable }) => ({
      name,
      address,
      size,
      align,
      hasBytes: bytes !== undefined,
      readable,
      writable,
      executable,
    }));
    this.segments = segmentsOf(linked.sections);
    this.symbols = symbolsOf(collected, linked, options);
    this.#byName = uniqueNames(this.symbols);
    this.marks = marksOf(linked, options.architecture);
    this.structs = describeStructs(collected);
    this.entry = options.entry === undefined ? undefined : linked.addressOf(options.entry);
  }

  /** SHA-256 over what is loaded, the symbols and the marks, in hexadecimal; source lines are no part of it. */
  get hash(): string {
    this.#hash ??= this.#identity();
    return this.#hash;
  }

  /** Content of the sections, for writers of files. */
  get linkedSections(): readonly LinkedSection[] {
    return this.#linked.sections;
  }

  /** Placed units in address order, for listings and writers. */
  get units(): Linked["units"] {
    return this.#linked.units;
  }

  /** The symbol of that name. @throws NAME_UNKNOWN */
  symbol(name: string): ImageSymbol {
    const symbol = this.#byName.get(name);
    if (symbol === undefined)
      throw unknownName("the image has no such symbol", { value: name, allowed: "a name in image.symbols" });
    return symbol;
  }

  hasSymbol(name: string): boolean {
    return this.#byName.has(name);
  }

  /** The symbol whose range holds the address. O(log n). */
  symbolAt(address: number): ImageSymbol | undefined {
    let low = 0;
    let high = this.symbols.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.symbols[middle]?.address ?? 0) <= address) low = middle + 1;
      else high = middle;
    }
    const symbol = this.symbols[low - 1];
    return symbol !== undefined && address < symbol.address + Math.max(symbol.size, 1) ? symbol : undefined;
  }

  /** The address of a routine (or of what a slot is bound to) or of the place of a global. */
  addressOf(thing: object): number {
    if (thing instanceof Callable) return this.#linked.addressOf(thing);
    if (thing instanceof ListSlot) return this.#linked.addressOf(thing.symbol);
    const target = symbolicAddress(thing);
    if (target === undefined)
      throw invalid("not a routine or global of an image", {
        value: typeof thing,
        allowed: "routines, slots, list slots, places of globals",
      });
    return this.#linked.addressOf(target.symbol) + target.offset;
  }

  /** The address of a CPU's instance of a per-CPU variable. */
  perCpuAddress(variable: PerCpu<unknown>, cpu: number): number {
    if (!Number.isSafeInteger(cpu) || cpu < 0 || cpu >= this.cpus) {
      throw invalid("no such CPU in the image", { value: cpu, allowed: `0 to ${this.cpus - 1}` });
    }
    return this.perCpuStart + cpu * this.perCpuStride + variable.symbol.offset;
  }

  /** The mark "routine:mark". @throws NAME_UNKNOWN */
  mark(name: string): ImageMark {
    const mark = this.marks.find((candidate) => candidate.name === name);
    if (mark === undefined)
      throw unknownName("the image has no such mark", { value: name, allowed: `"routine:mark", one of image.marks` });
    return mark;
  }

  /** The line table, by address. The first call formats captured stacks: some microseconds per statement. */
  get lines(): readonly ImageLine[] {
    this.#lines ??= this.#linked.units.flatMap(({ unit, address }) =>
      unit.kind === "code" ? linesOf(unit, address, this.#positions) : [],
    );
    return this.#lines;
  }

  /** The source line of the instruction at an address. */
  lineAt(address: number): ImageLine | undefined {
    const symbol = this.symbolAt(address);
    return this.lines.filter((line) => line.routine === symbol?.name && line.address <= address).at(-1);
  }

  #identity(): string {
    const digest = new Sha256()
      .text("allstop image 1")
      .text(this.architecture)
      .number(this.entry ?? 0);
    digest.number(this.cpus).number(this.perCpuStride);
    for (const { address, bytes, memoryBytes, readable, writable, executable } of this.segments) {
      digest
        .number(address)
        .number(memoryBytes)
        .number(Number(readable) + 2 * Number(writable) + 4 * Number(executable));
      digest.number(bytes.length).update(bytes);
    }
    for (const { name, address, size, kind } of this.symbols) digest.text(name).number(address).number(size).text(kind);
    for (const { name, address } of this.marks) digest.text(name).number(address);
    return digest.hex();
  }

  /** Everything but bytes and lines. */
  toJSON(): object {
    const {
      architecture,
      flavour,
      entry,
      sections,
      symbols,
      marks,
      structs,
      slots,
      without,
      cpus,
      perCpuStride,
      perCpuStart,
      hash,
    } = this;
    const options = Object.fromEntries(Object.entries(this.options).map(([name, value]) => [name, String(value)]));
    return {
      architecture,
      flavour,
      entry,
      sections,
      symbols,
      marks,
      structs,
      slots,
      options,
      without,
      cpus,
      perCpuStride,
      perCpuStart,
      hash,
    };
  }
}

interface ResolvedOptions {
  readonly architecture: Architecture;
  readonly flavour: Arm64Flavour;
  readonly entry: Callable | undefined;
  readonly without: readonly string[];
  readonly cpus: number;
  readonly perCpuStride: number;
  readonly positions: PositionTable;
  readonly perCpuRoots: readonly PerCpuSymbol[];
}

/**
 * Lowers everything reachable from the roots, places it and resolves all addresses. Equal sources and options give equal bytes.
 * @throws ASSEMBLY_INVALID for mistakes in routines (at the author's line), data, bindings, options and their combination
 */
export function buildImage(options: ImageOptions): Image {
  const { architecture, bindings = [], without = [], cpus = 1, perCpuStride = DEFAULT_STRIDE, entry } = options;
  const flavour = { ...DEFAULT_FLAVOUR, ...options.flavour };
  checkOptions(options, cpus, perCpuStride);
  const roots = entry === undefined ? options.roots : [entry, ...options.roots];
  const perCpuRoots = roots.flatMap((root) => (isPerCpu(root) ? [root.symbol] : []));
  const collected = collect(
    roots.flatMap((root) => (isPerCpu(root) ? [] : [rootSymbol(root)])),
    {
      architecture,
      flavour,
      bindings,
      options: options.options ?? {},
      without,
      cpus,
      perCpuStride,
      imports: options.imports,
    },
  );
  const usesPerCpu = collected.perCpu.size > 0 || perCpuRoots.length > 0 || referencesPerCpu(collected.units);
  const linked = link(collected, {
    baseAddress: options.baseAddress ?? BASE_ADDRESSES[architecture],
    cpus,
    perCpuStride,
    hasPerCpu: usesPerCpu || options.cpus !== undefined,
    // INT3, or the word 0 that is UDF: running off the end of a routine traps.
    codeFill: architecture === "x86-64" ? 0xcc : 0,
  });
  const positions = options.positions ?? {};
  return new Image(
    { architecture, flavour, entry, without, cpus, perCpuStride, positions, perCpuRoots },
    collected,
    linked,
  );
}

function checkOptions({ architecture, baseAddress }: ImageOptions, cpus: number, stride: number): void {
  if (!(architecture in BASE_ADDRESSES))
    throw invalid("unknown architecture", { value: architecture, allowed: "x86-64, arm64" });
  if (!Number.isSafeInteger(cpus) || cpus < 1 || cpus > MAXIMUM_CPUS) {
    throw invalid("impossible number of CPUs", { value: cpus, allowed: `1 to ${MAXIMUM_CPUS}` });
  }
  if (!isPowerOfTwo(stride) || stride < MINIMUM_STRIDE || stride > MAXIMUM_STRIDE) {
    throw invalid("impossible distance of per-CPU blocks", {
      value: stride,
      allowed: `powers of two from ${MINIMUM_STRIDE} to ${MAXIMUM_STRIDE}`,
    });
  }
  if (
    baseAddress !== undefined &&
    (baseAddress % PAGE_BYTES !== 0 || baseAddress < 0 || baseAddress >= MAXIMUM_ADDRESS)
  ) {
    throw invalid("impossible base address", { value: baseAddress, allowed: `multiples of ${PAGE_BYTES} below 2^47` });
  }
}

function isPerCpu(root: ImageRoot): root is PerCpu<unknown> {
  return "symbol" in root && "here" in root;
}

function rootSymbol(root: ImageRoot): Callable | DataSymbol {
  if (root instanceof Callable) return root;
  if (root instanceof ListSlot) return root.symbol;
  const target = symbolicAddress(root);
  if (target === undefined)
    throw invalid("not a root", { value: typeof root, allowed: "routines, globals, list slots, per-CPU variables" });
  return target.symbol;
}

function referencesPerCpu(units: readonly Unit[]): boolean {
  return units.some(
    (unit) => unit.kind === "code" && unit.code.relocations.some(({ symbol }) => symbol === PER_CPU_START),
  );
}

/** The positions of routines, to be shipped with a bundle whose own positions mean nothing. */
export function recordPositions(image: Image): PositionTable {
  const table: Record<string, (SourcePosition | undefined)[]> = {};
  for (const { unit } of image.units) {
    if (unit.kind !== "code") continue;
    const entries: (SourcePosition | undefined)[] = [];
    for (const { item } of unit.code.lines) {
      if (item === undefined) entries[0] = unit.source.position;
      else entries[item.ordinal + 1] = item.source.position;
    }
    table[unit.symbol.name] = Array.from(entries);
  }
  return table;
}
