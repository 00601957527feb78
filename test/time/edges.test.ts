// Spins at the edges of what may be elided: turns that fault, turns whose successor goes another way, and siblings that
// disturb each other while an exception is delivered. Found by fuzzing.

import { describe, expect, it } from "vitest";
import { Warmth } from "../../src/abi.ts";
import { accelerationNames, type Accelerations } from "../../src/machine/accelerations.ts";
import { buildTopology } from "../../src/topology/index.ts";
import { R8, RAX, RBX, RSP, le } from "../instructions/x86-64/code.ts";
import { A64 } from "../support/a64.ts";
import { BareMachine, PAGE_RW, PAGE_RX } from "../support/bare-machine.ts";
import { stateOf } from "../support/observe.ts";
import { X64 } from "../support/x64.ts";

const noAccelerations = Object.fromEntries(accelerationNames.map((name) => [name, false])) as Partial<Accelerations>;
const LOOKS = [500, 777, 2000, 5000];

/** The same states with everything accelerated and with nothing. */
function expectSame(build: (accelerations: Partial<Accelerations>) => BareMachine): void {
  const [fast, slow] = [{}, noAccelerations].map((accelerations) => {
    const machine = build(accelerations);
    return LOOKS.map((cycle) => {
      machine.run(cycle);
      return stateOf(machine);
    });
  });
  expect(fast).toEqual(slow);
}

// --- arm64 -------------------------------------------------------------------------------------------------------------------

const CODE = 0x4000_1000;
const VECTORS = 0x4000_2000;
const DATA = 0x4000_4000;
const NOWHERE = 0x7fff_0000_0000n;

/** Runs code with vectors that count exceptions in X27 and go on behind the instruction; X0 is the CPU's number. */
function arm64(code: A64, accelerations: Partial<Accelerations>, cpus = 1): BareMachine {
  const machine = new BareMachine({ architecture: "arm64", cpus, accelerations, ramBytes: 2 ** 16 });
  machine.map(CODE, 0x2000, PAGE_RX);
  machine.map(DATA, 0x1000, PAGE_RW);
  const handler = new A64()
    .addImmediate(27, 27, 1)
    .mrs(28, "elr_el1")
    .addImmediate(28, 28, 4)
    .msr("elr_el1", 28)
    .eret();
  machine.write(VECTORS + 0x200, handler.finish());
  machine.write(CODE, code.finish());
  for (let cpu = 0; cpu < cpus; cpu++) machine.start(cpu, CODE, { argument: BigInt(cpu) });
  return machine;
}

describe("arm64", () => {
  it("never elides a loop that faults at the first line of memory", () => {
    expectSame((accelerations) => {
      const code = new A64().mov(1, VECTORS).msr("vbar_el1", 1).mov(21, 0);
      return arm64(code.label("loop").load(2, 21, 8).b("loop"), accelerations);
    });
  });

  it("judges a loop without looking at where only another turn would look", () => {
    for (let turn = 1; turn < 40; turn++) {
      expectSame((accelerations) => {
        const code = new A64().mov(1, VECTORS).msr("vbar_el1", 1).mov(3, NOWHERE).mov(1, 0).label("loop");
        code.addImmediate(1, 1, 1).cmpImmediate(1, turn).bCondition("ne", "over").load(2, 3).label("over").b("loop");
        return arm64(code, accelerations);
      });
    }
  });

  it("forgets a turn that it gave up in the middle of an access to two lines", () => {
    expectSame((accelerations) => {
      const code = new A64()
        .mov(20, DATA + 60)
        .mov(21, DATA + 0x800 + 60)
        .mov(9, 8)
        .cbnz(0, "other");
      // The next turn's second line is nowhere near yet.
      code
        .label("new lines")
        .store(1, 20)
        .addImmediate(20, 20, 64)
        .subsImmediate(9, 9, 1)
        .bCondition("ne", "new lines");
      code.label("spin").store(1, 21).b("spin");
      // Takes the first of the two lines away again and again.
      code
        .label("other")
        .mov(21, DATA + 0x800)
        .mov(4, 1500);
      code.label("wait").subsImmediate(4, 4, 1).bCondition("ne", "wait").store(1, 21).mov(4, 300).b("wait");
      return arm64(code, accelerations, 2);
    });
  });
});

