// Line table of an image as DWARF 4: .debug_line with standard opcodes only, and the one compile unit that makes gdb read it.

import type { Image } from "../image/image.ts";
import type { ImageLine } from "../image/tables.ts";
import { ByteWriter } from "./bytes.ts";

const VERSION = 4;
const OPCODE_BASE = 13;
/** Operand counts of the standard opcodes 1 to 12 (DWARF 4, section 6.2.5.2). */
const STANDARD_LENGTHS = [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];
/** Required fields of the header; special opcodes are not used. */
const LINE_BASE = -5;
const LINE_RANGE = 14;
const DW_LNS_COPY = 1;
const DW_LNS_ADVANCE_PC = 2;
const DW_LNS_ADVANCE_LINE = 3;
const DW_LNS_SET_FILE = 4;
const DW_LNS_SET_COLUMN = 5;
const DW_LNE_END_SEQUENCE = 1;
const DW_LNE_SET_ADDRESS = 2;

const DW_TAG_COMPILE_UNIT = 0x11;
const DW_AT_NAME = 0x03;
const DW_AT_STMT_LIST = 0x10;
const DW_AT_LOW_PC = 0x11;
const DW_AT_HIGH_PC = 0x12;
const DW_AT_LANGUAGE = 0x13;
const DW_AT_COMP_DIR = 0x1b;
const DW_AT_PRODUCER = 0x25;
const DW_FORM_ADDR = 0x01;
const DW_FORM_DATA2 = 0x05;
const DW_FORM_DATA8 = 0x07;
const DW_FORM_STRING = 0x08;
const DW_FORM_SEC_OFFSET = 0x17;
/** Not a language of the standard: in the range left to vendors. */
const DW_LANG_LO_USER = 0x8000;

export interface DebugSections {
  readonly line: Uint8Array;
  readonly info: Uint8Array;
  readonly abbrev: Uint8Array;
}

/** Undefined for an image without line information. */
export function debugSections(image: Image, sourceRoot: string): DebugSections | undefined {
  const code = image.sections.filter(({ executable, size }) => executable && size > 0);
  if (image.lines.length === 0 || code.length === 0) return undefined;
  const files = [...new Set(image.lines.map(({ file }) => file))];
  return { line: lineProgram(image, files, code), info: compileUnit(image, sourceRoot), abbrev: abbreviations() };
}

interface Range {
  readonly address: number;
  readonly size: number;
}

function lineProgram(image: Image, files: readonly string[], code: readonly Range[]): Uint8Array {
  const writer = new ByteWriter().u32(0).u16(VERSION);
  const headerLengthAt = writer.length;
  writer
    .u32(0)
    .u8(1)
    .u8(1)
    .u8(1)
    .u8(LINE_BASE & 0xff)
    .u8(LINE_RANGE)
    .u8(OPCODE_BASE);
  for (const length of STANDARD_LENGTHS) writer.u8(length);
  writer.u8(0);
  for (const file of files) writer.text(file).uleb(0).uleb(0).uleb(0);
  writer.u8(0);
  writer.patch32(headerLengthAt, writer.length - headerLengthAt - 4);
  for (const { address, size } of code) {
    const rows = image.lines.filter((line) => line.address >= address && line.address < address + size);
    sequence(writer, rows, files, address + size);
  }
  writer.patch32(0, writer.length - 4);
  return writer.done();
}

/** The rows of one section, which start anew with line 1 of file 1. */
function sequence(writer: ByteWriter, rows: readonly ImageLine[], files: readonly string[], end: number): void {
  const [first] = rows;
  if (first === undefined) return;
  let state = { address: first.address, file: 1, line: 1, column: 0 };
  writer.u8(0).uleb(9).u8(DW_LNE_SET_ADDRESS).u64(first.address);
  for (const { address, file: name, line, column } of rows) {
    const file = files.indexOf(name) + 1;
    if (file !== state.file) writer.u8(DW_LNS_SET_FILE).uleb(file);
    if (column !== state.column) writer.u8(DW_LNS_SET_COLUMN).uleb(column);
    if (line !== state.line) writer.u8(DW_LNS_ADVANCE_LINE).sleb(line - state.line);
    if (address !== state.address) writer.u8(DW_LNS_ADVANCE_PC).uleb(address - state.address);
    writer.u8(DW_LNS_COPY);
    state = { address, file, line, column };
  }
  writer.u8(DW_LNS_ADVANCE_PC).uleb(end - state.address);
  writer.u8(0).uleb(1).u8(DW_LNE_END_SEQUENCE);
}

const ATTRIBUTES = [
  [DW_AT_PRODUCER, DW_FORM_STRING],
  [DW_AT_LANGUAGE, DW_FORM_DATA2],
  [DW_AT_NAME, DW_FORM_STRING],
  [DW_AT_COMP_DIR, DW_FORM_STRING],
  [DW_AT_STMT_LIST, DW_FORM_SEC_OFFSET],
  [DW_AT_LOW_PC, DW_FORM_ADDR],
  [DW_AT_HIGH_PC, DW_FORM_DATA8],
] as const;

function abbreviations(): Uint8Array {
  const writer = new ByteWriter().uleb(1).uleb(DW_TAG_COMPILE_UNIT).u8(0);
  for (const [attribute, form] of ATTRIBUTES) writer.uleb(attribute).uleb(form);
  return writer.uleb(0).uleb(0).uleb(0).done();
}

/** The unit covers the code from the lowest to the highest address; high_pc is a length (DWARF 4, section 2.17.2). */
function compileUnit(image: Image, sourceRoot: string): Uint8Array {
  const main = image.sections.filter(({ executable, name }) => executable && !name.startsWith(".fixed."));
  const covered = main.length > 0 ? main : image.sections.filter(({ executable }) => executable);
  const low = Math.min(...covered.map(({ address }) => address));
  const high = Math.max(...covered.map(({ address, size }) => address + size));
  const writer = new ByteWriter().u32(0).u16(VERSION).u32(0).u8(8);
  writer
    .uleb(1)
    .text("allstop")
    .u16(DW_LANG_LO_USER)
    .text("guest")
    .text(sourceRoot)
    .u32(0)
    .u64(low)
    .u64(high - low);
  writer.patch32(0, writer.length - 4);
  return writer.done();
}
