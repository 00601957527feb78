// Instructions with several accesses look at the rights of all bytes first: what ends with the last byte of a page needs
// nothing of the next, and one byte more does.

import { describe, expect, it } from "vitest";
import { StopReason } from "../../src/abi.ts";
import { DATA, DATA_BYTES, selectors } from "../instructions/x86-64/guest.ts";
import { caught, halt } from "../instructions/x86-64/text-guest.ts";

/** The page behind isn't mapped. */
const END = DATA + DATA_BYTES;
const PAGE_FAULT = 14n;

interface Instruction {
  readonly name: string;
  readonly bytes: number;
  /** An access to the bytes from an address on. */
  readonly text: (address: number) => string;
}

const instructions: readonly Instruction[] = [
  { name: "mov", bytes: 8, text: (address) => `mov ${address}, %r9` },
  { name: "movsq from", bytes: 8, text: (address) => `mov $${address}, %esi; mov $DATA, %edi; movsq` },
  { name: "movsq to", bytes: 8, text: (address) => `mov $DATA, %esi; mov $${address}, %edi; movsq` },
  { name: "pop", bytes: 8, text: (address) => `mov $${address}, %esp; pop %r9` },
  { name: "push", bytes: 8, text: (address) => `mov $${address} + 8, %esp; push %r9` },
  { name: "sidt", bytes: 10, text: (address) => `sidt ${address}` },
];

describe.each(instructions)("$name", ({ bytes, text }) => {
  const vectorAt = (address: number): bigint =>
    caught(`${text(address)}; mov $${END}, %esp; ${halt}`).guest.reg(0, "r15");

  it("up to the last byte of a page", () => {
    expect(vectorAt(END - bytes)).toBe(0n);
  });

  it("and a byte more", () => {
    expect(vectorAt(END - bytes + 1)).toBe(PAGE_FAULT);
  });
});

describe("an exception's frame of five words", () => {
  it("fits below the end of a page, and IRETQ finds it there", () => {
    const { guest, frame } = caught(`mov $${END}, %esp; int3; mov $7, %r8d; ud2`, {
      handlers: { bp: { raw: "mov %rsp, %r9; iretq" } },
    });
    expect(guest.regs(0, "r8", "r9")).toEqual([7n, BigInt(END - 40)]);
    expect(frame.vector).toBe(6);
    expect(frame.ss).toBe(BigInt(selectors.data));
  });

  it("is not written when there is no page: nor can the fault be told, and the CPU shuts down", () => {
    const { guest } = caught(`mov $${END} + 0x800, %esp; int3`);
    expect(guest.stop.reason).toBe(StopReason.TRIPLE_FAULT);
  });
});
