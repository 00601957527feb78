// Encodings and selections that are easy to get wrong, each with the bytes or the refusal that is right.

import { describe, expect, it } from "vitest";
import {
  arm64,
  Arm64Assembler,
  array,
  asmRoutine,
  buildImage,
  global,
  nothing,
  perCpu,
  ptr,
  routine,
  struct,
  u32,
  u64,
  u8,
  x64,
  X64Assembler,
} from "../../src/asm/index.ts";
import type {
  Arm64Flavour,
  Architecture,
  Callable,
  Image,
  PointerLocal,
  Recorder,
  Value,
} from "../../src/asm/index.ts";
import { contentOf } from "./support/golden.ts";

const Cell = struct("pitfall_cell", { a: u64, b: u32, c: u32, bits: array(u64, 4), tiny: u8 });
const area = perCpu("pitfall_area", struct("pitfall_percpu", { self: u64, counter: u32 }), { offset: 0 });

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function x64Bytes(write: (a: X64Assembler) => void): string {
  const a = new X64Assembler();
  write(a);
  return hex(a.finish().bytes);
}

function arm64Words(write: (a: Arm64Assembler) => void): string[] {
  const a = new Arm64Assembler();
  write(a);
  return words(a.finish().bytes);
}

function words(bytes: Uint8Array): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 4 }, (_, i) =>
    view
      .getUint32(4 * i, true)
      .toString(16)
      .padStart(8, "0"),
  );
}

type Body = (k: Recorder<typeof nothing>, p: PointerLocal<typeof Cell>) => void;

/** Code of a routine over a cell. */
function codeOf(architecture: Architecture, body: Body, flavour: Partial<Arm64Flavour> = {}): Uint8Array {
  const target = routine("subject", { p: ptr(Cell) }, nothing, (k, { p }) => {
    body(k, p);
  });
  return contentOf(buildImage({ architecture, roots: [target], flavour }), "subject");
}

describe("x86-64 memory operands", () => {
  it("give base rbp and r13 a displacement byte", () => {
    expect(x64Bytes((a) => a.mov(x64.rax, x64.at(x64.rbp)))).toBe("488b4500");
    expect(x64Bytes((a) => a.mov(x64.rax, x64.at(x64.r13)))).toBe("498b4500");
    expect(x64Bytes((a) => a.mov(x64.rax, x64.memory(64, { base: x64.r13, index: x64.rax })))).toBe("498b440500");
  });

  it("give base rsp and r12 a SIB byte", () => {
    expect(x64Bytes((a) => a.mov(x64.rax, x64.at(x64.rsp)))).toBe("488b0424");
    expect(x64Bytes((a) => a.mov(x64.rax, x64.at(x64.r12, 8)))).toBe("498b442408");
  });

  it("take r12 as an index and refuse rsp", () => {
    expect(x64Bytes((a) => a.mov(x64.rax, x64.memory(64, { base: x64.rax, index: x64.r12, scale: 8 })))).toBe(
      "4a8b04e0",
    );
    expect(() => x64Bytes((a) => a.mov(x64.rax, x64.memory(64, { base: x64.rax, index: x64.rsp })))).toThrow(
      "rsp can't be an index",
    );
  });

  it("reach gs:[disp32] by a SIB byte, since the short form is relative to rip", () => {
    expect(x64Bytes((a) => a.mov(x64.eax, x64.memory(32, { segment: "gs", displacement: 8 })))).toBe(
      "658b042508000000",
    );
  });

  it("count the bytes of an immediate behind a rip-relative displacement", () => {
    const cell = global("pitfall_counter", u32);
    const target = routine("rip", {}, nothing, (k) => {
      k.set(cell, 7);
      k.set(cell, 0x1_0000);
    });
    const image = buildImage({ architecture: "x86-64", roots: [target] });
    const address = image.addressOf(cell);
    const start = image.addressOf(target);
    const bytes = contentOf(image, "rip");
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    // c7 05 disp32 imm32: ten bytes.
    expect(start + 10 + view.getInt32(2, true)).toBe(address);
    expect(start + 20 + view.getInt32(12, true)).toBe(address);
  });
});

