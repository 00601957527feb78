// Random operations on the GIC: what a PE executes, and what the reference makes of it.

import { GICR_STRIDE } from "../../../src/abi.ts";
import type { Random } from "../../support/random.ts";
import { GICD, RD, SGI, read, setSystem, write } from "./guest.ts";
import type { BitRegister, ReferenceGic } from "./reference.ts";

/** What operations may do. */
export interface Board {
  readonly pes: number;
  readonly featNmi: boolean;
  /**
   * Only what QEMU 7.2 does as the manual says. It ignores GICR_WAKER, has no message-based SPIs, keeps eight bits of
   * priority, drops what ICC_SGI1R_EL1 sends to an SGI of Group 0, and lets an interrupt of a group that the CPU interface has
   * disabled hide others.
   */
  readonly qemu: boolean;
}

const SPIS = [32, 33, 34, 35, 36, 37, 63, 64, 287];
const PRIORITIES = [0x00, 0x10, 0x20, 0x40, 0x48, 0x80, 0x88, 0x90, 0xa0, 0xc0, 0xf0, 0xf8];

/** A step of a PE: what it executes, with a result in X1, and what the reference makes of it. */
export interface Operation {
  readonly name: string;
  readonly text: string;
  /** @returns what X1 must be, if anything was read */
  readonly apply: (gic: ReferenceGic, pe: number) => bigint | undefined;
}

/** An operation that reads nothing. */
export function doing(name: string, text: string, body: (gic: ReferenceGic, pe: number) => void): Operation {
  return {
    name,
    text: `${text} mov x1, #0\n`,
    apply: (gic, pe) => {
      body(gic, pe);
      return undefined;
    },
  };
}

const reading = (register: string, apply: (gic: ReferenceGic, pe: number) => bigint): Operation => ({
  name: `read ${register}`,
  text: `mrs x1, ${register}\n`,
  apply,
});

const offsets: Readonly<Record<BitRegister, number>> = {
  group: 0x80,
  enable: 0x100,
  disable: 0x180,
  pend: 0x200,
  unpend: 0x280,
  activate: 0x300,
  deactivate: 0x380,
  nmi: 0xf80,
};
const bitRegisters = Object.keys(offsets) as BitRegister[];

/** The frame with the words for an INTID: a redistributor's second one, or the distributor's. */
const frameOf = (owner: number, id: number): number => (id < 32 ? SGI + owner * GICR_STRIDE : GICD);
const anyId = (random: Random): number => (random.chance(50) ? random.between(0, 20) : random.pick(SPIS));

/** Registers in memory, of anybody. */
function memoryOperation(random: Random, board: Board): Operation {
  const owner = random.between(0, board.pes - 1);
  const id = anyId(random);
  const first = id & ~31;
  const frame = frameOf(owner, id);
  switch (random.between(0, 9)) {
    case 0: {
      const register = random.pick(bitRegisters);
      return {
        name: `read ${register} ${first}`,
        text: read(frame + offsets[register] + first / 8, 1),
        apply: (gic) => gic.readBits(owner, register, first),
      };
    }
    case 1: {
      const priority = random.pick(PRIORITIES);
      return doing(`priority ${id} = ${priority}`, write(frame + 0x400 + id, priority, 1), (gic) => {
        gic.setPriority(owner, id, priority);
      });
    }
    case 2:
      return {
        name: `read priority ${id}`,
        text: read(frame + 0x400 + id, 1, 1),
        apply: (gic) => gic.priority(owner, id),
      };
    case 3: {
      const value = random.between(0, 0x7fff_ffff) * 2;
      if (id < 16) return memoryOperation(random, board);
      return doing(`configure ${id}`, write(frame + 0xc00 + 4 * (id >> 4), value), (gic) => {
        gic.configure(owner, id & ~15, value);
      });
    }
    case 4: {
      const spi = random.pick(SPIS);
      const to = random.between(0, board.pes); // the last is not there
      return doing(`route ${spi} to ${to}`, write(GICD + 0x6000 + 8 * spi, to, 8), (gic) => {
        gic.route(spi, to);
      });
    }
    case 5: {
      if (board.qemu) return memoryOperation(random, board);
      const spi = random.pick(SPIS);
      const set = random.chance(60);
      return doing(`message ${spi} ${set}`, write(GICD + (set ? 0x40 : 0x48), spi), (gic) => {
        gic.message(spi, set);
      });
    }
    default: {
      const kinds: BitRegister[] = [
        "group",
        "enable",
        "enable",
        "disable",
        "pend",
        "pend",
        "pend",
        "unpend",
        "activate",
        "deactivate",
        "deactivate",
        "nmi",
      ];
      const register = random.pick(kinds);
      if (board.qemu && (register === "nmi" || (register === "group" && id < 32)))
        return memoryOperation(random, board);
      const mostly = register === "group" || register === "enable" || register === "deactivate";
      const bits = 2 ** (id & 31) + (mostly ? random.between(0, 0x7fff_ffff) : 0);
      const value = bits % 2 ** 32;
      return doing(
        `${register} ${first}: ${value.toString(16)}`,
        write(frame + offsets[register] + first / 8, value),
        (gic) => {
          gic.writeBits(owner, register, first, value);
        },
      );
    }
  }
}

