// Running an image on the board: how a run may end, what is told of it, and which files are refused.

import { describe, expect, it } from "vitest";
import { boardMachine, execImage, type ExecOptions, type ExecResult } from "../../src/board/exec.ts";
import type { ElfFile, ElfSegment } from "../../src/asm/index.ts";
import { AllstopError } from "../../src/errors.ts";
import { assemble } from "../instructions/arm64/assembler/index.ts";
import { checkedCore } from "../support/bare-machine.ts";
import { plainTiming } from "../support/plain-timing.ts";
import { imageBytes } from "./images.ts";

const CODE = 0x4008_0000;
const LIMIT = 3_000_000;

const off = "li x0, #0x84000008\n hvc #0\n";

function segment(address: number, bytes: Uint8Array, extra: Partial<ElfSegment> = {}): ElfSegment {
  return {
    address,
    physicalAddress: address,
    bytes,
    memoryBytes: bytes.length,
    readable: true,
    writable: false,
    executable: true,
    ...extra,
  };
}

/** A file with one segment of code, whose labels are symbols. */
function fileOf(text: string, changes: Partial<ElfFile> = {}): ElfFile {
  const { bytes } = assemble(text, CODE);
  return {
    architecture: "arm64",
    entry: CODE,
    segments: [segment(CODE, bytes)],
    isDynamic: false,
    symbols: [{ name: "start", address: CODE, size: 0, kind: "other" }],
    marks: [],
    pvhEntry: undefined,
    ...changes,
  };
}

async function run(text: string, options: ExecOptions = {}): Promise<ExecResult> {
  return execImage(fileOf(text), { core: checkedCore, limitCycles: LIMIT, ...options });
}

describe("a run ends", () => {
  it("when the guest switches the board off", async () => {
    const { verdict } = await run(off);
    expect(verdict).toMatchObject({ outcome: "off", started: 1 });
    expect(verdict.stop).toMatchObject({ reason: "SYSTEM_OFF", cpu: 0 });
  });

  it("when it asks for a reset", async () => {
    expect((await run("li x0, #0x84000009\n hvc #0")).verdict.outcome).toBe("reset");
  });

  it("when nothing can happen any more, and says where everybody is", async () => {
    const { verdict } = await run("nop\n idle: wfi\n b idle", { cpus: 3 });
    expect(verdict.outcome).toBe("quiescent");
    expect(verdict.places).toEqual([
      { cpus: "0", state: "waiting in WFI", pc: CODE + 8, at: "start+0x8" },
      { cpus: "1-2", state: "off" },
    ]);
  });

  it("when a CPU spins for ever", async () => {
    const { verdict } = await run("spin: b spin");
    expect(verdict).toMatchObject({ outcome: "quiescent", places: [{ cpus: "0", state: "running", at: "start" }] });
  });

  it("when the limit is reached, at that cycle", async () => {
    const { verdict } = await run("count: add x0, x0, #1\n mul x1, x0, x0\n str x1, [sp]\n b count", {
      limitCycles: 300_001,
    });
    expect(verdict).toMatchObject({ outcome: "error" }); // SP is 0: flash
    expect(
      (
        await run("li x9, #0x40100000\n count: mul x0, x0, x0\n add x0, x0, #3\n str x0, [x9]\n b count", {
          limitCycles: 300_001,
        })
      ).verdict,
    ).toMatchObject({ outcome: "limit", cycles: 300_001 });
  });
});

describe("what is not modelled is an error that names", () => {
  it.each([
    [
      "a floating-point instruction",
      ".word 0x1e602820",
      "instruction 0x1e602820, a floating-point or Advanced SIMD instruction",
    ],
    ["a vector load", ".word 0x3dc00000", "a floating-point or Advanced SIMD load or store"],
    ["a system register", "mrs x1, s3_3_c9_c13_0", "MRS of PMCCNTR_EL0"],
    ["a system register without a name here", "mrs x1, s3_3_c11_c13_7", "MRS of S3_3_C11_C13_7"],
    ["a debug register", "msr dbgbvr0_el1, x1", "MSR of DBGBVR0_EL1"],
    ["switching the MMU on", "mov x1, #1\n msr sctlr_el1, x1", "MSR of SCTLR_EL1, which switches the MMU on"],
    ["semihosting", ".word 0xd45e0000", "HLT #0xf000 (semihosting, or an external debugger)"],
    ["a device", "li x1, #0x09010000\n ldr w2, [x1, #12]", "access to 0x901000c, PL031 real-time clock + 0xc"],
    ["a write to a device", "li x1, #0x0a000000\n str w2, [x1]", "access to 0xa000000, virtio-mmio transports + 0x0"],
    ["a register of the UART", "li x1, #0x09000000\n ldr w2, [x1, #0x80]", "access to 0x9000080, PL011 UART + 0x80"],
    ["a null pointer", "ldr x2, [x0]", "access to 0x0, flash + 0x0"],
  ])("%s", async (_, text, expected) => {
    const { verdict } = await run(text);
    expect(verdict.outcome).toBe("error");
    expect(verdict.message).toMatch(/^CPU 0 at 0x4008[0-9a-f]{4} \(start(\+0x[0-9a-f]+)?\): /);
    expect(verdict.message).toContain(expected);
    expect(verdict.message).toMatch(/not modelled$/);
  });

  it("an exception without a vector, and its syndrome", async () => {
    const { verdict } = await run("brk #7");
    expect(verdict.message).toBe(
      "CPU 0 at 0x40080000 (start): an exception, and no code at its vector; ESR_EL1 0xf2000007 (BRK)",
    );
  });
});

