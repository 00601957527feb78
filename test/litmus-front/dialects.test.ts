// The dialects, by what their instructions do: one thread alone, whose final state the manuals give. And how what isn't known is
// refused, at its place in the file.

import { describe, expect, it } from "vitest";
import { parseLitmus } from "../../src/litmus/index.ts";
import { buildProgram } from "../../src/litmus/harness.ts";
import { planLitmus } from "../../src/litmus/plan.ts";
import { thrownBy } from "../topology/errors.ts";
import { litmusText, runText, statesOf } from "./tests.ts";

type Case = readonly [initial: string, rows: readonly string[], states: string];

/** The only state of a few runs, of what the expected one names. */
async function stateOf(dialect: string, [initial, rows, expected]: Case): Promise<readonly string[]> {
  const names = [...expected.matchAll(/([^=\s]+)=/g)].map(([, name]) => `${name};`).join(" ");
  return statesOf(
    await runText(litmusText(dialect, initial, rows, `locations [${names}]`.replaceAll(/\[(\w+)\];/g, "$1;")), {
      runs: 5,
    }),
  );
}

describe("AArch64", () => {
  const cases: readonly Case[] = [
    ["0:X1=x; x=5;", ["LDR W0,[X1]"], "0:X0=5; [x]=5;"],
    ["0:X1=x;", ["MOV W0,#1", "STR W0,[X1]"], "[x]=1;"],
    ["0:X0=7;", ["MOV W2, W0"], "0:X0=7; 0:X2=7;"],
    ["", ["MOV W0, 3"], "0:X0=3; 0:X1=0; 0:X30=0;"],
    // A write of 32 bits clears the rest; C's int is what is shown.
    ["", ["MOV W0,#-1", "MOV X1,#-1"], "0:X0=-1; 0:X1=-1;"],
    ["uint64_t 0:X0;", ["MOV W0,#-1"], "0:X0=4294967295;"],
    ["", ["MOV X0,#0x123456789a"], "0:W0=878082202; 0:X0=78187493530;"],
    // Addresses are shown by name.
    ["0:X1=x; 0:X2=y;", ["MOV X0,X2"], "0:X0=y; 0:X1=x;"],
    ["0:X1=p; p=x;", ["LDR X0,[X1]", "MOV W2,#4", "STR W2,[X0]"], "0:X0=x; [p]=x; [x]=4;"],
    // Herd takes the width of an index from its extension.
    ["0:X1=x; x=6;", ["EOR X2,X0,X0", "LDR W3,[X1,X2,SXTW]", "LDR W4,[X1,W2,SXTW]"], "0:X3=6; 0:X4=6;"],
    ["int64_t x=-1; 0:X1=x;", ["LDR X0,[X1]", "LDRB W2,[X1]"], "0:X0=-1; 0:X2=255; [x]=-1;"],
    ["uint8_t x=255; 0:X1=x;", ["LDRSB W0,[X1]", "STRB WZR,[X1]"], "0:X0=-1; [x]=0;"],
    ["uint16_t x=0x1234; 0:X1=x;", ["LDRB W0,[X1,#1]"], "0:X0=18; [x]=4660;"],
    ["0:X1=x; x=3; 0:X2=4;", ["LDADD W2,W3,[X1]"], "0:X3=3; [x]=7;"],
    ["0:X1=x; x=3; 0:X2=4;", ["SWPAL W2,W3,[X1]"], "0:X3=3; [x]=4;"],
    ["0:X1=x; x=3; 0:X2=3; 0:X3=9;", ["CASAL W2,W3,[X1]"], "0:X2=3; [x]=9;"],
    ["0:X1=x; x=3; 0:X2=2; 0:X3=9;", ["CAS W2,W3,[X1]"], "0:X2=3; [x]=3;"],
    ["0:X1=x; 0:X2=4;", ["LDXR W0,[X1]", "STXR W3,W2,[X1]"], "0:X0=0; 0:X3=0; [x]=4;"],
    ["0:X1=x; 0:X2=4;", ["LDAXR W0,[X1]", "CLREX", "STLXR W3,W2,[X1]"], "0:X3=1; [x]=0;"],
    ["0:X1=x; x=1;", ["LDAR W0,[X1]", "CBNZ W0,L0", "MOV W2,#5", "L0: MOV W3,#6"], "0:X2=0; 0:X3=6;"],
    ["0:X1=x; x=1;", ["LDAPR W0,[X1]", "CMP W0,#1", "B.NE over", "MOV W2,#5", "over:"], "0:X2=5;"],
    ["", ["DMB SY", "DMB ISHLD", "DMB OSHST", "DSB NSH", "DSB LD", "ISB", "NOP"], "0:X0=0;"],
  ];
  it.each(cases)("{%s} %j leaves %s", async (...one) => {
    expect(await stateOf("AArch64", one)).toEqual([one[2]]);
  });
});

