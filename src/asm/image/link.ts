// Linking: gives every unit an address and writes addresses into the code and data.

import type { LinkSymbol } from "../code-buffer.ts";
import { invalid, unreachable } from "../failure.ts";
import { DirectRoutine } from "../direct.ts";
import { relocate } from "../relocate.ts";
import { roundUp } from "../types.ts";
import type { Collected, CodeUnit, PlacedSymbol, Unit } from "./collect.ts";
import { fixedSection, PAGE_BYTES, sectionOfCode, sectionOfData, SECTIONS } from "./sections.ts";
import type { Rights, SectionKind } from "./sections.ts";

/** A section with its content placed. */
export interface LinkedSection extends Rights {
  readonly name: string;
  readonly align: number;
  readonly address: number;
  /** In memory. */
  readonly size: number;
  /** Undefined for memory that starts as zero. */
  readonly bytes: Uint8Array | undefined;
}

export interface PlacedUnit {
  readonly unit: Unit;
  readonly address: number;
  readonly section: string;
}

export interface Linked {
  readonly sections: readonly LinkedSection[];
  readonly units: readonly PlacedUnit[];
  readonly perCpuStart: number;
  addressOf(symbol: LinkSymbol): number;
}

export interface LinkOptions {
  readonly baseAddress: number;
  readonly cpus: number;
  readonly perCpuStride: number;
  readonly hasPerCpu: boolean;
  /** Byte between routines. */
  readonly codeFill: number;
}

export function link(collected: Collected, options: LinkOptions): Linked {
  return new Linker(collected, options).run();
}

interface OpenSection {
  readonly kind: SectionKind;
  readonly address: number;
  readonly units: { unit: Unit; offset: number }[];
  size: number;
}

class Linker {
  readonly #collected: Collected;
  readonly #options: LinkOptions;
  readonly #addresses = new Map<PlacedSymbol, number>();
  #perCpuStart = 0;

  constructor(collected: Collected, options: LinkOptions) {
    this.#collected = collected;
    this.#options = options;
  }

  run(): Linked {
    const open = [...this.#placeFixed(), ...this.#placeAll()];
    const sections = open.map((section) => this.#finish(section));
    const units = open.flatMap(({ kind, address, units: placed }) =>
      placed.map(({ unit, offset }) => ({ unit, address: address + offset, section: kind.name })),
    );
    checkOverlaps(sections);
    return { sections, units, perCpuStart: this.#perCpuStart, addressOf: (symbol) => this.#addressOf(symbol) };
  }

  // --- placing ------------------------------------------------------------------------------------------------------------------

  #placeFixed(): OpenSection[] {
    return this.#collected.units.flatMap((unit) => {
      const { symbol } = unit;
      if (!(symbol instanceof DirectRoutine) || symbol.address === undefined) return [];
      if (symbol.address % symbol.align !== 0) {
        throw invalid(`${symbol.name} is not aligned at its address`, {
          value: symbol.address,
          allowed: `multiples of ${symbol.align}`,
        });
      }
      this.#addresses.set(symbol, symbol.address);
      const size = (unit as CodeUnit).code.bytes.length;
      return [{ kind: fixedSection(symbol), address: symbol.address, units: [{ unit, offset: 0 }], size }];
    });
  }