describe("bare metal (as QEMU's board behaves)", () => {
  const vectors = `adr x9, vectors\n msr vbar_el1, x9\n`;
  const table = `\n.align 2048\nvectors: ${".align 128\n b handler\n".repeat(16)}\nhandler: mrs x20, esr_el1\n mrs x21, far_el1\n ${off}`;

  it("has an external abort where nothing is", async () => {
    const { machine } = await run(`${vectors} li x1, #0x3d00000000\n ldr x2, [x1]\n${table}`);
    expect(machine.readRegister(0, "x20")).toBe(0x9600_0010n);
    expect(machine.readRegister(0, "x21")).toBe(0x3d_0000_0000n);
  });

  it.each([
    ["UDF", ".word 7"],
    ["a register of EL2", "mrs x1, s3_4_c1_c1_0"],
    ["SP_EL0 while it is the stack pointer", "msr spsel, #0\n mrs x1, sp_el0"],
  ])("%s is UNDEFINED, not unmodelled", async (_, text) => {
    const { verdict, machine } = await run(`${vectors} ${text}\n${table}`);
    expect(verdict.outcome).toBe("off");
    expect(machine.readRegister(0, "x20")).toBe(0x0200_0000n);
  });

  it("starts CPU 0 at EL1 with SP_EL1, masks set and all registers zero", async () => {
    const { machine } = await run(
      `mrs x20, currentel\n mrs x21, daif\n mrs x22, spsel\n mov x23, x0\n mov x24, sp\n ${off}`,
    );
    const read = (name: string): bigint => machine.readRegister(0, name);
    expect(["x20", "x21", "x22", "x23", "x24", "x7"].map(read)).toEqual([4n, 0x3c0n, 1n, 0n, 0n, 0n]);
  });

  it("lets all of RAM be written and executed", async () => {
    const copy = `adr x1, piece\n li x2, #0x47fff000\n ldr w3, [x1]\n str w3, [x2]\n ldr w3, [x1, #4]\n str w3, [x2, #4]\n isb
      mov x30, x2\n adr x4, back\n mov x30, x4\n br x2\n back: ${off}\n piece: mov x20, #77\n ret`;
    expect((await run(copy)).machine.readRegister(0, "x20")).toBe(77n);
  });

  it("gives CPUs the MPIDRs of the board, or of the topology", async () => {
    const file = fileOf(off);
    const { topology } = await boardMachine(file, { cpus: 40, core: checkedCore });
    expect([0, 15, 16, 39].map((cpu) => topology.cpus[cpu]?.mpidr)).toEqual([0, 15, 0x100, 0x207]);
  });
});

