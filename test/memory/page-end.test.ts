// Instructions with several accesses look at the rights of all bytes first: what ends with the last byte of a page needs
// nothing of the next, and one byte more does.

import { describe, expect, it } from "vitest";
import { StopReason } from "../../src/abi.ts";
import { type Code, R8, R9, R15, RAX, RBX, RCX, RDI, RDX, RSI, RSP } from "../instructions/x86-64/code.ts";
import { caught, DATA, DATA_BYTES, halt, iretq, selectors } from "../instructions/x86-64/guest.ts";

/** The page behind isn't mapped. */
const END = DATA + DATA_BYTES;
const BREAKPOINT = 3;
const PAGE_FAULT = 14n;

interface Instruction {
  readonly name: string;
  readonly bytes: number;
  /** An access to the bytes from an address on. */
  readonly emit: (code: Code, address: number) => void;
}

const instructions: readonly Instruction[] = [
  { name: "mov", bytes: 8, emit: (code, address) => void code.mov(R9, { displacement: address }) },
  { name: "movsq from", bytes: 8, emit: (code, address) => moveString(code, address, DATA) },
  { name: "movsq to", bytes: 8, emit: (code, address) => moveString(code, DATA, address) },
  { name: "pop", bytes: 8, emit: (code, address) => void code.movShort(RSP, address).pop(R9) },
  { name: "push", bytes: 8, emit: (code, address) => void code.movShort(RSP, address + 8).push(R9) },
  {
    name: "sidt",
    bytes: 10,
    emit: (code, address) => void code.put({ opcode: [0x0f, 0x01], reg: 1, rm: { displacement: address } }),
  },
];

function moveString(code: Code, from: number, to: number): void {
  code.movShort(RSI, from).movShort(RDI, to).raw(0x48, 0xa5);
}

describe.each(instructions)("$name", ({ bytes, emit }) => {
  const vectorAt = (address: number): bigint => {
    const { guest } = caught((code) => {
      emit(code, address);
      code.movShort(RSP, END).movShort(R8, 1);
      halt(code);
    });
    return guest.register(0, R15);
  };

  it("up to the last byte of a page", () => {
    expect(vectorAt(END - bytes)).toBe(0n);
  });

  it("and a byte more", () => {
    expect(vectorAt(END - bytes + 1)).toBe(PAGE_FAULT);
  });
});

describe("an exception's frame of five words", () => {
  it("fits below the end of a page, and IRETQ finds it there", () => {
    const { guest, frame } = caught(
      (code) => {
        code.movShort(RAX, 1).movShort(RCX, 2).movShort(RDX, 3).movShort(RBX, 4);
        code.movShort(RSP, END).raw(0xcc).label("back").movShort(R8, 7).raw(0x0f, 0x0b);
        code.label("breakpoint").mov(R9, RSP);
        iretq(code);
      },
      { gates: { [BREAKPOINT]: { label: "breakpoint" } } },
    );
    expect(guest.registers(0, R8, R9)).toEqual([7n, BigInt(END - 40)]);
    expect(frame.vector).toBe(6);
    expect(frame.ss).toBe(BigInt(selectors.data));
  });

  it("is not written when there is no page: nor can the fault be told, and the CPU shuts down", () => {
    const { guest } = caught((code) => code.movShort(RSP, END + 0x800).raw(0xcc));
    expect(guest.stop.reason).toBe(StopReason.TRIPLE_FAULT);
  });
});
