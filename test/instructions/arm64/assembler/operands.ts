// Operands of A64 instructions in assembly text.

export type Operand =
  | { kind: "register"; number: number; wide: boolean; stack: boolean }
  | { kind: "immediate"; value: bigint }
  | { kind: "memory"; base: number; inner: Operand[]; writeback: boolean }
  | { kind: "name"; name: string }
  | { kind: "modifier"; name: string; amount: number | undefined };
const conditions = ["eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al", "nv"];
const conditionNames: Record<string, number> = Object.fromEntries(
  [...conditions.entries()].map(([code, name]) => [name, code]),
);
conditionNames.hs = 2;
conditionNames.lo = 3;
export const shifts = ["lsl", "lsr", "asr", "ror"];
export const extensions = ["uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx"];
export function parseOperands(text: string): Operand[] {
  const operands: Operand[] = [];
  for (const part of splitAtCommas(text)) {
    const memory = /^\[(.*)\](!?)$/.exec(part);
    if (memory === null) {
      operands.push(parseOperand(part));
      continue;
    }
    const [first, ...inner] = splitAtCommas(memory[1] ?? "").map(parseOperand);
    if (first?.kind !== "register") throw new Error(`no base register in ${part}`);
    operands.push({ kind: "memory", base: first.number, inner, writeback: memory[2] === "!" });
  }
  return operands;
}

function splitAtCommas(text: string): string[] {
  return text
    .split(/,(?![^[]*\])/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function parseOperand(text: string): Operand {
  const lower = text.toLowerCase();
  const register = /^([xw])(\d+|zr)$/.exec(lower);
  if (register !== null) {
    const number = register[2] === "zr" ? 31 : Number(register[2]);
    return { kind: "register", number, wide: register[1] === "x", stack: false };
  }
  if (lower === "sp" || lower === "wsp") return { kind: "register", number: 31, wide: lower === "sp", stack: true };
  if (/^#?-?(0x[\da-f_]+|\d[\d_]*)n?$/.test(lower)) return { kind: "immediate", value: integer(lower) };
  const [name = "", amount] = lower.split(/\s+/);
  if (shifts.includes(name) || extensions.includes(name)) {
    return { kind: "modifier", name, amount: amount === undefined ? undefined : Number(integer(amount)) };
  }
  return { kind: "name", name: text };
}

function integer(text: string): bigint {
  const digits = text.replace(/[#_n]/g, "");
  return digits.startsWith("-") ? -BigInt(digits.slice(1)) : BigInt(digits);
}

export function immediateOf(operand: Operand | undefined): bigint {
  if (operand?.kind !== "immediate") throw new Error("an immediate is missing");
  return operand.value;
}

export function registerOf(operand: Operand | undefined): { number: number; wide: boolean; stack: boolean } {
  if (operand?.kind !== "register") throw new Error("a register is missing");
  return operand;
}

export function nameOf(operand: Operand | undefined): string {
  if (operand?.kind !== "name") throw new Error("a name is missing");
  return operand.name;
}

export function conditionOf(name: string): number {
  const code = conditionNames[name];
  if (code === undefined) throw new Error(`no condition ${name}`);
  return code;
}

export function inRange(value: number, least: number, most: number, step = 1): number {
  if (value < least || value > most || value % step !== 0) throw new Error(`${value} is not in ${least}..${most}`);
  return value;
}

export type Encoder = (operands: readonly Operand[], distance: (operand: Operand | undefined) => number) => number;

export function memoryOf(operand: Operand | undefined): Extract<Operand, { kind: "memory" }> {
  if (operand?.kind !== "memory") throw new Error("a memory operand is missing");
  return operand;
}
