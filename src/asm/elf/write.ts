// Writes an image as an ELF64 executable that objdump, gdb, readelf and QEMU's -kernel accept.

import { invalid } from "../failure.ts";
import type { Image } from "../image/image.ts";
import { PAGE_BYTES } from "../image/sections.ts";
import type { ImageMark, ImageSegment } from "../image/tables.ts";
import { roundUp } from "../types.ts";
import { ByteWriter, StringTable } from "./bytes.ts";
import { debugSections } from "./dwarf.ts";
import * as elf from "./format.ts";

/** What goes into the file beside the image. */
export interface ElfOptions {
  /** Compile directory of the debug information: what source paths are relative to. "." if not given. */
  readonly sourceRoot?: string;
  /** Without line information nothing of the sources is written. True if not given. */
  readonly lines?: boolean;
  /** Address of a 32-bit entry, for loaders of the PVH protocol (x86-64 only). */
  readonly pvhEntry?: number;
}

interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  readonly size: number;
  readonly align: number;
  /** File content of sections that belong to no segment. */
  readonly content: Uint8Array | undefined;
  offset: number;
  link: number;
  info: number;
  readonly entryBytes: number;
}

/**
 * The image as an ELF64 executable (ET_EXEC) with sections, symbols, marks and, unless left out, a DWARF 4 line table.
 * @throws ASSEMBLY_INVALID for a PVH entry on AArch64
 */
export function writeElf(image: Image, options: ElfOptions = {}): Uint8Array {
  return new ElfWriter(image, options).write();
}

class ElfWriter {
  readonly #image: Image;
  readonly #options: ElfOptions;
  readonly #names = new StringTable();
  readonly #sections: Section[] = [];

  constructor(image: Image, options: ElfOptions) {
    if (options.pvhEntry !== undefined && image.architecture !== "x86-64") {
      throw invalid("a PVH entry in an AArch64 image", { value: options.pvhEntry, allowed: "x86-64 images" });
    }
    this.#image = image;
    this.#options = options;
  }

