// Pieces of guest programs that deal with the GIC's registers in memory, and what stands in for timers and firmware.

import { instantiateSync } from "@assemblyscript/loader";
import { GICD_BASE, GICR_BASE } from "../../../src/abi.ts";
import { SGI_FRAME, wait } from "../../instructions/arm64/gic.ts";
import { Guest, openInterrupts, park, setVectors, vectors } from "../../instructions/arm64/guest.ts";
import { checkedCore } from "../../support/bare-machine.ts";

/** First frames of the redistributor of CPU 0. */
export const RD = GICR_BASE;
export const SGI = GICR_BASE + SGI_FRAME;
export const GICD = GICD_BASE;

/** A machine with FEAT_NMI. */
export const withNmi = { featNmi: true } as const;

const suffixes: Readonly<Record<number, readonly [register: string, suffix: string]>> = {
  1: ["w", "b"],
  2: ["w", "h"],
  4: ["w", ""],
  8: ["x", ""],
};

/** Loads from a device register into a register by number; changes X9. */
export function read(address: number, register: number, size = 4): string {
  const [name = "w", suffix = ""] = suffixes[size] ?? [];
  return `li x9, #${address}\n ldr${suffix} ${name}${register}, [x9]\n`;
}

/** Stores to a device register; changes X9 and X10. */
export function write(address: number, value: number | bigint, size = 4): string {
  const [name = "w", suffix = ""] = suffixes[size] ?? [];
  return `li x9, #${address}\n li x10, #${value}\n str${suffix} ${name}10, [x9]\n`;
}

/** Until everything that is under way has arrived; changes X9. */
export const settled = (): string => wait(4000);

export const setSystem = (register: string, value: number | bigint): string =>
  `li x9, #${value}\n msr ${register}, x9\n`;

/** Offset of a register with one bit for an INTID. */
export const bitOf = (first: number, intid: number): readonly [offset: number, bit: number] => [
  first + 4 * (intid >> 5),
  2 ** (intid & 31),
];

/** Writes the bit of an SPI in one of the distributor's set or clear registers. */
export function writeBit(first: number, intid: number): string {
  const [offset, bit] = bitOf(first, intid);
  return write(GICD + offset, bit);
}

/** Sets or clears the bit of an SPI in a register that holds what is written; changes X9 to X11. */
function setBit(first: number, intid: number, value: boolean): string {
  const [offset, bit] = bitOf(first, intid);
  const change = value ? "orr" : "bic";
  return `${read(GICD + offset, 10)} li x11, #${bit}\n ${change} x10, x10, x11\n str w10, [x9]\n`;
}

export const GICD_IGROUPR = 0x80;
export const GICD_ISENABLER = 0x100;
export const GICD_ICENABLER = 0x180;
export const GICD_ISPENDR = 0x200;
export const GICD_ICPENDR = 0x280;
export const GICD_ISACTIVER = 0x300;
export const GICD_ICACTIVER = 0x380;
export const GICD_IPRIORITYR = 0x400;
export const GICD_ICFGR = 0xc00;
export const GICD_INMIR = 0xf80;
export const GICD_IROUTER = 0x6000;

interface Spi {
  readonly priority?: number;
  readonly group?: 0 | 1;
  readonly edge?: boolean;
  /** Affinity, or bit 31: any one. */
  readonly to?: number | bigint;
  readonly nmi?: boolean;
}

/** Sets an SPI up (with others of its words left at their reset values) and enables it; changes X9 to X11. */
export function openSpi(
  intid: number,
  { priority = 0x80, group = 1, edge = true, to = 0, nmi = false }: Spi = {},
): string {
  return [
    write(GICD + GICD_IPRIORITYR + intid, priority, 1),
    write(GICD + GICD_ICFGR + 4 * (intid >> 4), edge ? 0xaaaa_aaaa : 0),
    write(GICD + GICD_IROUTER + 8 * intid, to, 8),
    setBit(GICD_IGROUPR, intid, group === 1),
    setBit(GICD_INMIR, intid, nmi),
    writeBit(GICD_ISENABLER, intid),
    settled(),
  ].join("");
}

/** Makes SPIs pending by software, and waits until they are where they belong. */
export const pend = (...ids: number[]): string => ids.map((id) => writeBit(GICD_ISPENDR, id)).join("") + settled();

/** One CPU with everything open, as alone(); with options. */
export function one(text: string, { handlers = "", nmi = false }: { handlers?: string; nmi?: boolean } = {}): Guest {
  const guest = new Guest(
    `start: ${setVectors} ${openInterrupts(0)}\n ${text}\n b park\n ${handlers === "" ? vectors({}) : handlers}\n ${park}`,
    nmi ? withNmi : {},
  );
  guest.start("start").run();
  return guest;
}

type TestingExports = {
  memory: WebAssembly.Memory;
  attachCopy(): void;
  setPpiLine(cpu: number, intid: number, high: boolean): void;
  setSecureActive(cpu: number, priority: number): void;
  clearSecureActive(cpu: number): void;
};

/** Does what a timer or firmware would do between two runs: on a copy of the machine, since its own core isn't reachable. */
export function intervene({ machine }: Guest, body: (core: TestingExports) => void): void {
  const { buffer } = machine.core;
  const core = instantiateSync<TestingExports>(checkedCore).exports;
  core.memory.grow((buffer.byteLength - core.memory.buffer.byteLength) / 65_536);
  new Uint8Array(core.memory.buffer).set(new Uint8Array(buffer));
  core.attachCopy();
  body(core);
  new Uint8Array(buffer).set(new Uint8Array(core.memory.buffer));
}
