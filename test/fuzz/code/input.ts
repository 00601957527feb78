// One input of a code target: bytes in memory, rights of pages, CPUs that start with given registers, and for how long.

import { PAGE_BYTES, PAGE_EXECUTE, PAGE_RAM, PAGE_READ, PAGE_WRITE } from "../../../src/abi.ts";
import { accelerationNames, type Accelerations } from "../../../src/machine/accelerations.ts";
import type { Architecture } from "../../support/random-machine.ts";
import type { Random } from "../../support/random.ts";
import { hex } from "../text.ts";
import {
  BLOCKS_PAGE,
  BLOCK_BYTES,
  CODE_PAGE,
  CODE_PAGES,
  DATA_PAGE,
  DATA_PAGES,
  LAST_PAGE,
  MOST_STARTS,
  RAM_BYTES,
  REST_PAGE,
  offsetOf,
} from "./layout.ts";

export interface Content {
  readonly address: number;
  readonly bytes: Uint8Array;
}

export interface Start {
  readonly cpu: number;
  readonly pc: bigint;
  readonly stack: bigint;
  readonly argument: bigint;
  readonly cycle: number;
}

/** The host powers a CPU on while the machine runs; `cycle` counts from then. */
export interface HostCall {
  readonly at: number;
  readonly start: Start;
}

export interface CodeInput {
  /** Which of the target's machines. */
  readonly machine: number;
  readonly rights: readonly { readonly page: number; readonly attributes: number }[];
  readonly contents: readonly Content[];
  readonly starts: readonly Start[];
  /** Ascending. */
  readonly calls?: readonly HostCall[];
  /** The last is where it ends; in the run that is compared, it is cut at the others. */
  readonly cycles: readonly number[];
  /** What is off in the run that is compared. */
  readonly off: Partial<Accelerations>;
}

/** What the two architectures do each in their own way. */
export interface Dialect {
  readonly architecture: Architecture;
  readonly ramBase: number;
  /** What all inputs find in memory. */
  readonly fixtures: readonly Content[];
  /** Machine code to start at. */
  code(random: Random): Uint8Array;
  /** A block of registers, and where the routine that loads it begins. */
  block(random: Random, entry: number, cpu: number): { readonly bytes: Uint8Array; readonly routine: number };
  /** Stack pointer with which the routine wants to be started, from the start of the block. */
  readonly frame: number;
  /** What registers may hold besides numbers and addresses in memory. */
  readonly places: readonly (readonly [high: number, low: number])[];
}

/** CPUs of a target's machines, by machine. */
export function drawInput(random: Random, dialect: Dialect, cpus: readonly number[]): CodeInput {
  const machine = random.between(0, cpus.length - 1);
  const most = Math.min(cpus[machine] ?? 1, MOST_STARTS, random.chance(50) ? 1 : random.between(2, MOST_STARTS));
  const contents: Content[] = [];
  const starts: Start[] = [];
  for (let index = 0; index < most; index++) {
    const bytes = dialect.code(random);
    const entry = codeAddress(random, dialect, bytes.length);
    contents.push({ address: entry, bytes });
    starts.push(drawStart(random, dialect, { entry, index, cpus: cpus[machine] ?? 1, contents }));
  }
  for (let left = random.between(0, 3); left > 0; left--) contents.push(drawData(random, dialect));
  return { machine, rights: drawRights(random), contents, starts, cycles: drawCycles(random), off: drawOff(random) };
}

interface StartChoice {
  readonly entry: number;
  readonly index: number;
  readonly cpus: number;
  readonly contents: Content[];
}

/** Most CPUs load a block of registers first; some start anywhere, with nothing. */
function drawStart(random: Random, dialect: Dialect, { entry, index, cpus, contents }: StartChoice): Start {
  // Neighbours are siblings, or share a cache; the others don't.
  const cpu = cpus <= MOST_STARTS || index % 2 === 0 ? index : cpus - index;
  const cycle = random.between(1, 9);
  if (random.chance(5)) {
    return { cpu, pc: someValue(random, dialect), stack: someValue(random, dialect), argument: 0n, cycle };
  }
  const block = dialect.ramBase + offsetOf(BLOCKS_PAGE, index * BLOCK_BYTES);
  const { bytes, routine } = dialect.block(random, entry, cpu);
  contents.push({ address: block, bytes });
  return { cpu, pc: BigInt(routine), stack: BigInt(block + dialect.frame), argument: BigInt(block), cycle };
}