  write(): Uint8Array {
    const note = this.#pvhNote();
    const segments = this.#image.segments;
    const headerCount = segments.length + (note === undefined ? 0 : 1);
    let end = elf.EHDR_BYTES + headerCount * elf.PHDR_BYTES;
    const offsets = segments.map((segment) => {
      // File offset and address agree modulo the page, so that loaders can map.
      const offset = roundUp(end, PAGE_BYTES) + (segment.address % PAGE_BYTES);
      end = offset + segment.bytes.length;
      return offset;
    });
    this.#imageSections(offsets);
    const noteSection = note === undefined ? undefined : this.#contentSection(".note.Xen", elf.SHT_NOTE, note, 4);
    this.#extraSections();
    end = this.#placeContent(end);
    const nameSection = this.#contentSection(".shstrtab", elf.SHT_STRTAB, new Uint8Array(), 1);
    const names = this.#namesDone();
    const sectionsAt = roundUp(end + names.length, 8);
    const writer = new ByteWriter();
    this.#header(writer, headerCount, sectionsAt);
    segments.forEach((segment, i) => {
      programHeader(writer, segment, offsets[i] ?? 0);
    });
    if (noteSection !== undefined) noteHeader(writer, noteSection);
    segments.forEach(({ bytes }, i) => writer.padTo(offsets[i] ?? 0).raw(bytes));
    for (const { content, offset } of this.#sections)
      if (content !== undefined && content.length > 0) writer.padTo(offset).raw(content);
    writer.padTo(end).raw(names).padTo(sectionsAt);
    nameSection.offset = end;
    this.#sectionHeaders(writer, names.length);
    return writer.done();
  }

  // --- sections -------------------------------------------------------------------------------------------------------------------

  #imageSections(offsets: readonly number[]): void {
    const { segments, sections } = this.#image;
    for (const { name, address, size, align, hasBytes, writable, executable } of sections) {
      const index = segments.findIndex(
        (segment) => address >= segment.address && address + size <= segment.address + segment.memoryBytes,
      );
      const segment = segments[index];
      this.#sections.push({
        name,
        type: hasBytes ? elf.SHT_PROGBITS : elf.SHT_NOBITS,
        flags: elf.SHF_ALLOC | (writable ? elf.SHF_WRITE : 0) | (executable ? elf.SHF_EXECINSTR : 0),
        address,
        size,
        align,
        content: undefined,
        // Memory without bytes is said to lie where the segment's bytes end.
        offset:
          (offsets[index] ?? 0) +
          (hasBytes || segment === undefined ? address - (segment?.address ?? address) : segment.bytes.length),
        link: 0,
        info: 0,
        entryBytes: 0,
      });
    }
  }

  #contentSection(name: string, type: number, content: Uint8Array, align: number, entryBytes = 0): Section {
    const section = {
      name,
      type,
      flags: 0,
      address: 0,
      size: content.length,
      align,
      content,
      offset: 0,
      link: 0,
      info: 0,
      entryBytes,
    };
    this.#sections.push(section);
    return section;
  }

  #extraSections(): void {
    const { marks } = this.#image;
    if (marks.length > 0) this.#contentSection(".allstop.marks", elf.SHT_NOTE, markNotes(marks), 4);
    const debug =
      this.#options.lines === false ? undefined : debugSections(this.#image, this.#options.sourceRoot ?? ".");
    if (debug !== undefined) {
      this.#contentSection(".debug_info", elf.SHT_PROGBITS, debug.info, 1);
      this.#contentSection(".debug_abbrev", elf.SHT_PROGBITS, debug.abbrev, 1);
      this.#contentSection(".debug_line", elf.SHT_PROGBITS, debug.line, 1);
    }
    const { symbols, strings, localCount } = this.#symbolTable();
    const table = this.#contentSection(".symtab", elf.SHT_SYMTAB, symbols, 8, elf.SYM_BYTES);
    // Section numbers start at 1; the string table follows.
    table.link = this.#sections.length + 1;
    table.info = localCount;
    this.#contentSection(".strtab", elf.SHT_STRTAB, strings, 1);
  }

  #placeContent(start: number): number {
    let end = start;
    for (const section of this.#sections) {
      if (section.content === undefined) continue;
      section.offset = roundUp(end, section.align);
      end = section.offset + section.size;
    }
    return end;
  }

  #namesDone(): Uint8Array {
    for (const { name } of this.#sections) this.#names.add(name);
    return this.#names.done();
  }

  // --- symbols --------------------------------------------------------------------------------------------------------------------

  /** Local symbols come first (System V ABI, symbol table). */
  #symbolTable(): { symbols: Uint8Array; strings: Uint8Array; localCount: number } {
    const strings = new StringTable();
    const writer = new ByteWriter().raw(new Uint8Array(elf.SYM_BYTES));
    const mapping = this.#image.architecture === "arm64" ? this.#mappingSymbols() : [];
    for (const { name, address, section } of mapping) {
      writer
        .u32(strings.add(name))
        .u8((elf.STB_LOCAL << 4) | elf.STT_NOTYPE)
        .u8(0)
        .u16(this.#numberOf(section))
        .u64(address)
        .u64(0);
    }
    for (const { name, address, size, kind, section } of this.#image.symbols) {
      const type = kind === "function" ? elf.STT_FUNC : elf.STT_OBJECT;
      writer
        .u32(strings.add(name))
        .u8((elf.STB_GLOBAL << 4) | type)
        .u8(0)
        .u16(this.#numberOf(section))
        .u64(address)
        .u64(size);
    }
    return { symbols: writer.done(), strings: strings.done(), localCount: 1 + mapping.length };
  }

  #numberOf(section: string): number {
    return this.#sections.findIndex(({ name }) => name === section) + 1;
  }

  /** `$x` where code begins, `$d` where data does (AAELF64, section 5.5.4); without them data is disassembled. */
  #mappingSymbols(): { name: string; address: number; section: string }[] {
    const symbols = this.#image.sections
      .filter(({ size, hasBytes }) => size > 0 && hasBytes)
      .map(({ name, address, executable }) => ({ name: executable ? "$x" : "$d", address, section: name }));
    for (const { unit, address, section } of this.#image.units) {
      if (unit.kind !== "code") continue;
      for (const { start, end } of unit.code.data) {
        symbols.push({ name: "$d", address: address + start, section });
        if (end < unit.code.bytes.length) symbols.push({ name: "$x", address: address + end, section });
      }
      const last = unit.code.data.at(-1);
      if (last !== undefined && last.end === unit.code.bytes.length) {
        symbols.push({ name: "$x", address: address + last.end, section });
      }
    }
    return symbols;
  }

  // --- headers --------------------------------------------------------------------------------------------------------------------

  #pvhNote(): Uint8Array | undefined {
    const { pvhEntry } = this.#options;
    if (pvhEntry === undefined) return undefined;
    return note(elf.PVH_NOTE_OWNER, elf.PVH_NOTE_TYPE, new ByteWriter().u64(pvhEntry).done());
  }

  #header(writer: ByteWriter, headerCount: number, sectionsAt: number): void {
    for (const byte of elf.MAGIC) writer.u8(byte);
    writer.u8(elf.CLASS_64).u8(elf.DATA_LITTLE).u8(elf.VERSION_CURRENT).padTo(16);
    writer.u16(elf.ET_EXEC).u16(elf.MACHINES[this.#image.architecture]).u32(elf.VERSION_CURRENT);
    writer
      .u64(this.#image.entry ?? 0)
      .u64(elf.EHDR_BYTES)
      .u64(sectionsAt)
      .u32(0);
    writer.u16(elf.EHDR_BYTES).u16(elf.PHDR_BYTES).u16(headerCount);
    writer
      .u16(elf.SHDR_BYTES)
      .u16(this.#sections.length + 1)
      .u16(this.#sections.length);
  }

  #sectionHeaders(writer: ByteWriter, nameBytes: number): void {
    writer.raw(new Uint8Array(elf.SHDR_BYTES));
    this.#sections.forEach((section, i) => {
      const { name, type, flags, address, offset, size, link, info, align, entryBytes } = section;
      const bytes = i === this.#sections.length - 1 ? nameBytes : size;
      writer.u32(this.#names.add(name)).u32(type).u64(flags).u64(address).u64(offset).u64(bytes);
      writer.u32(link).u32(info).u64(align).u64(entryBytes);
    });
  }
}

function programHeader(writer: ByteWriter, segment: ImageSegment, offset: number): void {
  const flags =
    (segment.readable ? elf.PF_R : 0) | (segment.writable ? elf.PF_W : 0) | (segment.executable ? elf.PF_X : 0);
  writer.u32(elf.PT_LOAD).u32(flags).u64(offset).u64(segment.address).u64(segment.address);
  writer.u64(segment.bytes.length).u64(segment.memoryBytes).u64(PAGE_BYTES);
}

function noteHeader(writer: ByteWriter, { offset, size }: Section): void {
  writer.u32(elf.PT_NOTE).u32(elf.PF_R).u64(offset).u64(0).u64(0).u64(size).u64(size).u64(4);
}

function note(owner: string, type: number, description: Uint8Array): Uint8Array {
  const name = new ByteWriter().text(owner).done();
  return new ByteWriter()
    .u32(name.length)
    .u32(description.length)
    .u32(type)
    .raw(name)
    .alignTo(4)
    .raw(description)
    .alignTo(4)
    .done();
}

function markNotes(marks: readonly ImageMark[]): Uint8Array {
  const writer = new ByteWriter();
  for (const { name, address, locals } of marks) {
    const places = locals.map((local) => `${local.name}=${local.register ?? `sp+${local.stackOffset ?? 0}`}`).join(" ");
    writer.raw(
      note(elf.MARK_NOTE_OWNER, elf.MARK_NOTE_TYPE, new ByteWriter().u64(address).text(name).text(places).done()),
    );
  }
  return writer.done();
}
