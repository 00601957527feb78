// The guest as a client of SDEI against reference/linux-stop-paths.md, section 11, arm64-interrupts.md, section 6, and S25, S26, S30: what
// an event interrupts comes back as it was, how handlers end, who can be reached.

import { describe, expect, it } from "vitest";
import { TraceKind } from "../../src/abi.ts";
import { bind, i32, ptr, routine, u64, type Value } from "../../src/asm/index.ts";
import { arm64CpuInit } from "../../src/guest/arm64/cpu-init.ts";
import { initArchitecture } from "../../src/guest/boot/init-cpu.ts";
import { SdeiRegisteredEvent } from "../../src/guest/sdei/event.ts";
import { sdeiHandlerAbort } from "../../src/guest/sdei/handler.ts";
import { observed } from "../../src/guest/observe.ts";
import { panicDone } from "../../src/guest/panic/done.ts";
import { stopVersions } from "../../src/guest/stop-ladder/versions.ts";
import { runArm64, shortLimits, type Arm64Run } from "./arm64-run.ts";

const backtrace = "backtrace_arm64_sdei";

describe("events", () => {
  it("are signalled in ascending order, and reach whatever is masked", async () => {
    const run = await runArm64(backtrace, { cpus: 6, loads: { 1: "busy", 2: "wedged", 4: "irqs-off", 5: "wfi" } });
    expect(run.isDone).toBe(true);
    expect(run.named("raise.sdei")).toEqual([1, 2, 3, 4, 5]);
    expect(run.cpusOf("handle.backtrace").toSorted()).toEqual([1, 2, 3, 4, 5]);
    expect(run.broken).toEqual([]);
  });

  it("go back to what had IRQs masked, and else look like an interrupt", async () => {
    let interrupts = -1;
    const run = await runArm64(backtrace, {
      cpus: 4,
      loads: { 1: "busy", 2: "wedged", 3: "irqs-off" },
      drive: (machine, go) => {
        interrupts = machine.probe("gic_handle_irq_pnmi").number;
        go();
        machine.run(machine.cycle + 20_000);
      },
    });
    const since = run.of("raise.sdei")[0]?.cycle ?? Infinity;
    const sentThere = [...run.machine.trace].filter(
      ({ kind, subject, cycle }) => kind === TraceKind.PROBE && subject === interrupts && cycle > since,
    );
    // gic_handle_irq() finds nothing to acknowledge there.
    expect(sentThere.map(({ cpu }) => cpu)).toEqual([1]);
    for (const [cpu, where] of [
      [1, "busy_work"],
      [2, "wedged_work"],
      [3, "irqs_off_until_released"],
    ] as const) {
      expect(run.routineAt(BigInt(run.machine.cpu(cpu).pc))).toBe(where);
      expect(run.stepsOf(cpu)).toEqual(["nmi_enter", "handle.sdei", "say.backtrace", "handle.backtrace", "nmi_leave"]);
    }
  });

  it("keep every register of what they interrupt", async () => {
    const run = await runArm64(backtrace, {
      cpus: 3,
      loads: { 1: "registers", 2: "registers-irqs-off" },
      policy: { rounds: 1 },
    });
    expect(run.cpusOf("handle.backtrace").toSorted()).toEqual([1, 2]);
    for (const cpu of [1, 2]) {
      for (let register = 0; register < 29; register++) {
        if (register === 16 || register === 17) continue;
        expect(run.machine.readRegister(cpu, `x${register}`)).toBe(BigInt(0x1000 + register));
      }
    }
  });
});

describe("CPU hotplug", () => {
  it("unregisters and masks on the CPU that goes, before its SGIs are off", async () => {
    const { bindings } = stopVersions.sdei_only;
    const numbers: number[] = [];
    const run = await runArm64("cpu_offline", {
      bindings,
      policy: { targets: "3" },
      drive: (machine, go) => {
        for (const place of ["sdei_cpuhp_down", "ipi_teardown"]) numbers.push(machine.probe(place).number);
        go();
      },
    });
    expect(run.isDone).toBe(true);
    const passed = [...run.machine.trace].filter(
      ({ kind, subject }) => kind === TraceKind.PROBE && numbers.includes(subject),
    );
    expect(passed.map(({ cpu, subject }) => [cpu, numbers.indexOf(subject)])).toEqual([
      [3, 0],
      [3, 1],
    ]);
  });
});

