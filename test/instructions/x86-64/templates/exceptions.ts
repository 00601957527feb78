// Instructions that fault or trap.

import { RCX, RSP, RSI, RDI, le } from "../code.ts";
import { DATA } from "../harness.ts";
import { type Template, ALL } from "./template.ts";

/**
 * Instructions that fault, or trap. Left out, because QEMU does them otherwise than the manual or processors: LOCK in front
 * of instructions that have no use for it, INT1, page faults of read-modify-write (W is set; measured), #SS for non-canonical
 * addresses, branches to and MSRs
 * with non-canonical addresses, unknown MSRs, reserved bits of control and debug registers. Small programs test these.
 */
const faulting: readonly (readonly number[])[] = [
  [0x0f, 0x0b], // ud2
  [0x0f, 0xb9, 0xc0], // ud1
  [0x06],
  [0x27],
  [0x60],
  [0x82, 0xc0, 0x01],
  [0xce],
  [0xd6],
  [0x0f, 0x04],
  [0x0f, 0x24, 0xc0],
  [0x0f, 0x22, 0xc8], // mov cr1
  [0xf0, 0x01, 0xc0], // lock add of a register
  [0xf0, 0x90],
  [0x8d, 0xc0], // lea of a register
  [0xff, 0xf8],
  [0xfe, 0xd0],
  [0x8e, 0xc8], // mov cs
  [0x8c, 0xf0],
  [0x0f, 0xc7, 0xc8], // cmpxchg8b of a register
  [0x0f, 0x38, 0xf0, 0xc0], // movbe of a register
  [0xc4, 0xe2, 0xfc, 0xf2, 0xc0], // andn with VEX.L
  [0x66, 0xc4, 0xe2, 0xf8, 0xf2, 0xc0], // 66 in front of VEX
  [0x0f, 0x01, 0xd0], // xgetbv without OSXSAVE
  [...Array.from({ length: 14 }, () => 0x2e), 0x90], // 15 bytes: fine
  [...Array.from({ length: 15 }, () => 0x2e), 0x90], // too long
  [0xcc],
  [0xcd, 0x03],
  [0xcd, 0x20],
  [0xcd, 0x80],
  [0xcd, 0xff],
  [0xf7, 0x34, 0x25, 0, 0, 0, 0], // div by memory at 0: a page fault
  [0x48, 0x8b, 0x04, 0x25, 8, 0, 0, 0],
  [0x48, 0x89, 0x04, 0x25, 0x10, 0, 0, 0],
  [0x48, 0x0f, 0xa3, 0x04, 0x25, 0, 0, 0, 0x40],
  [0xff, 0x34, 0x25, 0, 1, 0, 0],
  [0xff, 0x14, 0x25, 0, 1, 0, 0], // call through page 0
  [0xff, 0x24, 0x25, 0, 1, 0, 0],
  [0x8b, 0x04, 0x25, 0xfe, 0xff, 0xff, 0x00], // begins in the last page of memory
  [0x89, 0x04, 0x25, 0xfe, 0xff, 0xff, 0x00],
];

/** Instructions that fault because of what is in RSI, which is set before. */
const faultingWithOperand: readonly { value: bigint; bytes: readonly number[] }[] = [
  { value: 0x8000_0000_0000n, bytes: [0x48, 0x8b, 0x06] }, // not canonical: #GP
  { value: 0x8000_0000_0000n, bytes: [0x48, 0x89, 0x06] },
  { value: 0x1234_5678_9abc_def0n, bytes: [0xf0, 0xff, 0x06] },
  { value: 0xffff_8000_0000_0000n, bytes: [0x48, 0x8b, 0x06] }, // canonical: #PF
  { value: BigInt(DATA + 8), bytes: [0x48, 0x0f, 0xc7, 0x0e] }, // cmpxchg16b, misaligned
  { value: BigInt(DATA + 24), bytes: [0xf0, 0x48, 0x0f, 0xc7, 0x0e] },
  { value: 0x8n, bytes: [0x8e, 0xd6] }, // mov ss, code
  { value: 0x38n, bytes: [0x8e, 0xde] }, // mov ds, not present
  { value: 0x100n, bytes: [0x0f, 0x00, 0xde] }, // ltr beyond the table
  { value: 0x10n, bytes: [0x0f, 0x00, 0xd6] }, // lldt of data
  { value: 0n, bytes: [0xff, 0xe6] }, // jump to page 0
  { value: 0x100_0000n, bytes: [0xff, 0xe6] }, // beyond memory
];

export const exceptions: readonly Template[] = [
  {
    name: "exceptions",
    weight: 12,
    emit(code) {
      const bytes = code.random.pick(faulting);
      code.guarded(() => code.raw(...bytes));
    },
  },
  {
    name: "exceptions by operand",
    weight: 5,
    emit(code) {
      const { value, bytes } = code.random.pick(faultingWithOperand);
      code.movImmediate(RSI, value);
      // A call to nowhere leaves its return address on the stack.
      code.mov(RDI, RSP);
      code.guarded(() => code.raw(...bytes));
      code.mov(RSP, RDI);
    },
  },
  {
    name: "single step",
    weight: 1,
    emit(code) {
      code.need(ALL);
      // pushfq; or [rsp], TF; popfq; two or three instructions; pushfq; and [rsp], ~TF; popfq
      code.raw(0x9c).aluImmediate("or", { base: RSP }, 0x100).raw(0x9d);
      code.raw(0x90).put({ opcode: [0xff], reg: 0, rm: code.target(), wide: true });
      if (code.random.chance(50)) code.raw(0xeb, 0);
      if (code.random.chance(30)) {
        // One trap for each iteration of a string instruction (SDM 3B 17.3.1.4).
        code.movImmediate(RCX, 3).movImmediate(RDI, DATA).raw(0xf3, 0xaa);
      }
      code
        .raw(0x9c)
        .put({ opcode: [0x81], reg: 4, rm: { base: RSP }, wide: true, immediate: le(~0x100, 4) })
        .raw(0x9d);
      code.flags(ALL);
    },
  },
];
