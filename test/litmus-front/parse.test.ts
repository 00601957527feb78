// Reading the format: every section of a test, and every way to write it wrongly, with line and column (herd's stateParser.mly,
// stateLexer.mll and the manual of litmus7).

import { describe, expect, it } from "vitest";
import { formatCondition } from "../../src/litmus/condition.ts";
import { parseLitmus } from "../../src/litmus/index.ts";
import { formatLocation, type LitmusTest } from "../../src/litmus/test.ts";
import { thrownBy } from "../topology/errors.ts";

const MP = `AArch64 MP+dmb.sy+po
"DMB.SYdWW Rfe PodRR Fre"
Cycle=Rfe PodRR Fre DMB.SYdWW
Generator=diy7 (version 7.56)
Com=Rf Fr
(* a comment (* in a comment *)
   over lines: exists { ; } *)
{
0:X1=x; 0:X3=y;
1:X1=y; 1:X3=x;
}
 P0          | P1          ;
 MOV W0,#1   | LDR W0,[X1] ;
 STR W0,[X1] | LDR W2,[X3] ; (* not ordered *)
 DMB SY      |             ;
 MOV W2,#1   |             ;
 STR W2,[X3] |             ;
exists (1:X0=1 /\\ 1:X2=0)
`;

/** A test with another part. */
function testWith({ initial = "", code = " MOV W0,#1 ;", end = "" }): LitmusTest {
  return parseLitmus(`AArch64 T\n{${initial}}\n P0 ;\n${code}\n${end}`);
}

describe("the sections of a test", () => {
  const test = parseLitmus(MP);

  it("are the name, what is said about it, the initial state, threads and condition", () => {
    expect(test).toMatchObject({ dialect: "AArch64", name: "MP+dmb.sy+po", doc: "DMB.SYdWW Rfe PodRR Fre" });
    expect(test.info).toEqual([
      ["Cycle", "Rfe PodRR Fre DMB.SYdWW"],
      ["Generator", "diy7 (version 7.56)"],
      ["Com", "Rf Fr"],
    ]);
    expect(test.initial.map(({ location, value }) => [formatLocation(location), value])).toEqual([
      ["0:X1", "x"],
      ["0:X3", "y"],
      ["1:X1", "y"],
      ["1:X3", "x"],
    ]);
    expect(formatCondition(test.condition)).toBe("exists (1:X0=1 /\\ 1:X2=0)");
  });

  it("have a place in the file, whatever the comments", () => {
    expect(test.threads.map((cells) => cells.map(({ text }) => text))).toEqual([
      ["MOV W0,#1", "STR W0,[X1]", "DMB SY", "MOV W2,#1", "STR W2,[X3]"],
      ["LDR W0,[X1]", "LDR W2,[X3]", "", "", ""],
    ]);
    expect(test.threads[1]?.[1]?.place).toEqual({ line: 14, column: 16 });
    expect(test.threads[0]?.[4]?.place).toEqual({ line: 17, column: 2 });
  });

  it("may stand on one line", () => {
    const { threads, condition } = parseLitmus("X86 T {} P0 | P1; NOP | NOP; | NOP; ~exists (false)");
    expect(threads.map((cells) => cells.map(({ text }) => text))).toEqual([
      ["NOP", ""],
      ["NOP", "NOP"],
    ]);
    expect(condition.quantifier).toBe("~exists");
  });

  it("have a semicolon behind LOCK that ends no row", () => {
    const { threads } = parseLitmus("X86 T\n{}\nP0 | P1 ;\nNOP | LOCK; INC [x] ;\n");
    expect(threads[1]?.map(({ text }) => text)).toEqual(["LOCK; INC [x]"]);
  });
});

describe("the initial state", () => {
  it.each([
    ["x=1", "[x]", undefined, 1n],
    ["x", "[x]", undefined, 0n],
    ["[x]=0x10", "[x]", undefined, 16n],
    ["int x=-1", "[x]", "int", -1n],
    ["uint64_t x", "[x]", "uint64_t", 0n],
    ["_Atomic int x=3", "[x]", "int", 3n],
    ["int8_t [y]=7", "[y]", "int8_t", 7n],
    ["int *p=x", "[p]", "address", "x"],
    ["*p=&x", "[p]", "address", "x"],
    ["p=x", "[p]", undefined, "x"],
    ["0:X1=x", "0:X1", undefined, "x"],
    ["P0:W2=5", "0:W2", undefined, 5n],
    ["uint64_t 0:X3=1", "0:X3", "uint64_t", 1n],
    ["int64_t 0:X4", "0:X4", "int64_t", 0n],
    ["x=ATOMIC_INIT(2)", "[x]", undefined, 2n],
  ])("%s", (initial, location, type, value) => {
    const [item] = testWith({ initial: ` ${initial}; ` }).initial;
    expect(item && [formatLocation(item.location), item.type?.name, item.value]).toEqual([location, type, value]);
  });
});

