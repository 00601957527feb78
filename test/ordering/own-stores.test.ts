// Whatever waits in its store buffer, a CPU sees its own accesses in program order (SDM 3A 9.2.2; Arm ARM DDI 0487 B2.3.1): random
// stores and loads of all widths, overlapping, across lines, while another CPU keeps taking the lines away by loads, against an
// array of bytes. Perturbation moves all of it about.

import { describe, expect, it } from "vitest";
import { buildTopology } from "../../src/topology/index.ts";
import { DATA as X86_DATA } from "../instructions/x86-64/guest.ts";
import { TextGuest } from "../instructions/x86-64/text-guest.ts";
import { DATA as ARM64_DATA, Guest, park } from "../instructions/arm64/guest.ts";
import { plainTiming } from "../support/plain-timing.ts";
import { Random } from "../support/random.ts";

/** Bytes that are stored to: three lines. What has been loaded is kept behind them. */
const BYTES = 192;
const KEPT = 0x400;
const ACCESSES = 60;
const SEEDS = 40;

interface Access {
  readonly isStore: boolean;
  readonly offset: number;
  readonly bytes: number;
  readonly value: bigint;
}

function accesses(random: Random): Access[] {
  return Array.from({ length: ACCESSES }, () => {
    const bytes = random.pick([1, 2, 4, 8]);
    const offset = random.chance(40) ? random.between(48, 72) : random.between(0, BYTES - bytes);
    const value = (BigInt(random.next()) << 32n) | BigInt(random.next());
    return { isStore: random.chance(55), offset, bytes, value: BigInt.asUintN(8 * bytes, value) };
  });
}

/** What the loads give, zero-extended, and what memory holds in the end. */
function expected(all: readonly Access[]): { loads: bigint[]; memory: Uint8Array } {
  const memory = new Uint8Array(BYTES);
  const loads: bigint[] = [];
  for (const { isStore, offset, bytes, value } of all) {
    if (isStore) for (let i = 0; i < bytes; i++) memory[offset + i] = Number((value >> BigInt(8 * i)) & 0xffn);
    else loads.push([...memory.subarray(offset, offset + bytes)].reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n));
  }
  return { loads, memory };
} // prettier-ignore

const figures = { storeBuffer: 12, cache: 25, storeDrain: 3 };

function onX86(all: readonly Access[], seed: number): ReturnType<typeof expected> {
  const registers = { 1: "%bl", 2: "%bx", 4: "%ebx", 8: "%rbx" } as Record<number, string>;
  const loads = { 1: "movzbl", 2: "movzwl", 4: "mov", 8: "mov" } as Record<number, string>;
  let kept = 0;
  const text = all.map(({ isStore, offset, bytes, value }) => {
    const register = registers[bytes] ?? "";
    if (isStore) return `mov $${value}, %rbx; mov ${register}, DATA + ${offset}\n`;
    return `${loads[bytes]} DATA + ${offset}, ${bytes < 4 ? "%ebx" : register}; mov %rbx, DATA + ${KEPT + 8 * kept++}\n`;
  });
  const guest = new TextGuest({
    topology: buildTopology({ packages: 1, coresPerLlc: 2 }),
    timing: plainTiming("x86-64", figures),
    programs: [
      `${text.join("")} mfence; movq $1, DATA + 0x300`,
      "turn: mov DATA, %rax; mov DATA + 64, %rax; mov DATA + 128, %rax; cmpq $0, DATA + 0x300; je turn",
    ],
  });
  guest.machine.core.setPerturbation(seed);
  guest.run(100_000);
  return readBack(guest, X86_DATA, kept);
}

function onArm64(all: readonly Access[], seed: number): ReturnType<typeof expected> {
  const suffixes = { 1: "b", 2: "h", 4: "", 8: "" } as Record<number, string>;
  let kept = 0;
  const text = all.map(({ isStore, offset, bytes, value }) => {
    const at = `add x9, x20, #${offset}\n`;
    const register = bytes === 8 ? "x10" : "w10";
    if (isStore) return `li x10, #${value}\n ${at} str${suffixes[bytes]} ${register}, [x9]\n`;
    return `${at} ldr${suffixes[bytes]} ${register}, [x9]\n str x10, [x20, #${KEPT + 8 * kept++}]\n`;
  });
  const guest = new Guest(
    `first: li x20, #${ARM64_DATA}
    ${text.join("")}
    dsb sy
    str x20, [x20, #0x300]
    b park
    second: li x20, #${ARM64_DATA}
    turn: ldr x9, [x20]
    ldr x9, [x20, #64]
    ldr x9, [x20, #128]
    ldr x9, [x20, #0x300]
    cbz x9, turn
    ${park}`,
    {
      topology: buildTopology({ architecture: "arm64", packages: 1, coresPerLlc: 2 }),
      timing: plainTiming("arm64", figures),
    },
  );
  guest.machine.core.setPerturbation(seed);
  guest.start("first", "second").run(100_000);
  return readBack(guest, ARM64_DATA, kept);
}

function readBack({ machine }: Pick<Guest, "machine">, data: number, kept: number): ReturnType<typeof expected> {
  expect(machine.read64(data + 0x300)).not.toBe(0n);
  const loads = Array.from({ length: kept }, (_, index) => machine.read64(data + KEPT + 8 * index));
  return { loads, memory: machine.read(data, BYTES) };
}

describe.each([
  ["x86-64", onX86],
  ["arm64", onArm64],
] as const)("an %s CPU", (_, run) => {
  it("sees its own stores in program order, however long they wait", () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const all = accesses(new Random(seed));
      expect({ seed, ...run(all, seed) }).toEqual({ seed, ...expected(all) });
    }
  });
});
