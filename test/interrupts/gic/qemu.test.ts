// What the GIC says after random operations of one PE, against QEMU 7.2, whose results are recorded. Recording anew, with
// qemu-system-aarch64 installed:
//   RECORD=1 npx vitest run --config .config/vitest.config.ts test/interrupts/gic/qemu.test.ts

import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  Counter,
  Device,
  GICD_BASE,
  GICD_BYTES,
  GICR_BASE,
  GICR_STRIDE,
  PAGE_DEVICE,
  PAGE_OWNER_SHIFT,
  PAGE_READ,
  PAGE_WRITE,
  PL011_BASE,
  PL011_BYTES,
  StopReason,
} from "../../../src/abi.ts";
import { assemble } from "../../instructions/arm64/assembler/index.ts";
import { wait } from "../../instructions/arm64/gic.ts";
import { openInterrupts } from "../../instructions/arm64/guest.ts";
import { outputOnQemu, qemuVersion } from "../../instructions/arm64/qemu.ts";
import { BareMachine, PAGE_RW, PAGE_RX } from "../../support/bare-machine.ts";
import { plainTiming } from "../../support/plain-timing.ts";
import { Random } from "../../support/random.ts";
import { GICD, RD, SGI, read } from "./guest.ts";
import { SETUP, open, randomOperation, type Operation } from "./operations.ts";
import { ReferenceGic } from "./reference.ts";

const RECORDED = new URL("recorded/qemu.json", import.meta.url);
const OPERATIONS = 3000;
const BOARD = { pes: 1, featNmi: false, qemu: true } as const;
/** QEMU keeps the first megabytes of RAM for itself. */
const CODE = 0x4020_0000;
const CODE_BYTES = 0x10_0000;
const RESULTS = 0x4030_0000;

/** Registers that say what there is, which the reference doesn't know; but not what QEMU has for LPIs. */
const identification: readonly (readonly [name: string, address: number])[] = [
  ["GICD_CTLR", GICD],
  ["GICD_IIDR", GICD + 8],
  ["GICD_TYPER2", GICD + 0xc],
  ["GICD_STATUSR", GICD + 0x10],
  ["GICD_IGROUPR0", GICD + 0x80],
  ["GICD_ICFGR0", GICD + 0xc00],
  ["GICD_IGRPMODR1", GICD + 0xd04],
  ["GICD_NSACR2", GICD + 0xe08],
  ["GICD_PIDR4", GICD + 0xffd0],
  ["GICD_PIDR0", GICD + 0xffe0],
  ["GICD_PIDR1", GICD + 0xffe4],
  ["GICD_PIDR2", GICD + 0xffe8],
  ["GICD_PIDR3", GICD + 0xffec],
  ["GICD_CIDR0", GICD + 0xfff0],
  ["GICD_CIDR3", GICD + 0xfffc],
  ["GICR_IIDR", RD + 4],
  ["GICR_PIDR0", RD + 0xffe0],
  ["GICR_PIDR2", RD + 0xffe8],
  ["GICR_IGRPMODR0", SGI + 0xd00],
  ["GICR_NSACR", SGI + 0xe00],
  ["GICR_ICFGR0", SGI + 0xc00],
  ["GICR_ICFGR1", SGI + 0xc04],
  ["a reserved word of the distributor", GICD + 0x30],
  ["a reserved word of the redistributor", RD + 0x30],
];
const looks: readonly Operation[] = [
  ...identification.map(([name, address]) => ({ name, text: read(address, 1), apply: () => undefined })),
  ...["icc_sre_el1", "icc_bpr0_el1", "icc_bpr1_el1", "icc_pmr_el1"].map((name) => ({
    name,
    text: `mrs x1, ${name}\n`,
    apply: () => undefined,
  })),
];

function operations(): Operation[] {
  const random = new Random(7);
  return [...looks, ...SETUP, ...Array.from({ length: OPERATIONS }, () => randomOperation(random, BOARD))];
}

