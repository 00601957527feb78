// Templates of random A64 programs: plain loads and stores (Arm ARM DDI 0487 C3.2), usually where they are allowed.

import { DATA, DATA_END, DATA_RO, DATA_RW, DATA_RW_BYTES } from "../runner.ts";
import { SP, bit, type Template, type Writer } from "./writer.ts";

// --- addresses -------------------------------------------------------------------------------------------------------

/** An address of `bytes` to access: usually in a small area around the boundary of the two writable pages. */
export function dataAddress(w: Writer, bytes: number, aligned: boolean): number {
  const { random } = w;
  const middle = DATA_RW + DATA_RW_BYTES / 2;
  const spread = random.pick([32, 128, 1024, DATA_RW_BYTES / 2]);
  const address = middle + random.between(-spread, spread - bytes);
  return aligned ? address - (address % bytes) : address;
}

/** An address at which an access of `bytes` is not allowed. */
function faultAddress(w: Writer, bytes: number, write: boolean, aligned: boolean): number {
  const { random } = w;
  const across = aligned ? 0 : random.below(bytes);
  const choices = [
    () => random.below(0x1000 - 64) & (aligned ? -bytes : -1),
    () => DATA + random.below(0xfc0 / 16) * 16,
    () => DATA_RW - bytes + across,
    () => DATA_END + random.below(0xfc0 / 16) * 16,
    ...(write
      ? [
          () => DATA_RO + random.below(0xfc0 / 16) * 16,
          () => DATA_RO - across,
          () => DATA_RO + 0x800 + random.below(4) * 64,
        ]
      : [() => DATA_END - across]),
  ];
  return random.pick(choices)();
}

/** Rarely an address that faults. */
export function address(w: Writer, bytes: number, write: boolean, aligned = false): number {
  if (w.random.chance(6)) return faultAddress(w, bytes, write, aligned);
  return dataAddress(w, bytes, aligned);
}

// --- loads and stores ------------------------------------------------------------------------------------------------

/** Size and opc of a load or store of one register, prefetches aside. */
function plainKind(w: Writer): { z: number; o: number; bytes: number; write: boolean } {
  const z = w.random.below(4);
  const o = w.random.below(z === 3 ? 2 : z === 2 ? 3 : 4);
  return { z, o, bytes: 1 << z, write: o === 0 };
}

/** A writeback that lands on the register loaded would be unpredictable. */
export function dataRegister(w: Writer, write: boolean, others: readonly number[]): number {
  for (;;) {
    const t = write ? w.source() : w.random.below(32);
    if (others.includes(t) || (!write && w.reserved.has(t))) continue;
    if (!write && t !== 31) w.known.delete(t);
    return t;
  }
}

/** XZR as data never collides with SP as base, though both are 31. */
function baseOnly(n: number): number[] {
  return n === SP ? [] : [n];
}

export const memory: Record<string, Template> = {
  "unsigned offset": (w) => {
    const { z, o, bytes, write } = plainKind(w);
    const [n, at] = w.baseFor(address(w, bytes, write), 0, 4095 * bytes, bytes);
    const t = dataRegister(w, write, []);
    w.emit("zz 111001 oo iiiiiiiiiiii nnnnn ttttt", { z, o, i: at / bytes, n, t });
  },
  "unscaled or unprivileged": (w) => {
    const { z, o, bytes, write } = plainKind(w);
    const [n, i] = w.baseFor(address(w, bytes, write), -256, 255, 1);
    const t = dataRegister(w, write, []);
    w.emit("zz 111000 oo 0 iiiiiiiii m0 nnnnn ttttt", { z, o, i, m: bit(w), n, t });
  },
  "pre-index": (w) => indexed(w, true),
  "post-index": (w) => indexed(w, false),
  "register offset": (w) => {
    const { z, o, bytes, write } = plainKind(w);
    const x = w.random.pick([2, 3, 6, 7]);
    const s = bit(w);
    let offset = w.random.between(-64, 64);
    if (x === 2) offset = Math.abs(offset);
    const [m = 0] = w.distinct(1);
    const upper = (x & 1) === 0 ? BigInt(w.random.next()) << 32n : BigInt.asUintN(32, BigInt(offset) >> 32n) << 32n;
    w.constant(m, BigInt.asUintN(32, BigInt(offset)) | upper);
    const n = w.pointer(address(w, bytes, write) - offset * (s === 1 ? bytes : 1), [m]);
    const t = dataRegister(w, write, []);
    w.emit("zz 111000 oo 1 mmmmm xxx s 10 nnnnn ttttt", { z, o, m, x, s, n, t });
  },
  literal: (w) => {
    const i = w.random.between(-16, 24);
    w.emit("oo 011 0 00 iiiiiiiiiiiiiiiiiii ttttt", { o: w.random.below(3), i, t: w.destination() });
  },
  pair: (w) => {
    const mode = w.random.below(4);
    const o = w.random.pick(mode === 0 ? [0, 2] : [0, 1, 2]);
    const l = o === 1 ? 1 : bit(w);
    const scale = o === 2 ? 8 : 4;
    const indexing = mode === 1 || mode === 3;
    let at = address(w, 2 * scale, l === 0);
    // A store that faults in its second half may have done the first: leave that out.
    if (l === 0 && at + scale > DATA_RO - scale && at < DATA_RO) at = DATA_RO;
    if (l === 0 && at < DATA_RW && at + 2 * scale > DATA_RW) at = DATA_RW - 2 * scale;
    const displacement = w.random.between(-64, 63) * scale;
    const [n, offset] = mode === 1 ? [w.pointer(at), displacement] : w.baseFor(at, -64 * scale, 63 * scale, scale);
    const others = indexing ? baseOnly(n) : [];
    const t = dataRegister(w, l === 0, others);
    const u = dataRegister(w, l === 0, l === 1 ? [...others, t] : others);
    w.emit("oo 101 0 0mm l iiiiiii uuuuu nnnnn ttttt", { o, m: mode, l, i: offset / scale, u, n, t });
    // Whether the access faulted, and so whether the base has moved, is not worth tracking.
    if (indexing) w.known.delete(n);
  },
  prefetch: (w) => {
    const t = w.random.below(24);
    const n = w.source();
    const choices: Template[] = [
      () => w.emit("11 111001 10 iiiiiiiiiiii nnnnn ttttt", { i: w.random.next(), n, t }),
      () => w.emit("11 111000 10 0 iiiiiiiii 00 nnnnn ttttt", { i: w.random.next(), n, t }),
      () => w.emit("11 111000 10 1 mmmmm x1x s 10 nnnnn ttttt", { m: w.source(), x: w.random.next(), s: bit(w), n, t }),
      () => w.emit("11 011 0 00 iiiiiiiiiiiiiiiiiii ttttt", { i: w.random.next(), t }),
    ];
    w.random.pick(choices)(w);
  },
};

function indexed(w: Writer, before: boolean): void {
  const { z, o, bytes, write } = plainKind(w);
  const at = address(w, bytes, write);
  const i = w.random.between(-256, 255);
  const [n, displacement] = before ? w.baseFor(at, -256, 255, 1) : [w.pointer(at), i];
  const t = dataRegister(w, write, baseOnly(n));
  w.emit("zz 111000 oo 0 iiiiiiiii m1 nnnnn ttttt", { z, o, i: displacement, m: before ? 1 : 0, n, t });
  const certain = at >= DATA_RW && at + bytes <= DATA_RW + DATA_RW_BYTES;
  if (certain) w.moved(n, displacement);
  else w.known.delete(n);
}
