// Wires of shared peripheral interrupts, driven by the host, and FEAT_NMI as an option of the machine.

import { describe, expect, it } from "vitest";
import { GICD_BASE } from "../../src/abi.ts";
import { arm64, type DirectBodies } from "../../src/asm/index.ts";
import { Machine } from "../../src/machine/machine.ts";
import { genericArm64 } from "../../src/timing/generic.ts";
import { thrownBy } from "../topology/errors.ts";
import { partsOf } from "./support.ts";
import { checkedCore } from "../support/bare-machine.ts";
import { counting, cpus, imageOf, machineOf } from "./images.ts";

const { x1, x2, x3 } = arm64;
const INTID = 40;
const UNUSED = { x64: (a) => void a.hlt() } satisfies Partial<DirectBodies>;

/** Opens the interrupt as an edge-triggered one, sleeps with everything masked, and acknowledges to X1 when it comes. */
const image = imageOf("arm64", {
  ...UNUSED,
  arm64: (a) => {
    const write = (offset: number, value: number): void => {
      a.movConstant(x2, GICD_BASE + offset).movConstant(x3, value);
      a.str(arm64.armWithWidth(x3, 32), arm64.offset(x2));
    };
    write(0x84, 1 << (INTID - 32));
    write(0xc08, 0xaaaa_aaaa);
    write(0x104, 1 << (INTID - 32));
    write(0, 3);
    a.movConstant(x3, 0xf8).msr("icc_pmr_el1", x3).movConstant(x3, 1).msr("icc_igrpen1_el1", x3).isb();
    a.movConstant(x1, 0).wfi().mrs(x1, "icc_iar1_el1").label("park").wfi().b("park");
  },
});

describe("changeLine", () => {
  it("raises an interrupt at the cycle that was asked for, and not before", () => {
    const machine = machineOf(image);
    machine.start(0, "main");
    machine.run(50_000);
    machine.changeLine(INTID, "pulse", 60_000);
    machine.run(60_000);
    expect(machine.readRegister(0, "x1")).toBe(0n);
    machine.run(80_000);
    expect(machine.readRegister(0, "x1")).toBe(BigInt(INTID));
  });

  it("is part of the machine: a fork and a snapshot go on with it", () => {
    const machine = Machine.build(checkedCore, { topology: cpus(1), timing: genericArm64, image });
    machine.start(0, "main");
    machine.changeLine(INTID, "high", 60_000);
    machine.run(50_000);
    const restored = Machine.restoreOn(checkedCore, machine.snapshot(), partsOf(machine));
    for (const one of [machine, machine.fork(), restored]) {
      one.run(80_000);
      expect(one.readRegister(0, "x1")).toBe(BigInt(INTID));
    }
    expect(restored.digest()).toBe(machine.digest());
  });

  it("refuses what is no SPI, and the past", () => {
    const machine = machineOf(image);
    machine.run(100);
    expect(thrownBy(() => machine.changeLine(31, "high"))).toMatchObject({ code: "OPTION_INVALID" });
    expect(thrownBy(() => machine.changeLine(288, "high"))).toMatchObject({ code: "OPTION_INVALID" });
    expect(thrownBy(() => machine.changeLine(INTID, "low", 99))).toMatchObject({ code: "OPTION_INVALID" });
    const other = machineOf(imageOf("x86-64", counting));
    expect(thrownBy(() => other.changeLine(INTID, "high"))).toMatchObject({ code: "OPTION_INVALID" });
  });
});

describe("featNmi", () => {
  const identify = imageOf("arm64", {
    ...UNUSED,
    arm64: (a) => void a.mrs(x1, "id_aa64pfr1_el1").label("park").wfi().b("park"),
  });

  it.each([true, false, undefined])("gives the machine FEAT_NMI (%s)", (featNmi) => {
    const machine = machineOf(identify, featNmi === undefined ? {} : { featNmi });
    machine.start(0, "main");
    machine.run(1000);
    expect(machine.readRegister(0, "x1")).toBe(featNmi === true ? 1n << 36n : 0n);
  });

  it("is part of a snapshot", () => {
    const parts = { topology: cpus(1), timing: genericArm64, image: identify };
    const machine = Machine.build(checkedCore, { ...parts, featNmi: true });
    const restored = Machine.restoreOn(checkedCore, machine.snapshot(), parts);
    restored.start(0, "main");
    restored.run(1000);
    expect(restored.readRegister(0, "x1")).toBe(1n << 36n);
  });

  it("is refused on x86-64", () => {
    expect(thrownBy(() => machineOf(imageOf("x86-64", counting), { featNmi: true }))).toMatchObject({
      code: "OPTION_INVALID",
    });
  });
});
