// Rights per page of 4 KiB: what each kind of access may do, at the borders too, and that a refused access does nothing.

import { describe, expect, it } from "vitest";
import { PAGE_EXECUTE, PAGE_RAM, PAGE_READ, PAGE_WRITE, StopReason, TraceKind, Counter } from "../../src/abi.ts";
import { A64 } from "../support/a64.ts";
import { BareMachine, PAGE_RX } from "../support/bare-machine.ts";

const CODE = 0x4000_0000;
const DATA = 0x4001_0000;
const PAGE = 0x1000;
const FAR = 60_000;

// ESR_EL1.ISS: DFSC translation or permission fault of level 3, WnR (Arm ARM D24.2.44).
const DATA_ABORT = 0x9600_0000n;
const TRANSLATION = 0x07n;
const PERMISSION = 0x0fn;
const WRITE = 0x40n;

interface Access {
  readonly name: string;
  readonly reads: boolean;
  readonly writes: boolean;
  readonly bytes: number;
  readonly emit: (a: A64) => void;
}

/** Accesses to the address in X1; X2 holds the value. */
const accesses: readonly Access[] = [
  { name: "ldr x", reads: true, writes: false, bytes: 8, emit: (a) => a.load(3, 1) },
  { name: "ldrb", reads: true, writes: false, bytes: 1, emit: (a) => a.load(3, 1, 0, 1) },
  { name: "str x", reads: false, writes: true, bytes: 8, emit: (a) => a.store(2, 1) },
  { name: "strb", reads: false, writes: true, bytes: 1, emit: (a) => a.store(2, 1, 0, 1) },
  { name: "ldp", reads: true, writes: false, bytes: 16, emit: (a) => a.loadPair(3, 4, 1, 0) },
  { name: "stp", reads: false, writes: true, bytes: 16, emit: (a) => a.storePair(2, 2, 1, 0) },
  { name: "ldadd", reads: true, writes: true, bytes: 8, emit: (a) => a.loadAdd(2, 3, 1) },
  { name: "cas", reads: true, writes: true, bytes: 8, emit: (a) => a.compareAndSwap(5, 2, 1) },
];

/** Those that page tables of either architecture can give; neither knows pages that may be written but not read. */
const rights = [
  ["nothing", 0],
  ["r", PAGE_READ | PAGE_RAM],
  ["rw", PAGE_READ | PAGE_WRITE | PAGE_RAM],
  ["rx", PAGE_READ | PAGE_EXECUTE | PAGE_RAM],
  ["x", PAGE_EXECUTE | PAGE_RAM],
] as const;

function attempt(emit: (a: A64) => void, map: (machine: BareMachine) => void, address: number) {
  const machine = new BareMachine({ architecture: "arm64" });
  machine.map(CODE, PAGE, PAGE_RX);
  const a = new A64();
  a.mov(1, address).mov(2, 0x5555_5555_5555_5555n);
  emit(a);
  const rest = new A64();
  rest.label("park").b("park");
  machine.write(CODE, [...a.finish(), ...rest.finish()]);
  map(machine);
  machine.core.setTraceMask(1 << TraceKind.EXCEPTION);
  machine.start(0, CODE);
  machine.run(FAR);
  const stopped = machine.counter(Counter.STOP_REASON) === BigInt(StopReason.UNHANDLED_ABORT);
  return { machine, fault: stopped ? machine.counter(Counter.STOP_DETAIL) : undefined, trace: machine.drain() };
}