describe("x86-64 prefixes and immediates", () => {
  it("need an empty REX for spl, bpl, sil and dil", () => {
    expect(x64Bytes((a) => a.mov(x64.gpr(6, 8), x64.gpr(0, 8)))).toBe("4088c6");
    expect(x64Bytes((a) => a.mov(x64.gpr(3, 8), x64.gpr(0, 8)))).toBe("88c3");
    expect(x64Bytes((a) => a.setcc("e", x64.gpr(7, 8)))).toBe("400f94c7");
  });

  it("stand in the order segment, 66, F0, REX", () => {
    const operand = x64.memory(16, { base: x64.r8, segment: "gs" });
    expect(x64Bytes((a) => a.lock().add(operand, x64.gpr(9, 16)))).toBe("6566f0450108");
  });

  it("refuse an immediate that would be sign-extended to something else", () => {
    expect(() => x64Bytes((a) => a.mov(x64.at(x64.rax), 0x8000_0000))).toThrow("immediate does not fit");
    expect(() => x64Bytes((a) => a.add(x64.rax, 0x8000_0000))).toThrow("immediate does not fit");
    expect(x64Bytes((a) => a.add(x64.eax, 0x8000_0000))).toBe("0500000080");
  });

  it("wrap at the operand's width before a short form is chosen", () => {
    expect(x64Bytes((a) => a.add(x64.gpr(3, 8), 200))).toBe("80c3c8");
    expect(x64Bytes((a) => a.add(x64.ebx, 0xffff_ffff))).toBe("83c3ff");
  });

  it("keep xchg eax, eax apart from NOP, which clears no upper half", () => {
    expect(x64Bytes((a) => a.xchg(x64.eax, x64.eax))).toBe("87c0");
    expect(x64Bytes((a) => a.xchg(x64.eax, x64.ebx))).toBe("93");
  });

  it("refuse lock where the processor would raise #UD", () => {
    expect(() => x64Bytes((a) => a.lock().add(x64.rax, 1))).toThrow("can't be locked");
    expect(() => x64Bytes((a) => a.lock().cli())).toThrow("can't be locked");
  });
});

describe("x86-64 branches", () => {
  it("grow only where they must, and pull those along that jump over them", () => {
    // Jump n goes 18 + gap + n bytes while all are short; each longer one lengthens the jumps before it.
    const size = (gap: number): number => {
      const a = new X64Assembler();
      const labels = Array.from({ length: 10 }, () => a.newLabel());
      for (const label of labels) a.jmp(label);
      a.bytes(new Uint8Array(gap));
      for (const label of labels) a.place(label).nop(3);
      return a.finish().bytes.length;
    };
    expect(size(100)).toBe(10 * 2 + 100 + 30);
    expect(size(101)).toBe(10 * 5 + 101 + 30);
  });

  it.for([
    [125, "short"],
    [126, "short"],
    [127, "short"],
    [128, "long"],
  ] as const)("over %i bytes are %s", ([gap, form]) => {
    const bytes = x64Bytes((a) => a.jmp("end").bytes(new Uint8Array(gap)).label("end"));
    expect(bytes.startsWith("eb")).toBe(form === "short");
    expect(bytes.length / 2).toBe(gap + (form === "short" ? 2 : 5));
  });

  it("keep labels and alignment right while they grow", () => {
    const a = new X64Assembler();
    a.jmp("far").align(16).label("aligned").nop().bytes(new Uint8Array(200)).label("far").ret();
    const { labels, bytes } = a.finish();
    expect(labels.get("aligned")).toBe(16);
    expect(labels.get("far")).toBe(16 + 1 + 200);
    expect(hex(bytes.subarray(0, 5))).toBe(`e9${hex(new Uint8Array(new Int32Array([217 - 5]).buffer))}`);
  });
});

describe("A64 register 31", () => {
  it("is sp in mov and add, zero in orr", () => {
    expect(arm64Words((a) => a.mov(arm64.x0, arm64.sp))).toEqual(["910003e0"]);
    expect(arm64Words((a) => a.mov(arm64.x0, arm64.xzr))).toEqual(["aa1f03e0"]);
    expect(arm64Words((a) => a.add(arm64.sp, arm64.sp, arm64.x1))).toEqual(["8b2163ff"]);
  });
});

