// What is seen of interrupts, judged by the manuals: an interrupt is requested until it is taken, in service (active) until it is
// ended, and masked by what the architecture says (SDM 3A 11.8.4 and 6.7.1; IHI 0069H 4.1 and 4.8).

import { describe, expect, it } from "vitest";
import {
  Pictures,
  Stepper,
  type ApicInterrupts,
  type GicInterrupts,
  type StepEventKind,
} from "../../src/entries/code.ts";
import { type ScenarioInput } from "../../src/index.ts";

const CPU = 2;

async function stepping(document: Partial<ScenarioInput>): Promise<{
  stepper: Stepper;
  pictures: Pictures;
  next: (kind: StepEventKind, text: RegExp) => void;
}> {
  const stepper = await Stepper.ofScenario(
    { format: "allstop.scenario/1", limitUs: 500, ...document },
    { cpus: [CPU] },
  );
  const pictures = await Pictures.of(stepper);
  const next = (kind: StepEventKind, text: RegExp): void => {
    for (let event = 0; event < 60; event++) {
      const { events } = stepper.stepEvent();
      if (events.some((one) => one.kind === kind && text.test(one.text))) return;
    }
    throw new Error(`no ${kind} ${text.source}`);
  };
  return { stepper, pictures, next };
}

const RESCHEDULE = 0xfd;

describe("x86-64", () => {
  const apic = (pictures: Pictures): ApicInterrupts => pictures.of(CPU).interrupts as ApicInterrupts;

  it("a vector waits in IRR while IF is 0, and is in ISR until EOI", async () => {
    const { stepper, pictures, next } = await stepping({
      machine: { cpus: 4, architecture: "x86-64" },
      load: { particular: [{ cpus: String(CPU), kind: "irqs-off", offUs: 20 }] },
    });
    next("arrived", /reschedule/);
    expect(apic(pictures)).toMatchObject({
      irr: [RESCHEDULE],
      isr: [],
      ppr: 0,
      interruptFlag: false,
      nmiBlocked: false,
    });
    stepper.stepInstruction(20);
    expect(apic(pictures)).toMatchObject({ irr: [RESCHEDULE], interruptFlag: false });
    next("taken", /reschedule/);
    // Interrupt gates clear IF, when the frame is on the stack.
    stepper.stepInstruction();
    expect(apic(pictures)).toMatchObject({ irr: [], isr: [RESCHEDULE], ppr: 0xf0, interruptFlag: false });
    next("mark", /^multi_cpu_stop:enter$/);
    expect(apic(pictures)).toMatchObject({ irr: [], isr: [], ppr: 0, interruptFlag: true });
  });

  it("ICR holds what was sent last, and messages that are under way are counted", async () => {
    const { pictures, next } = await stepping({
      machine: { cpus: 4, architecture: "x86-64" },
      policy: { requester: CPU },
      load: { common: "busy" },
    });
    next("sent", /reschedule/);
    expect(Number(apic(pictures).icr & 0xffn)).toBe(RESCHEDULE);
  });

  it("NMIs are blocked from one's delivery to IRET", async () => {
    const { stepper, pictures, next } = await stepping({
      machine: { cpus: 4, architecture: "x86-64" },
      policy: { name: "stop_machine_nmi_c", active: "all" },
    });
    expect(apic(pictures).nmiBlocked).toBe(false);
    next("taken", /NMI/);
    expect(apic(pictures)).toMatchObject({ nmiBlocked: true, nmiLatched: false });
    for (let step = 0; step < 2000 && stepper.machine.describe(stepper.cpu(CPU).pc) !== undefined; step++) {
      const [next] = pictures.of(CPU, 0).code;
      const { nmiBlocked } = apic(pictures);
      stepper.stepInstruction();
      if (next?.mnemonic !== "iretq") expect(nmiBlocked).toBe(true);
      else break;
    }
    expect(apic(pictures).nmiBlocked).toBe(false);
  });
});

describe("arm64", () => {
  const gic = (pictures: Pictures): GicInterrupts => pictures.of(CPU).interrupts as GicInterrupts;

  it("an SGI is pending until it is acknowledged, and active until it is ended", async () => {
    const { stepper, pictures, next } = await stepping({
      machine: { cpus: 4, architecture: "arm64" },
      load: { particular: [{ cpus: String(CPU), kind: "irqs-off", offUs: 20 }] },
    });
    next("arrived", /reschedule/);
    const waiting = gic(pictures);
    expect(waiting).toMatchObject({ pending: [0], active: [], irqSignalled: true, rpr: 0xff });
    expect(waiting.daif).toContain("I");
    next("taken", /IRQ/);
    expect(gic(pictures)).toMatchObject({ pending: [0], active: [] });
    for (let step = 0; step < 200 && gic(pictures).pending.length > 0; step++) stepper.stepInstruction();
    const active = gic(pictures);
    expect(active).toMatchObject({ pending: [], active: [0], irqSignalled: false });
    expect(active.rpr).toBeLessThan(active.pmr);
    next("mark", /^multi_cpu_stop:enter$/);
    expect(gic(pictures)).toMatchObject({ pending: [], active: [], rpr: 0xff });
  });

  it("where pseudo-NMIs are, the priority mask keeps interrupts away", async () => {
    const { pictures, next } = await stepping({
      machine: { cpus: 4, architecture: "arm64" },
      policy: { name: "smp_send_stop_6_12" },
      load: { particular: [{ cpus: String(CPU), kind: "irqs-off", offUs: 20 }] },
    });
    next("arrived", /./);
    const { pending, pmr, irqSignalled, daif } = gic(pictures);
    expect(pending.length).toBe(1);
    expect([irqSignalled, daif.includes("I")]).toEqual([false, false]);
    expect(pmr).toBeLessThan(0xe0);
  });
});