const steps = operations();
/** X0 is zero on QEMU: then the results go to the UART, and the board is switched off. */
const program = assemble(
  `start: mov x25, x0\n ${openInterrupts(0)} mov x28, #0\n li x21, #${RESULTS}\n ${wait(200)}
  ${steps.map((step) => `${step.text} str x1, [x21], #8\n bl pause\n`).join("")}
  cbnz x25, off
  li x20, #${RESULTS}\n li x22, #${PL011_BASE}
  send: ldrb w1, [x20], #1\n str w1, [x22]\n cmp x20, x21\n b.ne send
  off: li x0, #0x84000008\n hvc #0\n b off
  pause: ${wait(40)} ret\n`,
  CODE,
);

function onCore(): bigint[] {
  const timing = plainTiming("arm64", { device: 3, interrupt: 4, selfInterrupt: 2 });
  const machine = new BareMachine({ architecture: "arm64", timing });
  const device = PAGE_READ | PAGE_WRITE | PAGE_DEVICE;
  machine.map(CODE, CODE_BYTES, PAGE_RX);
  machine.map(RESULTS, 0x1_0000, PAGE_RW);
  machine.map(PL011_BASE, PL011_BYTES, device | (Device.PL011 << PAGE_OWNER_SHIFT));
  machine.map(GICD_BASE, GICD_BYTES, device | (Device.GIC_DISTRIBUTOR << PAGE_OWNER_SHIFT));
  machine.map(GICR_BASE, GICR_STRIDE, device | (Device.GIC_REDISTRIBUTOR << PAGE_OWNER_SHIFT));
  machine.write(CODE, program.bytes);
  machine.start(0, program.label("start"), { argument: 1n });
  machine.run(10_000_000);
  expect(machine.counter(Counter.STOP_REASON)).toBe(BigInt(StopReason.SYSTEM_OFF));
  return steps.map((_, index) => machine.read64(RESULTS + 8 * index));
}

function onQemu(): bigint[] {
  const bytes = outputOnQemu(program.bytes, CODE, program.label("start"));
  expect(bytes.length).toBe(8 * steps.length);
  return [...new BigUint64Array(bytes.buffer)];
}

interface Recorded {
  readonly version: string;
  /** Of the program, so that results aren't compared with those of another. */
  readonly checksum: number;
  readonly results: readonly string[];
}

const checksum = program.words.reduce((sum, word) => (Math.imul(sum, 31) + word) >>> 0, 0);
const version = qemuVersion();
if (process.env.RECORD !== undefined && version !== undefined) {
  const results = onQemu().map((value) => value.toString(16));
  writeFileSync(RECORDED, `${JSON.stringify({ version, checksum, results } satisfies Recorded)}\n`);
}
const recorded = JSON.parse(readFileSync(RECORDED, "utf8")) as Recorded;

/** Results with the names of what gave them; where they differ, with what came before. */
function named(values: readonly bigint[]): string[] {
  return values.map((value, index) => `${index} ${steps[index]?.name ?? ""}: ${value.toString(16)}`);
}

describe("the GIC after random operations of a PE", () => {
  it("is what QEMU 7.2 has it, as recorded", () => {
    expect(recorded.checksum, "the generator has changed since the results were recorded: record anew").toBe(checksum);
    expect(named(onCore())).toEqual(named(recorded.results.map((value) => BigInt(`0x${value}`))));
  });

  it("is what the reference has it: QEMU and the manual agree on what is compared", () => {
    const gic = new ReferenceGic(1, false);
    open(gic);
    for (const [index, step] of steps.entries()) {
      const expected = step.apply(gic, 0);
      if (expected === undefined) continue;
      expect({ index, name: step.name, value: BigInt(`0x${recorded.results[index]}`) }).toEqual({
        index,
        name: step.name,
        value: expected,
      });
    }
  });
});