describe("conditions", () => {
  it.each([
    ["exists (0:X0=1)", "exists (0:X0=1)"],
    ["(0:X0=1)", "exists (0:X0=1)"],
    ["exists 0:X0=1 /\\ x=2", "exists (0:X0=1 /\\ [x]=2)"],
    ["~exists ([x]=1)", "~exists ([x]=1)"],
    ["not exists ([x]=1)", "~exists ([x]=1)"],
    ["~ exists x=1", "~exists ([x]=1)"],
    ["forall true", "forall (true)"],
    ["", "forall (true)"],
    // \/ is looser than /\, which is looser than =>; all of them are than ~.
    ["exists 0:X0=1 \\/ 0:X1=2 /\\ x=3", "exists (0:X0=1 \\/ 0:X1=2 /\\ [x]=3)"],
    ["exists (0:X0=1 \\/ 0:X1=2) /\\ x=3", "exists ((0:X0=1 \\/ 0:X1=2) /\\ [x]=3)"],
    ["forall 0:X0=1 /\\ x=1 => y=1", "forall (0:X0=1 /\\ [x]=1 => [y]=1)"],
    ["forall (0:X0=1 /\\ x=1) => y=1", "forall ((0:X0=1 /\\ [x]=1) => [y]=1)"],
    ["exists ~x=1 /\\ y=1", "exists (not ([x]=1) /\\ [y]=1)"],
    ["exists not (x=1 /\\ y=1)", "exists (not ([x]=1 /\\ [y]=1))"],
    ["exists x!=1 \\/ y<>2", "exists (not ([x]=1) \\/ not ([y]=2))"],
    ["exists 0:X0==-1", "exists (0:X0=-1)"],
    ["exists 0:X0=0xff", "exists (0:X0=255)"],
    ["exists 0:X0=x", "exists (0:X0=x)"],
    ["exists 0:X0=0:X1 /\\ x=[y]", "exists (0:X0=0:X1 /\\ [x]=[y])"],
    ["exists (x=1/\\y=1);", "exists ([x]=1 /\\ [y]=1)"],
  ])("%s", (end, printed) => {
    expect(formatCondition(testWith({ end }).condition)).toBe(printed);
  });

  it("stand behind what is shown, and a filter", () => {
    const { shown, filter } = testWith({
      end: "locations [x; 0:X0; uint32_t_is_no_type;]\nfilter (x=1)\nexists (y=1)",
    });
    expect(shown.map(({ location }) => formatLocation(location))).toEqual(["[x]", "0:X0", "[uint32_t_is_no_type]"]);
    expect(filter).toMatchObject({ kind: "is", value: 1n });
    const typed = testWith({ end: "locations [x uint8_t; 0:X0 int*]\nexists (y=1)" }).shown;
    expect(typed.map(({ type }) => type?.name)).toEqual(["uint8_t", "address"]);
  });
});

describe("what is no test", () => {
  it.each([
    ["PPC SB\n{}\n", "1:1", "PPC", /AArch64, X86_64, X86/],
    ["", "1:1", "", /AArch64/],
    ["X86\n{}", "1:1", "X86", /NAME/],
    ["X86 T\nP0 ;\n", "3:1", "the end", /\{/],
    ["X86 T\n{ x=1; ", "2:1", "{", /\}/],
    ["X86 T\n{}\n", "3:1", "the end", /P0/],
    ["X86 T\n(* {}\n", "2:1", "(*", /\*\)/],
    ["X86 T\n{}\nP1 ;\nNOP ;\n", "3:1", "P1", /P0/],
    ["X86 T\n{}\nP0 | P2 ;\nNOP ;\n", "3:6", "P2", /P1/],
    ["X86 T\n{}\nP0:F ;\n", "3:1", "P0:F", /handlers/],
    ["X86 T\n{}\nP0 ;\nNOP | NOP ;\nexists (true)", "4:7", "NOP", /1 cells/],
    ["X86 T\n{}\nP0 ;\nNOP\n", "4:1", "NOP", /;/],
    ["X86 T\n{ float x=1; }\nP0 ;\n", "2:3", "float", /int/],
    ["X86 T\n{ x=; }\nP0 ;\n", "2:5", ";", /number/],
    ["X86 T\n{ x=1 y=2 }\nP0 ;\n", "2:7", "y", /;/],
    ["X86 T\n{ int t[2]={1,2}; }\nP0 ;\n", "2:7", "t", /one value/],
    ["X86 T\n{ 0:%a=x; }\nP0 ;\n", "2:5", "%a", /registers/],
    ["X86 T\n{ 0:EAX=P1:L; }\nP0 | P1 ;\n", "2:9", "P1", /number/],
    ["X86 T\n{ x=1 @ }\nP0 ;\n", "2:7", "@", /names/],
    ["X86 T\n{}\nP0 ;\nexists (x=1", "4:12", "the end", /\)/],
    ["X86 T\n{}\nP0 ;\nexists (x=1) y", "4:14", "y", /the end/],
    ["X86 T\n{}\nP0 ;\nexists (x)", "4:10", ")", /=/],
    ["X86 T\n{}\nP0 ;\nexists (x=1 /\\ )", "4:16", ")", /location/],
    ["X86 T\n{}\nP0 ;\nexists fault(P0:L)", "4:8", "fault", /values/],
    ["X86 T\n{}\nP0 ;\nlocations [x y]\nexists (x=1)", "4:14", "y", /int/],
  ])("%j", (text, at, value, allowed) => {
    const error = thrownBy(() => parseLitmus(text));
    expect(error).toMatchObject({ code: "LITMUS_INVALID", at });
    expect(error.message).toContain(`; found ${JSON.stringify(value)}; allowed: `);
    expect(error.message).toMatch(allowed);
  });
});
