// What a stop interrupts, and how it wakes: preempted tasks go on as if nothing had happened, and each kind of idle is woken
// the way its kernel wakes it (reference/linux-stop-paths.md, section 3.3 step 6; arch/x86/kernel/process.c).

import { describe, expect, it } from "vitest";
import { TraceKind, WaitKind } from "../../src/abi.ts";
import { arm64, asInteger, asmRoutine, bind, codeOf, global, nothing, routine, u64, x64 } from "../../src/asm/index.ts";
import type { LoadKind } from "../../src/faults/load.ts";
import { perCpuOffsets } from "../../src/guest/kernel.ts";
import { requestsDone } from "../../src/guest/load/requester.ts";
import { architectures, runStop, violations, type Arch, type StopRun } from "./stop-run.ts";

const MASK = 2n ** 64n - 1n;

describe.each(architectures)("preempted work on %s", (architecture) => {
  async function stepsOf(kind: LoadKind, seed: number): Promise<{ run: StopRun; steps: Map<number, bigint[]> }> {
    const routine = kind === "busy" ? "busy_work" : "compute_work";
    const run = await runStop(
      {
        machine: { architecture, cpus: 3 },
        load: { particular: [{ cpus: "1-2", kind }] },
        policy: { rounds: 2, functionUs: seed / 10 },
        seed,
      },
      { probes: { turn: { place: `${routine}:turn`, values: ["value"] } } },
    );
    expect(violations(run)).toEqual([]);
    return { run, steps: new Map([1, 2].map((cpu) => [cpu, run.passedBy("turn", cpu).map(({ value }) => value)])) };
  }

  it("busy work counts on: no step is lost or made twice, in registers or in memory", async () => {
    const { run, steps } = await stepsOf("busy", 1);
    for (const [cpu, values] of steps) {
      expect(values.length).toBeGreaterThan(1000);
      expect(values.findIndex((value, turn) => value !== 3n * BigInt(turn))).toBe(-1);
      const counted = Number(run.machine.readUint64(run.block(cpu) + 0x518));
      // At the end the CPU is somewhere in its last turn.
      expect([values.length - 1, values.length]).toContain(counted);
      // It has been interrupted for both rounds, and works on afterwards.
      const left = run.passedBy("leave", cpu).map(({ cycle }) => cycle);
      expect(left).toHaveLength(2);
      expect(run.passedBy("turn", cpu).at(-1)?.cycle).toBeGreaterThan(left.at(-1) ?? Infinity);
    }
  });

  it.each([1, 2])("computed values are those of an undisturbed run (seed %i)", async (seed) => {
    const { steps } = await stepsOf("compute", seed);
    for (const values of steps.values()) {
      let value = 1n;
      const expected = values.map((_, turn) => {
        const now = value;
        value = (((value + BigInt(turn)) * 0x9e37_79b9n) & MASK) ^ (value >> 7n);
        return now;
      });
      expect(values.length).toBeGreaterThan(500);
      expect(values).toEqual(expected);
    }
  });
});

/** Every register that a program has, each with a value of its own, checked over and over while interrupts are on. */
const allRegisters = asmRoutine("test_all_registers", {
  x64: (a) => {
    const { rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 } = x64;
    const all = [rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15];
    all.forEach((register, index) => a.mov(register, 0x1111 * (index + 1)));
    a.sti().label("again").mark("turn");
    all.forEach((register, index) => a.cmp(register, 0x1111 * (index + 1)).jcc("ne", "wrong"));
    a.jmp("again").label("wrong").mark("wrong").ud2();
  },
  arm64: (a) => {
    const all = Array.from({ length: 31 }, (_, index) => arm64.armGpr(index, 64));
    a.daifClr(3);
    all.forEach((register, index) => a.movConstant(register, 77 * (index + 1)));
    a.label("again").mark("turn");
    all.forEach((register, index) => a.cmp(register, 77 * (index + 1)).bcond("ne", "wrong"));
    a.b("again").label("wrong").mark("wrong").brk(1);
  },
});
const kept = global("test_kept", u64, {});
/** What is only named is in the image, too. */
const keepRegisters = routine("test_keep_registers", [], nothing, (k) => k.set(kept, asInteger(codeOf(allRegisters))));

