// A machine's image from an ELF file: bare metal, loaded where its program headers say.

import type { ElfFile, ElfSegment, ElfSymbol } from "../asm/index.ts";
import { invalidImage, unknownName } from "../asm/failure.ts";
import type { ImageSegment, ImageSymbol } from "../asm/image/tables.ts";
import { Sha256 } from "../asm/image/sha256.ts";
import type { MachineImage } from "../machine/guest-image.ts";

/** Where RAM lies, in bytes; the whole of it can be read, written and executed. */
export interface BoardRam {
  readonly base: number;
  readonly bytes: number;
}

/**
 * The image of a static AArch64 executable in a board's RAM. As there is no MMU, all of RAM may be read, written and
 * executed, except what the program headers call read-only: that can't be written.
 * @throws IMAGE_INVALID for a file of another architecture, a dynamic one, segments outside RAM, an entry in no segment
 */
export function imageOfElf(elf: ElfFile, ram: BoardRam): MachineImage {
  if (elf.architecture !== "arm64") {
    throw invalidImage("an ELF file of another architecture", { value: elf.architecture, allowed: "AArch64 (183)" });
  }
  if (elf.isDynamic) throw invalidImage("a dynamically linked ELF file", { allowed: "static executables" });
  const loaded = elf.segments.filter(({ memoryBytes }) => memoryBytes > 0);
  for (const segment of loaded) checkInRam(segment, ram);
  const symbols = symbolsOf(elf);
  const byName = new Map(symbols.map((symbol) => [symbol.name, symbol]));
  const allOfRam: ImageSegment = {
    address: ram.base,
    bytes: new Uint8Array(0),
    memoryBytes: ram.bytes,
    readable: true,
    writable: true,
    executable: true,
  };
  const segments = [allOfRam, ...[...loaded].sort(readOnlyFirst).map(imageSegment)];
  return {
    architecture: "arm64",
    cpus: 0,
    entry: physicalEntry(elf, loaded),
    hash: identityOf(segments),
    hasSymbol: (name) => byName.has(name),
    marks: [],
    perCpuStart: 0,
    perCpuStride: 0,
    segments,
    symbol: (name) => {
      const symbol = byName.get(name);
      if (symbol === undefined)
        throw unknownName("the file has no such symbol", { value: name, allowed: "its symbols" });
      return symbol;
    },
    symbols,
  };
}

function checkInRam({ physicalAddress, memoryBytes }: ElfSegment, { base, bytes }: BoardRam): void {
  if (physicalAddress >= base && physicalAddress + memoryBytes <= base + bytes) return;
  throw invalidImage("a segment lies outside RAM", {
    value: `${hex(physicalAddress)} to ${hex(physicalAddress + memoryBytes - 1)}`,
    allowed: `${hex(base)} to ${hex(base + bytes - 1)}`,
  });
}

/** A page that two segments share has the rights of the last one. */
function readOnlyFirst(one: ElfSegment, other: ElfSegment): number {
  return Number(one.writable) - Number(other.writable);
}

function imageSegment({ physicalAddress, bytes, memoryBytes, writable }: ElfSegment): ImageSegment {
  return { address: physicalAddress, bytes, memoryBytes, readable: true, writable, executable: true };
}

/** As QEMU's loader does it: the entry is a virtual address, and execution starts where its segment has been put. */
function physicalEntry({ entry }: ElfFile, segments: readonly ElfSegment[]): number {
  const home = segments.find(({ address, memoryBytes }) => entry >= address && entry < address + memoryBytes);
  if (home === undefined) throw invalidImage("the entry lies in no segment", { value: hex(entry) });
  return entry - home.address + home.physicalAddress;
}

/** Labels of assembly sources have no size: they reach to the next symbol. */
function symbolsOf({ symbols, segments }: ElfFile): ImageSymbol[] {
  const result: ImageSymbol[] = [];
  let [next, behind] = [Infinity, Infinity];
  for (const symbol of [...symbols].reverse()) {
    const { name, address, size } = symbol;
    if (address < behind) [next, behind] = [behind, address];
    const home = segments.find((one) => address >= one.address && address < one.address + one.memoryBytes);
    const end = home === undefined ? address : home.address + home.memoryBytes;
    const reach = Math.max(0, Math.min(next, end) - address);
    const kind = isCode(symbol, home) ? "function" : "object";
    result.push({ name, address, size: size > 0 ? size : reach, kind, section: "" });
  }
  return result.reverse();
}

function isCode({ kind }: ElfSymbol, home: ElfSegment | undefined): boolean {
  return kind === "function" || (kind === "other" && home?.executable === true);
}

function identityOf(segments: readonly ImageSegment[]): string {
  const digest = new Sha256().text("allstop board image 1");
  for (const { address, bytes, memoryBytes, writable } of segments) {
    digest.number(address).number(memoryBytes).number(Number(writable)).number(bytes.length).update(bytes);
  }
  return digest.hex();
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
