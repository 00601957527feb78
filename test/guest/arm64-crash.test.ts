// arm64's stops for a crash kernel against reference/linux-stop-paths.md, sections 10.3, 10.4 and 12, and S21 to S24, S28: notes, order,
// two CPUs in trouble at once, and what a second kernel finds.

import { describe, expect, it } from "vitest";
import { bind } from "../../src/asm/index.ts";
import type { StopVersionName } from "../../src/guest/stop-ladder/versions.ts";
import { CrashNote, crashNotes } from "../../src/guest/panic/crash-note.ts";
import { crashKernelLoaded } from "../../src/guest/panic/kexec.ts";
import { kexecCrashImage } from "../../src/guest/panic/slots.ts";
import { CaptureStep } from "../../src/guest/arm64/capture-kernel.ts";
import { type Arm64Options, type Arm64Run, release, runArm64, shortLimits } from "./arm64-run.ts";

const crash = (version: StopVersionName): string => `crash_smp_send_stop_${version}`;

/** Runs in which a CPU with IRQs off is released so many cycles from an event of the first run. */
async function releasedAround(
  policy: string,
  event: string,
  offsets: readonly number[],
  options: Arm64Options = {},
): Promise<Arm64Run[]> {
  const first = await runArm64(policy, options);
  const at = first.of(event)[0]?.cycle ?? NaN;
  const runs: Arm64Run[] = [];
  for (const offset of offsets) {
    runs.push(
      await runArm64(policy, {
        ...options,
        drive: (machine, run) => {
          run(at + offset);
          release(machine);
          run();
        },
      }),
    );
  }
  return runs;
}

const steps = (from: number, to: number, by: number): number[] =>
  Array.from({ length: Math.floor((to - from) / by) + 1 }, (_, index) => from + index * by);

describe("crash_smp_send_stop()", () => {
  const modern = ["6_12", "6_12_feat_nmi", "sdei_v3", "sdei_v4", "sdei", "sdei_feat_nmi"] as const;

  it.each(modern)("%s: every CPU saves what was interrupted, then reports, then goes off", async (version) => {
    const run = await runArm64(crash(version), {
      loads: { 1: "busy", 3: "irqs-off" },
      drive: (machine, go) => {
        go();
        // CPU_OFF takes longer than the requester has to wait.
        machine.run(machine.cycle + 100_000);
      },
    });
    for (const [cpu, interrupted] of [
      [1, "busy_work"],
      [2, "do_idle"],
      [3, "irqs_off_until_released"],
    ] as const) {
      expect(run.stepsOf(cpu, "note", "ack", "park.off", "park.wfi")).toEqual(["note", "ack", "park.off"]);
      expect(run.routineAt(run.of("note", cpu)[0]?.value ?? 0n)).toBe(interrupted);
      expect(run.state(cpu)).toBe("OFFLINE");
      const note = run.block(cpu) + crashNotes.symbol.offset;
      expect(run.machine.readUint64(note + (CrashNote.offsets.get("pc") ?? 0))).toBe(run.of("note", cpu)[0]?.value);
    }
    // The CPU that crashes comes last, with its own.
    expect(run.cpusOf("note.self")).toEqual([0]);
    expect(run.of("note.self")[0]?.cycle).toBeGreaterThan(run.of("ack").at(-1)?.cycle ?? Infinity);
    expect(run.broken).toEqual([]);
  });

  it("a CPU that only SDEI reaches parks in the open event, which is not for going off", async () => {
    const run = await runArm64(crash("sdei"), { loads: { 2: "wedged" } });
    expect(run.stepsOf(2, "note", "ack", "park.off", "park.wfi")).toEqual(["note", "ack", "park.wfi"]);
    expect(run.routineAt(run.of("note", 2)[0]?.value ?? 0n)).toBe("wedged_work");
  });

  it("fails without saying who before 6.12: the list is of all that were asked, and the online mask is as it was", async () => {
    const run = await runArm64(crash("6_6"), { loads: { 3: "wedged" } });
    expect(run.iterations("ipi")).toBe(shortLimits.stopIpiIterations);
    expect(run.cpusOf("ack").toSorted()).toEqual([1, 2]);
    expect(run.named("say.failed_to_stop")).toEqual([1, 2, 3]);
    expect(run.machine.readMask("__cpu_online_mask")).toEqual([0, 1, 2, 3]);
    expect(run.of("say.crash_stop_failed")).toHaveLength(1);
  });

  it("6.12 names those that are left, by the online mask", async () => {
    const run = await runArm64(crash("6_12"), { loads: { 3: "wedged" } });
    expect(run.named("say.failed_to_stop")).toEqual([3]);
    expect(run.machine.readMask("__cpu_online_mask")).toEqual([0, 3]);
    expect(run.of("say.crash_stop_failed")).toHaveLength(1);
  });

  it("in 6.7 the IPI is a pseudo-NMI: it reaches IRQs off, not a CPU that masks everything", async () => {
    const run = await runArm64(crash("6_7"), { loads: { 2: "irqs-off", 3: "wedged" } });
    expect(run.cpusOf("ack").toSorted()).toEqual([1, 2]);
    expect(run.routineAt(run.of("note", 2)[0]?.value ?? 0n)).toBe("irqs_off_until_released");
  });
});

