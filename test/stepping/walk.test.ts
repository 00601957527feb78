// What a stepped CPU shows, judged by what its instructions do: flags by the branches that follow them, addresses by what loads bring,
// states of lines by the accesses that they allow.

import { beforeAll, describe, expect, it } from "vitest";
import type { ListedInstruction } from "../../src/disassembly/disassemble.ts";
import { branchTarget } from "../../src/disassembly/annotate.ts";
import { CoreRecords } from "../../src/inspect/records.ts";
import { Lines } from "../../src/inspect/lines.ts";
import { x86Bases } from "../../src/inspect/interrupts.ts";
import { operandAddresses } from "../../src/stepping/operand-addresses.ts";
import { Pictures, Stepper, type CpuPicture } from "../../src/entries/code.ts";

type Architecture = "x86-64" | "arm64";

/** An instruction, and the CPU before and behind it. */
interface Walked {
  readonly instruction: ListedInstruction;
  readonly before: CpuPicture;
  readonly after: CpuPicture;
  /** Of its operand in memory. */
  readonly addresses: readonly number[];
  /** What memory holds there behind it, 8 bytes, with stores of the CPU that wait. */
  readonly values: readonly bigint[];
}

const STEPS = 100;

async function walk(architecture: Architecture, cpu: number): Promise<Walked[]> {
  const stepper = await Stepper.ofScenario({
    format: "allstop.scenario/1",
    machine: { cpus: 4, architecture },
    limitUs: 200,
  });
  const pictures = await Pictures.of(stepper);
  stepper.runUntil({ place: "multi_cpu_stop:enter", cpu });
  const walked: Walked[] = [];
  for (let step = 0; step < STEPS; step++) {
    const before = pictures.of(cpu, 0);
    const { machine } = stepper;
    const records = new CoreRecords(machine);
    const read = (name: string): bigint =>
      name === "gs" ? x86Bases(records, cpu).gs : name === "xzr" ? 0n : machine.readRegister(cpu, name);
    const [instruction] = before.code;
    const addresses = instruction === undefined ? [] : operandAddresses(instruction, architecture, read);
    const end = stepper.stepInstruction();
    if (end.kind === "limit") break;
    expect(end.kind).toBe("stepped");
    const after = pictures.of(cpu, 0);
    if (instruction === undefined || after.view.retired !== before.view.retired + 1) continue;
    const lines = new Lines(new CoreRecords(stepper.machine), stepper.machine.topology);
    const stores = lines.waitingStores(cpu);
    const values = addresses.map(
      (address) => stores.findLast((one) => one.address === address)?.value ?? stepper.machine.readUint64(address),
    );
    walked.push({ instruction, before, after, addresses, values });
  }
  return walked;
}

/** Whether a condition holds: SDM 1 appendix B; DDI 0487 C1.2.4. */
const X86_CONDITIONS: Readonly<Record<string, (f: (bit: number) => boolean) => boolean>> = {
  je: (f) => f(6),
  jne: (f) => !f(6),
  jb: (f) => f(0),
  jae: (f) => !f(0),
  jbe: (f) => f(0) || f(6),
  ja: (f) => !f(0) && !f(6),
  js: (f) => f(7),
  jns: (f) => !f(7),
  jl: (f) => f(7) !== f(11),
  jge: (f) => f(7) === f(11),
  jle: (f) => f(6) || f(7) !== f(11),
  jg: (f) => !f(6) && f(7) === f(11),
};
const [N, Z, C, V] = [3, 2, 1, 0];
const ARM_CONDITIONS: Readonly<Record<string, (f: (bit: number) => boolean) => boolean>> = {
  "b.eq": (f) => f(Z),
  "b.ne": (f) => !f(Z),
  "b.hs": (f) => f(C),
  "b.lo": (f) => !f(C),
  "b.mi": (f) => f(N),
  "b.pl": (f) => !f(N),
  "b.hi": (f) => f(C) && !f(Z),
  "b.ls": (f) => !f(C) || f(Z),
  "b.ge": (f) => f(N) === f(V),
  "b.lt": (f) => f(N) !== f(V),
  "b.gt": (f) => !f(Z) && f(N) === f(V),
  "b.le": (f) => f(Z) || f(N) !== f(V),
};

describe.each<[Architecture, number]>([
  ["x86-64", 0],
  ["arm64", 2],
])("%s, CPU %i, from the stopper on", (architecture, cpu) => {
  let walked: Walked[] = [];
  beforeAll(async () => {
    walked = await walk(architecture, cpu);
  }, 60_000);

  it("flags are what branches go by", () => {
    const conditions = architecture === "x86-64" ? X86_CONDITIONS : ARM_CONDITIONS;
    let judged = 0;
    for (const { instruction, before, after } of walked) {
      const condition = conditions[instruction.mnemonic];
      if (condition === undefined) continue;
      const taken = condition((bit) => ((before.flags >>> bit) & 1) !== 0);
      const next = instruction.address + instruction.bytes.length;
      expect([instruction.mnemonic, after.view.pc]).toEqual([
        instruction.mnemonic,
        taken ? branchTarget(instruction) : next,
      ]);
      judged++;
    }
    expect(judged).toBeGreaterThan(5);
  });

  it("operands are where loads load from", () => {
    let judged = 0;
    for (const { instruction, after, addresses, values } of walked) {
      const target = loaded(instruction);
      if (target === undefined) continue;
      const { register, bytes } = target;
      const found = after.registers.find(([name]) => name === register)?.[1];
      const wanted = values[0] === undefined ? undefined : BigInt.asUintN(8 * bytes, values[0]);
      expect([instruction.operands, addresses.length, found]).toEqual([instruction.operands, 1, wanted]);
      judged++;
    }
    expect(judged).toBeGreaterThan(5);
  });

  it("a line that was loaded from may be read, and one that was written may be", () => {
    let judged = 0;
    for (const { instruction, after } of walked) {
      if (loaded(instruction) === undefined) continue;
      const [line] = after.lines.filter(({ by }) => by === "before");
      if (line === undefined) continue;
      expect([...line.owner, ...line.sharers]).toContain(cpu);
      expect(line.state).toBe(line.owner.length > 0 ? "M" : "S");
      judged++;
    }
    expect(judged).toBeGreaterThan(3);
  });

  it("instructions follow each other: what is no branch leads to the next", () => {
    for (const { instruction, after } of walked) {
      if (branchTarget(instruction) !== undefined || /^(ret|jmp|call|br|blr|iretq|eret)/.test(instruction.mnemonic))
        continue;
      expect(after.view.pc).toBe(instruction.address + instruction.bytes.length);
    }
  });
});

/** The register that a plain load of 4 or 8 bytes fills. */
function loaded({ mnemonic, operands }: ListedInstruction): { register: string; bytes: number } | undefined {
  const x86 = /^(r\w+|e\w\w), (d|q)word ptr (?:gs:)?\[/.exec(operands);
  if (mnemonic === "mov" && x86?.[1] !== undefined) {
    const register = x86[1].replace(/^e(\w\w)$/, "r$1").replace(/^(r\d+)d$/, "$1");
    return { register, bytes: x86[2] === "q" ? 8 : 4 };
  }
  const arm = /^([wx])(\d+), \[/.exec(operands);
  if (!/^(ldr|ldar)$/.test(mnemonic) || arm === null) return undefined;
  return { register: `x${arm[2]}`, bytes: arm[1] === "x" ? 8 : 4 };
}
