// What assembled text tells besides its bytes: labels, lines, given symbols.

import { describe, expect, it } from "vitest";
import { assembleText } from "../../../src/asm/index.ts";
import { refusal } from "../support/refusal.ts";

describe("assembled text", () => {
  it("has the addresses of its named labels, and no others", () => {
    const text = "start: nop\n1: nop\n.Llocal: jmp 1b\nend: other:";
    const { base, bytes, labels } = assembleText(text, { architecture: "x86-64", base: 0x4000 });
    expect(base).toBe(0x4000);
    expect(bytes).toEqual(Uint8Array.of(0x90, 0x90, 0xeb, 0xfd));
    expect([...labels]).toEqual([
      ["start", 0x4000],
      [".Llocal", 0x4002],
      ["end", 0x4004],
      ["other", 0x4004],
    ]);
  });

  it("counts labels behind branches that turned out long", () => {
    const text = "jmp far\nnear: .space 200\nfar: nop";
    const assembled = assembleText(text, { architecture: "x86-64" });
    expect([assembled.label("near"), assembled.label("far")]).toEqual([5, 205]);
  });

  it("refuses a label that is not there, naming those like it", () => {
    const assembled = assembleText("start: nop\nend:", { architecture: "arm64" });
    const error = refusal(() => assembled.label("strat"));
    expect(error.code).toBe("NAME_UNKNOWN");
    expect(error.value).toBe("strat");
    expect(error.allowed).toBe("start");
  });

  it("maps each byte to its line; statements of one line are one range, lines without bytes none", () => {
    const text = "# nothing\nnop; nop\n\nlabel:\n  .set x, 1\n jmp label /* over\n lines */; nop\n.rept 2\nhlt\n.endr";
    const { bytes, lines } = assembleText(text, { architecture: "x86-64", base: 0x100 });
    expect(bytes.length).toBe(7);
    expect(lines).toEqual([
      { start: 0x100, end: 0x102, line: 2 },
      { start: 0x102, end: 0x104, line: 6 },
      { start: 0x104, end: 0x105, line: 7 },
      { start: 0x105, end: 0x107, line: 9 },
    ]);
  });

  it("gives the literal pool to the statement that stands before it", () => {
    const { lines } = assembleText("ldr x0, =5\nnop\nnop", { architecture: "arm64" });
    expect(lines.at(-1)).toEqual({ start: 8, end: 24, line: 3 });
  });

  it("takes given symbols of any size, and refuses an address that no text can have", () => {
    const symbols = { BIG: 0xffff_ffff_8000_0000n, SMALL: 3 };
    const { bytes } = assembleText(".quad BIG + SMALL", { architecture: "x86-64", symbols });
    expect(new DataView(bytes.buffer).getBigUint64(0, true)).toBe(0xffff_ffff_8000_0003n);
    expect(refusal(() => assembleText("nop", { architecture: "x86-64", base: -1 })).value).toBe(-1);
    expect(refusal(() => assembleText("nop", { architecture: "arm64", base: 2 })).allowed).toBe("multiples of 4");
  });

  it("pads with .org, and in A64 aligns data with zeros, instructions with NOPs", () => {
    const x64 = assembleText("nop; .org 4; nop; .org 7, 0xcc", { architecture: "x86-64" });
    expect([...x64.bytes]).toEqual([0x90, 0, 0, 0, 0x90, 0xcc, 0xcc]);
    const arm64 = assembleText(".byte 1; .align 3; .org 12", { architecture: "arm64" });
    expect([...arm64.bytes]).toEqual([1, 0, 0, 0, 0x1f, 0x20, 0x03, 0xd5, 0, 0, 0, 0]);
  });

  it("builds any constant with mov in A64, in as few instructions as the value needs", () => {
    const words = (text: string): number => assembleText(text, { architecture: "arm64" }).bytes.length / 4;
    expect(words("mov x0, #0x12345678")).toBe(2);
    expect(words("mov x0, #0x123456789abcdef0")).toBe(4);
    expect(words("mov w0, #-0x12345678")).toBe(2);
  });

  it("reads capitals and herd's spelling", () => {
    const options = { architecture: "arm64" } as const;
    const herd = assembleText(
      "MOV W0,#1\nLDXR W1,[X2]\nSTXR W3,W0,[X2]\nCBNZ W3,L0\nDMB ISH\nL0: LDR X5,[X6,W7,SXTW]",
      options,
    );
    const arm = assembleText(
      "mov w0, #1; ldxr w1, [x2]; stxr w3, w0, [x2]; cbnz w3, L0; dmb ish; L0: ldr x5, [x6, w7, sxtw]",
      options,
    );
    expect(herd.bytes).toEqual(arm.bytes);
  });
});
