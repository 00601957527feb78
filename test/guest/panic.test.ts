// panic(), nmi_panic() and what a lost race leads to, in the guest against reference/linux-stop-paths.md, section 8.

import { describe, expect, it } from "vitest";
import { bind, nothing, offsetOf, routine } from "../../src/asm/index.ts";
import { dispatchInterrupts } from "../../src/guest/entry/dispatch.ts";
import { otherInterrupt } from "../../src/guest/entry/interrupt.ts";
import { IPI_CALL_FUNC } from "../../src/guest/irqchip/gicv3.ts";
import { LinuxVector } from "../../src/abi.ts";
import { CrashNote, crashNotes, crashSaveSelf } from "../../src/guest/panic/crash-note.ts";
import { crashKernelLoaded, noCrashKernel } from "../../src/guest/panic/kexec.ts";
import { observed } from "../../src/guest/observe.ts";
import { callPanic } from "../../src/guest/panic/requests.ts";
import { crashSmpSendStop, kexecCrashImage, machineCrashShutdown, smpSendStop } from "../../src/guest/panic/slots.ts";
import { callFunctionInterrupt } from "../../src/guest/smp/call-function.ts";
import { buildTopology } from "../../src/topology/index.ts";
import { cpusOf, happenings, story, waitsOf } from "./observed.ts";
import { architectures, runStop, type Arch } from "./stop-run.ts";

const plainStop = routine("test_smp_send_stop", [], nothing, (k) => k.mark(observed("phase", { which: "plain_stop" })));
const crashStop = routine("test_crash_smp_send_stop", [], nothing, (k) =>
  k.mark(observed("phase", { which: "crash_stop" })),
);
const crashShutdown = routine("test_machine_crash_shutdown", [], nothing, (k) => k.call(crashSaveSelf));

const callFunctionIds = {
  "x86-64": [LinuxVector.CALL_FUNCTION, LinuxVector.CALL_FUNCTION_SINGLE],
  arm64: [IPI_CALL_FUNC],
} as const;

const interrupts = Object.fromEntries(
  architectures.map((architecture) => [
    architecture,
    dispatchInterrupts(architecture === "arm64" ? "test_interrupts_arm64" : "test_interrupts_x64", [
      { ids: callFunctionIds[architecture], handle: (k) => k.call(callFunctionInterrupt, 0) },
    ]),
  ]),
) as Record<Arch, ReturnType<typeof dispatchInterrupts>>;

/** An architecture whose own parts do nothing but tell that they were called. */
const bindingsOf = (architecture: Arch) => [
  bind(smpSendStop, plainStop),
  bind(crashSmpSendStop, crashStop),
  bind(machineCrashShutdown, crashShutdown),
  bind(otherInterrupt, interrupts[architecture]),
];