describe("S21: the IRQ is taken as the NMI is sent", () => {
  const offsets = steps(400, 1240, 60);
  const options = { cpus: 2, loads: { 1: "irqs-off" } } as const;
  /** The stop function itself masks in its first instructions. */
  const entry = /^(gic_handle_irq|__gic_handle_irq|do_handle_ipi|ipi_handler|ipi_cpu_crash_stop)/;

  it("with IRQs masked only, the NMI nests: two notes, or the second's registers are the handler's", async () => {
    const runs = await releasedAround(crash("6_12_irqs_off"), "phase.nmi", offsets, options);
    const twice = runs.filter((run) => run.of("note", 1).length === 2);
    expect(twice.length).toBeGreaterThan(0);
    for (const run of twice) {
      expect(run.broken).toContain("crash-notes");
      expect(run.stepsOf(1, "nmi_enter")).toHaveLength(1);
    }
    // The bit is cleared and the counter not yet lowered: the nested stop finds nothing to clear, and the count stays.
    const uncounted = runs.filter((run) => run.of("ack", 1).length === 0);
    expect(uncounted.length).toBeGreaterThan(0);
    for (const run of uncounted) expect(run.iterations("nmi")).toBe(shortLimits.stopNmiIterations);
  });

  it("with everything masked first, one note; before the mask is there, it can be the interrupt handler's", async () => {
    const runs = await releasedAround(crash("6_12"), "phase.nmi", offsets, options);
    const contexts = runs.map((run) => {
      expect(run.of("note", 1)).toHaveLength(1);
      expect(run.of("ack", 1)).toHaveLength(1);
      const pc = run.of("note", 1)[0]?.value ?? 0n;
      const context = run.routineAt(pc);
      // The mask itself is the last place at which the NMI can come.
      if (context === "ipi_cpu_crash_stop") {
        expect(Number(pc)).toBeLessThanOrEqual(run.machine.address("ipi_cpu_crash_stop:enter"));
      }
      return context;
    });
    expect(contexts).toContain("irqs_off_until_released");
    const inHandler = contexts.filter((name) => entry.test(name));
    expect(inHandler.length).toBeGreaterThan(0);
    for (const name of contexts) if (!entry.test(name)) expect(name).toBe("irqs_off_until_released");
    expect(runs.filter((run) => run.broken.includes("crash-notes"))).toHaveLength(inHandler.length);
  });
});