describe("A64 ranges", () => {
  it("of pairs are -512 to 504", () => {
    expect(() => arm64Words((a) => a.stp(arm64.x0, arm64.x1, arm64.offset(arm64.sp, 512)))).toThrow(
      "pair offset out of range",
    );
    expect(() => arm64Words((a) => a.stp(arm64.x0, arm64.x1, arm64.offset(arm64.sp, 4)))).toThrow(
      "multiple of the register size",
    );
    expect(arm64Words((a) => a.stp(arm64.x0, arm64.x1, arm64.offset(arm64.sp, -512)))).toHaveLength(1);
  });

  it("of tbz are 32 KiB", () => {
    const over =
      (count: number): (() => unknown) =>
      () =>
        arm64Words((a) => {
          a.tbz(arm64.x0, 3, "end");
          for (let i = 0; i < count; i++) a.nop();
          a.label("end");
        });
    expect(over(8190)).not.toThrow();
    expect(over(8191)).toThrow("branch distance of 14 bits out of range");
  });

  it("of add and sub immediates are 12 bits, perhaps shifted; negative ones change the instruction", () => {
    expect(arm64Words((a) => a.add(arm64.x0, arm64.x1, -8))).toEqual(arm64Words((a) => a.sub(arm64.x0, arm64.x1, 8)));
    expect(() => arm64Words((a) => a.add(arm64.x0, arm64.x1, 0x1001))).toThrow("not an add/sub immediate");
    expect(() => arm64Words((a) => a.subs(arm64.x0, arm64.x1, -8))).toThrow("not an add/sub immediate");
  });
});

describe("exclusive loops", () => {
  it("refuse a status register that is data or address", () => {
    expect(() => arm64Words((a) => a.stxr(arm64.w1, arm64.w1, arm64.x2))).toThrow("status register");
    expect(() => arm64Words((a) => a.stlxr(arm64.w2, arm64.w1, arm64.x2))).toThrow("status register");
  });

  /** Load and store encodings have bits 27 and 25 as x1x0 (Arm ARM, C4.1). */
  const accessesMemory = (word: number): boolean => ((word >>> 25) & 5) === 4;
  const isLoadExclusive = (word: number): boolean => (word & 0x3fe0_7c00) >>> 0 === 0x0840_7c00;
  const isStoreExclusive = (word: number): boolean => (word & 0x3fe0_7c00) >>> 0 === 0x0800_7c00;

  it("access no memory between the exclusive load and store, however many values are spilled", () => {
    const code = codeOf(
      "arm64",
      (k, p) => {
        const many = Array.from({ length: 40 }, (_, i) => k.let(`v${i}`, p.a.add(i)));
        many.forEach((value, i) => void k.cmpxchg(p.a, value, many[39 - i] ?? value));
        many.forEach((value) => void k.fetchAdd(p.a, value));
        many.forEach((value) => void k.xchg(p.a, value));
        k.set(
          p.a,
          many.reduce<Value<"u64">>((sum, value) => sum.add(value), p.a),
        );
      },
      { atomics: "llsc" },
    );
    let open = false;
    let loops = 0;
    for (const text of words(code)) {
      const word = parseInt(text, 16);
      if (isStoreExclusive(word)) {
        expect(open).toBe(true);
        open = false;
        loops++;
      } else if (isLoadExclusive(word)) {
        open = true;
      } else if (open) {
        expect(accessesMemory(word), text).toBe(false);
      }
    }
    expect(loops).toBe(120);
  });

  it("compare on a copy with casal, which overwrites its compare operand", () => {
    const code = words(
      codeOf("arm64", (k, p) => {
        const expected = k.let("expected", p.b);
        void k.cmpxchg(p.b, expected, 1);
        k.set(p.c, expected);
      }),
    );
    const cas = code.findIndex((word) => word.startsWith("88e"));
    const status = (parseInt(code[cas] ?? "0", 16) >>> 16) & 31;
    const copy = parseInt(code[cas - 1] ?? "0", 16);
    expect(((copy & 0xffe0_ffe0) >>> 0).toString(16)).toBe("2a0003e0");
    expect(copy & 31).toBe(status);
  });
});