// --- x86-64 ------------------------------------------------------------------------------------------------------------------

const PROGRAMS = 0x1000;
const TABLES = 0x3000;
const GDT_POINTER = TABLES + 0x20;
const IDT_POINTER = TABLES + 0x30;
const IDT = 0x4000;
const SHARED = 0x6000;
const STACK = 0x7800;

/** Descriptors, and an IDT whose gates all lead to one handler. */
function tables(handler: number): Uint8Array {
  const bytes = new Uint8Array(0x2000);
  bytes.set([0xff, 0xff, 0, 0, 0, 0x9b, 0xaf, 0], 0x08);
  bytes.set([0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0], 0x10);
  bytes.set([...le(0x17, 2), ...le(TABLES, 8)], GDT_POINTER - TABLES);
  bytes.set([...le(0xfff, 2), ...le(IDT, 8)], IDT_POINTER - TABLES);
  for (let vector = 0; vector < 32; vector++) {
    bytes.set([...le(handler, 2), ...le(0x08, 2), 0, 0x8e, ...le(0, 8)], IDT - TABLES + 16 * vector);
  }
  return bytes;
}

/** Two siblings with a program each; both begin by loading the tables, and hold all lines. */
function siblings(code: X64, accelerations: Partial<Accelerations>): BareMachine {
  const topology = buildTopology({ packages: 1, coresPerLlc: 1, threadsPerCore: 2 });
  const machine = new BareMachine({ architecture: "x86-64", topology, accelerations, ramBytes: 2 ** 16 });
  machine.map(PROGRAMS, 0x2000, PAGE_RX);
  machine.map(TABLES, 0x5000, PAGE_RW);
  machine.write(PROGRAMS, code.finish());
  machine.write(TABLES, tables(code.addressOf("handler")));
  machine.core.warm(BigInt(PROGRAMS), 0x7000n, Warmth.OWNED, 0);
  for (const cpu of [0, 1]) machine.start(cpu, code.addressOf(`program ${cpu}`), { stack: STACK, cycle: 1n });
  return machine;
}

function program(code: X64, cpu: number): X64 {
  code.label(`program ${cpu}`);
  code.put({ opcode: [0x0f, 0x01], reg: 3, rm: { displacement: IDT_POINTER } });
  return code.put({ opcode: [0x0f, 0x01], reg: 2, rm: { displacement: GDT_POINTER } });
}

describe("x86-64", () => {
  it.each([0, 1])(
    "wakes a sibling that spins on the line where CPU %d's frames go, and lets it go first",
    (faulting) => {
      for (let delay = 1; delay < 60; delay++) {
        expectSame((accelerations) => {
          const code = new X64(PROGRAMS);
          code.label("handler").opImmediate("add", 8, { base: RSP }, 2).iret();
          program(code, faulting).set(R8, delay).label("wait").decrement(4, R8).jumpIf(5, "wait");
          code
            .set(RSP, SHARED + 64)
            .label("fault")
            .ud2()
            .jump("fault");
          program(code, 1 - faulting)
            .set(RBX, SHARED)
            .label("spin")
            .op("cmp", 8, RAX, { base: RBX })
            .pause()
            .jump("spin");
          return siblings(code, accelerations);
        });
      }
    },
  );

  it("never elides a loop that faults at the first line of memory", () => {
    expectSame((accelerations) => {
      const code = new X64(PROGRAMS);
      // MOV RAX, [8] is eight bytes long; the error code lies on top.
      code.label("handler").lea(8, RSP, { base: RSP, displacement: 8 });
      code.opImmediate("add", 8, { base: RSP }, 8).iret();
      program(code, 0).label("loop").load(8, RAX, { displacement: 8 }).jump("loop");
      program(code, 1).label("rest").hlt().jump("rest");
      return siblings(code, accelerations);
    });
  });
});
