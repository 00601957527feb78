// The Machine API as a library user meets it: building, starting, running to each kind of end, observing, and its errors.

import { describe, expect, it } from "vitest";
import { CpuState, MAX_PROBES, TraceKind } from "../../src/abi.ts";
import { arm64, asmRoutine, buildImage, x64, type DirectBodies } from "../../src/asm/index.ts";
import { AllstopError } from "../../src/errors.ts";
import { buildKernel } from "../../src/guest/kernel.ts";
import { Machine } from "../../src/machine/machine.ts";
import { registerNames } from "../../src/machine/registers.ts";
import { genericArm64, genericX86 } from "../../src/timing/generic.ts";
import { thrownBy } from "../topology/errors.ts";
import { architectures, checkedCore, counter, counting, cpus, imageOf, machineOf } from "./images.ts";

describe.each(architectures)("running on %s", (architecture) => {
  const register = counter[architecture];
  const image = imageOf(architecture, counting);

  it("reaches the cycle that was asked for, and goes on from there", () => {
    const machine = machineOf(image);
    machine.start(0, "main", { cycle: 100 });
    expect(machine.run(99)).toEqual({ kind: "reached" });
    expect(machine.cycle).toBe(99);
    machine.run(1000);
    expect(machine.cycle).toBe(1000);
    const first = machine.readRegister(0, register);
    expect(first).toBeGreaterThan(100n);
    machine.run(1000);
    expect(machine.readRegister(0, register)).toBe(first);
    machine.run(2000);
    expect(machine.readRegister(0, register)).toBeGreaterThan(first);
  });

  it("shows registers, memory and counts of this very cycle, also of CPUs that spin", () => {
    const accelerated = machineOf(image);
    const stepped = machineOf(image, { accelerations: { spinElision: false, runAhead: false } });
    for (const machine of [accelerated, stepped]) machine.start(0, "main");
    for (const cycle of [10, 500, 501, 3000]) {
      for (const machine of [accelerated, stepped]) machine.run(cycle);
      expect(accelerated.readRegister(0, register)).toBe(stepped.readRegister(0, register));
      expect(accelerated.cpu(0)).toEqual(stepped.cpu(0));
      expect(accelerated.work.guestInstructions).toBe(stepped.work.guestInstructions);
    }
    expect(accelerated.work.parkings).toBeGreaterThan(0);
  });

  it("is quiescent when nothing can happen any more, at the cycle that was asked for", () => {
    const waiting = imageOf(architecture, {
      x64: (a) => void a.cli().label("park").hlt().jmp("park"),
      arm64: (a) => void a.daifSet(15).label("park").wfi().b("park"),
    });
    const machine = machineOf(waiting);
    expect(machine.run(10)).toEqual({ kind: "quiescent" });
    machine.start(0, "main");
    expect(machine.run(1_000_000)).toEqual({ kind: "quiescent" });
    expect(machine.cycle).toBe(1_000_000);
    expect(machine.cpu(0)).toMatchObject({ state: "WAITING", waitsIn: architecture === "arm64" ? "WFI" : "HLT" });
  });

  it("starts a CPU at the cycle that was asked for, with its argument and stack", () => {
    const machine = machineOf(image, { topology: cpus(3) });
    machine.traceKinds([TraceKind.CPU_STARTED]);
    const argument = architecture === "x86-64" ? "rdi" : "x0";
    const stack = architecture === "x86-64" ? "rsp" : "sp";
    machine.start(2, "main", { argument: 0x1234_5678_9abc_def0n, stack: 0x7000, cycle: 500 });
    machine.run(499);
    expect(machine.cpu(2).state).toBe("OFFLINE");
    machine.run(700);
    expect(machine.readRegister(2, argument)).toBe(0x1234_5678_9abc_def0n);
    expect(machine.readRegister(2, stack)).toBe(0x7000n);
    expect([...machine.trace].map(({ cpu, cycle, kind }) => ({ cpu, cycle, kind }))).toEqual([
      { cpu: 2, cycle: 500, kind: TraceKind.CPU_STARTED },
    ]);
    expect([0, 1].map((cpu) => machine.cpu(cpu).state)).toEqual(["OFFLINE", "OFFLINE"]);
  });

  it("a break that is still to be told is no end: a run cut before it says so, also when nobody does anything any more", () => {
    const asleep: DirectBodies = {
      x64: (a) => void a.nop().mark("hit").cli().label("again").hlt().jmp("again"),
      arm64: (a) => void a.nop().mark("hit").nop().label("again").wfi().b("again"),
    };
    const start = () => {
      const machine = machineOf(imageOf(architecture, asleep));
      machine.probe("main:hit", { break: true });
      machine.start(0, "main", { cycle: 100 });
      return machine;
    };
    const whole = start();
    expect(whole.run(100_000)).toMatchObject({ kind: "probe", probe: "main:hit" });
    const told = whole.cycle;
    expect(whole.run(100_000)).toEqual({ kind: "quiescent" });
    const cut = start();
    expect(cut.run(told - 1)).toEqual({ kind: "reached" });
    expect(cut.run(100_000)).toMatchObject({ kind: "probe", probe: "main:hit" });
    expect(cut.cycle).toBe(told);
  });

  it("a break probe ends the run at the first hit, by name, CPU and cycle, and the run can go on", () => {
    const looping = imageOf(architecture, {
      x64: (a) => void a.mov(x64.rbx, 0).label("again").add(x64.rbx, 1).mark("turn").jmp("again"),
      arm64: (a) => void a.movConstant(arm64.x1, 0).label("again").add(arm64.x1, arm64.x1, 1).mark("turn").b("again"),
    });
    const machine = machineOf(looping, { topology: cpus(2) });
    const handle = machine.probe("main:turn", { break: true, values: [register] });
    expect(handle).toMatchObject({ name: "main:turn", address: machine.address("main:turn") });
    machine.start(1, "main", { cycle: 50 });
    const end = machine.run(100_000);
    expect(end).toMatchObject({ kind: "probe", probe: "main:turn", cpu: 1 });
    const cycle = end.kind === "probe" ? end.cycle : NaN;
    expect(cycle).toBeGreaterThanOrEqual(50);
    // Others may have run ahead by one interrupt latency, so that is where time stands.
    expect(machine.cycle).toBeGreaterThanOrEqual(cycle);
    const [record] = machine.trace;
    expect(record).toMatchObject({ kind: TraceKind.PROBE, subject: handle.number, cpu: 1, cycle, value: 1n });
    const again = machine.run(100_000);
    expect(again.kind === "probe" && again.cycle).toBeGreaterThan(cycle);
  });

  it("probes at one place: the last one set counts, under its own name", () => {
    const machine = machineOf(image);
    machine.probe("main");
    machine.probe(machine.address("main"), { break: true });
    machine.start(0, "main");
    expect(machine.run(100_000)).toMatchObject({ kind: "probe", probe: String(machine.address("main")) });
  });

  it("probes carry two registers, in the order asked for", () => {
    const machine = machineOf(image);
    const [one, other] = architecture === "x86-64" ? ["rdi", "rsp"] : ["x0", "sp"];
    machine.probe("main", { values: [other, one] });
    machine.start(0, "main", { argument: 7n, stack: 64 });
    machine.run(100);
    expect([...machine.trace][0]).toMatchObject({ value: 64n, value2: 7n });
  });

  it("reads every register by name, in either case, and the program counter", () => {
    const machine = machineOf(image);
    machine.start(0, "main", { stack: 4096 });
    machine.run(500);
    for (const name of registerNames(architecture)) expect(typeof machine.readRegister(0, name)).toBe("bigint");
    expect(machine.readRegister(0, "pc")).toBe(BigInt(machine.cpu(0).pc));
    expect(machine.readRegister(0, register.toUpperCase())).toBe(machine.readRegister(0, register));
    expect(machine.cpu(0).at).toMatch(/^main(\+0x[0-9a-f]+)?$/);
  });

  it("the digest is one of the state: equal machines agree, a register or a cycle more differs", () => {
    const build = (argument: bigint): Machine => {
      const machine = machineOf(image, { topology: cpus(2) });
      machine.start(0, "main", { argument });
      return machine;
    };
    const [one, same, other] = [build(1n), build(1n), build(2n)];
    for (const machine of [one, same, other]) machine.run(777);
    expect(one.digest()).toMatch(/^[0-9a-f]{16}$/);
    expect(same.digest()).toBe(one.digest());
    expect(other.digest()).not.toBe(one.digest());
    expect(other.cpuDigest(0)).not.toBe(one.cpuDigest(0));
    expect(other.cpuDigest(1)).toBe(one.cpuDigest(1));
    const before = one.digest();
    expect(one.digest()).toBe(before);
    one.run(778);
    expect(one.digest()).not.toBe(before);
  });

  it("several machines live side by side, and none notices the others", () => {
    const starts = [3n, 5n, 8n];
    const build = (argument: bigint): Machine => {
      const machine = machineOf(image, { topology: cpus(Number(argument)) });
      for (let cpu = 0; cpu < Number(argument); cpu++) machine.start(cpu, "main", { argument });
      return machine;
    };
    const alone = starts.map((argument) => {
      const machine = build(argument);
      return [500, 1500, 4000].map((cycle) => (machine.run(cycle), machine.digest()));
    });
    const together = starts.map(build);
    const interleaved = starts.map((): string[] => []);
    for (const cycle of [500, 1500, 4000]) {
      for (const index of [2, 0, 1]) {
        together[index]!.run(cycle);
        interleaved[index]!.push(together[index]!.digest());
      }
    }
    expect(interleaved).toEqual(alone);
  });

  it("what a CPU retired and what the host worked can be read", () => {
    const machine = machineOf(image, { topology: cpus(2) });
    machine.start(0, "main");
    machine.start(1, "main");
    machine.run(5000);
    const retired = [0, 1].map((cpu) => machine.cpu(cpu).retired);
    expect(Math.min(...retired)).toBeGreaterThan(1000);
    expect(machine.work.guestInstructions).toBe(retired[0]! + retired[1]!);
  });
});

