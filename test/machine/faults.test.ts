// What a guest's own mistakes lead to: the architecture's exceptions with their values, and machine stops that name the CPU
// (Intel SDM 3A chapter 6; Arm ARM DDI 0487 D1.3, D24.2.40 and D24.2.44).

import { describe, expect, it } from "vitest";
import { TraceKind } from "../../src/abi.ts";
import {
  arm64,
  asmRoutine,
  buildImage,
  nothing,
  routine,
  u64,
  cast,
  constant,
  global,
  bind,
  x64,
  type Image,
} from "../../src/asm/index.ts";
import { buildKernel, kernelSymbols, perCpuOffsets } from "../../src/guest/kernel.ts";
import { requestsDone } from "../../src/guest/load/requester.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { architectures, cpus, imageOf, machineOf, type Arch } from "./images.ts";

const FAR_AWAY = 50_000;

/** A fatal event takes effect one interrupt latency behind, so there must be time for it. */
function stopOf(machine: Machine) {
  const end = machine.run(FAR_AWAY);
  if (end.kind !== "stopped") throw new Error(`the machine ended with ${JSON.stringify(end)}`);
  expect(machine.stop).toEqual(end.stop);
  return end.stop;
}

describe("a CPU without exception vectors stops the machine", () => {
  it("x86-64: a push below its stack is a triple fault, named with CPU, pc, symbol and cycle", () => {
    const image = imageOf("x86-64", { x64: (a) => void a.nop().nop().mark("push").push(x64.rax).nop() });
    const machine = machineOf(image, { topology: cpus(3) });
    machine.start(2, "main", { stack: 0x1000, cycle: 200 });
    const stop = stopOf(machine);
    expect(stop).toMatchObject({ reason: "TRIPLE_FAULT", cpu: 2, pc: machine.address("main:push"), at: "main+0x2" });
    expect(stop.cycle).toBeGreaterThanOrEqual(200);
    expect(machine.cpu(2).state).toBe("DEAD");
    expect(machine.readRegister(2, "rsp")).toBe(0x1000n);
  });

  it("arm64: an exception with no vector to take it to", () => {
    const image = imageOf("arm64", {
      arm64: (a) => void a.movConstant(arm64.x1, 8).mark("load").ldr(arm64.x0, arm64.offset(arm64.x1)),
    });
    const machine = machineOf(image, { topology: cpus(2) });
    machine.start(1, "main");
    expect(stopOf(machine)).toMatchObject({
      reason: "UNHANDLED_ABORT",
      cpu: 1,
      pc: machine.address("main:load"),
      // ESR_EL1: data abort from EL1, 32-bit instruction, translation fault of level 3, a read.
      detail: 0x9600_0007n,
    });
  });

  it.each(architectures)("%s: jumping into nowhere", (architecture) => {
    const image = imageOf(architecture, {
      x64: (a) => void a.mov(x64.rax, 0x10).jmpIndirect(x64.rax),
      arm64: (a) => void a.movConstant(arm64.x0, 0x10).br(arm64.x0),
    });
    const machine = machineOf(image);
    machine.traceKinds([TraceKind.EXCEPTION]);
    machine.start(0, "main", { stack: image.segments[0]!.address + 64 });
    const stop = stopOf(machine);
    expect(stop).toMatchObject({ cpu: 0, at: undefined, pc: 0x10 });
    expect(stop.reason).toBe(architecture === "arm64" ? "UNHANDLED_ABORT" : "TRIPLE_FAULT");
    const first = [...machine.trace].find(({ kind }) => kind === TraceKind.EXCEPTION);
    // #PF; instruction abort taken from the same exception level.
    expect(first).toMatchObject({ subject: architecture === "arm64" ? 0x21 : 14, value: 0x10n, value2: 0x10n });
  });

  it.each(architectures)("%s: starting at an address where nothing is", (architecture) => {
    const machine = machineOf(imageOf(architecture, { x64: (a) => void a.nop(), arm64: (a) => void a.nop() }));
    machine.start(0, 0x7fff_f000);
    expect(stopOf(machine)).toMatchObject({ cpu: 0, pc: 0x7fff_f000, at: undefined });
  });

  it("the first of several in time is reported, whatever the CPU's number", () => {
    const image = imageOf("x86-64", { x64: (a) => void a.ud2() });
    const machine = machineOf(image, { topology: cpus(4) });
    machine.start(0, "main", { cycle: 900 });
    machine.start(1, "main", { cycle: 905 });
    machine.start(3, "main", { cycle: 700 });
    expect(stopOf(machine)).toMatchObject({ cpu: 3 });
    // It stays stopped.
    const { cycle } = machine;
    expect(machine.run(2 * FAR_AWAY)).toMatchObject({ kind: "stopped", stop: { cpu: 3 } });
    expect(machine.cycle).toBe(cycle);
  });
});

