// Listing of an image as text: per routine the address and bytes of each statement with its source line.

import type { Image } from "./image/image.ts";
import type { CodeUnit } from "./image/collect.ts";
import type { Statement } from "./record/tree.ts";

/** What to list, and how. */
export interface ListingOptions {
  /** Routines to list; all if not given. */
  readonly routines?: readonly string[];
  /** Source lines; true if not given. */
  readonly lines?: boolean;
  /** Text of the instructions, given their bytes and address, one line each; the caller's disassembler. */
  readonly disassemble?: (
    bytes: Uint8Array,
    address: number,
  ) => readonly { readonly bytes: Uint8Array; readonly text: string }[];
}

/** Text of the image's routines in address order: per statement its source line, then address and bytes of its instructions. A routine name that the image does not have is passed over. */
export function listing(image: Image, options: ListingOptions = {}): string {
  const wanted = options.routines === undefined ? undefined : new Set(options.routines);
  const blocks: string[] = [];
  for (const { unit, address, section } of image.units) {
    if (unit.kind !== "code" || (wanted !== undefined && !wanted.has(unit.symbol.name))) continue;
    const bytes = contentAt(image, address, unit.code.bytes.length);
    const size = `${bytes.length} bytes, frame ${unit.frameBytes}`;
    const head = `${unit.symbol.name}  ${section}  ${hexadecimal(address)}  ${size}`;
    blocks.push([head, ...pieces(image, unit, address, bytes, options)].join("\n"));
  }
  return `${blocks.join("\n\n")}\n`;
}

/** One piece per change of line or mark. */
function pieces(image: Image, unit: CodeUnit, address: number, bytes: Uint8Array, options: ListingOptions): string[] {
  const showLines = options.lines !== false;
  const positions = showLines ? image.lines.filter(({ routine }) => routine === unit.symbol.name) : [];
  const breaks = [
    ...new Set([0, ...unit.code.lines.map(({ offset }) => offset), ...unit.code.marks.map(({ offset }) => offset)]),
  ];
  breaks.sort((one, other) => one - other);
  const text: string[] = [];
  breaks.forEach((start, i) => {
    const end = breaks[i + 1] ?? bytes.length;
    for (const { offset, item } of unit.code.marks) {
      if (offset === start)
        text.push(
          `  ${unit.symbol.name}:${item.name}  ${localsOf(image, `${unit.symbol.name}:${item.name}`)}`.trimEnd(),
        );
    }
    if (end === start) return;
    const position = positions.filter((line) => line.address <= address + start).at(-1);
    const statement = unit.code.lines.filter(({ offset }) => offset <= start).at(-1)?.item;
    const where = position === undefined ? "" : `  ${position.file}:${position.line}:${position.column}`;
    text.push(`  ; ${kindOf(unit, statement)}${where}`);
    text.push(...instructions(bytes.subarray(start, end), address + start, options));
  });
  return text;
}

function kindOf(unit: CodeUnit, statement: Statement | undefined): string {
  if (statement === undefined) return unit.lowered === undefined ? "instructions" : "entry";
  return statement.kind;
}

function localsOf(image: Image, mark: string): string {
  return image
    .mark(mark)
    .locals.map((local) => `${local.name}=${local.register ?? `sp+${local.stackOffset ?? 0}`}`)
    .join(" ");
}

function instructions(bytes: Uint8Array, address: number, { disassemble }: ListingOptions): string[] {
  if (disassemble === undefined) return [`    ${hexadecimal(address)}  ${hexBytes(bytes)}`];
  let at = address;
  return disassemble(bytes, address).map(({ bytes: own, text }) => {
    const line = `    ${hexadecimal(at)}  ${hexBytes(own).padEnd(32)}  ${text}`;
    at += own.length;
    return line;
  });
}

function contentAt(image: Image, address: number, size: number): Uint8Array {
  for (const segment of image.segments) {
    const offset = address - segment.address;
    if (offset >= 0 && offset + size <= segment.bytes.length) return segment.bytes.subarray(offset, offset + size);
  }
  return new Uint8Array();
}

function hexadecimal(value: number): string {
  return value.toString(16).padStart(8, "0");
}

function hexBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
