// Herd's X86_64 dialect: AT&T syntax, whose memory operands may be locations by name, in parentheses or brackets.

import type { Displacements, LitmusDialect } from "./dialect.ts";
import type { Cell } from "../test.ts";
import { TranslationBuilder } from "./translation.ts";
import type { Translation } from "./translation.ts";
import { attOperand, isBranch, isRegister, memoryName, splitStatement } from "./x86-statement.ts";
import type { Part, X86Statement } from "./x86-statement.ts";
import { x86Register } from "./x86-registers.ts";

/** Mnemonics that say nothing of their width; herd takes 32 bits where no register does either. */
const WIDTHLESS = new Set([
  "mov",
  "add",
  "sub",
  "and",
  "or",
  "xor",
  "cmp",
  "test",
  "inc",
  "dec",
  "neg",
  "not",
  "adc",
  "sbb",
]);

export const x86_64: LitmusDialect = {
  architecture: "x86-64",
  registers: "RAX to R15 and their parts, but for RSP",
  register: x86Register,
  memoryNames: (cell) => namesIn(splitStatement(cell)),

  translate(cell, displacements) {
    const statement = splitStatement(cell);
    return assemble(cell, { ...statement, operands: sourceFirst(statement) }, displacements);
  },
};

/** cmpxchg (x),%eax is herd's order; the assembler has the register first. */
function sourceFirst({ mnemonic, operands }: X86Statement): readonly Part[] {
  const [first, second] = operands;
  const isSwapped =
    first !== undefined &&
    second !== undefined &&
    /^cmpxchg/i.test(mnemonic?.text ?? "") &&
    isRegister(second.text) &&
    !isRegister(first.text);
  return isSwapped ? [second, first] : operands;
}

export function namesIn({ mnemonic, operands }: X86Statement): readonly string[] {
  if (isBranch(mnemonic)) return [];
  return operands.map(memoryName).filter((name) => name !== undefined);
}

/** The statement in the assembler's syntax, operands as they are ordered. */
export function assemble(cell: Cell, statement: X86Statement, displacements: Displacements): Translation {
  const { labels, prefixes, mnemonic, operands } = statement;
  const builder = new TranslationBuilder(cell);
  for (const { text, offset } of [...labels, ...prefixes]) builder.copy(text, offset).put(" ", offset);
  if (mnemonic === undefined) return builder.build();
  builder.copy(mnemonic.text, mnemonic.offset);
  const isWidthless = WIDTHLESS.has(mnemonic.text.toLowerCase()) && !operands.some(({ text }) => isRegister(text));
  if (isWidthless) builder.put("l", mnemonic.offset);
  operands.forEach((part, i) => {
    const { text, offset } = part;
    builder.put(i === 0 ? " " : ", ", offset);
    const translated = isBranch(mnemonic) ? text : attOperand(part, displacements);
    if (translated === text) builder.copy(text, offset);
    else builder.put(translated, offset);
  });
  return builder.build();
}