describe.each(architectures)("a task with something in every register on %s", (architecture) => {
  it("finds all of it unchanged, wherever it was interrupted", async () => {
    const rounds = 25;
    const run = await runStop(
      { machine: { architecture, cpus: 4 }, policy: { rounds } },
      {
        bindings: [bind(requestsDone, keepRegisters)],
        probes: { wrong: { place: "test_all_registers:wrong", break: true } },
        before: (built) => {
          const { perCpuStart, perCpuStride } = built.image;
          for (const cpu of [1, 2, 3]) {
            const work = perCpuStart + cpu * perCpuStride + perCpuOffsets.work;
            built.writeUint64(work, BigInt(built.address("test_all_registers")));
          }
        },
      },
    );
    expect(run.passed("wrong")).toEqual([]);
    expect(violations(run)).toEqual([]);
    const places = new Set(
      run
        .events(TraceKind.INTERRUPT_TAKEN)
        .map(({ value }) => run.machine.describe(Number(value)) ?? "")
        .filter((place) => place.startsWith("test_all_registers")),
    );
    // It was interrupted each time, in many places of its loop.
    expect(places.size).toBeGreaterThan(5);
  });
});

interface Waking {
  readonly kind: LoadKind;
  readonly waits: WaitKind;
  /** Reschedule interrupts sent to it, and taken by it on its way in. */
  readonly sent: 0 | 1;
  readonly taken: readonly (0 | 1)[];
}

const wakings: Record<Arch, readonly Waking[]> = {
  "x86-64": [
    { kind: "idle", waits: WaitKind.MWAIT, sent: 0, taken: [0] },
    { kind: "mwait", waits: WaitKind.MWAIT, sent: 0, taken: [0] },
    { kind: "hlt", waits: WaitKind.HLT, sent: 1, taken: [1] },
    { kind: "poll", waits: WaitKind.NONE, sent: 0, taken: [0] },
  ],
  // No polling bit on arm64: whoever wakes always interrupts, though a polling CPU may have seen the flag before.
  arm64: [
    { kind: "idle", waits: WaitKind.WFI, sent: 1, taken: [1] },
    { kind: "wfi", waits: WaitKind.WFI, sent: 1, taken: [1] },
    { kind: "poll", waits: WaitKind.NONE, sent: 1, taken: [0, 1] },
  ],
};

describe.each(architectures)("idle CPUs on %s", (architecture) => {
  it.each(wakings[architecture])("$kind: woken as it should be", async ({ kind, waits, sent, taken }) => {
    const run = await runStop({ machine: { architecture, cpus: 6 }, load: { common: kind }, policy: { rounds: 3 } });
    expect(violations(run)).toEqual([]);
    const calls = run.passed("call");
    for (const cpu of run.online.slice(1)) {
      run.passedBy("enter", cpu).forEach(({ cycle }, round) => {
        const since = calls[round]?.cycle ?? 0;
        const within = (event: { cycle: number }): boolean => event.cycle >= since && event.cycle <= cycle;
        const wakes = run.events(TraceKind.WAKE, cpu).filter(within);
        expect(wakes.map(({ subject }) => subject)).toEqual(waits === WaitKind.NONE ? [] : [waits]);
        const sentTo = run.events(TraceKind.INTERRUPT_SENT).filter((event) => event.peer === cpu && within(event));
        const takenBy = run.events(TraceKind.INTERRUPT_TAKEN, cpu).filter(within);
        expect(sentTo.length).toBe(sent);
        expect(taken).toContain(takenBy.length);
      });
    }
  });

  it("is idle again after the stop, in the same way", async () => {
    for (const { kind, waits } of wakings[architecture]) {
      const run = await runStop({ machine: { architecture, cpus: 3 }, load: { common: kind } });
      run.machine.run(run.machine.cycle + 100_000);
      for (const cpu of [1, 2]) {
        const { state, waitsIn, at } = run.machine.cpu(cpu);
        expect({ kind, waitsIn }).toEqual({ kind, waitsIn: WaitKind[waits] });
        if (waits !== WaitKind.NONE) expect(state).toBe("WAITING");
        expect(at).toMatch(/^do_idle/);
      }
    }
  });

  it("a CPU that never answers holds all the others in PREPARE, with interrupts on", async () => {
    const run = await runStop({
      machine: { architecture, cpus: 5 },
      load: { particular: [{ cpus: "3", kind: "wedged" }] },
      limitUs: 300,
    });
    expect(run.end.kind).not.toBe("probe");
    expect(run.passed("return")).toEqual([]);
    for (const cpu of run.online) {
      const states = run.passedBy("ack", cpu).map(({ value }) => Number(value & 0xffff_ffffn));
      expect(states).toEqual(cpu === 3 ? [] : [1]);
    }
    const stuck = run.machine.cpu(3);
    expect(stuck.at).toMatch(/^wedged_work/);
    expect(run.machine.cpu(1).at).toMatch(/^multi_cpu_stop/);
  });
});
