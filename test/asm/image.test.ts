// Images: what is placed where, slots and options, per-CPU memory, determinism, and the refusals of the builder.

import { describe, expect, it } from "vitest";
import {
  array,
  asmRoutine,
  bind,
  bindList,
  buildImage,
  code,
  cpuCount,
  global,
  imageOption,
  listSlot,
  nothing,
  opaque,
  perCpu,
  perCpuStrideBytes,
  ptr,
  routine,
  self,
  signature,
  slot,
  struct,
  table,
  text,
  u16,
  u32,
  u64,
  u8,
  x64,
} from "../../src/asm/index.ts";
import type { Image, X64Assembler } from "../../src/asm/index.ts";
import { stopBindings, stopRoutines } from "./fixtures/stop-routines.ts";
import { contentOf, stopImage } from "./support/golden.ts";

const ARCHITECTURES = ["x86-64", "arm64"] as const;
const Pair = struct("image_pair", { low: u32, high: u16, next: ptr(self), call: code });

function bytesAt(image: Image, address: number, count: number): Uint8Array {
  for (const segment of image.segments) {
    const offset = address - segment.address;
    if (offset >= 0 && offset + count <= segment.bytes.length) return segment.bytes.subarray(offset, offset + count);
  }
  throw new Error(`no bytes at ${address}`);
}

function u64At(image: Image, address: number): number {
  const bytes = bytesAt(image, address, 8);
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
}

const leaf = routine("leaf", { n: u32 }, u32, (k, { n }) => {
  k.return(n.add(1));
});

describe("placing", () => {
  it("takes what the roots reach and nothing else", () => {
    const unused = routine("unused", {}, nothing, () => undefined);
    const held = global("held", u32);
    const caller = routine("caller", {}, u32, (k) => {
      k.return(k.call(leaf, held));
    });
    const image = buildImage({ architecture: "arm64", roots: [caller] });
    expect(image.symbols.map(({ name }) => name)).toEqual(["leaf", "caller", "held"]);
    expect(image.hasSymbol(unused.name)).toBe(false);
    expect(() => image.symbol("unused")).toThrow("the image has no such symbol");
  });

  it.for(ARCHITECTURES)("puts sections in order, with a page where rights change (%s)", (architecture) => {
    const head = asmRoutine("head", { x64: (a) => a.nop(), arm64: (a) => a.nop() }, { section: "head" });
    const vectors = asmRoutine(
      "vectors",
      { x64: (a) => a.nop(), arm64: (a) => a.nop() },
      { section: "vectors", align: 2048 },
    );
    const policy = routine("policy_code", {}, nothing, () => undefined, { section: "policy" });
    const roots = [
      global("g_arena", array(u64, 100), { section: "arena" }),
      global("g_arch", u64, { section: "arch", initial: 1 }),
      global("g_mostly", u64, { section: "readMostly" }),
      global("g_data", u64, { initial: 5 }),
      table("t_rodata", u32, [1, 2, 3]),
      policy,
      leaf,
      vectors,
      head,
    ];
    const image = buildImage({ architecture, roots, cpus: 3, perCpuStride: 4096 });
    expect(image.sections.map(({ name }) => name)).toEqual([
      ".head",
      ".vectors",
      ".text",
      ".text.policy",
      ".rodata",
      ".data",
      ".data.read_mostly",
      ".data.arch",
      ".percpu",
      ".arena",
    ]);
    const pages = new Map<number, string>();
    for (const { address, size, writable, executable } of image.sections) {
      for (let page = Math.floor(address / 4096); page * 4096 < address + size; page++) {
        const rights = `${writable ? "w" : "-"}${executable ? "x" : "-"}`;
        expect(pages.get(page) ?? rights).toBe(rights);
        pages.set(page, rights);
      }
    }
    expect(image.sections[0]?.address).toBe(architecture === "x86-64" ? 0x20_0000 : 0x4008_0000);
    expect(image.segments.map(({ writable, executable }) => [writable, executable])).toContainEqual([false, false]);
    expect(bytesAt(image, image.symbol("g_data").address, 8)[0]).toBe(5);
  });

  it("keeps declaration order in a section, and groups adjacent", () => {
    const roots = [
      global("a1", u32, { group: "a" }),
      global("lone", array(u8, 3)),
      global("a2", u64, { group: "a" }),
      global("line", u32, { align: 64 }),
    ];
    const image = buildImage({ architecture: "arm64", roots: [...roots].reverse() });
    const offsets = ["a1", "a2", "lone", "line"].map((name) => image.symbol(name).address - image.symbol("a1").address);
    expect(offsets).toEqual([0, 8, 16, 64]);
  });

  it("puts fixed routines at their address, in a segment of their own", () => {
    const trampoline = asmRoutine("trampoline", { x64: (a) => a.hlt() }, { address: 0x8000, align: 4096 });
    const image = buildImage({ architecture: "x86-64", roots: [leaf, trampoline] });
    expect(image.addressOf(trampoline)).toBe(0x8000);
    expect(image.segments[0]).toMatchObject({ address: 0x8000, memoryBytes: 1, executable: true });
    const clash = asmRoutine("clash", { x64: (a) => a.hlt() }, { address: 0x20_0000 });
    expect(() => buildImage({ architecture: "x86-64", roots: [leaf, clash] })).toThrow("overlap");
    const crooked = asmRoutine("crooked", { x64: (a) => a.hlt() }, { address: 0x8008, align: 16 });
    expect(() => buildImage({ architecture: "x86-64", roots: [crooked] })).toThrow(
      "crooked is not aligned at its address",
    );
  });
});