describe("S22: report before mask", () => {
  const offsets = steps(600, 1000, 40);
  const options = { cpus: 2, loads: { 1: "irqs-off" } } as const;

  it.each(["6_12", "6_12_feat_nmi"])("%s: an NMI is handled on a CPU that has reported", async (version) => {
    const runs = await releasedAround(`smp_send_stop_${version}`, "phase.nmi", offsets, options);
    const after = runs.filter((run) => run.stepsOf(1, "ack", "nmi_enter").join() === "ack,nmi_enter");
    expect(after.length).toBeGreaterThan(0);
    for (const run of after) expect(run.broken).toEqual(["quiescence"]);
    // In between, the report itself is lost: nobody is online but the counter.
    const lost = runs.filter((run) => run.of("ack", 1).length === 0);
    expect(lost.length).toBeGreaterThan(0);
    for (const run of lost) {
      expect(run.iterations("nmi")).toBe(shortLimits.stopNmiIterations);
      expect(run.named("say.failed_to_stop")).toEqual([]);
      expect(run.machine.readUint32("__num_online_cpus")).toBe(2);
    }
  });

  it.each(["sdei", "sdei_feat_nmi"])("%s masks first: reported once, and nothing behind it", async (version) => {
    for (const run of await releasedAround(`smp_send_stop_${version}`, "phase.nmi", offsets, options)) {
      expect(run.stepsOf(1).filter((what) => what === "ack")).toHaveLength(1);
      expect(run.broken).toEqual([]);
    }
  });
});

describe("S23: a CPU stops itself when a crash is on", () => {
  const loads = { 1: "panic" } as const;
  const policy = (version: string): string => `panic_kexec_arm64_${version}`;

  it("v3 saves registers that aren't there, if the flag is set already", async () => {
    const runs = await releasedAround(policy("sdei_v3"), "say.panic", steps(0, 1200, 200), { loads });
    const faults = runs.map((run) => run.end.kind === "probe" && run.end.probe === "bad_exception:fatal");
    // Order matters: before, it parks as it should; afterwards, it faults.
    expect(faults[0]).toBe(false);
    expect(faults.at(-1)).toBe(true);
    expect(faults).toEqual(faults.toSorted());
    expect(runs[0]?.stepsOf(1, "note", "ack", "park.wfi")).toEqual(["ack", "park.wfi"]);
    expect(runs.at(-1)?.end).toMatchObject({ cpu: 1 });
    expect(runs.at(-1)?.of("note", 1)).toEqual([]);
  });

  it.each(["sdei_v4", "sdei", "6_12"])("%s has no note of it, and no fault", async (version) => {
    for (const run of await releasedAround(policy(version), "say.panic", [0, 600, 1200], { loads })) {
      expect(run.isDone).toBe(true);
      expect(run.stepsOf(1, "note", "ack", "park.wfi", "park.off")).toEqual(["ack", "park.wfi"]);
      expect(run.iterations("ipi")).toBeLessThan(shortLimits.stopIpiIterations);
    }
  });
});

