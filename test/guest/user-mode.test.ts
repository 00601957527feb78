// Tasks in user mode: every stop path finds CPUs there, and the kernel's entry code takes NMIs wherever it stands
// (arch/x86/entry/entry_64.S: asm_exc_nmi, paranoid_entry; arch/arm64/kernel/entry.S).

import { describe, expect, it } from "vitest";
import { LinuxVector, TraceKind } from "../../src/abi.ts";
import { offsetOf } from "../../src/asm/index.ts";
import { Counters, STACK_TOP, counters } from "../../src/guest/percpu.ts";
import { CrashNote, crashNotes } from "../../src/guest/panic/crash-note.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { policies } from "../../src/policies/index.ts";
import { simulate } from "../../src/simulate.ts";
import { executeScenario } from "../../src/scenario/run.ts";
import { SCENARIO_FORMAT } from "../../src/scenario/document.ts";
import { cyclesOf } from "../../src/timing/index.ts";
import { type Arch, type StopRun, architectures, runStop, violations } from "./stop-run.ts";

const USER_LEVEL = { "x86-64": 3, arm64: 0 } as const;
const USER_MEMORY = { offset: 0xe00, bytes: 0x200, turns: 0xe00 + 56 } as const;
const QUIETLY = 200_000;

function blockOf(machine: Machine, cpu: number): number {
  const { perCpuStart, perCpuStride } = machine.image;
  return perCpuStart + cpu * perCpuStride;
}

const turnsOf = (machine: Machine, cpu: number): number =>
  Number(machine.readUint64(blockOf(machine, cpu) + USER_MEMORY.turns));
const nmisOf = (machine: Machine, cpu: number): number =>
  Number(machine.readUint64(blockOf(machine, cpu) + counters.symbol.offset + offsetOf(Counters, "nmis")));

function noteOf(machine: Machine, cpu: number) {
  const at = blockOf(machine, cpu) + crashNotes.symbol.offset;
  const field = (name: "pc" | "sp" | "flags"): number => Number(machine.readUint64(at + offsetOf(CrashNote, name)));
  return { writes: machine.readUint32(at), pc: field("pc"), sp: field("sp"), flags: field("flags") };
}

/** The CPUs are in user mode, and get on there. */
function expectInUserMode(run: StopRun, cpus: readonly number[]): void {
  const { machine } = run;
  const before = cpus.map((cpu) => turnsOf(machine, cpu));
  machine.run(machine.cycle + QUIETLY);
  for (const [index, cpu] of cpus.entries()) {
    const { privilege, at } = machine.cpu(cpu);
    expect([cpu, privilege, at]).toEqual([
      cpu,
      USER_LEVEL[machine.image.architecture],
      expect.stringMatching(/^user_program/),
    ]);
    expect(turnsOf(machine, cpu)).toBeGreaterThan(before[index] ?? NaN);
  }
}

describe.each(architectures)("on %s", (architecture) => {
  it("tasks run in user mode, are preempted by every stop, and go on there", async () => {
    const run = await runStop({
      machine: { architecture, cpus: 6 },
      load: { common: "user" },
      policy: { rounds: 3, active: "all" },
    });
    expect(violations(run)).toEqual([]);
    const others = [1, 2, 3, 4, 5];
    for (const cpu of others) {
      const taken = run.events(TraceKind.INTERRUPT_TAKEN, cpu).map(({ value }) => run.machine.describe(Number(value)));
      expect(taken.filter((at) => /^user_program/.test(at ?? "")).length).toBeGreaterThan(0);
    }
    expectInUserMode(run, others);
  });

  it("a CPU that comes online begins its task there", async () => {
    const run = await runStop({
      machine: { architecture, cpus: 4 },
      load: { common: "user" },
      policy: { name: "cpu_online", targets: "3" },
    });
    expect(run.end).toMatchObject({ kind: "probe", probe: "requester:done" });
    expectInUserMode(run, [1, 2, 3]);
  });
});

/** Policies with known defects that need nothing else to show. */
const BROKEN = new Set(["stop_machine_nmi_a_cpuslocked", "stop_machine_nmi_b"]);
const sound = policies.filter(({ name }) => !BROKEN.has(name));
const onArchitectures = sound.flatMap((policy) => policy.architectures.map((one) => [policy.name, one] as const));