/** Group enables of the distributor, sleep. */
function rareOperation(random: Random, board: Board): Operation {
  if (board.qemu || random.chance(50)) {
    const value = random.pick([1, 2, 0]);
    return doing(`GICD_CTLR = ${value}`, write(GICD, value), (gic) => {
      gic.groups = [(value & 1) !== 0, (value & 2) !== 0];
    });
  }
  const owner = random.between(0, board.pes - 1);
  const asleep = random.chance(30);
  return doing(`asleep ${owner} ${asleep}`, write(RD + owner * GICR_STRIDE + 0x14, asleep ? 2 : 0), (gic) => {
    const pe = gic.pes[owner];
    if (pe !== undefined) pe.asleep = asleep;
  });
}

/** Opens what the others close: groups, masks, redistributors; ends what is active on the PE. */
function reopen({ pes }: Board): Operation {
  const wake = Array.from({ length: pes }, (_, pe) => write(RD + pe * GICR_STRIDE + 0x14, 0)).join("");
  const own = Array.from({ length: pes }, (_, pe) => write(SGI + pe * GICR_STRIDE + 0x100, 0xffff)).join("");
  const enable = write(GICD + 0x104, 0xffff_ffff) + own;
  const system = ["icc_igrpen0_el1", "icc_igrpen1_el1"].map((name) => setSystem(name, 1)).join("");
  const inactive = ["icc_ap0r0_el1", "icc_ap1r0_el1"].map((name) => setSystem(name, 0)).join("");
  const text = wake + enable + system + inactive + setSystem("icc_pmr_el1", 0xff) + write(GICD, 3);
  return doing("reopen", text, (gic, pe) => {
    const state = stateOf(gic, pe);
    for (const one of gic.pes) one.asleep = false;
    gic.writeBits(0, "enable", 32, 0xffff_ffff);
    for (const owner of gic.pes.keys()) gic.writeBits(owner, "enable", 0, 0xffff);
    state.enables = [true, true];
    state.active = [];
    state.pmr = 0xf8;
    gic.groups = [true, true];
  });
}

export function stateOf(gic: ReferenceGic, pe: number): ReferenceGic["pes"][number] {
  const state = gic.pes[pe];
  if (state === undefined) throw new Error("no such PE");
  return state;
}

/** Registers of the CPU interface that hold state. */
function interfaceOperation(random: Random, board: Board): Operation {
  const { featNmi, pes, qemu } = board;
  const group = random.pick([0, 1] as const);
  switch (random.between(0, featNmi ? 5 : 4)) {
    case 0: {
      const value = random.pick([0, 0x40, 0x80, 0xa0, 0xff, 0xff, 0xff, 0xff]);
      return doing(`PMR = ${value}`, setSystem("icc_pmr_el1", value), (gic, pe) => {
        stateOf(gic, pe).pmr = value & 0xf8;
      });
    }
    case 1: {
      const value = random.between(0, 7);
      return doing(`BPR${group} = ${value}`, setSystem(`icc_bpr${group}_el1`, value), (gic, pe) => {
        gic.setBinaryPoint(pe, group, value);
      });
    }
    case 2: {
      if (qemu) return interfaceOperation(random, board);
      const enable = random.chance(80);
      return doing(`IGRPEN${group} = ${enable}`, setSystem(`icc_igrpen${group}_el1`, enable ? 1 : 0), (gic, pe) => {
        stateOf(gic, pe).enables[group] = enable;
      });
    }
    case 3: {
      const value = random.between(0, 3);
      return doing(`CTLR = ${value}`, setSystem("icc_ctlr_el1", value), (gic, pe) => {
        stateOf(gic, pe).cbpr = (value & 1) !== 0;
        stateOf(gic, pe).eoiMode = (value & 2) !== 0;
      });
    }
    case 4: {
      const id = random.between(0, 15);
      const list = random.between(0, 2 ** pes - 1);
      const register = random.pick(["icc_sgi1r_el1", "icc_sgi1r_el1", "icc_sgi0r_el1", "icc_asgi1r_el1"]);
      const all = random.chance(20);
      const value = BigInt(id * 2 ** 24 + list) | (all ? 1n << 40n : 0n);
      return doing(`${register} ${id} ${list} ${all}`, setSystem(register, value), (gic, pe) => {
        const targets = [...gic.pes.keys()].filter((one) => (all ? one !== pe : ((list >> one) & 1) !== 0));
        gic.sendSgi(targets, id, register !== "icc_sgi1r_el1");
      });
    }
    default: {
      const nmi = random.chance(70);
      return doing(`SCTLR.NMI = ${nmi}`, setSystem("sctlr_el1", 0x30d0_0800n | (nmi ? 1n << 61n : 0n)), (gic, pe) => {
        stateOf(gic, pe).sctlrNmi = nmi;
      });
    }
  }
}

