// Fuzz target: litmus tests, from text to code.

import { formatCondition } from "../../src/litmus/condition.ts";
import { buildProgram } from "../../src/litmus/harness.ts";
import { parseLitmus } from "../../src/litmus/parse.ts";
import { planLitmus } from "../../src/litmus/plan.ts";
import type { Random } from "../support/random.ts";
import { ACCEPTED, expectSame, type Subject, type Target } from "./target.ts";
import { muchChangedText, someNumber } from "./text.ts";

export const litmusTarget: Target<string> = {
  name: "litmus",
  what: "litmus tests in all dialects",
  share: 100_000,
  refusals: ["LITMUS_INVALID"],
  open: () => Promise.resolve(openTests()),
};

function openTests(): Subject<string> {
  return {
    draw(random) {
      const text = someTest(random);
      return random.chance(50) ? text : muchChangedText(random, text, 4);
    },
    attempt(text) {
      const test = parseLitmus(text);
      buildProgram(planLitmus(test));
      const printed = formatCondition(test.condition);
      const again = parseLitmus(`X86 T\n{}\nP0 ;\n${printed}`).condition;
      expectSame("a condition that is printed and read again", formatCondition(again), printed);
      return ACCEPTED;
    },
    show: (text) => JSON.stringify(text),
  };
}

const names = ["x", "y", "z", "data_1", "0"];
const types = ["", "", "int ", "uint8_t ", "int64_t ", "int* ", "*", "_Atomic int "];
const dialects = {
  AArch64: {
    registers: ["X0", "X1", "W2", "x30", "XZR", "SP"],
    cells: [
      "MOV W0,#1", "STR W0,[X1]", "LDR W2,[X1]", "LDR W2,[X1,X3,SXTW]", "DMB SY", "ISB", "LDAR W0,[X1]", "L: CBNZ W0,L", "L:", "",
      "CASAL W0,W2,[X1]", "LDADD W0,W2,[X1]", "STXR W3,W0,[X1]", "EOR W2,W0,W0", "FADD D0,D1,D2",
    ], // prettier-ignore
  },
  X86_64: {
    registers: ["rax", "EBX", "%rcx", "r10d", "al", "rsp"],
    cells: [
      "movl $1,(x)", "movl (y),%eax", "mov [x],%rbx", "mfence", "lock xaddl %eax,(x)", "lock; incl (x)", "xchgl (x),%eax", "L: jne L", "",
      "movq 8(%rax,%rbx,4),%rcx", "cmpl $0,%eax", "pushq %rax", "lock cmpxchgl (x),%ebx",
    ], // prettier-ignore
  },
  X86: {
    registers: ["EAX", "EBX", "ECX", "ESP"],
    cells: [
      "MOV [x],$1",
      "MOV EAX,[y]",
      "MFENCE",
      "XCHG [x],EAX",
      "LOCK INC [x]",
      "LOCK; INC [y]",
      "CMP EAX,$1",
      "L: JE L",
      "",
    ],
  },
} as const;

function someTest(random: Random): string {
  const dialect = random.pick(["AArch64", "X86_64", "X86"] as const);
  const { registers, cells } = dialects[dialect];
  const threads = random.between(1, 4);
  const location = (): string =>
    random.chance(50)
      ? `${random.between(0, threads - (random.chance(95) ? 1 : 0))}:${random.pick(registers)}`
      : random.pick(names);
  const value = (): string => (random.chance(70) ? someNumber(random) : random.pick(names));
  const item = (): string => `${random.pick(types)}${location()}${random.chance(80) ? `=${value()}` : ""};`;
  const row = (): string => `${Array.from({ length: threads }, () => random.pick<string>(cells)).join(" | ")} ;`;
  const many = (make: () => string, most: number): string =>
    Array.from({ length: random.between(0, most) }, make).join("\n");
  const heading = Array.from({ length: threads }, (_, thread) => `P${thread}`).join(" | ");
  const shown = random.chance(20) ? `locations [${location()};]\n` : "";
  const filter = random.chance(20) ? `filter ${someProp(random, location, value, 2)}\n` : "";
  const quantifier = random.pick(["exists", "~exists", "forall", "not exists", ""]);
  const end = quantifier === "" ? "" : `${quantifier} ${someProp(random, location, value, 4)}`;
  return `${dialect} T\n"doc"\nCom=Rf\n{\n${many(item, 4)}\n}\n${heading} ;\n${many(row, 6)}\n${shown}${filter}${end}`;
}

function someProp(random: Random, location: () => string, value: () => string, depth: number): string {
  const inner = (): string => someProp(random, location, value, depth - 1);
  if (depth === 0 || random.chance(30))
    return random.chance(10)
      ? random.pick(["true", "false"])
      : `${location()}${random.pick(["=", "==", "!=", "<>"])}${value()}`;
  if (random.chance(20)) return `${random.pick(["~", "not "])}(${inner()})`;
  return `(${inner()} ${random.pick(["/\\", "\\/", "=>"])} ${inner()})`;
}