describe("data", () => {
  it("holds numbers, texts, structs and addresses", () => {
    const message = text("message", "hi\n");
    const second = global("second", Pair, { initial: { low: 1, high: 0xffff } });
    const first = global("first", Pair, { initial: { low: 0xffff_ffff, next: second, call: leaf } });
    const list = table("list", ptr(opaque), [message, first, second.high, null]);
    const image = buildImage({ architecture: "x86-64", roots: [list] });
    const start = image.symbol("list").address;
    expect([0, 8, 16, 24].map((at) => u64At(image, start + at))).toEqual([
      image.symbol("message").address,
      image.symbol("first").address,
      image.symbol("second").address + 4,
      0,
    ]);
    const { address } = image.symbol("first");
    expect(u64At(image, address + 8)).toBe(image.symbol("second").address);
    expect(u64At(image, address + 16)).toBe(image.symbol("leaf").address);
    expect(Buffer.from(bytesAt(image, image.symbol("message").address, 3)).toString()).toBe("hi\n");
    expect(image.sections.find(({ name }) => name === ".rodata")?.writable).toBe(false);
  });

  it("that starts as zero takes no bytes, however many CPUs there are", () => {
    const arena = global("zeros", array(u64, 1_000_000), { section: "arena" });
    const variable = perCpu("per_cpu_thing", Pair, { offset: 0x40 });
    const image = buildImage({ architecture: "arm64", roots: [leaf, arena, variable], cpus: 65_536 });
    const bytes = image.segments.reduce((sum, segment) => sum + segment.bytes.length, 0);
    expect(bytes).toBeLessThan(64);
    expect(image.symbol("__per_cpu_start").size).toBe(65_536 * 16_384);
    expect(image.perCpuAddress(variable, 65_535)).toBe(image.perCpuStart + 65_535 * 16_384 + 0x40);
    expect(() => image.perCpuAddress(variable, 65_536)).toThrow("no such CPU in the image");
  });

  it.for([
    ["a number out of range", () => global("x", u8, { initial: 300 }), "constant out of the range of u8"],
    ["too many entries", () => global("x", array(u8, 2), { initial: [1, 2, 3] }), "no list of up to 2 entries"],
    ["too long a text", () => global("x", array(u8, 2), { initial: "abc" }), "bytes do not fit u8[2]"],
    ["an address that is no constant", () => global("x", ptr(opaque), { initial: leaf as never }), undefined],
  ] as const)("refuses %s", ([, make, message]) => {
    const build = (): Image => buildImage({ architecture: "x86-64", roots: [make()] });
    if (message === undefined) expect(build).not.toThrow();
    else expect(build).toThrow(message);
  });

  it("refuses impossible declarations", () => {
    expect(() => global("x", u64, { align: 4 })).toThrow("global x can't be aligned so");
    expect(() => global("x", u64, { align: 24 })).toThrow("can't be aligned so");
    expect(() => global("x", u64, { section: "arena", initial: 1 })).toThrow("lies in the arena, which is zero");
    expect(() => perCpu("x", u64, { offset: 4 })).toThrow("per-CPU variable x can't lie there");
    expect(() => buildImage({ architecture: "x86-64", roots: [global("twice", u8), global("twice", u8)] })).toThrow(
      "two symbols of one name",
    );
  });
});