describe("X86_64", () => {
  const cases: readonly Case[] = [
    ["", ["movl $1,(x)"], "[x]=1;"],
    ["x=5;", ["movl (x),%eax"], "0:rax=5; [x]=5;"],
    ["x=5;", ["movl [x],%eax", "mov x,%ebx"], "0:EAX=5; 0:RBX=5;"],
    ["", ["mov $3,(x)", "movl 4,%eax", "movl eax,%ebx"], "0:rax=4; 0:rbx=4; [x]=3;"],
    ["int64_t x=-1;", ["movq (x),%rax", "movl (x),%ebx"], "0:rax=-1; 0:rbx=-1;"],
    ["uint64_t 0:rbx; int64_t x=-1;", ["movl (x),%ebx"], "0:rbx=4294967295;"],
    ["0:rdi=x; x=8;", ["movl (%rdi),%eax", "movl $2,[%rdi]"], "0:rax=8; 0:rdi=x; [x]=2;"],
    ["uint64_t x=0x100000002;", ["movl 4(x),%eax"], "0:rax=1; [x]=4294967298;"],
    ["x=3; 0:rax=4;", ["lock xaddl %eax,(x)"], "0:rax=3; [x]=7;"],
    ["x=3;", ["lock; incl (x)", "LOCK DECL (x)", "lock addl $5,(x)"], "[x]=8;"],
    ["x=3; 0:rax=4;", ["xchgl %eax,(x)", "mfence", "lfence", "sfence"], "0:rax=3; [x]=4;"],
    ["x=3; 0:rax=3; 0:rbx=9;", ["lock cmpxchgl %ebx,(x)"], "0:rax=3; [x]=9;"],
    // Herd's order of operands.
    ["x=3; 0:rax=2; 0:rbx=9;", ["lock cmpxchgl (x),%ebx"], "0:rax=3; [x]=3;"],
    ["x=1;", ["movl (x),%eax", "cmpl $0,%eax", "jne L", "movl $5,%ebx", "L: movl $6,%ecx"], "0:rbx=0; 0:rcx=6;"],
    ["0:RAX=1;", ["shl 2,%eax", "NOP", "endbr64"], "0:RAX=4;"],
    ["", ["movnti %eax,(x)", "clflush (x)", "movb $-1,%al"], "0:al=-1; 0:rax=255;"],
  ];
  it.each(cases)("{%s} %j leaves %s", async (...one) => {
    expect(await stateOf("X86_64", one)).toEqual([one[2]]);
  });
});

describe("X86", () => {
  const cases: readonly Case[] = [
    ["", ["MOV [x],$1"], "[x]=1;"],
    ["x=5;", ["MOV EAX,[x]", "MOV EBX,EAX", "MOV ECX,$-2"], "0:EAX=5; 0:EBX=5; 0:ECX=-2;"],
    ["0:EAX=x;", ["MOV [EAX],$7", "MOV EBX,[EAX]"], "0:EBX=7; [x]=7;"],
    ["x=1; 0:EAX=4;", ["XCHG [x],EAX", "MFENCE"], "0:EAX=1; [x]=4;"],
    ["x=1; 0:EAX=4;", ["LOCK XADD [x],EAX", "LOCK; INC [x]"], "0:EAX=1; [x]=6;"],
    ["x=1; 0:EAX=1; 0:EBX=9;", ["LOCK CMPXCHG [x],EBX"], "[x]=9;"],
    ["x=1;", ["CMP [x],$1", "JE L", "MOV EAX,$1", "L:"], "0:EAX=0;"],
    ["", ["ADD EAX,$3", "SUB EAX,$1", "INC EAX", "XOR EBX,EBX", "OR EBX,EAX"], "0:EAX=3; 0:EBX=3;"],
  ];
  it.each(cases)("{%s} %j leaves %s", async (...one) => {
    expect(await stateOf("X86", one)).toEqual([one[2]]);
  });
});

describe("what the assembler or the harness doesn't take", () => {
  it.each([
    ["AArch64", "MOV W0,#1 | FOO W0", "4:13", "FOO"],
    ["AArch64", "LDR W0,[X1,X2,SXTW] | LDR W0,[W1]", "4:31", "W1"],
    ["AArch64", "FADD D0,D1,D2 | NOP", "4:1", "FADD"],
    ["AArch64", "NOP | CBZ W0,nowhere", "4:14", "nowhere"],
    ["AArch64", "MOV X0,SP | NOP", "4:8", "SP"],
    ["X86_64", "movl $1,(x) | movl (y),%foo", "4:24", "%foo"],
    ["X86_64", "nop | nop %al %al", "4:15", "%"],
    ["X86_64", "pushq %rax | nop", "4:1", "pushq"],
    ["X86_64", "nop | movq %rsp,%rax", "4:13", "rsp"],
    ["X86_64", "movdqa (x),%xmm0 | nop", "4:1", "movdqa"],
    ["X86", "MOV [x],$1 | UXCH [x],EAX", "4:14", "UXCH"],
    ["X86", "LOCK MOV [x],$1 | NOP", "4:1", "LOCK"],
  ])("%s %s", (dialect, row, at, found) => {
    const error = thrownBy(() => buildProgram(planLitmus(parseLitmus(litmusText(dialect, "", [row], "")))));
    expect(error).toMatchObject({ code: "LITMUS_INVALID", at });
    expect(error.message).toContain(`found ${JSON.stringify(found)}`);
  });

  it.each([
    ["0:X31=1;", "", "2:2", "X31"],
    ["0:SP=1;", "", "2:2", "SP"],
    ["2:X0=1;", "", "2:2", "2"],
    ["", "exists (0:EAX=1)", "5:9", "EAX"],
    ["", "exists (7:X0=1)", "5:9", "7"],
    ["", `exists (${Array.from({ length: 33 }, (_, i) => `v${i}=0`).join(" /\\ ")})`, "1:1", "33"],
  ])("initial state {%s} and condition %j", (initial, end, at, found) => {
    const error = thrownBy(() => planLitmus(parseLitmus(litmusText("AArch64", initial, ["NOP | NOP"], end))));
    expect(error).toMatchObject({ code: "LITMUS_INVALID", at });
    expect(error.message).toContain(found);
  });
});