const found = global("test_found", u64, {});
const field = cast(constant(u64, 0x500), u64);

/** Accesses to a field of a structure that is not there, as the kernel's last act. */
const accesses = {
  read: routine("test_null_read", [], nothing, (k) => k.set(found, field.at(0))),
  write: routine("test_null_write", [], nothing, (k) => k.set(field.at(0), 1)),
  add: routine("test_null_add", [], nothing, (k) => void k.atomicAdd(field.at(0), 1)),
};
type NullAccess = keyof typeof accesses;

describe("NULL is not mapped: the kernel gets the architecture's exception", () => {
  const image = (architecture: Arch, access: NullAccess): Image =>
    buildKernel({
      architecture,
      cpus: 2,
      bindings: [bind(requestsDone, accesses[access])],
      parameters: { onlineWanted: 2, rounds: 1 },
    });

  const cases = architectures.flatMap((architecture) =>
    (["read", "write", "add"] as const).map((access) => [architecture, access] as const),
  );
  it.each(cases)("%s: %s", (architecture, access) => {
    const machine = machineOf(image(architecture, access), { topology: cpus(2) });
    const block = machine.image.perCpuStart + machine.image.perCpuStride;
    machine.writeUint64(block + perCpuOffsets.work, BigInt(machine.address(kernelSymbols.requester)));
    machine.traceKinds([TraceKind.EXCEPTION]);
    machine.probe("bad_exception:fatal", { break: true });
    for (const cpu of [0, 1]) machine.start(cpu, kernelSymbols.entry, { argument: BigInt(cpu) });
    expect(machine.run(2_000_000)).toMatchObject({ kind: "probe", probe: "bad_exception:fatal", cpu: 1 });
    const exceptions = [...machine.trace].filter(({ kind }) => kind === TraceKind.EXCEPTION);
    expect(exceptions).toHaveLength(1);
    // #PF with CR2; data abort from EL1 with FAR_EL1.
    const [exception] = exceptions;
    expect(exception).toMatchObject({ cpu: 1, subject: architecture === "arm64" ? 0x25 : 14, value2: 0x500n });
    expect(machine.describe(Number(exception?.value))).toMatch(/^test_null_/);
  });
});

describe("exception values that a handler reads", () => {
  it("arm64: ESR_EL1, FAR_EL1, ELR_EL1 and SPSR_EL1 of a store to a read-only page and of a load from nowhere", () => {
    const { x0, x1, x2, x3, x4, x5, offset } = arm64;
    const vectors = asmRoutine(
      "vectors",
      {
        arm64: (a) => {
          a.padTo(0x200);
          a.mrs(x1, "esr_el1").mrs(x2, "far_el1").mrs(x3, "elr_el1").mrs(x4, "spsr_el1");
          a.label("park").wfi().b("park").padTo(0x800);
        },
      },
      { section: "vectors", align: 2048 },
    );
    const main = asmRoutine("main", {
      arm64: (a) => {
        a.symbolAddress(x5, vectors).msr("vbar_el1", x5).isb();
        a.mark("store").str(x0, offset(x0));
      },
    });
    const image = buildImage({ architecture: "arm64", roots: [main, vectors] });
    const code = BigInt(image.symbol("main").address);
    for (const [target, esr] of [
      // EC 0x25, IL, WnR; DFSC permission fault level 3, or translation fault level 3.
      [code, 0x9600_004fn],
      [0x123_4560n, 0x9600_0047n],
    ] as const) {
      const machine = machineOf(image);
      machine.start(0, "main", { argument: target });
      machine.run(20_000);
      expect(["x1", "x2", "x3", "x4"].map((name) => machine.readRegister(0, name))).toEqual([
        esr,
        target,
        BigInt(machine.address("main:store")),
        0x3c5n, // EL1h, DAIF set as after reset
      ]);
    }
  });
});

describe("a machine that was switched off", () => {
  it("arm64: PSCI SYSTEM_OFF is a stop with its name", () => {
    const image = imageOf("arm64", { arm64: (a) => void a.movConstant(arm64.x0, 0x8400_0008).hvc() });
    const machine = machineOf(image);
    machine.start(0, "main");
    expect(stopOf(machine)).toMatchObject({ reason: "SYSTEM_OFF", cpu: 0 });
  });
});