describe("slots", () => {
  const hook = slot("hook", { n: u32 }, u32);
  const user = routine("user", { n: u32 }, u32, (k, { n }) => {
    k.return(k.call(hook, n));
  });
  const one = routine("one", { n: u32 }, u32, (k, { n }) => k.return(n), { section: "policy" });
  const two = routine("two", { n: u32 }, u32, (k, { n }) => k.return(n.mul(5).add(n.shl(7)).xor(3)), {
    section: "policy",
  });

  it.for(ARCHITECTURES)("are bound per image, and shared code keeps its addresses (%s)", (architecture) => {
    const images = [one, two].map((target) =>
      buildImage({ architecture, roots: [user, leaf], bindings: [bind(hook, target)] }),
    );
    expect(images.map(({ slots }) => slots)).toEqual([{ hook: "one" }, { hook: "two" }]);
    for (const name of ["user", "leaf"])
      expect(new Set(images.map((image) => image.symbol(name).address)).size).toBe(1);
    expect(images[0]?.hasSymbol("two")).toBe(false);
    expect(images[0]?.addressOf(hook)).toBe(images[0]?.symbol("one").address);
    expect(images[0]?.hash).not.toBe(images[1]?.hash);
  });

  it("must be bound exactly once, with the same signature", () => {
    expect(() => buildImage({ architecture: "x86-64", roots: [user] })).toThrow(
      "slot hook, used by user, is not bound",
    );
    const both = [bind(hook, one), bind(hook, two)];
    expect(() => buildImage({ architecture: "x86-64", roots: [user], bindings: both })).toThrow(
      "slot hook is bound to both one and two",
    );
    const other = routine("other", { n: u64 }, u32, (k) => k.return(1));
    expect(() => bind(hook, other as never)).toThrow("slot hook and routine other differ in their signatures");
    const loop = bind(hook, hook);
    expect(() => buildImage({ architecture: "x86-64", roots: [user], bindings: [loop] })).toThrow(
      "slot hook is bound to itself",
    );
  });

  it("with lists hold ordered entries and their number", () => {
    const handlers = listSlot("handlers", code);
    const walk = routine("walk", {}, u32, (k) => {
      const sum = k.let("sum", 0, u32);
      k.for("i", 0, handlers.count, (i) => {
        k.set(sum, sum.add(k.callPointer(handlers.at(i), signature({ n: u32 }, u32), i)));
      });
      k.return(sum);
    });
    const image = buildImage({
      architecture: "arm64",
      roots: [walk],
      bindings: [bindList(handlers, [two, one, leaf])],
    });
    const { address, size } = image.symbol("handlers");
    expect(size).toBe(24);
    expect([0, 8, 16].map((at) => u64At(image, address + at))).toEqual(
      ["two", "one", "leaf"].map((name) => image.symbol(name).address),
    );
    expect(image.options["handlers.count"]).toBe(3n);
    const empty = buildImage({ architecture: "arm64", roots: [walk] });
    expect(empty.options["handlers.count"]).toBe(0n);
    const twice = [bindList(handlers, []), bindList(handlers, [])];
    expect(() => buildImage({ architecture: "arm64", roots: [walk], bindings: twice })).toThrow(
      "list slot handlers is bound twice",
    );
  });
});

describe("options", () => {
  const limit = imageOption("image_test_limit", u32, 10);
  const guarded = routine("guarded", { n: u32 }, u32, (k, { n }) => {
    k.if(limit.gt(100), () => k.return(k.call(leaf, n)));
    k.return(n.add(limit).add(cpuCount).add(perCpuStrideBytes));
  });

  it("become constants, and decide conditions when the image is built", () => {
    const small = buildImage({ architecture: "x86-64", roots: [guarded], cpus: 4 });
    const large = buildImage({ architecture: "x86-64", roots: [guarded], options: { image_test_limit: 200 } });
    expect(small.hasSymbol("leaf")).toBe(false);
    expect(large.hasSymbol("leaf")).toBe(true);
    expect(small.options).toEqual({ image_test_limit: 10n });
    // lea eax, [rdi + 10 + 4 + 16384]; ret
    expect(Buffer.from(contentOf(small, "guarded")).toString("hex")).toBe("8d870e400000c3");
  });

  it("must exist and fit their type", () => {
    const build = (options: Record<string, number>): Image =>
      buildImage({ architecture: "x86-64", roots: [guarded], options });
    expect(() => build({ image_test_limt: 1 })).toThrow("no loaded module declares this image option");
    expect(() => build({ image_test_limit: -1 })).toThrow("constant out of the range of u32");
  });
});