describe("with all CPUs in user mode", () => {
  it.each(onArchitectures)("%s on %s completes, and all rules hold", async (name, architecture) => {
    const { report } = await simulate({
      format: SCENARIO_FORMAT,
      machine: { architecture, cpus: 4 },
      policy: { name },
      load: { common: "user" },
      limitUs: 3_000_000,
    });
    expect(report.outcome.verdict).toBe("completed");
    expect(report.oracles.filter(({ held }) => !held)).toEqual([]);
  });

  it.each([
    ["kdump_2025", "x86-64"],
    ["crash_smp_send_stop_6_12", "arm64"],
    ["crash_smp_send_stop_6_12_feat_nmi", "arm64"],
    ["crash_smp_send_stop_sdei_only", "arm64"],
  ] as const)("the crash notes of %s have the user's registers", async (name, architecture) => {
    const { machine } = await executeScenario({
      format: SCENARIO_FORMAT,
      machine: { architecture, cpus: 4 },
      policy: { name },
      load: { common: "user" },
      limitUs: 3_000_000,
    });
    for (const cpu of [1, 2, 3]) {
      const { writes, pc, sp, flags } = noteOf(machine, cpu);
      expect(writes).toBe(1);
      expect(machine.describe(pc)).toMatch(/^user_program/);
      const memory = blockOf(machine, cpu) + USER_MEMORY.offset;
      expect(sp).toBeGreaterThan(memory);
      expect(sp).toBeLessThanOrEqual(memory + USER_MEMORY.bytes);
      // The handler, which stays, is on the task's kernel stack: the NMI stack is free for the next one.
      if (architecture === "x86-64") {
        const own = Number(machine.readRegister(cpu, "rsp")) - blockOf(machine, cpu);
        expect(own).toBeGreaterThan(STACK_TOP.idle);
        expect(own).toBeLessThan(STACK_TOP.work);
      }
      // PSTATE.M of EL0t; RFLAGS.IF.
      expect(flags & (architecture === "arm64" ? 0xf : 0x200)).toBe(architecture === "arm64" ? 0 : 0x200);
    }
  });
});

/** CPUs 1 to 63, each of which takes an NMI one instruction later than the one before it, from a place on. */
async function nmiEverywhere(place: (machine: Machine) => string | number, architecture: Arch = "x86-64") {
  const cpus = Array.from({ length: 63 }, (_, index) => index + 1);
  const run = await runStop(
    { machine: { architecture, cpus: 64 }, load: { common: "user" }, policy: { rounds: 2 } },
    {
      before: (machine, { timing }) => {
        for (const cpu of cpus) {
          const cycle = cyclesOf(timing, 1000) + cpu;
          machine.sendInterrupt(cpu, { kind: "nmi" }, { cycle, at: { place: place(machine), instructions: cpu - 1 } });
        }
      },
    },
  );
  return { run, cpus };
}

describe("an NMI at every instruction of x86-64's ways in and out of user mode", () => {
  const stub = (machine: Machine): number => machine.address("x64_user_vector_stubs") + 16 * LinuxVector.RESCHEDULE;

  it.each([
    ["into the kernel", stub, /^x64_user_vector_stubs/],
    ["out of it", () => "exit_to_user_mode_prepare", /^exit_to_user_mode_prepare|^x64_user_vector_stubs/],
    ["out of it for the first time", () => "ret_from_fork_user", /^ret_from_fork_user/],
  ] as const)("finds the kernel's own GS base, and leaves the interrupted one: %s", async (_, place, where) => {
    const { run, cpus } = await nmiEverywhere(place);
    expect(violations(run)).toEqual([]);
    expect(cpus.map((cpu) => nmisOf(run.machine, cpu))).toEqual(cpus.map(() => 1));
    const taken = run.events(TraceKind.INTERRUPT_TAKEN).filter(({ subject }) => subject === 2);
    const places = new Set(taken.map(({ value }) => Number(value)));
    expect(taken.length).toBe(cpus.length);
    const here = [...places].filter((at) => where.test(run.machine.describe(at) ?? ""));
    expect(here.length).toBeGreaterThan(8);
    expectInUserMode(run, cpus);
  });
});
