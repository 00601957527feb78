// Stretches at CPL 3: what is refused there, what is done otherwise than at CPL 0, frames of what comes from there.

import { RAX, RCX, RDI, RSI, RSP, le } from "../code.ts";
import type { Draw } from "../draw.ts";
import { DATA, LEAVE_VECTOR, SELECTORS, USER_CODE_SELECTOR, USER_DATA_SELECTOR } from "../harness.ts";
import { ALL, type Template } from "./template.ts";

/**
 * Single instructions; memory operands are at RSI, in the data. Left out, because QEMU 7.2 does it otherwise than the manual: INT through a gate
 * that CPL 3 may not use, whose error code has the vector times 16 there.
 */
const instructions: readonly (readonly number[])[] = [
  [0xf4], // hlt
  [0xfa], // cli
  [0xfb], // sti
  [0xe6, 0x80], // out 80h, al
  [0x0f, 0x32], // rdmsr
  [0x0f, 0x30], // wrmsr
  [0x0f, 0x01, 0xf8], // swapgs
  [0x0f, 0x01, 0x3e], // invlpg [rsi]
  [0x0f, 0x09], // wbinvd
  [0x0f, 0x06], // clts
  [0x0f, 0x20, 0xc0], // mov rax, cr0
  [0x44, 0x0f, 0x20, 0xc0], // mov rax, cr8
  [0x0f, 0x22, 0xd8], // mov cr3, rax
  [0x0f, 0x21, 0xf8], // mov rax, dr7
  [0x0f, 0x23, 0xf8], // mov dr7, rax
  [0x0f, 0x01, 0x16], // lgdt [rsi]
  [0x0f, 0x01, 0x1e], // lidt [rsi]
  [0x0f, 0x00, 0xd0], // lldt ax
  [0x0f, 0x00, 0xd8], // ltr ax
  [0x0f, 0x01, 0xf0], // lmsw ax
  [0x0f, 0x01, 0xc8], // monitor
  [0x0f, 0x01, 0xc9], // mwait
  [0x0f, 0x01, 0xca], // clac
  [0x0f, 0x01, 0xcb], // stac
  [0x0f, 0x33], // rdpmc
  [0x48, 0x0f, 0x07], // sysretq without EFER.SCE
  [0x0f, 0x05], // syscall likewise
  [0xcc], // int3: allowed
  [0xcd, 0x03],
  [0x0f, 0x0b], // ud2
  [0x31, 0xc9, 0xf7, 0xf1], // div by 0
  [0x48, 0x8b, 0x04, 0x25, 8, 0, 0, 0], // page 0: a load
  [0x48, 0x89, 0x04, 0x25, 8, 0, 0, 0], // a store
  [0xff, 0x14, 0x25, 0, 1, 0, 0], // call through it
];

/** LAR, LSL, VERR, VERW of EAX; loads of DS and SS from it. */
const ofSelector: readonly (readonly number[])[] = [
  [0x0f, 0x02, 0xc8],
  [0x0f, 0x03, 0xc8],
  [0x0f, 0x00, 0xe0],
  [0x0f, 0x00, 0xe8],
  [0x8e, 0xd8],
  [0x8e, 0xd0],
];

function withSelector(code: Draw): void {
  const { random } = code;
  const selector = random.pick([...SELECTORS, 0, USER_CODE_SELECTOR, USER_DATA_SELECTOR]) | random.between(0, 3);
  code.movImmediate(RAX, selector).movImmediate(RCX, 0);
  code.guarded(() => code.raw(...random.pick(ofSelector)));
  // A null selector, or one that the other machine keeps otherwise, for the rest of the program.
  code.movImmediate(RAX, USER_DATA_SELECTOR).raw(0x8e, 0xd8, 0x8e, 0xd0);
  code.flags(ALL);
}

/** POPFQ, and what has become of the flags; to where IRETQ leads from there. */
function flagsOrReturn(code: Draw): void {
  const { random } = code;
  if (random.chance(50)) {
    code.raw(0x68, ...le((random.next() & 0x3ad5) | 2, 4), 0x9d, 0x9c).pop(RAX);
    code.flags(ALL);
    return;
  }
  const cs = random.pick([USER_CODE_SELECTOR, 0x08, 0x0b, 0x50, 0x28, 0]);
  const ss = random.pick([USER_DATA_SELECTOR, USER_DATA_SELECTOR, 0x10, 0, 3, 0x58]);
  code.guarded(() => {
    code.raw(0x6a, ss).push(RDI).raw(0x9c, 0x6a, cs);
    const { patch } = code.leaBehind(RSI);
    code.push(RSI).raw(0x48, 0xcf);
    patch();
  });
  code.mov(RSP, RDI);
}

export const userMode: Template = {
  name: "user mode",
  weight: 8,
  emit(code) {
    const { random } = code;
    code.need(ALL).mov(RDI, RSP);
    code.raw(0x6a, USER_DATA_SELECTOR).push(RDI).raw(0x9c, 0x6a, USER_CODE_SELECTOR);
    const { patch } = code.leaBehind(RSI);
    code.push(RSI).raw(0x48, 0xcf);
    patch();
    for (let i = random.between(1, 3); i > 0; i--) {
      const kind = random.between(0, 9);
      if (kind < 2) withSelector(code);
      else if (kind < 4) flagsOrReturn(code);
      else {
        code.movImmediate(RSI, DATA);
        code.guarded(() => code.raw(...random.pick(instructions)));
        code.mov(RSP, RDI);
      }
    }
    code.raw(0xcd, LEAVE_VECTOR);
  },
};