/** At the start of a line, anywhere, across the end of a page, or up to the end of memory. */
function codeAddress(random: Random, { ramBase, architecture }: Dialect, bytes: number): number {
  const align = architecture === "arm64" ? -4 : -1;
  const page = offsetOf(CODE_PAGE + random.between(0, random.chance(50) ? 0 : CODE_PAGES - 1));
  const kind = random.between(0, 9);
  if (kind < 4) return ramBase + page + 64 * random.between(0, 7);
  if (kind < 7) return ramBase + page + (random.between(0, PAGE_BYTES - 1) & align);
  if (kind < 9) return ramBase + page + PAGE_BYTES - (random.between(1, 40) & align || 4);
  return ramBase + RAM_BYTES - Math.ceil(bytes / 4) * 4;
}

/** Numbers, some of them addresses, somewhere in the data. */
function drawData(random: Random, dialect: Dialect): Content {
  const bytes = new Uint8Array(8 * random.between(1, 4));
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += 8) writeValue(random, dialect, view, at);
  const room = DATA_PAGES * PAGE_BYTES - bytes.length;
  const offset = random.chance(60) ? random.between(0, 128) : random.between(0, room);
  return { address: dialect.ramBase + offsetOf(DATA_PAGE) + offset, bytes };
}

const someRights = [
  PAGE_RAM | PAGE_READ | PAGE_EXECUTE,
  PAGE_RAM | PAGE_READ | PAGE_WRITE | PAGE_EXECUTE,
  PAGE_RAM | PAGE_READ | PAGE_WRITE,
  PAGE_RAM | PAGE_READ,
  PAGE_RAM | PAGE_EXECUTE,
  PAGE_RAM | PAGE_WRITE,
  PAGE_RAM | PAGE_WRITE | PAGE_EXECUTE,
  PAGE_RAM,
  0,
] as const;

function drawRights(random: Random): CodeInput["rights"] {
  const rights: { page: number; attributes: number }[] = [];
  if (random.chance(50)) {
    for (let page = CODE_PAGE; page < CODE_PAGE + CODE_PAGES; page++) rights.push({ page, attributes: someRights[0] });
  }
  for (let left = random.between(0, 4); left > 0; left--) {
    const page = random.chance(80) ? random.between(CODE_PAGE, LAST_PAGE) : random.between(0, LAST_PAGE);
    rights.push({ page, attributes: random.pick(someRights) });
  }
  if (random.chance(20)) rights.push({ page: REST_PAGE + random.between(0, 4), attributes: 0 });
  return rights;
}

function drawCycles(random: Random): number[] {
  const end = random.chance(80) ? random.between(100, 600) : random.between(600, 2000);
  return [random.between(1, end), random.between(1, end), end].sort((a, b) => a - b);
}

export function drawOff(random: Random): Partial<Accelerations> {
  return Object.fromEntries(accelerationNames.filter(() => random.chance(50)).map((name) => [name, false]));
}

/** A number of 64 bits as a register may hold it: an address in memory or just outside, a device, an edge, or any. */
export function writeValue(
  random: Random,
  { ramBase, places }: Pick<Dialect, "ramBase" | "places">,
  view: DataView,
  at: number,
): void {
  const kind = random.between(0, 15);
  let low = random.next();
  let high = 0;
  if (kind < 5) low = ramBase + offsetOf(DATA_PAGE, random.between(0, 190));
  else if (kind < 7) low = ramBase + offsetOf(DATA_PAGE) + (low % (DATA_PAGES * PAGE_BYTES));
  else if (kind < 8) low = ramBase + offsetOf(CODE_PAGE) + (low % (CODE_PAGES * PAGE_BYTES));
  else if (kind < 9) low = ramBase + RAM_BYTES - 20 + (low % 24);
  else if (kind < 10) low = ramBase + offsetOf(random.between(0, LAST_PAGE)) - 8 + (low % 16);
  else if (kind < 12) [high, low] = random.pick(places);
  else if (kind < 14) low %= 70;
  else high = random.chance(50) ? random.next() : 0xffff_ffff;
  view.setUint32(at, low, true);
  view.setUint32(at + 4, high, true);
}

function someValue(random: Random, dialect: Dialect): bigint {
  const view = new DataView(new ArrayBuffer(8));
  writeValue(random, dialect, view, 0);
  return view.getBigUint64(0, true);
}

export function showInput({ contents, ...rest }: CodeInput): string {
  const shown = contents.map(({ address, bytes }) => [`0x${address.toString(16)}`, hex(bytes)]);
  const numbers = (_: string, value: unknown) => (typeof value === "bigint" ? `0x${value.toString(16)}` : value);
  return JSON.stringify({ ...rest, contents: shown }, numbers);
}
