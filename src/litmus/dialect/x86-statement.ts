// What the x86 dialects have in common: an instruction in its parts, and operands as the assembler's AT&T syntax has them.

import type { Cell } from "../test.ts";
import type { Displacements } from "./dialect.ts";
import { checkStackPointer } from "./stack-pointer.ts";
import { X64_REGISTERS } from "./x86-registers.ts";

export interface Part {
  readonly text: string;
  /** In the cell. */
  readonly offset: number;
}

export interface X86Statement {
  /** With its colon. */
  readonly labels: readonly Part[];
  /** lock, rep … */
  readonly prefixes: readonly Part[];
  readonly mnemonic: Part | undefined;
  readonly operands: readonly Part[];
}

const PREFIXES = new Set(["lock", "rep", "repe", "repz", "repne", "repnz"]);
const STACK = /(?<![\w.])(?:[re]?spl?(?![\w.])|(?:push|pop|call|ret|leave|enter|iret|int)[a-z0-9]*(?![\w.:]))/i;
const DISPLACED = /^(-?\d+|0[xX][0-9a-fA-F]+)?\s*[([]\s*(.*?)\s*[)\]]$/;

/** @throws LITMUS_INVALID if it uses the stack */
export function splitStatement(cell: Cell): X86Statement {
  checkStackPointer(cell, STACK);
  let offset = 0;
  const take = (pattern: RegExp): Part | undefined => {
    const found = pattern.exec(cell.text.slice(offset));
    if (found === null) return undefined;
    const part = { text: found[1] ?? "", offset: offset + found[0].indexOf(found[1] ?? "") };
    offset += found[0].length;
    return part;
  };
  const labels: Part[] = [];
  for (let label = take(/^\s*([\w.]+\s*:)/); label !== undefined; label = take(/^\s*([\w.]+\s*:)/)) labels.push(label);
  const prefixes: Part[] = [];
  let mnemonic = take(/^\s*([A-Za-z][\w.]*)/);
  while (mnemonic !== undefined && PREFIXES.has(mnemonic.text.toLowerCase())) {
    prefixes.push(mnemonic);
    mnemonic = take(/^[\s;]*([A-Za-z][\w.]*)/);
  }
  return { labels, prefixes, mnemonic, operands: splitOperands(cell.text, offset) };
}

/** At the commas outside brackets. */
function splitOperands(text: string, from: number): Part[] {
  const operands: Part[] = [];
  let start = from;
  let depth = 0;
  for (let at = from; at <= text.length; at++) {
    const character = text[at] ?? ",";
    if ("([".includes(character)) depth++;
    else if (")]".includes(character)) depth--;
    if (at < text.length && (character !== "," || depth > 0)) continue;
    const raw = text.slice(start, at);
    const isNothing = operands.length === 0 && at === text.length && raw.trim() === "";
    if (!isNothing) operands.push({ text: raw.trim(), offset: start + raw.length - raw.trimStart().length });
    start = at + 1;
  }
  return operands;
}

/** The name of a location that an operand is or has in brackets. */
export function memoryName({ text }: Part): string | undefined {
  const inner = DISPLACED.exec(text)?.[2] ?? text;
  return /^[A-Za-z_][\w.]*$/.test(inner) && !isRegister(inner) ? inner : undefined;
}

export function isRegister(text: string): boolean {
  return X64_REGISTERS.has(text.replace(/^%/, "").toLowerCase());
}

export function isBranch(mnemonic: Part | undefined): boolean {
  return mnemonic !== undefined && /^(j|loop)/i.test(mnemonic.text);
}

/** x, [x], 8(%rax), [EAX], %eax, EAX, $1, 1: memory, registers and immediates. */
export function attOperand(part: Part, displacements: Displacements): string {
  const { text } = part;
  if (isRegister(text)) return `%${text.replace(/^%/, "").toLowerCase()}`;
  if (/^-?(\d+|0[xX][0-9a-fA-F]+)$/.test(text)) return `$${text}`;
  const name = memoryName(part);
  const found = DISPLACED.exec(text);
  const displacement = found?.[1] ?? "0";
  const place = name === undefined ? undefined : displacements.get(name);
  if (place !== undefined) return `${place + Number(displacement)}(%rsp)`;
  if (found === null || name !== undefined) return text;
  const inner = (found[2] ?? "").split(",").map((one) => (isRegister(one.trim()) ? wholeRegister(one.trim()) : one));
  return `${displacement === "0" ? "" : displacement}(${inner.join(",")})`;
}

/** The registers of an address have 64 bits, also where 32-bit code names them otherwise. */
function wholeRegister(text: string): string {
  return `%${X64_REGISTERS.get(text.replace(/^%/, "").toLowerCase())?.whole ?? text}`;
}