describe("S24: the capture kernel, by how a handler ends and by firmware", () => {
  const wedged = 3;
  const { Booted, ResettingSdei } = CaptureStep;

  async function capture(version: StopVersionName, firmware: string) {
    const run = await runArm64(crash(version), {
      firmware,
      loads: { [wedged]: "wedged" },
      policy: { options: { captureKernelBoots: 1 } },
    });
    const outcome = run.machine.address("capture_outcomes") + 16 * wedged;
    return {
      step: run.machine.readUint32("capture_step"),
      cpuOn: run.machine.readUint32(outcome + 12) | 0,
      alive: run.machine.readUint32(outcome + 4),
      state: run.state(wedged),
      others: [1, 2].map((cpu) => run.machine.readUint32(run.machine.address("capture_outcomes") + 16 * cpu + 4)),
    };
  }

  it.each([
    // QEMU with Trusted Firmware-A: only the open event boots.
    ["sdei", "dangling-dispatch", { step: Booted, cpuOn: -4, alive: 0 }],
    ["sdei_open_off", "dangling-dispatch", { step: ResettingSdei }],
    ["sdei_abort_off", "dangling-dispatch", { step: ResettingSdei }],
    ["sdei_abort_park", "dangling-dispatch", { step: ResettingSdei }],
    ["sdei_resume", "dangling-dispatch", { step: ResettingSdei }],
    // NVIDIA Grace: CPU_OFF wedges behind a completion; the rest boots without that CPU.
    ["sdei", "complete-breaks", { step: Booted, cpuOn: -4, alive: 0 }],
    ["sdei_abort_off", "complete-breaks", { step: Booted, cpuOn: -4, state: "BLOCKED" }],
    ["sdei_abort_park", "complete-breaks", { step: Booted, cpuOn: -4, state: "WFE" }],
    ["sdei_resume", "complete-breaks", { step: Booted, cpuOn: -4, state: "BLOCKED" }],
    // As specified, every ending boots, and who is off comes up again.
    ["sdei", "compliant", { step: Booted, cpuOn: -4, alive: 0 }],
    ["sdei_open_off", "compliant", { step: Booted, cpuOn: 0, alive: 1 }],
    ["sdei_abort_off", "compliant", { step: Booted, cpuOn: 0, alive: 1 }],
    ["sdei_abort_park", "compliant", { step: Booted, cpuOn: -4, alive: 0 }],
    ["sdei_resume", "compliant", { step: Booted, cpuOn: 0, alive: 1 }],
  ] as const)("%s under %s", async (version, firmware, expected) => {
    const found = await capture(version, firmware);
    expect(found).toMatchObject(expected);
    // Those that took the first IPI have gone off long before.
    expect(found.others).toEqual([1, 1]);
  });

  it("CPUs that have just reported are still on: CPU_ON is told so (section 10.4)", async () => {
    const run = await runArm64(crash("sdei"), { cpus: 8, policy: { options: { captureKernelBoots: 1 } } });
    const outcomes = run.machine.address("capture_outcomes");
    const found = [1, 2, 3, 4, 5, 6, 7].map((cpu) => ({
      affinityInfo: run.machine.readUint32(outcomes + 16 * cpu + 8),
      cpuOn: run.machine.readUint32(outcomes + 16 * cpu + 12) | 0,
    }));
    expect(found).toContainEqual({ affinityInfo: 0, cpuOn: -4 });
    expect(run.cpusOf("park.off").toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });
});

describe("S28: a panic while others are being stopped for a reboot", () => {
  const bindings = [bind(kexecCrashImage, crashKernelLoaded)];
  const loads = { 1: "panic", 3: "irqs-off" } as const;

  it("the panic's stop comes back at once; a CPU that takes the reboot's IPI then goes off", async () => {
    const [run] = await releasedAround("smp_send_stop_sdei", "phase.ipi", [0], { bindings, loads });
    expect(run?.stepsOf(1).slice(0, 5)).toEqual([
      "say.panic",
      "phase.crash_shutdown",
      "note.self",
      "say.crash_stop_failed",
      "phase.crash_kernel",
    ]);
    expect(run?.stepsOf(3, "note", "park.off", "park.wfi")).toEqual(["note", "park.off"]);
  });

  it("SDEI then stops the CPU that is in the crash kernel already, and its note is overwritten", async () => {
    const [run] = await releasedAround("smp_send_stop_sdei", "phase.ipi", [0], { bindings, loads });
    const own = run?.stepsOf(1, "note.self", "phase.crash_kernel", "handle.sdei", "note", "ack", "park.wfi");
    expect(own).toEqual(["note.self", "phase.crash_kernel", "handle.sdei", "note", "ack", "park.wfi"]);
    expect(run?.broken).toContain("crash-notes");
  });

  it("a pseudo-NMI gets it while it is still on its way there, and it powers itself off", async () => {
    const runs = await releasedAround("smp_send_stop_6_12", "phase.nmi", steps(-1500, 300, 150), { bindings, loads });
    const stories = runs.map((run) =>
      run.stepsOf(1, "phase.crash_shutdown", "nmi_enter", "park.off", "phase.crash_kernel"),
    );
    expect(stories).toContainEqual(["phase.crash_shutdown", "nmi_enter", "park.off"]);
    // With everything masked, as at the jump to the next kernel, it is out of reach.
    const [early] = await releasedAround("smp_send_stop_6_12", "phase.ipi", [0], { bindings, loads });
    expect(early?.stepsOf(1, "nmi_enter", "park.off", "phase.crash_kernel")).toEqual(["phase.crash_kernel"]);
  });
});