describe("backtraces", () => {
  it("by pseudo-NMI don't reach a CPU that masks everything, and are given up after 10 s", async () => {
    const run = await runArm64("backtrace_arm64", { loads: { 2: "wedged", 3: "irqs-off" }, limitUs: 12_000_000 });
    expect(run.cpusOf("handle.backtrace").toSorted()).toEqual([1, 3]);
    expect(run.iterations("backtrace")).toBe(10_000);
    expect(run.broken).toEqual(["sources-served"]);
  });
});

describe("sdei_handler_abort()", () => {
  /** An event whose handler crashes: it ends the event and goes on. */
  const crashing = routine("test_crashing_handler", [{ event: ptr(SdeiRegisteredEvent) }, { arg: u64 }], i32, (k) => {
    const priority = (): Value<"u64"> =>
      k.arch({ arm64: (a, { result }) => void a.mrs(result, "icc_rpr_el1") }, { uses: {}, result: u64 });
    const before = k.let("before", priority());
    k.call(sdeiHandlerAbort);
    const after = k.let("after", priority());
    k.mark(observed("say", { which: "priorities", locals: ["before", "after"] }));
    k.if(before.ne(after), () => k.call(panicDone));
    k.return(0);
  });

  it("lets the CPU take interrupts again: the running priority is idle, and nothing is active", async () => {
    const init = arm64CpuInit("test_cpu_init", { kind: "pseudo-nmi", sgis: 0 }, crashing);
    const run = await runArm64(backtrace, {
      bindings: [bind(initArchitecture, init)],
      breaks: ["panic_done:done"],
      cpus: 2,
    });
    const [said] = run.history.observations.filter(({ which }) => which === "priorities");
    expect(said?.values).toEqual([0n, 0xffn]);
    expect(run.machine.readUint64(run.block(1) + 0xb08)).toBe(0n);
  });
});

describe("S25: the flag and the signal", () => {
  const settings = {
    loads: { 1: "wedged", 2: "wedged" },
    cpus: 3,
    timing: { interrupt: 60, firmwareCall: 10 },
  } as const;
  const seeds = Array.from({ length: 14 }, (_, seed) => seed);
  const runs = async (version: string): Promise<Arm64Run[]> => {
    const all: Arm64Run[] = [];
    for (const perturbation of seeds)
      all.push(await runArm64(`smp_send_stop_${version}`, { ...settings, perturbation }));
    return all;
  };

  it("with a barrier between stores only, the handler can find the flag clear, and its CPU goes on", async () => {
    const stale = (await runs("sdei_v4")).filter((run) => run.cpusOf("ack").length < 2);
    expect(stale.length).toBeGreaterThan(0);
    for (const run of stale) {
      const [lost] = [1, 2].filter((cpu) => !run.cpusOf("ack").includes(cpu));
      expect(run.stepsOf(lost ?? 0)).toEqual(["nmi_enter", "handle.sdei", "nmi_leave"]);
      expect(run.iterations("sdei")).toBe(shortLimits.stopSdeiIterations);
      expect(run.routineAt(BigInt(run.machine.cpu(lost ?? 0).pc))).toBe("wedged_work");
    }
  });

  it("with DSB it never does", async () => {
    for (const run of await runs("sdei")) expect(run.cpusOf("ack").toSorted()).toEqual([1, 2]);
  });
});

