// Templates of random A64 programs: what raises exceptions, and returns from them (Arm ARM DDI 0487 D1.3, D1.4).

import { DATA, DATA_END, DATA_RO, DATA_RW, END_CALL } from "../runner.ts";
import { MODE_EL1H, MODE_EL1T, SP, bit, type Template } from "./writer.ts";

/** Encodings that are UNDEFINED on any PE without the extensions that the core doesn't have. */
export const undefinedWords: readonly string[] = [
  "0000000000000000 iiiiiiiiiiiiiiii", // UDF
  "11010100010 iiiiiiiiiiiiiiii 00000", // HLT
  "11010100101 iiiiiiiiiiiiiiii 00001", // DCPS1
  "11010100101 iiiiiiiiiiiiiiii 00010", // DCPS2
  "f o S 01011 11 0 mmmmm 0aaaaa nnnnn ddddd", // ADD with shift type 3
  "0 o S 01011 00 0 mmmmm 1aaaaa nnnnn ddddd",
  "f o S 01011 01 1 mmmmm xxx 000 nnnnn ddddd",
  "f o S 01011 00 1 mmmmm xxx 101 nnnnn ddddd",
  "0 oo 01010 tt N mmmmm 1aaaaa nnnnn ddddd",
  "f 01 100101 hh iiiiiiiiiiiiiiii ddddd",
  "0 00 100101 10 iiiiiiiiiiiiiiii ddddd",
  "0 oo 100110 1 rrrrrr ssssss nnnnn ddddd",
  "1 oo 100110 0 rrrrrr ssssss nnnnn ddddd",
  "f 11 100110 f rrrrrr ssssss nnnnn ddddd",
  "0 oo 100100 1 rrrrrr ssssss nnnnn ddddd",
  "f 01 100111 f 0 mmmmm 0sssss nnnnn ddddd",
  "f o 1 11010010 mmmmm cccc 01 nnnnn 0 vvvv",
  "f o 1 11010010 mmmmm cccc 00 nnnnn 1 vvvv",
  "f o 0 11010100 mmmmm cccc 1 l nnnnn ddddd",
  "f o 1 11010100 mmmmm cccc 0 l nnnnn ddddd",
  "0 1 0 11010110 00000 000011 nnnnn ddddd", // REV of 64 bits in 32
  "f 1 0 11010110 00001 0ooooo nnnnn ddddd", // pointer authentication
  "f 0 0 11010110 mmmmm 000000 nnnnn ddddd",
  "1 0 0 11010110 mmmmm 010 C 0z nnnnn ddddd", // CRC32 of a word in 64 bits
  "0 0 0 11010110 mmmmm 010 C 11 nnnnn ddddd", // and of a doubleword in 32
  "0 00 11011 u01 mmmmm o aaaaa nnnnn ddddd",
  "f 00 11011 011 mmmmm o aaaaa nnnnn ddddd",
  "f 00 1000110 iiiiiiiiiiii nnnnn ddddd", // ADDG, SUBG
  "10 111000 11 0 iiiiiiiii 00 nnnnn ttttt",
  "11 101 0 010 1 iiiiiii uuuuu nnnnn ttttt",
  "01 101 0 000 1 iiiiiii uuuuu nnnnn ttttt",
  "zz 111000 oo 1 mmmmm x0x s 10 nnnnn ttttt",
  "zz 011001 oo 0 iiiiiiiii 00 nnnnn ttttt", // LDAPUR, STLUR
  "11 111000 00 1 sssss 1001 00 nnnnn ttttt", // ST64BV
  "11 111000 M0 1 iiiiiiiii 11 nnnnn ttttt", // LDRAA
  "00 001000 0 A 1 ssss1 R 11111 nnnnn tttt0", // CASP with odd registers
  "00 001000 0 A 1 ssss0 R 11111 nnnnn tttt1",
  "00 001000 1 A 1 sssss R 01111 nnnnn ttttt", // CAS
  "0101010 0 iiiiiiiiiiiiiiiiiii 1 cccc", // BC.cond
  "0101010 1 iiiiiiiiiiiiiiiiiii 0 cccc",
  "1101011 00o0 11111 00001M nnnnn 11111", // BRAAZ, RETAA
  "11010100000 iiiiiiiiiiiiiiii 00000",
  "11010100000 iiiiiiiiiiiiiiii 00101",
  "11010101000000000100 mmmm 000 11111", // CFINV
  "11010101000000110100 mmmm 010 11111", // DIT
  "11010101000000110011 0000 111 11111", // SB
  "11010101000000110001 0001 000 ttttt", // system with register argument
  "1101010100 1 11 100 0100 0000 00o ttttt", // SPSR_EL2, ELR_EL2
  "1101010100 0 11 100 0001 0001 000 ttttt", // HCR_EL2
  "1101010100 1 11 110 0001 0000 000 ttttt", // SCTLR_EL3
  "1101010100 1 11 100 0100 0001 000 ttttt", // SP_EL1
  "1101010100 0 11 000 0000 0000 101 ttttt", // MPIDR_EL1 is read-only
  "1101010100 0 11 011 0000 0000 001 ttttt", // and CTR_EL0
  "1101010100 0 11 000 0100 0010 010 ttttt", // and CurrentEL
  "1101010100 1 11 111 0100 0010 010 ttttt", // nothing
  "1101010100 0 01 000 0111 0011 000 ttttt",
  "1101010100 0 01 000 1000 0001 000 ttttt", // TLBI VMALLE1OS
  "1101010100 0 01 100 1000 0111 000 ttttt", // TLBI ALLE2
  "1101010100 1 01 011 0111 0011 000 ttttt", // SYSL
];