  #placeAll(): OpenSection[] {
    const bySection = this.#bySection();
    const open: OpenSection[] = [];
    let next = this.#options.baseAddress;
    let previous: SectionKind | undefined;
    for (const kind of SECTIONS) {
      const units = bySection.get(kind.name) ?? [];
      const isPerCpu = kind.name === ".percpu";
      if (isPerCpu ? !this.#options.hasPerCpu : units.length === 0) continue;
      const newRights =
        previous !== undefined && (previous.writable !== kind.writable || previous.executable !== kind.executable);
      const align = isPerCpu ? Math.min(kind.align, this.#options.perCpuStride) : kind.align;
      const address = roundUp(next, Math.max(align, newRights ? PAGE_BYTES : 1));
      const section: OpenSection = { kind, address, units: [], size: 0 };
      if (isPerCpu) {
        this.#perCpuStart = address;
        section.size = this.#options.cpus * this.#options.perCpuStride;
      } else {
        this.#placeUnits(section, units);
      }
      open.push(section);
      next = address + section.size;
      previous = kind;
    }
    return open;
  }

  #bySection(): Map<string, Unit[]> {
    const sections = new Map<string, Unit[]>();
    for (const unit of grouped(this.#collected.units)) {
      const { symbol } = unit;
      if (symbol instanceof DirectRoutine && symbol.address !== undefined) continue;
      const name = symbol.kind === "data" ? sectionOfData(symbol.section) : sectionOfCode(symbol);
      const list = sections.get(name);
      if (list === undefined) sections.set(name, [unit]);
      else list.push(unit);
    }
    return sections;
  }

  #placeUnits(section: OpenSection, units: readonly Unit[]): void {
    for (const unit of units) {
      const offset = roundUp(section.address + section.size, unit.symbol.align) - section.address;
      section.units.push({ unit, offset });
      section.size = offset + (unit.kind === "code" ? unit.code.bytes.length : unit.size);
      this.#addresses.set(unit.symbol, section.address + offset);
    }
  }

  // --- relocating ---------------------------------------------------------------------------------------------------------------

  #addressOf(symbol: LinkSymbol): number {
    if (symbol.kind === "perCpuStart") return this.#perCpuStart;
    if (symbol.kind === "deferred") throw unreachable("a value of a text in an image");
    const target = this.#collected.target(symbol);
    const address = this.#addresses.get(target);
    if (address === undefined)
      throw invalid(`${symbol.name} is not part of this image`, {
        value: symbol.name,
        allowed: "what its roots reach",
      });
    return address;
  }

  #finish({ kind, address, units, size }: OpenSection): LinkedSection {
    const { name, readable, writable, executable, align } = kind;
    const bytes = kind.hasBytes ? new Uint8Array(size) : undefined;
    if (bytes !== undefined) {
      if (executable) bytes.fill(this.#options.codeFill);
      const view = new DataView(bytes.buffer);
      for (const { unit, offset } of units) this.#write(unit, bytes, view, offset, address);
    }
    return { name, readable, writable, executable, align, address, size, bytes };
  }

  #write(unit: Unit, bytes: Uint8Array, view: DataView, offset: number, sectionAddress: number): void {
    if (unit.kind === "data") {
      if (unit.bytes !== undefined) bytes.set(unit.bytes, offset);
      for (const { offset: at, symbol, addend } of unit.relocations) {
        view.setBigUint64(offset + at, BigInt(this.#addressOf(symbol) + addend), true);
      }
      return;
    }
    bytes.set(unit.code.bytes, offset);
    for (const { offset: at, kind, symbol, addend } of unit.code.relocations) {
      const value = this.#addressOf(symbol) + addend;
      relocate(view, offset + at, kind, value, sectionAddress + offset + at, `${unit.symbol.name} to ${symbol.name}`);
    }
  }
}

/** Members of a group follow its first member; everything else stays in declaration order. */
function grouped(units: readonly Unit[]): Unit[] {
  const groups = new Map<string, Unit[]>();
  const result: Unit[][] = [];
  for (const unit of units) {
    const group = unit.symbol.kind === "data" ? unit.symbol.group : undefined;
    const key = group === undefined || unit.symbol.kind !== "data" ? undefined : `${unit.symbol.section}:${group}`;
    const members = key === undefined ? undefined : groups.get(key);
    if (members !== undefined) {
      members.push(unit);
      continue;
    }
    const list = [unit];
    if (key !== undefined) groups.set(key, list);
    result.push(list);
  }
  return result.flat();
}

function checkOverlaps(sections: readonly LinkedSection[]): void {
  const sorted = [...sections].sort((one, other) => one.address - other.address);
  sorted.forEach((section, i) => {
    const next = sorted[i + 1];
    if (next !== undefined && section.address + section.size > next.address) {
      throw invalid(`sections ${section.name} and ${next.name} overlap`, {
        value: next.address,
        allowed: `from ${section.address + section.size} on`,
      });
    }
  });
}
