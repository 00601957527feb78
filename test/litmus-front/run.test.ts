// Runs: which outcomes come and which never do, on both architectures; that a run depends on its seed and nothing else; and how
// tests that can't be run end. Whether outcomes are those of the architecture is the matter of test/litmus; here they are sequentially
// consistent ones, which every architecture allows, and ones that none does.

import { describe, expect, it } from "vitest";
import { accelerationNames } from "../../src/machine/accelerations.ts";
import { parseLitmus, runLitmus, type LitmusResult } from "../../src/litmus/index.ts";
import { findTimingModel } from "../../src/timing/index.ts";
import { buildPreset } from "../../src/topology/index.ts";
import { litmusText, runText, statesOf } from "./tests.ts";

const MP = {
  AArch64: litmusText(
    "AArch64",
    "0:X1=x; 0:X3=y; 1:X1=y; 1:X3=x;",
    ["MOV W0,#7|LDR W0,[X1]", "STR W0,[X1]|DMB SY", "DMB SY|LDR W2,[X3]", "MOV W2,#9|", "STR W2,[X3]|"],
    "exists (1:X0=9 /\\ 1:X2=0)",
  ),
  X86_64: litmusText(
    "X86_64",
    "",
    ["movl $7,(x)|movl (y),%eax", "movl $9,(y)|movl (x),%ebx"],
    "exists (1:rax=9 /\\ 1:rbx=0)",
  ),
  X86: litmusText("X86", "", ["MOV [x],$7|MOV EAX,[y]", "MOV [y],$9|MOV EBX,[x]"], "exists (1:EAX=9 /\\ 1:EBX=0)"),
};

describe("message passing in order", () => {
  it.each([
    ["AArch64", "1:X0", "1:X2"],
    ["X86_64", "1:rax", "1:rbx"],
    ["X86", "1:EAX", "1:EBX"],
  ] as const)("%s: early, between and late, but never the flag without the data", async (dialect, flag, data) => {
    const result = await runText(MP[dialect]);
    expect(statesOf(result)).toEqual([`${flag}=0; ${data}=0;`, `${flag}=0; ${data}=7;`, `${flag}=9; ${data}=7;`]);
    expect(result).toMatchObject({ runs: 2000, positive: 0, negative: 2000, isValidated: false, observation: "Never" });
    expect(result.states.reduce((sum, { count }) => sum + count, 0)).toBe(2000);
  });
});

describe("coherence, which every architecture has", () => {
  it.each([
    [
      "CoRR: two reads of one location never go back",
      litmusText(
        "AArch64",
        "0:X1=x; 1:X1=x;",
        ["MOV W0,#1|LDR W0,[X1]", "STR W0,[X1]|LDR W2,[X1]"],
        "~exists (1:X0=1 /\\ 1:X2=0)",
      ),
      2,
    ],
    [
      "CoWW: the last of two writes stays",
      litmusText("X86_64", "", ["movl $1,(x)|nop", "movl $2,(x)|nop"], "~exists (x=1)"),
      1,
    ],
    [
      "CoWR: a write is not overlooked by its own thread",
      litmusText("X86", "", ["MOV [x],$1|MOV [x],$2", "MOV EAX,[x]|"], "~exists (0:EAX=0 \\/ 0:EAX=1 /\\ false)"),
      2,
    ],
    [
      "LDADD: no increment is lost",
      litmusText(
        "AArch64",
        "0:X1=x; 1:X1=x; 2:X1=x;",
        ["MOV W0,#1|MOV W0,#1|MOV W0,#1", "LDADD W0,W2,[X1]|LDADD W0,W2,[X1]|STADD W0,[X1]"],
        "forall (x=3 /\\ ~0:X2=1:X2)",
      ),
      6,
    ],
    [
      "LDXR and STXR: no increment is lost",
      litmusText(
        "AArch64",
        "0:X1=x; 1:X1=x;",
        [
          "L: LDXR W0,[X1]|L: LDXR W0,[X1]",
          "ADD W2,W0,#1|ADD W2,W0,#1",
          "STXR W3,W2,[X1]|STXR W3,W2,[X1]",
          "CBNZ W3,L|CBNZ W3,L",
        ],
        "forall (x=2 /\\ 0:X3=0)",
      ),
      1,
    ],
    [
      "LOCK: no increment is lost",
      litmusText("X86_64", "", ["lock incl (x)|lock incl (x)", "|lock incl (x)"], "forall (x=3)"),
      1,
    ],
  ])("%s", async (_, text, leastStates) => {
    const result = await runText(text);
    expect(result).toMatchObject({ isValidated: true, negative: 0, positive: 2000 });
    expect(result.states.length).toBeGreaterThanOrEqual(leastStates);
  });
});

describe("a thread that waits for another", () => {
  it("meets it in every run", async () => {
    const rows = ["MOV W0,#1|L: LDAR W0,[X1]", "STLR W0,[X1]|CBZ W0,L"];
    const result = await runText(litmusText("AArch64", "0:X1=x; 1:X1=x;", rows, "forall (1:X0=1)"));
    expect(result).toMatchObject({ isValidated: true, observation: "Always", observed: 2000 });
  });
});