describe.each(architectures)("panic() on %s", (architecture) => {
  const machine = { architecture, cpus: 4 };
  const panicking = { bindings: bindingsOf(architecture), call: callPanic, events: true, until: "panic_done:done" };
  const withCrashKernel = { ...panicking, bindings: [...panicking.bindings, bind(kexecCrashImage, crashKernelLoaded)] };
  const steps = [
    "say.redirecting",
    "say.panic",
    "phase.stop_others",
    "phase.plain_stop",
    "phase.crash_stop",
    "phase.notifiers",
    "phase.crash_shutdown",
    "phase.crash_kernel",
    "phase.end",
    "park.spin",
  ];

  it("stops the others, then tells notifiers, then ends", async () => {
    const run = await runStop({ machine, policy: { requester: 2 } }, panicking);
    expect(run.end).toMatchObject({ kind: "probe", cpu: 2 });
    expect(story(run, ...steps)).toEqual([
      "say.panic 2",
      "phase.stop_others 2",
      "phase.plain_stop 2",
      "phase.notifiers 2",
      "phase.end 2",
    ]);
  });

  it("with a crash kernel, goes there before it stops anybody: that is the crash kernel's shutdown's part", async () => {
    const run = await runStop({ machine }, withCrashKernel);
    expect(story(run, ...steps)).toEqual(["say.panic 0", "phase.crash_shutdown 0", "phase.crash_kernel 0"]);
    const note = run.block(0) + crashNotes.symbol.offset;
    expect(run.machine.readUint32(note)).toBe(1);
    const pc = Number(run.machine.readUint64(note + offsetOf(CrashNote, "pc")));
    expect(run.machine.describe(pc)).toMatch(/^crash_save_self/);
  });

  it("with notifiers first, stops the others by the crash variant, and starts the crash kernel last", async () => {
    const run = await runStop({ machine }, { ...withCrashKernel, parameters: { crashKexecPostNotifiers: 1 } });
    expect(story(run, ...steps)).toEqual([
      "say.panic 0",
      "phase.stop_others 0",
      "phase.crash_stop 0",
      "phase.notifiers 0",
      "phase.crash_shutdown 0",
      "phase.crash_kernel 0",
    ]);
  });

  it("of two CPUs that panic at once one goes on; the other spins", async () => {
    const also = [{ name: "stop_machine", requester: 3 }];
    const run = await runStop({ machine, policy: { also } }, panicking);
    const [winner] = happenings(run).flatMap(({ what, cpu }) => (what === "say.panic" ? [cpu] : []));
    const loser = winner === 0 ? 3 : 0;
    expect(story(run, "say.panic", "phase.end", "park.spin").toSorted()).toEqual([
      `park.spin ${loser}`,
      `phase.end ${winner}`,
      `say.panic ${winner}`,
    ]);
    expect(run.machine.cpu(loser).at).toMatch(/^panic_smp_self_stop_relax/);
  });

  it("panic_force_cpu sends the panic to its CPU, and the one that found it stays offline", async () => {
    const run = await runStop({ machine }, { ...panicking, parameters: { panicForceCpu: 2 } });
    const found = story(run, ...steps);
    expect(found).toContain("park.spin 0");
    expect(found.filter((step) => step !== "park.spin 0")).toEqual([
      "say.redirecting 0",
      "say.panic 2",
      "phase.stop_others 2",
      "phase.plain_stop 2",
      "phase.notifiers 2",
      "phase.end 2",
    ]);
    expect(run.machine.readUint64("__cpu_online_mask")).toBe(0b1110n);
  });

  it("a forced CPU that is offline, or that panics itself, changes nothing", async () => {
    const offline = buildTopology({ packages: 1, coresPerLlc: 4, threadsPerCore: 1, architecture, offline: "3" });
    const run = await runStop({}, { ...panicking, topology: offline, parameters: { panicForceCpu: 3 } });
    expect(story(run, "say.force_cpu_offline", "say.redirecting", "say.panic")).toEqual([
      "say.force_cpu_offline 0",
      "say.panic 0",
    ]);
    const own = await runStop({ machine }, { ...panicking, parameters: { panicForceCpu: 0 } });
    expect(story(own, "say.redirecting", "say.panic", "phase.end")).toEqual(["say.panic 0", "phase.end 0"]);
  });
});

describe("panics of two CPUs at a time on x86-64, without a crash kernel", () => {
  const machine = { architecture: "x86-64" as const, cpus: 4 };
  const both = (name: string) => ({ name, requester: 0, also: [{ name, requester: 2 }] });
  const watched = { events: true, quick: true, until: "panic_done:done" };

  it("the loser has interrupts off, so that the winner waits the whole second before the NMI gets it", async () => {
    const run = await runStop({ machine, policy: both("panic_2023"), limitUs: 1_400_000 }, watched);
    const [winner] = cpusOf(run, "say.panic");
    const loser = winner === 0 ? 2 : 0;
    expect(run.end).toMatchObject({ kind: "probe", cpu: winner });
    expect(story(run, "park.spin", "raise.reboot", "handle.reboot")).toEqual([
      `park.spin ${loser}`,
      `raise.reboot ${winner}`,
      `handle.reboot ${loser}`,
    ]);
    expect(waitsOf(run)).toMatchObject([
      { name: "reboot_irq", iterations: 1_000_000, expired: true },
      { name: "reboot_nmi", expired: false },
    ]);
    expect(cpusOf(run, "ack")).toEqual([0, 1, 2, 3].filter((cpu) => cpu !== winner));
  });

  it("a loser that is in an NMI is beyond reach: 1.010 s, and the winner goes on without it", async () => {
    const run = await runStop(
      { machine, policy: both("nmi_panic_2025"), limitUs: 1_400_000 },
      { ...watched, bindings: [bind(kexecCrashImage, noCrashKernel)] },
    );
    const [winner] = cpusOf(run, "say.panic");
    const loser = winner === 0 ? 2 : 0;
    expect(run.end).toMatchObject({ kind: "probe", cpu: winner });
    expect(waitsOf(run)).toMatchObject([
      { name: "reboot_irq", iterations: 1_000_000 },
      { name: "reboot_nmi", iterations: 10_000, expired: true },
    ]);
    expect(cpusOf(run, "ack")).toEqual([1, 3]);
    expect(run.machine.cpu(loser).at).toMatch(/^nmi_panic_self_stop_polling/);
  });
});
