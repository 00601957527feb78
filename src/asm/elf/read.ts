// Reads ELF64 executables of both architectures: segments, symbols, entry, and the notes that this project writes.
//
// Input is hostile until proved otherwise: every offset and count is checked against the file, every number against what is exact, and
// what several headers point at is read once, so that the work stays proportional to the file.

import { invalidImage } from "../failure.ts";
import type { Architecture } from "../image/collect.ts";
import * as elf from "./format.ts";

/** A PT_LOAD segment. */
export interface ElfSegment {
  readonly address: number;
  readonly physicalAddress: number;
  /** A view into the file. */
  readonly bytes: Uint8Array;
  readonly memoryBytes: number;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
}

/** A defined, named symbol; `size` in bytes, 0 if the file does not say. */
export interface ElfSymbol {
  readonly name: string;
  readonly address: number;
  readonly size: number;
  readonly kind: "function" | "object" | "other";
}

/** A mark of an image that this project wrote. */
export interface ElfMark {
  readonly name: string;
  readonly address: number;
  /** Local name to register name, or to "sp+bytes". */
  readonly locals: Readonly<Record<string, string>>;
}

/** What a loader and a debugger need of an executable. */
export interface ElfFile {
  readonly architecture: Architecture;
  readonly entry: number;
  readonly segments: readonly ElfSegment[];
  /** Wants a dynamic linker or a loader that relocates it: has a PT_INTERP or PT_DYNAMIC header. */
  readonly isDynamic: boolean;
  /** Functions, objects and other named addresses, by address; mapping symbols and undefined ones left out. */
  readonly symbols: readonly ElfSymbol[];
  readonly marks: readonly ElfMark[];
  /** Entry of the PVH boot protocol. */
  readonly pvhEntry: number | undefined;
}

interface SectionHeader {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly entryBytes: number;
}

/**
 * Reads an ELF64 little-endian executable (ET_EXEC or ET_DYN) for x86-64 or AArch64. The work is proportional to the file.
 * @throws IMAGE_INVALID with the first mistake, whatever the bytes are
 */
export function parseElf(file: Uint8Array): ElfFile {
  return new ElfReader(file).read();
}

class ElfReader {
  readonly #file: Uint8Array;
  readonly #view: DataView;

