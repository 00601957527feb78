// What only a kernel does.

import { RAX, RCX, RDX, RSP, RSI, RDI, R14, le, type Memory } from "../code.ts";
import { DATA, DATA_BYTES, SELECTORS } from "../harness.ts";
import { type Template, A, Z, ALL } from "./template.ts";

export const system: readonly Template[] = [
  {
    name: "cli sti, swapgs, FS and GS bases",
    weight: 5,
    emit(code) {
      const { random } = code;
      switch (random.between(0, 4)) {
        case 0:
          code.raw(random.pick([0xfa, 0xfb]));
          break;
        case 1:
          code.raw(0x0f, 0x01, 0xf8, 0x0f, 0x01, 0xf8);
          break;
        case 2: // rdfsbase, rdgsbase
          code.put({
            opcode: [0x0f, 0xae],
            prefixes: [0xf3],
            reg: random.between(0, 1),
            rm: code.target(),
            wide: random.chance(50),
          });
          break;
        case 3: // wrgsbase, then back
          code
            .movImmediate(RSI, code.number(4))
            .put({ opcode: [0x0f, 0xae], prefixes: [0xf3], reg: 3, rm: RSI, wide: true });
          code.put({ opcode: [0x0f, 0xae], prefixes: [0xf3], reg: 1, rm: RDI, wide: true });
          code
            .movImmediate(RSI, DATA + 0x800)
            .put({ opcode: [0x0f, 0xae], prefixes: [0xf3], reg: 3, rm: RSI, wide: true });
          break;
        default: // wrmsr and rdmsr of KERNEL_GS_BASE, LSTAR or FS_BASE
          code.movImmediate(RCX, random.pick([0xc000_0102, 0xc000_0082])).movImmediate(RAX, code.number(4));
          code
            .put({ opcode: [0x31], reg: RDX, rm: RDX })
            .flags(ALL, A)
            .raw(0x0f, 0x30, 0x0f, 0x32);
          break;
      }
    },
  },
  {
    name: "control registers",
    weight: 3,
    emit(code) {
      const { random } = code;
      switch (random.between(0, 3)) {
        case 0:
          code
            .put({ opcode: [0x0f, 0x22], reg: 2, rm: code.source() })
            .put({ opcode: [0x0f, 0x20], reg: 2, rm: code.target() });
          break;
        case 1: // cr8
          code.put({ opcode: [0xb8], low: RSI, immediate: le(random.between(0, 15), 4) });
          code.put({ opcode: [0x0f, 0x22], reg: 8, rm: RSI }).put({ opcode: [0x0f, 0x20], reg: 8, rm: code.target() });
          break;
        case 2: // dr0 to dr3
          code.put({ opcode: [0x0f, 0x23], reg: random.between(0, 3), rm: code.source() });
          code.put({ opcode: [0x0f, 0x21], reg: random.between(0, 3), rm: code.target() });
          code.put({ opcode: [0x31], reg: RSI, rm: RSI }).flags(ALL, A);
          for (let register = 0; register < 4; register++) code.put({ opcode: [0x0f, 0x23], reg: register, rm: RSI });
          break;
        default: // TS set and cleared, seen in CR0 by SMSW
          code
            .put({ opcode: [0x0f, 0x20], reg: 0, rm: RDI })
            .raw(0x83, 0xcf, 8)
            .flags(ALL, A); // or edi, TS
          code.put({ opcode: [0x0f, 0x01], reg: 6, rm: RDI }); // lmsw
          code.sized(code.size(2, 4, 8), { opcode: [0x0f, 0x01], reg: 4, rm: code.target() }); // smsw
          code.raw(0x0f, 0x06); // clts
          break;
      }
    },
  },
  {
    name: "selectors",
    weight: 4,
    emit(code) {
      const { random } = code;
      const selector = random.pick([0, 3, ...SELECTORS, 0x50, 0x1_0008, 0xc]);
      code.movImmediate(RSI, selector);
      switch (random.between(0, 3)) {
        case 0: {
          // lar, lsl
          code.need(ALL & ~Z);
          code.sized(code.size(2, 4, 8), { opcode: [0x0f, random.pick([2, 3])], reg: code.target(), rm: RSI });
          code.flags(Z);
          break;
        }
        case 1: // verr, verw
          code
            .need(ALL & ~Z)
            .put({ opcode: [0x0f, 0x00], reg: random.between(4, 5), rm: RSI })
            .flags(Z);
          break;
        case 2: {
          // mov to DS or ES, faults included, and back
          const reg = random.pick([0, 3]);
          code.guarded(() => code.put({ opcode: [0x8e], reg, rm: RSI }));
          code.sized(code.size(2, 4, 8), { opcode: [0x8c], reg, rm: code.target() });
          code.put({ opcode: [0xb8], low: RSI, immediate: le(0x10, 4) }).put({ opcode: [0x8e], reg, rm: RSI });
          break;
        }
        default: {
          // push and pop of FS, whose base comes from the descriptor
          code.guarded(() => code.push(RSI).raw(0x0f, 0xa1).push(RSI));
          code.raw(0x5e);
          code.put({ opcode: [0x0f, 0xae], prefixes: [0xf3], reg: 0, rm: code.target(), wide: true });
          code.put({ opcode: [0x8c], reg: 4, rm: { base: R14, displacement: random.between(0, DATA_BYTES - 2) } });
          code.movImmediate(RSI, 0).put({ opcode: [0x8e], reg: 4, rm: RSI });
          code
            .movImmediate(RSI, DATA + 0x100)
            .put({ opcode: [0x0f, 0xae], prefixes: [0xf3], reg: 2, rm: RSI, wide: true });
          break;
        }
      }
    },
  },
  {
    name: "iretq, lretq, far jmp",
    weight: 3,
    emit(code) {
      const { random } = code;
      switch (random.between(0, 2)) {
        case 0: {
          // ss, rsp, rflags, cs, rip
          code.raw(0x6a, 0x10).push(RSP).aluImmediate("add", { base: RSP }, 8);
          code.raw(0x68, ...le((random.next() & 0x24_3ad5) | 2, 4), 0x6a, 0x08);
          code.put({ opcode: [0x8d], reg: RSI, rm: { rip: true, displacement: code.here + 7 + 1 + 2 }, wide: true });
          code.push(RSI).raw(0x48, 0xcf).flags(ALL);
          break;
        }
        case 1:
          code.raw(0x6a, 0x08);
          code.put({ opcode: [0x8d], reg: RSI, rm: { rip: true, displacement: code.here + 7 + 1 + 2 }, wide: true });
          code.push(RSI).raw(0x48, 0xcb);
          break;
        default: {
          const at = random.between(0, 64) * 16 + 6;
          code.put({
            opcode: [0x66, 0xc7],
            rm: { displacement: DATA + DATA_BYTES / 2 + at + 4 },
            immediate: le(0x08, 2),
          });
          code.put({ opcode: [0x8d], reg: RSI, rm: { rip: true, displacement: code.here + 7 + 8 + 8 }, wide: true });
          code.raw(0x41, 0x89, 0xb4, 0x24, ...le(at, 4)); // mov [r12 + at], esi
          code.raw(0x41, 0xff, 0xac, 0x24, ...le(at, 4)); // jmp far m16:32
          break;
        }
      }
    },
  },
  {
    name: "lcall, lret with bytes to release",
    weight: 2,
    emit(code) {
      const { random } = code;
      const size = code.size(4, 8);
      const at = random.between(0, 64) * 16;
      const released = random.between(0, 3) * 8;
      for (let i = 0; i < released; i += 8) code.push(code.source());
      // the pointer: RIP of the callee, then CS
      const pointer = { base: R14, displacement: at };
      code.put({ opcode: [0xc7], rm: { base: R14, displacement: at + size }, immediate: le(0x08, 4) });
      const { patch } = code.leaBehind(RSI);
      code.sized(size, { opcode: [0x89], reg: RSI, rm: pointer });
      code.put({ opcode: [0xff], reg: 3, rm: pointer, wide: size === 8 });
      const back = size === 8 ? [0x48, 0xca] : [0xca];
      code.raw(0xeb, back.length + 2);
      patch();
      code.raw(...back, ...le(released, 2));
    },
  },
  {
    name: "iretd",
    weight: 1,
    emit(code) {
      // eip, cs, eflags, esp, ss of four bytes each
      code.mov(RDI, RSP).aluImmediate("sub", RSP, 20);
      const { patch } = code.leaBehind(RSI);
      const put = (offset: number, value: number): unknown =>
        code.put({ opcode: [0xc7], rm: { base: RSP, displacement: offset }, immediate: le(value, 4) });
      code.put({ opcode: [0x89], reg: RSI, rm: { base: RSP } });
      put(4, 0x08);
      put(8, (code.random.next() & 0x24_3ad5) | 2);
      code.put({ opcode: [0x89], reg: RDI, rm: { base: RSP, displacement: 12 } });
      put(16, 0x10);
      code.raw(0xcf);
      patch();
      code.flags(ALL);
    },
  },
  {
    name: "syscall",
    weight: 2,
    emit(code) {
      const { random } = code;
      // or eax, 1 or and eax, ~1
      const efer = (change: readonly number[]): void => {
        code
          .movImmediate(RCX, 0xc000_0080)
          .raw(0x0f, 0x32, 0x83, ...change)
          .raw(0x0f, 0x30);
      };
      const write = (msr: number, value: bigint): void => {
        code
          .movImmediate(RCX, msr)
          .movImmediate(RAX, value & 0xffff_ffffn)
          .movImmediate(RDX, value >> 32n);
        code.raw(0x0f, 0x30);
      };
      efer([0xc8, 1]);
      write(0xc000_0081, 0x08n << 32n); // STAR
      write(0xc000_0084, BigInt(random.next() & 0x24_3ad5)); // FMASK
      code.movImmediate(RCX, 0xc000_0082).movImmediate(RDX, 0);
      const { patch } = code.leaBehind(RAX);
      code.raw(0x0f, 0x30); // LSTAR
      // AF is left undefined by the OR
      code.flags(ALL, A).need(ALL).raw(0x0f, 0x05, 0x0f, 0x0b);
      patch();
      efer([0xe0, 0xfe]);
      code.flags(ALL, A);
    },
  },
  {
    name: "lss lfs lgs",
    weight: 2,
    emit(code) {
      // QEMU reads m16:32 also with REX.W, as AMD's processors do; Intel's read m16:64 (SDM 2A LSS).
      const size = code.size(2, 4);
      const displacement = code.random.between(0, 64) * 16;
      const [segment, opcode] = code.random.pick([
        [2, 0xb2],
        [4, 0xb4],
        [5, 0xb5],
      ] as const);
      const selector = segment === 2 ? 0x10 : code.random.pick([0, 3, ...SELECTORS, 0x50]);
      code.put({
        opcode: [0xc7],
        prefixes: [0x66],
        rm: { base: R14, displacement: displacement + size },
        immediate: le(selector, 2),
      });
      const rm = { base: R14, displacement };
      code.guarded(() => code.sized(size, { opcode: [0x0f, opcode], reg: code.target(), rm }));
      if (segment === 2) return;
      const base = segment - 4;
      code.put({ opcode: [0x0f, 0xae], prefixes: [0xf3], reg: base, rm: code.target(), wide: true });
      code.movImmediate(RSI, 0).put({ opcode: [0x8e], reg: segment, rm: RSI });
      code.movImmediate(RSI, DATA + (base === 0 ? 0x100 : 0x800));
      code.put({ opcode: [0x0f, 0xae], prefixes: [0xf3], reg: 2 + base, rm: RSI, wide: true });
    },
  },
  {
    name: "selectors and machine words in memory",
    weight: 3,
    emit(code) {
      const { random } = code;
      const rm: Memory = { base: R14, displacement: random.between(0, DATA_BYTES - 2) };
      switch (random.between(0, 3)) {
        case 0: // sldt, str, smsw, and mov from a segment register: two bytes whatever the operand size
          code.sized(code.size(2, 4, 8), { opcode: [0x0f, 0x00], reg: random.between(0, 1), rm });
          code.sized(code.size(2, 4, 8), { opcode: [0x0f, 0x01], reg: 4, rm: code.memory(2) });
          code.sized(code.size(2, 4, 8), { opcode: [0x8c], reg: random.between(0, 5), rm: code.memory(2) });
          break;
        case 1: // lar, lsl, verr, verw
          code.need(ALL & ~Z).put({ opcode: [0xc7], prefixes: [0x66], rm, immediate: le(random.pick(SELECTORS), 2) });
          if (random.chance(50))
            code.sized(code.size(2, 4, 8), { opcode: [0x0f, random.pick([2, 3])], reg: code.target(), rm });
          else code.put({ opcode: [0x0f, 0x00], reg: random.between(4, 5), rm });
          code.flags(Z);
          break;
        case 2: // mov to DS from memory, faults included
          code.put({ opcode: [0xc7], prefixes: [0x66], rm, immediate: le(random.pick([0, 3, ...SELECTORS, 0x50]), 2) });
          code.guarded(() => code.put({ opcode: [0x8e], reg: 3, rm }));
          code.put({ opcode: [0x8c], reg: 3, rm: code.target() });
          code.movImmediate(RSI, 0x10).put({ opcode: [0x8e], reg: 3, rm: RSI });
          break;
        default: // IA32_TSC_AUX by rdtscp, which QEMU knows unlike rdpid; invlpg
          code.movImmediate(RCX, 0xc000_0103).movImmediate(RAX, code.number(4)).movImmediate(RDX, 0).raw(0x0f, 0x30);
          code.raw(0x0f, 0x01, 0xf9).movImmediate(RAX, 0).movImmediate(RDX, 0);
          code.put({ opcode: [0x0f, 0x01], reg: 7, rm });
          break;
      }
    },
  },
  {
    name: "descriptor table registers",
    weight: 1,
    emit(code) {
      const rm = code.memory(10);
      code.put({ opcode: [0x0f, 0x01], reg: code.random.between(0, 1), rm });
      code.put({ opcode: [0x0f, 0x00], reg: code.random.between(0, 1), rm: code.target() });
    },
  },
];