/** Acknowledging keeps the INTID in X28 unless it is special. */
const keep = "cmp x1, #1020\n csel x28, x28, x1, hs\n";

/** The life of an interrupt. */
function handlingOperation(random: Random, { featNmi }: Board): Operation {
  const group = random.pick([0, 1, 1, 1] as const);
  switch (random.between(0, featNmi ? 5 : 4)) {
    case 0:
    case 1:
      return {
        name: `IAR${group}`,
        text: `mrs x1, icc_iar${group}_el1\n ${keep}`,
        apply: (gic, pe) => gic.acknowledge(pe, group),
      };
    case 2: {
      const other = random.chance(15) ? anyId(random) : undefined;
      const text = other === undefined ? `msr icc_eoir${group}_el1, x28\n` : setSystem(`icc_eoir${group}_el1`, other);
      return doing(`EOIR${group} ${other ?? "last"}`, text, (gic, pe) => {
        gic.endOfInterrupt(pe, group, other ?? stateOf(gic, pe).lastAcknowledged);
      });
    }
    case 3: {
      const id = random.pick([...SPIS, 1, 2, 3, 17, 1023, 300]);
      return doing(`DIR ${id}`, setSystem("icc_dir_el1", id), (gic, pe) => {
        gic.deactivate(pe, id);
      });
    }
    case 4:
      return doing("DIR last", "msr icc_dir_el1, x28\n", (gic, pe) => {
        gic.deactivate(pe, stateOf(gic, pe).lastAcknowledged);
      });
    default:
      return {
        name: "NMIAR1",
        text: `mrs x1, icc_nmiar1_el1\n ${keep}`,
        apply: (gic, pe) => gic.acknowledge(pe, 1, true),
      };
  }
}

const looks: readonly Operation[] = [
  reading("isr_el1", (gic, pe) => gic.status(pe)),
  reading("icc_rpr_el1", (gic, pe) => gic.runningPriority(pe)),
  reading("icc_hppir0_el1", (gic, pe) => gic.highestPending(pe, 0)),
  reading("icc_hppir1_el1", (gic, pe) => gic.highestPending(pe, 1)),
  reading("icc_ap0r0_el1", (gic, pe) => gic.activePriorities(pe, 0)),
  reading("icc_ap1r0_el1", (gic, pe) => gic.activePriorities(pe, 1)),
  reading("icc_bpr0_el1", (gic, pe) => gic.binaryPoint(pe, 0)),
  reading("icc_bpr1_el1", (gic, pe) => gic.binaryPoint(pe, 1)),
  reading("icc_pmr_el1", (gic, pe) => BigInt(stateOf(gic, pe).pmr)),
];

export function randomOperation(random: Random, board: Board): Operation {
  const kind = random.between(0, 99);
  if (kind < 35) return memoryOperation(random, board);
  if (kind < 36) return rareOperation(random, board);
  if (kind < 41) return reopen(board);
  if (kind < 50) return interfaceOperation(random, board);
  if (kind < 75) return handlingOperation(random, board);
  return random.pick(looks);
}

/** SPIs open, as openInterrupts() opens the others. */
export const SETUP: readonly Operation[] = [
  doing("SPI groups", write(GICD + 0x84, 0xffff_ffff), (gic) => {
    gic.writeBits(0, "group", 32, 0xffff_ffff);
  }),
  doing("SPI enables", write(GICD + 0x104, 0xffff_ffff), (gic) => {
    gic.writeBits(0, "enable", 32, 0xffff_ffff);
  }),
];

/** What openInterrupts() does on each PE. */
export function open(gic: ReferenceGic): void {
  gic.groups = [true, true];
  for (const [pe, state] of gic.pes.entries()) {
    gic.writeBits(pe, "group", 0, 0xffff_ffff);
    gic.writeBits(pe, "enable", 0, 0xffff);
    state.pmr = 0xf8;
    state.enables = [true, true];
  }
}
