// A disassembly as lines of text.

import type { Palette } from "../report/text.ts";
import type { Disassembly, ListedInstruction, ListedRoutine } from "./disassemble.ts";

/** Columns of bytes, and of mnemonic and operands; longer ones push the rest to the right. */
const BYTE_COLUMNS: Readonly<Record<Disassembly["architecture"], number>> = { "x86-64": 30, arm64: 8 };
const TEXT_COLUMNS = 44;
const MNEMONIC_COLUMNS = 8;
const SOURCE_COLUMNS = 64;

/** Per routine a head, then a line per instruction; marks and changes of the source line stand where they take effect. */
export function disassemblyLines({ architecture, routines }: Disassembly, palette: Palette): string[] {
  return routines.flatMap((routine, index) => [
    ...(index === 0 ? [] : [""]),
    ...routineLines(routine, architecture, palette),
  ]);
}

function routineLines(
  { name, address, size, section, instructions }: ListedRoutine,
  architecture: Disassembly["architecture"],
  palette: Palette,
): string[] {
  const where = section === "" ? "" : `  ${section}`;
  const head = `${palette.strong(name)}${where}  ${hexadecimal(address)}  ${size} bytes`;
  let before = "";
  const lines = instructions.flatMap((instruction) => {
    const { source, marks } = instruction;
    const place = source === undefined ? "" : `${source.file}:${source.line}`;
    const note = place === before ? "" : place;
    before = place;
    const text = source?.text === undefined || note === "" ? note : `${note}  ${shortened(source.text)}`;
    return [
      ...marks.map((mark) => palette.faint(`${name}:${mark}`)),
      instructionLine(instruction, architecture, text, palette),
    ];
  });
  return [head, ...lines];
}

/** Address, bytes, mnemonic and operands, `; comment`, and what else there is to say. */
export function instructionLine(
  instruction: ListedInstruction,
  architecture: Disassembly["architecture"],
  note: string,
  { faint, good }: Palette,
): string {
  const text = instructionText(instruction);
  const bytes = architecture === "arm64" ? wordText(instruction.bytes) : hexBytes(instruction.bytes);
  const { comment } = instruction;
  const plain = comment === "" ? text : `${text}  ; ${comment}`;
  const painted = comment === "" ? text : `${text}  ${good(`; ${comment}`)}`;
  const padding = note === "" ? "" : " ".repeat(Math.max(2, TEXT_COLUMNS + 2 - plain.length));
  return `  ${hexadecimal(instruction.address)}  ${faint(bytes.padEnd(BYTE_COLUMNS[architecture]))}  ${painted}${padding}${faint(note)}`;
}

/** "mov     rbx, rdi" */
export function instructionText({ mnemonic, operands }: Pick<ListedInstruction, "mnemonic" | "operands">): string {
  return operands === "" ? mnemonic : `${mnemonic.padEnd(MNEMONIC_COLUMNS - 1)} ${operands}`;
}

function shortened(text: string): string {
  return text.length > SOURCE_COLUMNS ? `${text.slice(0, SOURCE_COLUMNS - 1)}…` : text;
}

function hexadecimal(address: number): string {
  return address.toString(16).padStart(8, "0");
}

export function hexBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** A64 instructions are words. */
function wordText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"))
    .reverse()
    .join("");
}