describe("conditions on what comes out", () => {
  const row = ["movl $1,(x)|movl $2,(x)"];
  const run = (end: string): Promise<LitmusResult> => runText(litmusText("X86_64", "", row, end), { runs: 1000 });

  it("exists: the witnesses speak for it", async () => {
    const result = await run("exists (x=1)");
    const [one, two] = result.states;
    expect(result).toMatchObject({
      isValidated: true,
      observation: "Sometimes",
      positive: one?.count,
      negative: two?.count,
    });
    expect([one?.isWitness, two?.isWitness]).toEqual([true, false]);
  });

  it("~exists: the witnesses speak against it", async () => {
    const result = await run("~exists (x=1)");
    const [one, two] = result.states;
    expect(result).toMatchObject({
      isValidated: false,
      observation: "Sometimes",
      positive: two?.count,
      negative: one?.count,
    });
    expect([result.observed, result.notObserved]).toEqual([one?.count, two?.count]);
    expect([one?.isWitness, two?.isWitness]).toEqual([true, false]);
  });

  it("forall: what contradicts it is marked", async () => {
    const result = await run("forall (x=1)");
    const [one, two] = result.states;
    expect(result).toMatchObject({
      isValidated: false,
      observation: "Sometimes",
      positive: one?.count,
      negative: two?.count,
    });
    expect([one?.isWitness, two?.isWitness]).toEqual([false, true]);
    expect(await run("forall (x=1 \\/ x=2)")).toMatchObject({ isValidated: true, observation: "Always", negative: 0 });
  });

  it("filter: what it leaves out is not counted", async () => {
    const all = await run("locations [x;] forall true");
    const filtered = await run("filter (x=2) exists (x=2)");
    expect(filtered.states).toEqual([{ ...all.states[1], isWitness: true }]);
    expect(filtered).toMatchObject({ observation: "Always", observed: all.states[1]?.count, runs: 1000 });
  });
});

describe("same seed, same histogram", () => {
  const run = async (options: object): Promise<LitmusResult["states"]> => (await runText(MP.AArch64, options)).states;

  it("and another seed, another one", async () => {
    const once = await run({ seed: 5 });
    expect(await run({ seed: 5 })).toEqual(once);
    expect(await run({ seed: 6 })).not.toEqual(once);
  });

  it("whatever the accelerations", async () => {
    const off = Object.fromEntries(accelerationNames.map((name) => [name, false]));
    expect(await run({ runs: 300, accelerations: off })).toEqual(await run({ runs: 300 }));
  });

  it("however many runs are asked for", async () => {
    for (const runs of [1, 255, 256, 257, 1025]) {
      const { states } = await runText(MP.X86, { runs });
      expect(states.reduce((sum, { count }) => sum + count, 0)).toBe(runs);
    }
  });
});

describe("where threads run", () => {
  const options = { runs: 600, topology: buildPreset("epyc-7742"), timing: findTimingModel("zen2") };

  it.each(["random", "spread", "near", "smt"] as const)("%s", async (placement) => {
    const result = await runText(MP.X86, { ...options, placement });
    expect(result).toMatchObject({ observation: "Never", topology: options.topology.name, timing: "zen2" });
  });

  it("on CPUs that are given", async () => {
    expect(await runText(MP.X86, { ...options, cpus: [0, 128] })).toMatchObject({ observation: "Never" });
    const far = await runText(MP.X86, { ...options, cpus: [0, 64] });
    expect(far.states).not.toEqual((await runText(MP.X86, { ...options, cpus: [0, 1] })).states);
  });

  it.each([
    [{ cpus: [0] }, "0", "2 different CPUs"],
    [{ cpus: [3, 3] }, "3,3", "2 different CPUs"],
    [{ cpus: [0, 256] }, 256, "online CPUs"],
    [{ runs: 0 }, 0, "a whole number from 1 to 1000000000"],
    [{ seed: -1 }, -1, "a whole number from 0 to 4294967295"],
  ])("%j is refused", async (wrong, value, allowed) => {
    await expect(runText(MP.X86, { ...options, ...wrong })).rejects.toMatchObject({
      code: "OPTION_INVALID",
      value,
      allowed,
    });
  });
});

describe("a test that can't be run", () => {
  it.each([
    ["a thread that hangs", "AArch64", "", ["NOP|NOP", "|L: CBZ W0,L"], "5:2", "L: CBZ W0,L"],
    ["an instruction that is undefined", "X86_64", "", ["nop|movl $1,(x)", "ud2|nop"], "5:1", "ud2"],
    ["an access to nowhere", "AArch64", "", ["NOP|LDR W0,[X1]"], "4:5", "LDR W0,[X1]"],
    ["a register that is not there", "AArch64", "", ["MRS X0,PMCCNTR_EL0|NOP"], "4:1", "MRS X0,PMCCNTR_EL0"],
  ])("%s", async (_, dialect, initial, rows, at, value) => {
    const run = runLitmus(parseLitmus(litmusText(dialect, initial, rows, "")));
    await expect(run).rejects.toMatchObject({ code: "LITMUS_INVALID", at, value });
  });
});