describe("per-CPU variables", () => {
  const Area = struct("image_area", { self: u64, count: u32 });
  const area = perCpu("image_area", Area, { offset: 0 });
  const inside = perCpu("image_inside", u32, { offset: 8 });
  const next = perCpu("image_next", u32, { offset: 16 });
  const uses = (...variables: (typeof next)[]) =>
    routine("uses", {}, nothing, (k) => {
      k.set(area.here.count, 1);
      for (const variable of variables) k.set(variable.of(3), 1);
    });

  it("are symbols of CPU 0's block", () => {
    const image = buildImage({ architecture: "x86-64", roots: [uses(next)], cpus: 8 });
    expect(image.symbol("image_next").address).toBe(image.perCpuStart + 16);
    expect(image.symbol("image_area").address).toBe(image.perCpuStart);
    expect(image.perCpuStart % 16384).toBe(0);
  });

  it("must not overlap, and must fit the block", () => {
    expect(() => buildImage({ architecture: "x86-64", roots: [uses(inside)] })).toThrow(
      "per-CPU variables image_area and image_inside overlap",
    );
    const far = perCpu("image_far", u32, { offset: 4096 });
    expect(() => buildImage({ architecture: "x86-64", roots: [far], perCpuStride: 4096 })).toThrow(
      "image_far ends behind the block",
    );
  });
});

describe("modules", () => {
  const inLib = routine("in_lib", {}, nothing, () => undefined, { module: "lib" });
  const inStop = routine("in_stop", {}, nothing, (k) => k.call(inLib), { module: "stop" });

  it("use only what they import", () => {
    const build = (imports: Record<string, readonly string[]>): Image =>
      buildImage({ architecture: "arm64", roots: [inStop], imports });
    expect(() => build({ stop: ["lib"] })).not.toThrow();
    expect(() => build({ stop: [] })).toThrow(
      "in_stop of module stop uses in_lib of module lib, which it does not import",
    );
  });
});

describe("direct routines", () => {
  it("have labels, data, addresses and marks", () => {
    const target = global("stub_target", u64, { initial: 1 });
    const stub = asmRoutine("stub", {
      x64: (a) => {
        a.lea(x64.rax, x64.memory(64, { symbol: symbolOf(target) }));
        a.leaLabel(x64.rcx, "table").callLabel("inner").jmp("end").label("inner").ret();
        a.label("table")
          .address64(leaf)
          .address32(leaf)
          .labelOffset16("inner", 0x8000)
          .labelOffset32("end")
          .relative16("inner")
          .relative8("end");
        a.align(16).mark("done").label("end").ret().padTo(128);
      },
    });
    const image = buildImage({ architecture: "x86-64", roots: [stub] });
    const { address, size } = image.symbol("stub");
    expect(size).toBe(128);
    const bytes = contentOf(image, "stub");
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const unit = image.units.find((candidate) => candidate.unit.symbol === (stub as unknown))?.unit;
    const labels = unit?.kind === "code" ? unit.code.labels : new Map<string, number>();
    const at = labels.get("table") ?? 0;
    const inner = labels.get("inner") ?? 0;
    const end = labels.get("end") ?? 0;
    expect(view.getInt32(3, true) + address + 7).toBe(image.symbol("stub_target").address);
    expect(view.getInt32(10, true) + 14).toBe(at);
    expect(view.getInt32(15, true) + 19).toBe(inner);
    expect(Number(view.getBigUint64(at, true))).toBe(image.symbol("leaf").address);
    expect(view.getUint32(at + 8, true)).toBe(image.symbol("leaf").address);
    expect(view.getUint16(at + 12, true)).toBe(0x8000 + inner);
    expect(view.getUint32(at + 14, true)).toBe(end);
    expect(view.getInt16(at + 18, true) + at + 20).toBe(inner);
    expect(view.getInt8(at + 20) + at + 21).toBe(end);
    expect(end % 16).toBe(0);
    expect(image.mark("stub:done").address).toBe(address + end);
  });

  it("refuse code longer than its slot, and labels that are missing or doubled", () => {
    const build = (write: (a: X64Assembler) => void): Image =>
      buildImage({ architecture: "x86-64", roots: [asmRoutine("broken", { x64: write })] });
    expect(() => build((a) => a.nop(9).padTo(8))).toThrow("code is longer than its slot");
    expect(() => build((a) => a.jmp("nowhere"))).toThrow("a label is used and never placed");
    expect(() => build((a) => a.label("x").label("x"))).toThrow("a label is placed twice");
  });

  it("and arch blocks need a body for the image's architecture", () => {
    const stub = asmRoutine("x_only", { x64: (a) => a.ret() });
    expect(() => buildImage({ architecture: "arm64", roots: [stub] })).toThrow("x_only has no AArch64 body");
    const block = routine("block", {}, nothing, (k) => k.arch({ x64: (a) => a.cli() }));
    expect(() => buildImage({ architecture: "arm64", roots: [block] })).toThrow(
      "block: an arch block without an AArch64 body",
    );
  });
});

