// Templates of random A64 programs: ordered, exclusive and atomic accesses (Arm ARM DDI 0487 C3.2.6 to C3.2.12).

import { END_CALL } from "../runner.ts";
import { address, dataAddress, dataRegister } from "./loads-and-stores.ts";
import { SP, bit, type Template, type Writer } from "./writer.ts";

/** An aligned address, rarely a misaligned one: these accesses then fault. */
function alignedAddress(w: Writer, bytes: number, write: boolean): number {
  if (bytes > 1 && w.random.chance(6)) return dataAddress(w, bytes, true) + w.random.between(1, bytes - 1);
  return address(w, bytes, write, true);
}

export const atomics: Record<string, Template> = {
  "load-acquire": (w) => {
    const z = w.random.below(4);
    const n = w.pointer(alignedAddress(w, 1 << z, false));
    w.emit("zz 001000 1 1 0 11111 1 11111 nnnnn ttttt", { z, n, t: dataRegister(w, false, []) });
  },
  // QEMU 7.2 doesn't check its alignment.
  "load-acquire, RCpc": (w) => {
    const z = w.random.below(4);
    const n = w.pointer(address(w, 1 << z, false, true));
    w.emit("zz 111000 101 11111 110000 nnnnn ttttt", { z, n, t: dataRegister(w, false, []) });
  },
  "store-release": (w) => {
    const z = w.random.below(4);
    const n = w.pointer(alignedAddress(w, 1 << z, true));
    w.emit("zz 001000 1 0 0 11111 1 11111 nnnnn ttttt", { z, n, t: w.source() });
  },
  "atomic operation": (w) => {
    const z = w.random.below(4);
    const n = w.pointer(alignedAddress(w, 1 << z, true));
    const fields = { z, A: bit(w), R: bit(w), s: w.source(), n, t: w.destination() };
    w.emit("zz 111000 A R 1 sssss oooo 00 nnnnn ttttt", { ...fields, o: w.random.below(9) });
  },
  "compare and swap": (w) => {
    const z = w.random.below(4);
    const n = w.pointer(alignedAddress(w, 1 << z, true), [], true);
    const s = w.destination();
    // Often with the value that is there.
    if (w.random.chance(50)) w.emit("zz 111001 01 000000000000 nnnnn ttttt", { z, n, t: s === n ? 31 : s });
    w.emit("zz 0010001 A 1 sssss R 11111 nnnnn ttttt", { z, A: bit(w), R: bit(w), s, n, t: w.source() });
  },
  "compare and swap pair": (w) => {
    const z = bit(w);
    const bytes = z === 1 ? 16 : 8;
    const n = w.pointer(alignedAddress(w, bytes, true));
    let s: number;
    do s = 2 * w.random.below(16);
    while (s === n || s + 1 === n || w.reserved.has(s) || w.reserved.has(s + 1));
    w.known.delete(s);
    if (s !== 30) w.known.delete(s + 1);
    if (w.random.chance(50)) {
      const u = s === 30 ? 31 : s + 1;
      w.emit("o0 101 0 010 1 0000000 uuuuu nnnnn ttttt", { o: z, u, n, t: s });
    }
    w.emit("0z 0010000 A 1 sssss R 11111 nnnnn ttttt", { z, A: bit(w), s, R: bit(w), n, t: 2 * w.random.below(16) });
  },
  exclusive: exclusiveSequence,
};

/** LDXR, something in between, STXR: with the same address, or another, or with the monitor cleared. */
function exclusiveSequence(w: Writer): void {
  const { random } = w;
  const p = bit(w);
  const z = p === 1 ? random.between(2, 3) : random.below(4);
  const bytes = (1 << z) << p;
  const at = alignedAddress(w, bytes, false);
  const n = w.pointer(at);
  const others = n === SP ? [] : [n];
  const [t = 0, u = 0, s = 0] = w.distinct(3, others);
  w.emit("zz 001000 0 1 p 11111 a uuuuu nnnnn ttttt", { z, p, a: bit(w), u: p === 1 ? u : 31, n, t });
  // Whether a store-exclusive to a misaligned address faults before it fails is up to the implementation.
  if (at % bytes !== 0) return;
  for (let count = random.below(3); count > 0; count--) {
    w.emit("f 0 0 100010 0 iiiiiiiiiiii nnnnn ddddd", { f: bit(w), i: random.next(), n: t, d: t });
  }
  const store = (base: number): void => {
    const [v, x] = [dataRegister(w, true, [s]), dataRegister(w, true, [s])];
    w.emit("zz 001000 0 0 p sssss a uuuuu nnnnn ttttt", { z, p, s, a: bit(w), u: p === 1 ? x : 31, n: base, t: v });
  };
  switch (random.below(8)) {
    case 0:
      w.emit("11010101000000110011 mmmm 010 11111", { m: random.next() }); // CLREX
      store(n);
      break;
    case 1:
      w.emit("11010100000 iiiiiiiiiiiiiiii 00001", { i: random.below(END_CALL) }); // SVC: its ERET clears the monitor
      store(n);
      break;
    case 2:
      store(w.pointer(dataAddress(w, bytes, true), [n, t, u, s], false));
      break;
    case 3:
      store(n);
      store(n);
      break;
    default:
      store(n);
  }
}
