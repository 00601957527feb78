// Templates of random A64 programs: PSTATE, system registers, barriers, hints, maintenance (Arm ARM DDI 0487 C5).

import { DATA_RW } from "../runner.ts";
import { address, dataAddress } from "./loads-and-stores.ts";
import { SP, bit, type Template } from "./writer.ts";

export const system: Record<string, Template> = {
  "zero a block": (w) => {
    const n = w.pointer(address(w, 1, true));
    w.emit("1101010100 0 01 011 0111 0100 001 ttttt", {
      t: n === SP ? w.pointer(DATA_RW + 64 * w.random.below(128), [], false) : n,
    });
  },
  "flags register": (w) => {
    if (bit(w) === 0) w.emit("1101010100 1 11 011 0100 0010 00d ttttt", { d: bit(w), t: w.destination() });
    else w.emit("1101010100 0 11 011 0100 0010 00d ttttt", { d: bit(w), t: w.source() });
  },
  "interrupt masks": (w) => {
    w.emit("1101010100000 011 0100 mmmm 11c 11111", { m: w.random.next(), c: bit(w) });
  },
  "stack selection": (w) => {
    w.known.delete(SP);
    if (bit(w) === 0) w.emit("1101010100000 000 0100 mmmm 101 11111", { m: w.random.next() });
    else w.emit("1101010100 0 11 000 0100 0010 000 ttttt", { t: w.source() });
  },
  "stack pointer of EL0": (w) => {
    // UNDEFINED while it is selected.
    if (bit(w) === 0) w.emit("1101010100 1 11 000 0100 0001 000 ttttt", { t: w.destination() });
    else w.emit("1101010100 0 11 000 0100 0001 000 ttttt", { t: w.source() });
  },
  "state that reads as written": (w) => {
    const { random } = w;
    // TPIDR_EL0, TPIDR_EL1, ELR_EL1, FAR_EL1, ESR_EL1
    const r = random.pick([0xde82, 0xc684, 0xc201, 0xc300, 0xc290]);
    w.emit("1101010100 0 rrrrrrrrrrrrrrrr ttttt", { r, t: w.source() });
    w.emit("1101010100 1 rrrrrrrrrrrrrrrr ttttt", { r, t: w.destination() });
  },
  "state that is 32 bits wide": (w) => {
    const [n = 0] = w.distinct(1);
    w.constant(n, w.random.value() & 0xffff_ffffn);
    const r = w.random.pick([0xc681]); // CONTEXTIDR_EL1
    w.emit("1101010100 0 rrrrrrrrrrrrrrrr ttttt", { r, t: n });
    w.emit("1101010100 1 rrrrrrrrrrrrrrrr ttttt", { r, t: w.destination() });
  },
  "state that can only be read": (w) => {
    // TPIDR_EL0, TPIDR_EL1, SPSel, CurrentEL, MPIDR_EL1, VBAR_EL1
    const r = w.random.pick([0xde82, 0xc684, 0xc210, 0xc212, 0xc005, 0xc600]);
    w.emit("1101010100 1 rrrrrrrrrrrrrrrr ttttt", { r, t: w.destination() });
  },
  barrier: (w) => {
    w.emit("11010101000000110011 mmmm ooo 11111", { m: w.random.next() | 1, o: w.random.pick([2, 4, 5, 6]) });
  },
  hint: (w) => {
    if (bit(w) === 0) {
      w.push(0xd503_20bf); // SEVL
      w.push(0xd503_205f); // WFE
    } else {
      w.emit("11010101000000110010 hhhhhhh 11111", {
        h: w.random.pick([0, 1, 4, 5, 7, 8, 10, 12, 14, 20, 24, 25, 27, 29, 32, 34, 40, 63, 90, 127]),
      });
    }
  },
  maintenance: (w) => {
    // IC IALLU, IC IALLUIS, TLBI VMALLE1, VMALLE1IS, VAE1IS; DC CIVAC, CVAC, CVAU, IC IVAU of a mapped address
    const n = w.pointer(dataAddress(w, 8, false), [], false);
    const r = w.random.pick([0x43a8, 0x4388, 0x4438, 0x4418, 0x4419, 0x5bf1, 0x5bd1, 0x5bd9, 0x5ba9]);
    w.emit("1101010100 0 rrrrrrrrrrrrrrrr ttttt", { r, t: r === 0x4419 || r >= 0x5000 ? n : 31 });
  },
};