describe("the UART (Arm DDI 0183G, as QEMU shows it)", () => {
  const uart = "li x9, #0x09000000\n";
  const read = async (text: string): Promise<bigint> =>
    (await run(`${uart} ${text}\n ${off}`)).machine.readRegister(0, "x1");

  it("tells what it gets as it gets it", async () => {
    const pieces: string[] = [];
    const write = (letter: string): string => `mov x1, #${letter.charCodeAt(0)}\n strb w1, [x9]\n`;
    const pause = (unique: string): string => `li x2, #300000\n ${unique}: sub x2, x2, #1\n cbnz x2, ${unique}\n`;
    const { output } = await run(
      `${uart} ${write("a")}${pause("one")}${write("b")}${pause("two")}${write("c")}${off}`,
      {
        timing: plainTiming("arm64"),
        onOutput: (text) => pieces.push(text),
      },
    );
    expect(output).toBe("abc");
    expect(pieces).toEqual(["a", "b", "c"]);
  });

  it.each([
    ["UARTFR: empty, both ways", "ldr w1, [x9, #0x18]", 0x90n],
    ["UARTCR after reset", "ldr w1, [x9, #0x30]", 0x300n],
    ["UARTIFLS after reset", "ldr w1, [x9, #0x34]", 0x12n],
    ["UARTPeriphID0", "ldr w1, [x9, #0xfe0]", 0x11n],
    ["UARTPCellID3", "ldr w1, [x9, #0xffc]", 0xb1n],
    ["UARTIBRD as written", "mov x2, #0x1234\n str w2, [x9, #0x24]\n ldr w1, [x9, #0x24]", 0x1234n],
    ["UARTFBRD has 6 bits", "mov x2, #0xff\n str w2, [x9, #0x28]\n ldr w1, [x9, #0x28]", 0x3fn],
    ["UARTLCR_H as written", "mov x2, #0x70\n str w2, [x9, #0x2c]\n ldr w1, [x9, #0x2c]", 0x70n],
    ["UARTRIS after reset", "ldr w1, [x9, #0x3c]", 0n],
    ["UARTRIS after a character: transmitted", "strb wzr, [x9]\n ldr w1, [x9, #0x3c]", 0x20n],
    ["UARTMIS while masked", "strb wzr, [x9]\n ldr w1, [x9, #0x40]", 0n],
    ["UARTMIS", "mov x2, #0x20\n str w2, [x9, #0x38]\n strb wzr, [x9]\n ldr w1, [x9, #0x40]", 0x20n],
    ["UARTICR clears", "mov x2, #0x20\n strb wzr, [x9]\n str w2, [x9, #0x44]\n ldr w1, [x9, #0x3c]", 0n],
    ["UARTDR has nothing received", "ldr w1, [x9]", 0n],
    ["UARTICR is write-only", "ldr w1, [x9, #0x44]", 0n],
    ["UARTFR is read-only", "mov x2, #-1\n str w2, [x9, #0x18]\n ldr w1, [x9, #0x18]", 0x90n],
    ["UARTRIS is read-only", "mov x2, #-1\n str w2, [x9, #0x3c]\n ldr w1, [x9, #0x3c]", 0n],
    ["UARTMIS is read-only", "mov x2, #-1\n str w2, [x9, #0x40]\n ldr w1, [x9, #0x40]", 0n],
    ["UARTPeriphID0 is read-only", "str wzr, [x9, #0xfe0]\n ldr w1, [x9, #0xfe0]", 0x11n],
    ["UARTPCellID3 is read-only", "str wzr, [x9, #0xffc]\n ldr w1, [x9, #0xffc]", 0xb1n],
  ])("%s", async (_, text, expected) => {
    expect(await read(text)).toBe(expected);
  });
});

describe("a file is refused", () => {
  const refusal = async (file: ElfFile | Uint8Array, options: ExecOptions = {}): Promise<AllstopError> => {
    const error: unknown = await execImage(file, { core: checkedCore, ...options }).catch((cause: unknown) => cause);
    if (!(error instanceof AllstopError)) throw new Error(`no refusal: ${String(error)}`);
    return error;
  };
  const bytes = new Uint8Array(4);

  it.each<[string, Partial<ElfFile>, RegExp]>([
    ["of another architecture", { architecture: "x86-64" }, /another architecture; found "x86-64"; allowed: AArch64/],
    ["that is dynamic", { isDynamic: true }, /dynamically linked/],
    ["with a segment below RAM", { segments: [segment(0x1000, bytes)] }, /outside RAM; found "0x1000 to 0x1003"/],
    ["with a segment behind RAM", { segments: [segment(CODE, bytes, { memoryBytes: 2 ** 28 })] }, /outside RAM/],
    ["with its entry in no segment", { entry: 0x4000_0000 }, /entry lies in no segment; found "0x40000000"/],
    ["without a segment", { segments: [] }, /entry lies in no segment/],
  ])("%s", async (_, changes, expected) => {
    const error = await refusal(fileOf(off, changes));
    expect(error.code).toBe("IMAGE_INVALID");
    expect(error.message).toMatch(expected);
  });

  it("that is no ELF file", async () => {
    expect((await refusal(Uint8Array.from([1, 2, 3]))).code).toBe("IMAGE_INVALID");
  });

  it("for which there is too little RAM", async () => {
    expect((await refusal(imageBytes("hello"), { ramBytes: 2 ** 20 })).message).toContain(
      "allowed: 0x40000000 to 0x400fffff",
    );
  });

  it.each([0, 4095, 2 ** 32])("with %i bytes of RAM", async (ramBytes) => {
    expect((await refusal(fileOf(off), { ramBytes })).code).toBe("OPTION_INVALID");
  });
});

it("a segment is loaded at its physical address, and the entry follows it", async () => {
  const { bytes } = assemble(`mov x20, #5\n ${off}`, CODE);
  const moved = segment(0x1_0000, bytes, { physicalAddress: CODE });
  const { machine } = await execImage(fileOf("nop", { segments: [moved], entry: 0x1_0000 }), { core: checkedCore });
  expect(machine.readRegister(0, "x20")).toBe(5n);
});