export const exceptions: Record<string, Template> = {
  SVC: (w) => {
    w.emit("11010100000 iiiiiiiiiiiiiiii 00001", { i: w.random.below(END_CALL) });
  },
  BRK: (w) => {
    w.emit("11010100001 iiiiiiiiiiiiiiii 00000", { i: w.random.next() });
  },
  undefined: (w) => {
    const diagram = w.random.pick(undefinedWords);
    const fields: Record<string, number> = {};
    for (const letter of new Set(diagram.replaceAll(/[01 ]/g, ""))) fields[letter] = w.random.next();
    if ("f" in fields) fields.f = w.random.chance(50) ? -1 : 0;
    w.note += ` ${diagram}`;
    w.emit(diagram, fields);
  },
  "fetch fault": (w) => {
    if (w.reserved.has(30)) return;
    const { random } = w;
    const targets = [DATA, DATA_RW, DATA_RO, DATA_END, 0, w.here + 2, w.here + 1, w.here + 3].map((at, index) =>
      index < 5 ? at + 4 * random.below(1000) : at,
    );
    const [n = 0] = w.distinct(1, [30]);
    w.constant(n, BigInt(random.pick(targets)));
    w.known.delete(30);
    if (bit(w) === 0) {
      w.emit("1101011 0001 11111 000000 nnnnn 00000", { n });
    } else {
      w.emit("0 00 10000 0000000000000000010 11110", {}); // ADR X30, behind the branch
      w.emit("1101011 00p0 11111 000000 nnnnn 00000", { p: bit(w), n });
    }
  },
  "exception return": (w) => {
    const { random } = w;
    const [n = 0, m = 0] = w.distinct(2);
    const legal = random.chance(60);
    const mode = legal
      ? random.pick([MODE_EL1T, MODE_EL1H])
      : random.pick([1, 2, 3, 6, 7, 8, 9, 0xa, 0xc, 0xd, 0xf, 0x12, 0x13, 0x1f]);
    const il = legal && random.chance(20) ? 1 << 20 : 0;
    const spsr = (random.below(16) << 28) | (random.below(16) << 6) | il | mode;
    w.constant(m, BigInt(spsr >>> 0));
    w.emit("1101010100 0 11 000 0100 0000 000 ttttt", { t: m });
    w.emit("0 00 10000 0000000000000000011 ddddd", { d: n }); // ADR: behind the ERET
    w.emit("1101010100 0 11 000 0100 0000 001 ttttt", { t: n });
    w.emit("1101011 0100 11111 000000 11111 00000", {});
    w.known.delete(SP);
  },
};
