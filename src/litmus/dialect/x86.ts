// Herd's X86 dialect: destinations first, locations in brackets, registers without a sign; 32 bits where nothing else is said.

import type { LitmusDialect } from "./dialect.ts";
import { splitStatement } from "./x86-statement.ts";
import { x86Register } from "./x86-registers.ts";
import { assemble, namesIn } from "./x86-64.ts";

export const x86: LitmusDialect = {
  architecture: "x86-64",
  registers: "EAX, EBX, ECX, EDX, ESI, EDI, EBP and their 64-bit forms",
  register: x86Register,
  memoryNames: (cell) => namesIn(splitStatement(cell)),

  translate(cell, displacements) {
    const statement = splitStatement(cell);
    return assemble(cell, { ...statement, operands: [...statement.operands].reverse() }, displacements);
  },
};