describe.each(architectures)("memory as the host sees it on %s", (architecture) => {
  const image = buildKernel({ architecture, cpus: 4 });
  const base = architecture === "x86-64" ? 0 : 0x4000_0000;
  const end = Math.max(...image.segments.map((segment) => segment.address + segment.memoryBytes));
  const top = Math.ceil(end / 4096) * 4096;
  const build = () => machineOf(image, { topology: cpus(4) });

  it("reads what it wrote, by symbol and by address", () => {
    const machine = build();
    machine.writeUint64("request_mask", 0x8000_0000_0000_0005n);
    expect(machine.readUint64("request_mask")).toBe(0x8000_0000_0000_0005n);
    expect(machine.readUint32(machine.address("request_mask") + 4)).toBe(0x8000_0000);
    expect([...machine.readMemory("request_mask", 2)]).toEqual([5, 0]);
    expect(machine.readMask("request_mask", 64)).toEqual([0, 2, 63]);
    expect(machine.readMask("request_mask", 3)).toEqual([0, 2]);
    // By default as many bits as there are CPUs.
    expect(machine.readMask("request_mask")).toEqual([0, 2]);
    machine.writeUint32("request_outcome", 0xffff_fffe);
    expect(machine.readUint32("request_outcome")).toBe(0xffff_fffe);
    machine.writeMemory("request_mask", Uint8Array.of(1, 2, 3));
    expect(machine.readUint64("request_mask")).toBe(0x8000_0000_0003_0201n);
  });

  it("a copy of memory does not change with the machine", () => {
    const machine = build();
    const copy = machine.readMemory("request_mask", 8);
    machine.writeUint64("request_mask", 1n);
    expect([...copy]).toEqual(Array(8).fill(0));
  });

  it.each<[string, (machine: Machine) => unknown]>([
    ["below", (machine) => machine.readUint32(base - 4)],
    ["at the end", (machine) => machine.readUint32(top)],
    ["across the end", (machine) => machine.readUint64(top - 4)],
    ["a fraction", (machine) => machine.readUint32(base + 0.5)],
    ["NaN", (machine) => machine.readUint32(NaN)],
    ["too many bytes", (machine) => machine.readMemory(base, 2 ** 33)],
    ["fewer than no bytes", (machine) => machine.readMemory(base + 64, -1)],
    ["no number of bytes", (machine) => machine.readMemory(base, NaN)],
    ["a fraction of bytes", (machine) => machine.readMemory(base, 1.5)],
    ["a mask of fewer than no bits", (machine) => machine.readMask(base, -64)],
    ["a mask of NaN bits", (machine) => machine.readMask(base, NaN)],
    ["a write below", (machine) => machine.writeUint64(base - 8, 1n)],
    ["a write across the end", (machine) => machine.writeUint64(top - 4, -1n)],
    ["bytes across the end", (machine) => machine.writeMemory(top - 4, new Uint8Array(5))],
    ["warming outside", (machine) => machine.warm(top, 64, "cold")],
    ["warming no bytes", (machine) => machine.warm(base, NaN, "cold")],
  ])("outside RAM is a typed error and changes nothing: %s", (_, access) => {
    const machine = build();
    const untouched = build();
    const { code, message } = thrownBy(() => access(machine));
    expect(code).toBe("OPTION_INVALID");
    expect(message).toMatch(/allowed: /);
    machine.start(0, "secondary_entry");
    untouched.start(0, "secondary_entry");
    machine.run(20_000);
    untouched.run(20_000);
    expect(machine.digest()).toBe(untouched.digest());
  });

  it.each<[string, (machine: Machine) => unknown]>([
    ["too large for 32 bits", (machine) => machine.writeUint32("request_outcome", 2 ** 32)],
    ["negative", (machine) => machine.writeUint32("request_outcome", -1)],
    ["a fraction", (machine) => machine.writeUint32("request_outcome", 0.5)],
    ["too large for 64 bits", (machine) => machine.writeUint64("request_outcome", 2n ** 64n)],
  ])("a value that does not fit is refused, not cut: %s", (_, write) => {
    const machine = build();
    expect(thrownBy(() => write(machine)).code).toBe("OPTION_INVALID");
    expect(machine.readUint64("request_outcome")).toBe(0n);
  });

  it("the host warms caches and writes code before the first cycle only, data at any", () => {
    const machine = build();
    machine.run(1);
    const [code] = machine.image.segments.filter(({ writable }) => !writable);
    for (const write of [
      () => machine.writeUint64(code?.address ?? 0, 1n),
      () => machine.writeUint32(code?.address ?? 0, 1),
      () => machine.warm("request_mask", 64, "shared"),
    ]) {
      expect(thrownBy(write)).toMatchObject({ code: "OPTION_INVALID" });
    }
    machine.writeUint64("request_mask", 5n);
    expect(machine.readUint64("request_mask")).toBe(5n);
  });
});