describe("S26: a backtrace is under way as the stop begins", () => {
  const run = (version: string, slow: string): Promise<Arm64Run> =>
    runArm64(`smp_send_stop_${version}`, {
      loads: { 3: "wedged" },
      policy: { requester: 0, also: [{ name: backtrace, requester: 1 }] },
      faults: { delivery: [{ cpus: slow, kind: "el3", delayNs: 270_000 }] },
    });

  it("with the flag, the backtrace's event stops its CPU", async () => {
    const { stepsOf, named } = bound(await run("sdei_only", "3"));
    expect(named("raise.sdei").filter((cpu) => cpu === 3)).toHaveLength(2);
    expect(stepsOf(3)).toEqual(["nmi_enter", "handle.sdei", "ack", "park.wfi"]);
  });

  it("the CPU that stops the others, too: then nobody is left", async () => {
    const found = await run("sdei_only", "0,3");
    expect(found.isDone).toBe(false);
    expect(found.end.kind).toBe("quiescent");
    expect(found.stepsOf(0, "nmi_enter", "ack", "park.wfi")).toEqual(["nmi_enter", "ack", "park.wfi"]);
    expect([0, 1, 2, 3].map((cpu) => found.state(cpu))).toEqual(["WFI", "WFI", "WFI", "WFI"]);
  });

  it("with requests, who is not asked to stop prints, and goes on", async () => {
    const found = await run("sdei_resume", "0,3");
    expect(found.stepsOf(0, "handle.backtrace", "ack", "return")).toEqual(["handle.backtrace", "return"]);
    expect(found.cpusOf("ack")).toContain(3);
  });

  const bound = (one: Arm64Run) => ({
    stepsOf: (cpu: number) => one.stepsOf(cpu),
    named: (what: string) => one.named(what),
  });
});

describe("S30: deep idle", () => {
  const idle = (firmware: string, delivery: { lost: "all" } | { delayNs: number }): Promise<Arm64Run> =>
    runArm64("smp_send_stop_sdei", {
      firmware,
      loads: { 2: "deep" },
      faults: { delivery: [{ cpus: "2", kind: "interrupt", ...delivery }] },
      drive: (machine, go) => {
        go();
        machine.run(machine.cycle + 1_000_000);
      },
    });

  it("answers an IPI like any idle CPU", async () => {
    const run = await runArm64("smp_send_stop_sdei", { loads: { 2: "deep" } });
    expect(run.iterations("ipi")).toBeLessThan(10);
    expect(run.broken).toEqual([]);
  });

  it.each([
    ["compliant", []],
    ["tf-a-2.12", []],
    ["tf-a-2.13", [2]],
  ] as const)("%s: whom no interrupt wakes, SDEI doesn't reach, and 100 ms pass", async (firmware, refused) => {
    const run = await idle(firmware, { lost: "all" });
    expect(run.iterations("sdei")).toBe(shortLimits.stopSdeiIterations);
    expect(run.named("say.failed_to_stop")).toEqual([2]);
    expect(run.named("say.sdei_signal_failed")).toEqual(refused);
    expect(run.stepsOf(2)).toEqual([]);
  });

  it("compliant: the event waits for the unmasking, and comes before the interrupt that woke the CPU", async () => {
    const run = await idle("compliant", { delayNs: 265_000 });
    expect(run.stepsOf(2)).toEqual(["nmi_enter", "handle.sdei", "ack", "park.wfi"]);
    expect(run.named("say.failed_to_stop")).toEqual([]);
  });

  it("Trusted Firmware-A since 2.13 refuses the signal; the interrupt that wakes the CPU stops it", async () => {
    const run = await idle("tf-a-2.13", { delayNs: 265_000 });
    expect(run.named("say.sdei_signal_failed")).toEqual([2]);
    expect(run.stepsOf(2)).toEqual(["ack", "park.wfi"]);
  });

  it("before, the signal leaves the CPU deaf: the interrupt comes, and it sleeps on", async () => {
    const run = await idle("tf-a-2.12", { delayNs: 265_000 });
    expect(run.stepsOf(2)).toEqual([]);
    expect(run.state(2)).toBe("WFI");
    expect(run.routineAt(BigInt(run.machine.cpu(2).pc))).toBe("arm64_deep_idle");
    expect(run.named("say.failed_to_stop")).toEqual([2]);
  });
});
