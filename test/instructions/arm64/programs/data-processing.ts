// Templates of random A64 programs: data processing (Arm ARM DDI 0487 C4.1.92, C4.1.95).

import { bitmask } from "../encodings.ts";
import { bit, condition, stackDestination, type Template } from "./writer.ts";

export const dataProcessing: Record<string, Template> = {
  constant: (w) => {
    const d = w.destination(false);
    w.constant(d, w.random.value());
  },
  "add/sub immediate": (w) => {
    const S = bit(w);
    const d = S === 1 ? w.destination() : stackDestination(w);
    w.emit("f o S 100010 h iiiiiiiiiiii nnnnn ddddd", {
      f: bit(w),
      o: bit(w),
      S,
      h: bit(w),
      i: w.random.next(),
      n: w.source(),
      d,
    });
  },
  "logical immediate": (w) => {
    const o = w.random.below(4);
    const f = bit(w);
    let mask: [number, number, number];
    do mask = [f & bit(w), w.random.below(64), w.random.below(64)];
    while (bitmask(...mask, f === 1 ? 64 : 32) === undefined);
    const [N, r, s] = mask;
    const d = o === 3 ? w.destination() : stackDestination(w);
    w.emit("f oo 100100 N rrrrrr ssssss nnnnn ddddd", { f, o, N, r, s, n: w.source(), d });
  },
  "move wide": (w) => {
    const f = bit(w);
    const fields = { f, o: w.random.pick([0, 2, 3]), h: w.random.below(f === 1 ? 4 : 2), i: w.random.next() };
    w.emit("f oo 100101 hh iiiiiiiiiiiiiiii ddddd", { ...fields, d: w.destination() });
  },
  "pc-relative": (w) => {
    w.emit("p ll 10000 hhhhhhhhhhhhhhhhhhh ddddd", {
      p: bit(w),
      l: w.random.next(),
      h: w.random.next(),
      d: w.destination(),
    });
  },
  bitfield: (w) => {
    const f = bit(w);
    const width = f === 1 ? 64 : 32;
    const fields = { f: f === 1, o: w.random.below(3), r: w.random.below(width), s: w.random.below(width) };
    w.emit("f oo 100110 f rrrrrr ssssss nnnnn ddddd", { ...fields, n: w.source(), d: w.destination() });
  },
  extract: (w) => {
    const f = bit(w);
    const s = w.random.below(f === 1 ? 64 : 32);
    w.emit("f 00 100111 f 0 mmmmm ssssss nnnnn ddddd", {
      f: f === 1,
      m: w.source(),
      s,
      n: w.source(),
      d: w.destination(),
    });
  },
  "logical shifted": (w) => {
    const f = bit(w);
    const a = w.random.chance(30) ? 0 : w.random.below(f === 1 ? 64 : 32);
    const fields = { f, o: w.random.below(4), t: w.random.below(4), N: bit(w), a };
    w.emit("f oo 01010 tt N mmmmm aaaaaa nnnnn ddddd", { ...fields, m: w.source(), n: w.source(), d: w.destination() });
  },
  "add/sub shifted": (w) => {
    const f = bit(w);
    const a = w.random.chance(40) ? 0 : w.random.below(f === 1 ? 64 : 32);
    const fields = { f, o: bit(w), S: bit(w), t: w.random.below(3), a };
    w.emit("f o S 01011 tt 0 mmmmm aaaaaa nnnnn ddddd", {
      ...fields,
      m: w.source(),
      n: w.source(),
      d: w.destination(),
    });
  },
  "add/sub extended": (w) => {
    const S = bit(w);
    const d = S === 1 ? w.destination() : stackDestination(w);
    const fields = { f: bit(w), o: bit(w), S, x: w.random.below(8), a: w.random.below(5) };
    w.emit("f o S 01011 00 1 mmmmm xxx aaa nnnnn ddddd", { ...fields, m: w.source(), n: w.source(), d });
  },
  "add/sub with carry": (w) => {
    w.emit("f o S 11010000 mmmmm 000000 nnnnn ddddd", {
      f: bit(w),
      o: bit(w),
      S: bit(w),
      m: w.source(),
      n: w.source(),
      d: w.destination(),
    });
  },
  "conditional compare": (w) => {
    const fields = { f: bit(w), o: bit(w), i: bit(w), c: condition(w), v: w.random.below(16) };
    w.emit("f o 1 11010010 mmmmm cccc i 0 nnnnn 0 vvvv", { ...fields, m: w.source(), n: w.source() });
  },
  "conditional select": (w) => {
    const fields = { f: bit(w), o: bit(w), l: bit(w), c: condition(w) };
    w.emit("f o 0 11010100 mmmmm cccc 0 l nnnnn ddddd", {
      ...fields,
      m: w.source(),
      n: w.source(),
      d: w.destination(),
    });
  },
  "one source": (w) => {
    const f = bit(w);
    const o = f === 1 ? w.random.below(6) : w.random.pick([0, 1, 2, 4, 5]);
    w.emit("f 1 0 11010110 00000 oooooo nnnnn ddddd", { f, o, n: w.source(), d: w.destination() });
  },
  "two source": (w) => {
    const o = w.random.pick([2, 2, 3, 3, 8, 9, 10, 11]);
    w.emit("f 0 0 11010110 mmmmm oooooo nnnnn ddddd", {
      f: bit(w),
      o,
      m: w.source(),
      n: w.source(),
      d: w.destination(),
    });
  },
  checksum: (w) => {
    const z = w.random.below(4);
    const fields = { f: z === 3, C: bit(w), z, m: w.source(), n: w.source(), d: w.destination() };
    w.emit("f 0 0 11010110 mmmmm 010 C zz nnnnn ddddd", fields);
  },
  multiply: (w) => {
    const fields = { m: w.source(), n: w.source(), a: w.source(), d: w.destination(), o: bit(w) };
    switch (w.random.below(3)) {
      case 0:
        w.emit("f 00 11011000 mmmmm o aaaaa nnnnn ddddd", { ...fields, f: bit(w) });
        break;
      case 1:
        w.emit("1 00 11011 u01 mmmmm o aaaaa nnnnn ddddd", { ...fields, u: bit(w) });
        break;
      default:
        w.emit("1 00 11011 u10 mmmmm 0 11111 nnnnn ddddd", { ...fields, u: bit(w) });
    }
  },
};