  constructor(file: Uint8Array) {
    this.#file = file;
    this.#view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  }

  read(): ElfFile {
    const architecture = this.#identify();
    const { segments, isDynamic } = this.#programHeaders();
    const sections = this.#sectionHeaders();
    const notes = this.#allNotes(sections);
    const pvh = notes.find(({ owner, type }) => owner === elf.PVH_NOTE_OWNER && type === elf.PVH_NOTE_TYPE);
    return {
      architecture,
      entry: this.#u64(24, "entry"),
      segments,
      isDynamic,
      symbols: this.#allSymbols(sections),
      marks: notes.flatMap((note) =>
        note.owner === elf.MARK_NOTE_OWNER && note.type === elf.MARK_NOTE_TYPE ? [markOf(note)] : [],
      ),
      pvhEntry: pvh === undefined ? undefined : pvhEntryOf(pvh),
    };
  }

  // --- checked access -------------------------------------------------------------------------------------------------------------

  #check(offset: number, bytes: number, what: string): void {
    if (offset + bytes > this.#file.length) {
      throw invalidImage(`${what} lies outside the file`, {
        value: offset + bytes,
        allowed: `up to ${this.#file.length}`,
        at: `byte ${offset}`,
      });
    }
  }
  #u16(offset: number, what: string): number {
    this.#check(offset, 2, what);
    return this.#view.getUint16(offset, true);
  }
  #u32(offset: number, what: string): number {
    this.#check(offset, 4, what);
    return this.#view.getUint32(offset, true);
  }
  /** A 64-bit number that a JavaScript number holds exactly. */
  #u64(offset: number, what: string): number {
    this.#check(offset, 8, what);
    const value = this.#view.getBigUint64(offset, true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw invalidImage(`${what} is too large`, { value, allowed: "up to 2^53 - 1", at: `byte ${offset}` });
    }
    return Number(value);
  }
  #bytes(offset: number, size: number, what: string): Uint8Array {
    this.#check(offset, size, what);
    return this.#file.subarray(offset, offset + size);
  }

  // --- headers --------------------------------------------------------------------------------------------------------------------

  #identify(): Architecture {
    this.#check(0, elf.EHDR_BYTES, "the ELF header");
    if (elf.MAGIC.some((byte, i) => this.#file[i] !== byte))
      throw invalidImage("not an ELF file", { value: [...this.#file.subarray(0, 4)], allowed: "7f 45 4c 46" });
    if (this.#file[4] !== elf.CLASS_64)
      throw invalidImage("not a 64-bit ELF file", { value: this.#file[4], allowed: `class ${elf.CLASS_64}` });
    if (this.#file[5] !== elf.DATA_LITTLE)
      throw invalidImage("not a little-endian ELF file", { value: this.#file[5], allowed: `data ${elf.DATA_LITTLE}` });
    const type = this.#u16(16, "the file type");
    if (type !== elf.ET_EXEC && type !== elf.ET_DYN) {
      throw invalidImage("not an executable ELF file", { value: type, allowed: "ET_EXEC (2) or ET_DYN (3)" });
    }
    const machine = this.#u16(18, "the machine");
    if (machine === elf.MACHINES["x86-64"]) return "x86-64";
    if (machine === elf.MACHINES.arm64) return "arm64";
    throw invalidImage("an ELF file of another architecture", {
      value: machine,
      allowed: "62 (x86-64) or 183 (AArch64)",
    });
  }

  #programHeaders(): { segments: ElfSegment[]; isDynamic: boolean } {
    const start = this.#u64(32, "the program header offset");
    const entryBytes = this.#u16(54, "the program header size");
    const count = this.#u16(56, "the program header count");
    if (count > 0 && entryBytes < elf.PHDR_BYTES) {
      throw invalidImage("program headers are too short", { value: entryBytes, allowed: `${elf.PHDR_BYTES} or more` });
    }
    this.#check(start, count * entryBytes, "the program header table");
    const segments: ElfSegment[] = [];
    let isDynamic = false;
    for (let i = 0; i < count; i++) {
      const at = start + i * entryBytes;
      const type = this.#u32(at, `program header ${i}`);
      if (type === elf.PT_LOAD) segments.push(this.#segment(at, i));
      isDynamic ||= type === elf.PT_DYNAMIC || type === elf.PT_INTERP;
    }
    checkOverlaps(segments);
    return { segments, isDynamic };
  }

  #segment(at: number, number: number): ElfSegment {
    const what = `segment ${number}`;
    const flags = this.#u32(at + 4, what);
    const fileBytes = this.#u64(at + 32, what);
    const memoryBytes = this.#u64(at + 40, what);
    const address = this.#u64(at + 16, what);
    if (memoryBytes < fileBytes)
      throw invalidImage(`${what} has more bytes than memory`, { value: fileBytes, allowed: `up to ${memoryBytes}` });
    if (!Number.isSafeInteger(address + memoryBytes))
      throw invalidImage(`${what} ends beyond every address`, { value: address, allowed: "ends up to 2^53 - 1" });
    return {
      address,
      physicalAddress: this.#u64(at + 24, what),
      bytes: this.#bytes(this.#u64(at + 8, what), fileBytes, what),
      memoryBytes,
      readable: (flags & elf.PF_R) !== 0,
      writable: (flags & elf.PF_W) !== 0,
      executable: (flags & elf.PF_X) !== 0,
    };
  }

  #sectionHeaders(): SectionHeader[] {
    const start = this.#u64(40, "the section header offset");
    const entryBytes = this.#u16(58, "the section header size");
    const count = this.#u16(60, "the section header count");
    if (count > 0 && entryBytes < elf.SHDR_BYTES) {
      throw invalidImage("section headers are too short", { value: entryBytes, allowed: `${elf.SHDR_BYTES} or more` });
    }
    this.#check(start, count * entryBytes, "the section header table");
    return Array.from({ length: count }, (_, i) => {
      const at = start + i * entryBytes;
      const what = `section header ${i}`;
      return {
        type: this.#u32(at + 4, what),
        offset: this.#u64(at + 24, what),
        size: this.#u64(at + 32, what),
        link: this.#u32(at + 40, what),
        entryBytes: this.#u64(at + 56, what),
      };
    });
  }

  // --- symbols and notes ------------------------------------------------------------------------------------------------------------

  /** A file has one symbol table (System V ABI, section types); several could all be the whole file. */
  #allSymbols(sections: readonly SectionHeader[]): ElfSymbol[] {
    const tables = sections.filter(({ type }) => type === elf.SHT_SYMTAB);
    const [table] = tables;
    if (tables.length > 1) throw invalidImage("several symbol tables", { value: tables.length, allowed: "one" });
    return table === undefined ? [] : this.#symbols(table, sections);
  }

  #allNotes(sections: readonly SectionHeader[]): Note[] {
    const noteSections = sections.filter(({ type }) => type === elf.SHT_NOTE);
    const bytes = noteSections.reduce((sum, { size }) => sum + size, 0);
    if (bytes > this.#file.length)
      throw invalidImage("note sections overlap", { value: bytes, allowed: `up to ${this.#file.length} bytes in all` });
    return noteSections.flatMap((section) => this.#notes(section));
  }

  #symbols(table: SectionHeader, sections: readonly SectionHeader[]): ElfSymbol[] {
    const strings = sections[table.link];
    if (strings?.type !== elf.SHT_STRTAB)
      throw invalidImage("the symbol table has no string table", { value: table.link, allowed: "its section number" });
    if (table.entryBytes < elf.SYM_BYTES) {
      throw invalidImage("symbols are too short", { value: table.entryBytes, allowed: `${elf.SYM_BYTES} or more` });
    }
    const names = this.#bytes(strings.offset, strings.size, "the string table");
    this.#check(table.offset, table.size, "the symbol table");
    const symbols: ElfSymbol[] = [];
    let nameBytes = 0;
    for (let i = 1; i < Math.floor(table.size / table.entryBytes); i++) {
      const at = table.offset + i * table.entryBytes;
      const name = textAt(names, this.#u32(at, "a symbol"), `symbol ${i}`);
      nameBytes += name.length;
      if (nameBytes > MAXIMUM_NAME_SHARE * this.#file.length) {
        throw invalidImage("symbols share names beyond measure", {
          value: nameBytes,
          allowed: `up to ${MAXIMUM_NAME_SHARE} times the file`,
        });
      }
      const section = this.#u16(at + 6, "a symbol");
      if (name === "" || name.startsWith("$") || section === elf.SHN_UNDEF || section >= elf.SHN_LORESERVE) continue;
      const type = (this.#file[at + 4] ?? 0) & 15;
      const kind = type === elf.STT_FUNC ? "function" : type === elf.STT_OBJECT ? "object" : "other";
      const what = `symbol ${i}`;
      symbols.push({ name, address: this.#u64(at + 8, what), size: this.#u64(at + 16, what), kind });
    }
    return symbols.sort((one, other) => one.address - other.address);
  }

  #notes(section: SectionHeader): Note[] {
    const content = this.#bytes(section.offset, section.size, "a note section");
    const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
    const notes: Note[] = [];
    let at = 0;
    while (at + 12 <= content.length) {
      const nameBytes = view.getUint32(at, true);
      const descriptionBytes = view.getUint32(at + 4, true);
      const nameAt = at + 12;
      const descriptionAt = nameAt + 4 * Math.ceil(nameBytes / 4);
      const end = descriptionAt + 4 * Math.ceil(descriptionBytes / 4);
      if (descriptionAt + descriptionBytes > content.length)
        throw invalidImage("a note ends behind its section", { value: end, allowed: `up to ${content.length}` });
      notes.push({
        owner: textAt(content.subarray(nameAt, nameAt + nameBytes), 0, "the owner of a note"),
        type: view.getUint32(at + 8, true),
        description: content.subarray(descriptionAt, descriptionAt + descriptionBytes),
      });
      at = end;
    }
    return notes;
  }
}

/** Names may overlap in the string table; more than this many times the whole file is an attack on the reader. */
const MAXIMUM_NAME_SHARE = 8;

/** Two segments at one address would make the content depend on the loader's order. */
function checkOverlaps(segments: readonly ElfSegment[]): void {
  const sorted = segments
    .filter(({ memoryBytes }) => memoryBytes > 0)
    .sort((one, other) => one.address - other.address);
  sorted.forEach((segment, i) => {
    const next = sorted[i + 1];
    const end = segment.address + segment.memoryBytes;
    if (next !== undefined && next.address < end)
      throw invalidImage("segments overlap", { value: next.address, allowed: `from ${end} on` });
  });
}

interface Note {
  readonly owner: string;
  readonly type: number;
  readonly description: Uint8Array;
}

function textAt(bytes: Uint8Array, offset: number, what: string): string {
  if (offset === 0 && bytes.length === 0) return "";
  const end = offset < bytes.length ? bytes.indexOf(0, offset) : -1;
  if (end < 0)
    throw invalidImage(`the name of ${what} does not end`, { value: offset, allowed: `below ${bytes.length}` });
  return new TextDecoder().decode(bytes.subarray(offset, end));
}

function exactNumber(value: bigint, what: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER))
    throw invalidImage(`${what} is too large`, { value, allowed: "up to 2^53 - 1" });
  return Number(value);
}

function markOf({ description }: Note): ElfMark {
  if (description.length < 8)
    throw invalidImage("a mark without an address", { value: description.length, allowed: "8 bytes or more" });
  const view = new DataView(description.buffer, description.byteOffset, description.byteLength);
  const address = exactNumber(view.getBigUint64(0, true), "the address of a mark");
  const name = textAt(description, 8, "a mark");
  const places = textAt(description, 8 + new TextEncoder().encode(name).length + 1, "a mark's locals");
  const words = places === "" ? [] : places.split(" ");
  const locals = Object.fromEntries(
    words.map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)]),
  );
  return { name, address, locals };
}

function pvhEntryOf({ description }: Note): number {
  const view = new DataView(description.buffer, description.byteOffset, description.byteLength);
  if (description.length === 4) return view.getUint32(0, true);
  if (description.length < 8)
    throw invalidImage("a PVH note without an entry", { value: description.length, allowed: "4 bytes, or 8" });
  return exactNumber(view.getBigUint64(0, true), "the PVH entry");
}