describe.each(rights)("a page that allows %s", (_, attributes) => {
  it.each(accesses)("$name", ({ emit, reads, writes }) => {
    const { machine, fault, trace } = attempt(
      emit,
      (built) => {
        built.write(DATA, Array(PAGE).fill(0x11));
        if (attributes !== 0) built.map(DATA, PAGE, attributes);
      },
      DATA,
    );
    const mayRead = !reads || (attributes & PAGE_READ) !== 0;
    const mayWrite = !writes || (attributes & PAGE_WRITE) !== 0;
    const memory = [...machine.read(DATA, 16)];
    if (mayRead && mayWrite) {
      expect(fault).toBeUndefined();
      return;
    }
    // WnR of an instruction that does both says whether a read alone would have been allowed.
    const onWrite = writes && (!reads || (attributes & PAGE_READ) !== 0 || attributes === 0);
    const status = attributes === 0 ? TRANSLATION : PERMISSION;
    const expected = DATA_ABORT | status | (onWrite && !(reads && attributes === 0) ? WRITE : 0n);
    expect(fault).toBe(expected);
    expect(memory).toEqual(Array(16).fill(0x11));
    expect(machine.register(0, 3)).toBe(0n);
    expect(trace.at(-1)?.value2).toBe(BigInt(DATA));
  });
});

describe("a page that is mapped for writing only", () => {
  it.each(accesses)("can be read, as there is no such page: $name", ({ emit }) => {
    const map = (machine: BareMachine): void => machine.map(DATA, PAGE, PAGE_WRITE | PAGE_RAM);
    expect(attempt(emit, map, DATA).fault).toBeUndefined();
  });

  it("gives a spin that stores and loads the same state, elided or not", () => {
    const [elided, stepped] = [true, false].map((spinElision) => {
      const machine = new BareMachine({ architecture: "arm64", accelerations: { spinElision } });
      machine.map(CODE, PAGE, PAGE_RX);
      machine.map(DATA, PAGE, PAGE_WRITE | PAGE_RAM);
      const spin = new A64().mov(1, DATA).label("spin").store(2, 1, 32).load(3, 1, 16).b("spin");
      machine.write(CODE, spin.finish());
      machine.start(0, CODE);
      machine.run(FAR);
      return [machine.core.digest(), machine.counter(Counter.STOP_REASON)];
    });
    expect(elided).toEqual(stepped);
  });
});

describe("an access across two pages", () => {
  it.each(accesses.filter(({ bytes, reads, writes }) => bytes > 1 && reads !== writes))(
    "$name: all of it is allowed, or nothing is done",
    ({ emit, writes, bytes }) => {
      const address = DATA + PAGE - bytes / 2;
      const fill = (machine: BareMachine): void => {
        machine.write(DATA, Array(2 * PAGE).fill(0x11));
        machine.map(DATA, PAGE, PAGE_READ | PAGE_WRITE | PAGE_RAM);
      };
      const refused = attempt(emit, fill, address);
      expect(refused.fault).toBe(DATA_ABORT | TRANSLATION | (writes ? WRITE : 0n));
      expect([...refused.machine.read(address, bytes)]).toEqual(Array(bytes).fill(0x11));
      // FAR is the first byte that is not allowed.
      expect(refused.trace.at(-1)?.value2).toBe(BigInt(DATA + PAGE));
      const allowed = attempt(
        emit,
        (machine) => {
          fill(machine);
          machine.map(DATA + PAGE, PAGE, PAGE_READ | PAGE_WRITE | PAGE_RAM);
        },
        address,
      );
      expect(allowed.fault).toBeUndefined();
      expect([...allowed.machine.read(address, bytes)]).toEqual(Array(bytes).fill(writes ? 0x55 : 0x11));
    },
  );
});

describe("executing", () => {
  it.each(rights)("from a page that allows %s", (_, attributes) => {
    const { fault } = attempt(
      (a) => a.word(0xd61f0020), // br x1
      (machine) => {
        machine.write(DATA, [0x00, 0x00, 0x00, 0x14]); // b .
        if (attributes !== 0) machine.map(DATA, PAGE, attributes);
      },
      DATA,
    );
    if ((attributes & PAGE_EXECUTE) !== 0) expect(fault).toBeUndefined();
    // Instruction abort from the same level: translation or permission fault of level 3.
    else expect(fault).toBe(0x8600_0000n | (attributes === 0 ? TRANSLATION : PERMISSION));
  });
});