function symbolOf(place: object) {
  const image = buildImage({ architecture: "x86-64", roots: [place] });
  const unit = image.units[0]?.unit;
  if (unit?.kind !== "data") throw new Error("not a global");
  return unit.symbol;
}

describe("an image", () => {
  it.for(ARCHITECTURES)("is the same for the same source, several times in one process (%s)", (architecture) => {
    const build = (): Image => buildImage({ architecture, roots: stopRoutines, bindings: stopBindings, cpus: 4 });
    const [one, two] = [build(), build()];
    void one.lines;
    expect(two.hash).toBe(one.hash);
    expect(two.segments.map(({ bytes }) => Buffer.from(bytes).toString("hex"))).toEqual(
      one.segments.map(({ bytes }) => Buffer.from(bytes).toString("hex")),
    );
    expect(JSON.stringify(two)).toBe(JSON.stringify(one));
    expect(two.hash).toMatch(/^[0-9a-f]{64}$/);
    const other = buildImage({ architecture, roots: stopRoutines, bindings: stopBindings, cpus: 5 });
    expect(other.hash).not.toBe(one.hash);
  });

  it("differs by flavour", () => {
    const build = (flavour: object): string =>
      buildImage({ architecture: "arm64", roots: stopRoutines, bindings: stopBindings, flavour }).hash;
    const hashes = [
      {},
      { atomics: "llsc" },
      { interrupts: "pseudo-nmi" },
      { interrupts: "pseudo-nmi", pmrSync: false },
    ].map(build);
    expect(new Set(hashes).size).toBe(4);
  });

  it("describes the structs it uses", () => {
    const image = stopImage("arm64");
    const described = image.structs.find(({ name }) => name === "multi_stop_data");
    expect(described?.fields.map(({ name, offset }) => [name, offset])).toEqual([
      ["fn", 0],
      ["data", 8],
      ["num_threads", 16],
      ["active_cpus", 24],
      ["state", 32],
      ["thread_ack", 36],
    ]);
    expect(image.structs.map(({ name }) => name)).toContain("list_head");
  });

  it("finds symbols by address", () => {
    const image = stopImage("x86-64");
    const { address, size } = image.symbol("ack_state");
    expect(image.symbolAt(address)?.name).toBe("ack_state");
    expect(image.symbolAt(address + size - 1)?.name).toBe("ack_state");
    expect(image.symbolAt(address + size)?.name).not.toBe("ack_state");
    expect(image.symbolAt(0)).toBeUndefined();
  });

  it("survives JSON", () => {
    const copy = JSON.parse(JSON.stringify(stopImage("x86-64"))) as { symbols: unknown[]; hash: string };
    expect(copy.symbols.length).toBeGreaterThan(10);
    expect(copy.hash).toBe(stopImage("x86-64").hash);
  });

  it.for([
    [{ architecture: "mips" }, "unknown architecture"],
    [{ cpus: 0 }, "impossible number of CPUs"],
    [{ cpus: 1.5 }, "impossible number of CPUs"],
    [{ cpus: 70_000 }, "impossible number of CPUs"],
    [{ perCpuStride: 3000 }, "impossible distance of per-CPU blocks"],
    [{ baseAddress: 100 }, "impossible base address"],
    [{ roots: [{}] }, "not a root"],
  ] as const)("refuses %o", ([options, message]) => {
    expect(() => buildImage({ architecture: "x86-64", roots: [leaf], ...(options as object) })).toThrow(message);
  });
});