describe("mistakes are typed errors that say what is allowed", () => {
  const image = imageOf("arm64", counting);
  const build = (): Machine => machineOf(image, { topology: cpus(4, "3") });

  it.each<[string, string, (machine: Machine) => unknown]>([
    ["an unknown symbol", "NAME_UNKNOWN", (machine) => machine.address("nowhere")],
    ["an unknown mark", "NAME_UNKNOWN", (machine) => machine.probe("main:nowhere")],
    ["an unknown local", "NAME_UNKNOWN", (machine) => machine.probe("main", { values: ["local"] })],
    ["a register of the other architecture", "NAME_UNKNOWN", (machine) => machine.readRegister(0, "rax")],
    ["an empty register name", "NAME_UNKNOWN", (machine) => machine.readRegister(0, "")],
    ["three values of a probe", "OPTION_INVALID", (machine) => machine.probe("main", { values: ["x0", "x1", "x2"] })],
    ["a probe at a fraction", "OPTION_INVALID", (machine) => machine.probe(0.5)],
    ["a probe at a negative address", "OPTION_INVALID", (machine) => machine.probe(-4)],
    ["a CPU that is not there", "OPTION_INVALID", (machine) => machine.cpu(4)],
    ["a negative CPU", "OPTION_INVALID", (machine) => machine.readRegister(-1, "x0")],
    ["half a CPU", "OPTION_INVALID", (machine) => machine.cpuDigest(0.5)],
    ["starting a CPU that is not there", "OPTION_INVALID", (machine) => machine.start(4, "main")],
    ["a stack at a fraction", "OPTION_INVALID", (machine) => machine.start(0, "main", { stack: 0.5 })],
    ["a negative stack", "OPTION_INVALID", (machine) => machine.start(0, "main", { stack: -16 })],
    ["a start at a fraction of a cycle", "OPTION_INVALID", (machine) => machine.start(0, "main", { cycle: 1.5 })],
    ["a start at no cycle", "OPTION_INVALID", (machine) => machine.start(0, "main", { cycle: NaN })],
    ["an entry at a fraction", "OPTION_INVALID", (machine) => machine.start(0, 0.5)],
    ["an argument of 65 bits", "OPTION_INVALID", (machine) => machine.start(0, "main", { argument: 2n ** 64n })],
    ["running to a fraction of a cycle", "OPTION_INVALID", (machine) => machine.run(10.5)],
    ["running to no cycle", "OPTION_INVALID", (machine) => machine.run(NaN)],
    ["running for ever", "OPTION_INVALID", (machine) => machine.run(Infinity)],
    ["running beyond exact numbers", "OPTION_INVALID", (machine) => machine.run(2 ** 53)],
    ["running backwards", "OPTION_INVALID", (machine) => (machine.run(10), machine.run(9))],
  ])("%s", (_, code, act) => {
    const machine = build();
    const thrown = thrownBy(() => act(machine));
    expect(thrown.code).toBe(code);
    expect(thrown.message.length).toBeLessThan(400);
    // The machine is as good as before.
    machine.start(0, "main");
    expect(machine.run(machine.cycle + 100).kind).not.toBe("stopped");
    expect(machine.readRegister(0, "x1")).toBeGreaterThan(0n);
  });

  it("a CPU that runs is not started again", () => {
    const machine = build();
    machine.start(0, "main");
    expect(thrownBy(() => machine.start(0, "main"))).toMatchObject({ code: "OPTION_INVALID" });
    machine.run(100);
    expect(thrownBy(() => machine.start(0, "main"))).toMatchObject({ code: "OPTION_INVALID" });
    const value = machine.readRegister(0, "x1");
    machine.run(200);
    expect(machine.readRegister(0, "x1")).toBeGreaterThan(value);
  });

  it("an unknown name is answered with names that are near", () => {
    const machine = machineOf(buildKernel({ architecture: "arm64", cpus: 1 }));
    expect(thrownBy(() => machine.address("stop_machin")).message).toMatch(/stop_machine/);
    expect(thrownBy(() => machine.address("stop_machine:cal")).message).toMatch(/stop_machine:call/);
  });

  it("image and timing model must agree", () => {
    expect(thrownBy(() => machineOf(image, { timing: genericX86 }))).toMatchObject({ code: "IMAGE_INVALID" });
  });

  it("an image must have memory in the platform's RAM", () => {
    const body: DirectBodies = { arm64: (a) => void a.nop() };
    const low = buildImage({ architecture: "arm64", roots: [asmRoutine("low", body)], baseAddress: 0x20_0000 });
    expect(thrownBy(() => machineOf(low))).toMatchObject({ code: "IMAGE_INVALID" });
  });

  it("an image beyond what the core can address is refused, not wrapped around", () => {
    const body: DirectBodies = { arm64: (a) => void a.nop() };
    for (const baseAddress of [0x1_0000_0000, 0x4_0000_0000]) {
      const high = buildImage({ architecture: "arm64", roots: [asmRoutine("high", body)], baseAddress });
      expect(thrownBy(() => machineOf(high))).toMatchObject({ code: "IMAGE_INVALID" });
    }
  });

  it.each([0, -1, 1.5, NaN, 2 ** 40])("a trace ring of %s records is refused", (traceRecords) => {
    expect(thrownBy(() => machineOf(image, { traceRecords }))).toMatchObject({ code: "OPTION_INVALID" });
  });

  it("too many probes are refused with the limit, and those that are set stay", () => {
    const machine = build();
    const start = machine.address("main");
    machine.probe("main", { break: true });
    for (let number = 1; number < MAX_PROBES; number++) machine.probe(start + 0x1000 + 4 * number);
    const thrown = thrownBy(() => machine.probe(start + 4));
    expect(thrown.code).toBe("CAPACITY_EXCEEDED");
    expect(thrown.message).toContain(String(MAX_PROBES));
    machine.start(0, "main");
    expect(machine.run(100_000)).toMatchObject({ kind: "probe", probe: "main" });
  });

  it("the core itself can be given, and what is no core is refused", async () => {
    const options = { topology: cpus(1), timing: genericArm64, image };
    await expect(Machine.create({ ...options, core: checkedCore })).resolves.toBeInstanceOf(Machine);
    const refused = await Machine.create({ ...options, core: new Uint8Array([0, 1, 2, 3]) }).catch((e: unknown) => e);
    expect(refused).toBeInstanceOf(AllstopError);
    expect(refused).toMatchObject({ code: "CORE_MISMATCH" });
  });
});

describe("every state of a CPU", () => {
  it("has a name that cpu() can give", () => {
    const names = Object.keys(CpuState).filter((name) => Number.isNaN(Number(name)));
    expect(names).toEqual(["OFFLINE", "RUNNING", "BLOCKED", "WAITING", "DEAD"]);
  });
});