describe("fused conditions", () => {
  it("do not compare again what cmpxchg compared", () => {
    const fused = hex(
      codeOf("x86-64", (k, p) => {
        const expected = k.let("expected", 0, u32);
        k.if(k.tryCmpxchg(p.b, expected, 1), () => k.set(p.c, 1));
      }),
    );
    // lock cmpxchg; mov expected, rax; jne: nothing else between.
    expect(fused).toMatch(/f00fb1..../);
    expect(fused).not.toMatch(/f00fb1.{4,10}(39|3b|85)..75/);
  });

  it("branch on the flags of lock dec and lock bts", () => {
    expect(hex(codeOf("x86-64", (k, p) => k.if(k.decAndTest(p.b), () => k.bug())))).toMatch(/^f0ff4f0875/);
    expect(hex(codeOf("x86-64", (k, p) => k.if(k.testAndSetBit(p.bits, p.b), () => k.bug())))).toMatch(
      /f0480fab.{4}73/,
    );
  });
});

describe("fences", () => {
  it("are never added: a store before an interprocessor write stays unordered", () => {
    const code = words(
      codeOf("arm64", (k, p) => {
        k.set(p.a, 1);
        k.arch({ arm64: (a, r) => a.msr("icc_sgi1r_el1", r.value) }, { uses: { value: p.a } });
        k.storeRelease(p.b, 2);
      }),
    );
    expect(
      code.filter((word) => word.startsWith("d50330") || word.startsWith("d50339") || word.startsWith("d5033")),
    ).toEqual([]);
  });

  it("can be left out one by one", () => {
    const Publish = struct("publish", { data: u64, flag: u32 });
    const publish = routine("publish", { p: ptr(Publish) }, nothing, (k, { p }) => {
      k.set(p.data, 1);
      k.smpWmb("before_flag");
      k.writeOnce(p.flag, 1);
      k.smpMb("after_flag");
    });
    const size = (...without: string[]): number =>
      buildImage({ architecture: "arm64", roots: [publish], without }).symbol("publish").size;
    expect(size("publish:before_flag")).toBe(size() - 4);
    expect(size("publish:before_flag", "publish:after_flag")).toBe(size() - 8);
    expect(() => size("publish:typo")).toThrow("no fence of this image has that mark");
  });
});

describe("long routines and large data", () => {
  it("are refused beyond the reach of tbz", () => {
    const long = routine("long", { p: ptr(Cell) }, nothing, (k, { p }) => {
      for (let i = 0; i < 3000; i++) k.atomicAdd(p.a, 0x1234_5678_9abc_def0n);
    });
    expect(() => buildImage({ architecture: "arm64", roots: [long] })).toThrow("routine long is too long");
  });

  it("do not overflow the host's stack", () => {
    const large = new Uint8Array(300_000).fill(7);
    const data = global("large", array(u8, large.length), { initial: large, section: "rodata" });
    const image = buildImage({ architecture: "x86-64", roots: [data] });
    expect(image.segments[0]?.bytes.length).toBe(300_000);
    const stub = asmRoutine("large_stub", { x64: (a) => a.bytes(large) });
    expect(buildImage({ architecture: "x86-64", roots: [stub] }).symbol("large_stub").size).toBe(300_000);
  });

  it("refuse calls beyond 128 MiB on AArch64 and 2 GiB on x86-64", () => {
    const far = asmRoutine("far", { arm64: (a) => a.ret(), x64: (a) => a.ret() }, { address: 0x7_0000_0000 });
    const near = routine("near", {}, nothing, (k) => k.call(far));
    expect(() => buildImage({ architecture: "arm64", roots: [near] })).toThrow("near to far: too far away");
    expect(() => buildImage({ architecture: "x86-64", roots: [near] })).toThrow("near to far: too far away");
  });
});

describe("per-CPU accesses", () => {
  const bump = (image: (architecture: Architecture) => Image, architecture: Architecture): string =>
    hex(contentOf(image(architecture), "bump"));

  it("are gs-relative on x86-64 and go through TPIDR_EL1 on AArch64", () => {
    const target: Callable = routine("bump", {}, nothing, (k) => k.set(area.here.counter, 5));
    const image = (architecture: Architecture): Image => buildImage({ architecture, roots: [target] });
    expect(bump(image, "x86-64")).toBe("65c704250800000005000000c3");
    expect(words(Buffer.from(bump(image, "arm64"), "hex"))[1]).toBe("d538d08a");
  });
});
