// The core's configuration block: topology and timing model as the tables that src/abi.ts describes.

import { ABI_VERSION, Architecture, CPU_ABSENT, Config, Feature } from "../abi.ts";
import { AllstopError } from "../errors.ts";
import { cyclesOf, hopCycles, timingTable, type TimingModel } from "../timing/index.ts";
import { firmwareWords, type FirmwareSwitches } from "../firmware/index.ts";
import type { LocalApicMode } from "./local-apic.ts";
import { accelerationBits, type Accelerations } from "./accelerations.ts";
import { apicIdShifts } from "../topology/hardware-ids.ts";
import { nodeDistance, type Cpu, type Topology } from "../topology/index.ts";
import { offsetWords, type CounterOffsets } from "./counter-offsets.ts";
import type { ShutdownMode } from "./system-events.ts";

export interface Sizes {
  readonly ramBase: number;
  readonly ramBytes: number;
  readonly traceRecords: number;
  /** Mode of the local APICs at the start; x2APIC if not given. */
  readonly localApic?: LocalApicMode;
  /** x86-64; see MachineOptions. */
  readonly shutdown?: ShutdownMode;
  readonly tscOffsets?: CounterOffsets;
  /** arm64; see MachineOptions. */
  readonly virtualCounterOffsets?: CounterOffsets;
  /** As MachineOptions.bareMetal. */
  readonly bareMetal?: boolean;
  /** arm64; see MachineOptions. */
  readonly featNmi?: boolean;
}

/** Bits 11:10 of IA32_APIC_BASE. */
const APIC_MODES: Readonly<Record<LocalApicMode, number>> = { xapic: 2, x2apic: 3 };

/** Hardware id of a CPU on a machine of the given architecture: APIC id, or MPIDR affinity. */
export function hardwareId(cpu: Cpu, architecture: "x86-64" | "arm64"): number {
  return architecture === "x86-64" ? cpu.apicId : cpu.mpidr;
}

/** @throws OPTION_INVALID for timing parameters out of range */
export function configurationBlock(
  topology: Topology,
  timing: TimingModel,
  sizes: Sizes,
  accelerations: Partial<Accelerations>,
  firmware: FirmwareSwitches,
): Uint32Array {
  const { cpus, counts } = topology;
  const words = new Words(Config.COUNT);
  const nodeOfDomain = new Uint32Array(counts.llcs);
  const domainOfCore = new Uint32Array(counts.cores);
  const present = cpus.filter((cpu) => cpu.state !== "absent");
  for (const cpu of present) {
    nodeOfDomain[cpu.llc] = cpu.node;
    domainOfCore[cpu.core] = cpu.llc;
  }
  const order = present.toSorted((a, b) => hardwareId(a, timing.architecture) - hardwareId(b, timing.architecture));

  words.set(Config.ABI, ABI_VERSION);
  words.set(Config.ARCHITECTURE, timing.architecture === "x86-64" ? Architecture.X86_64 : Architecture.ARM64);
  words.set(Config.CPUS, cpus.length);
  words.set(Config.CORES, counts.cores);
  words.set(Config.DOMAINS, counts.llcs);
  words.set(Config.NODES, Math.max(1, counts.nodes));
  words.set(Config.ACCELERATIONS, accelerationBits(accelerations));
  words.set(Config.CLOCK_MHZ, clockMhz(timing));
  words.set(Config.COUNTER_HZ, counterHz(timing));
  words.set(Config.FEATURES, sizes.featNmi === true ? Feature.NMI : 0);
  words.set(Config.APIC_MODE, APIC_MODES[sizes.localApic ?? "x2apic"]);
  words.set(Config.RAM_BASE, sizes.ramBase);
  words.set(Config.RAM_BYTES, sizes.ramBytes);
  words.set(Config.BARE_METAL, sizes.bareMetal === true ? 1 : 0);
  // Reservations, not allocations: what is never touched costs nothing.
  words.set(Config.EVENT_NODES, 65_536 + cpus.length * 24);
  words.set(Config.DIRECTORY_BYTES, Math.min(2 ** 30, 16 * 2 ** 20 + cpus.length * 8192));
  words.set(Config.CODE_BYTES, 64 * 2 ** 20);
  words.set(Config.TRACE_RECORDS, sizes.traceRecords);
  for (const [field, value] of firmwareWords(firmware)) words.set(field, value);
  words.table(Config.TIMING_TABLE, timingTable(timing));
  words.table(
    Config.CPU_CORE_TABLE,
    cpus.map((cpu) => (cpu.state === "absent" ? CPU_ABSENT : cpu.core)),
  );
  words.table(
    Config.CPU_ID_TABLE,
    cpus.flatMap((cpu) => {
      const id = cpu.state === "absent" ? 0 : hardwareId(cpu, timing.architecture);
      return [id % 2 ** 32, Math.floor(id / 2 ** 32)];
    }),
  );
  words.table(
    Config.CPU_ORDER_TABLE,
    order.map((cpu) => cpu.number),
  );
  words.set(Config.CPUS_PRESENT, order.length);
  words.table(
    Config.CPU_ONLINE_TABLE,
    cpus.map((cpu) => (cpu.state === "online" ? 1 : 0)),
  );
  words.table(Config.CORE_DOMAIN_TABLE, domainOfCore);
  words.table(
    Config.CORE_LATENCY_TABLE,
    new Uint32Array(counts.cores).fill(cyclesOf(timing, timing.lines.cache.value)),
  );
  words.table(Config.DOMAIN_NODE_TABLE, nodeOfDomain);
  words.table(Config.HOP_TABLE, hops(topology, timing));
  const offsets = offsetWords(sizes, timing.architecture, cpus.length);
  if (offsets !== undefined) words.table(Config.COUNTER_TABLE, offsets);
  if (timing.architecture === "x86-64") describeProcessors(words, topology, sizes);
  return words.finish();
}

function describeProcessors(words: Words, { cpus }: Topology, { shutdown = "stop" }: Sizes): void {
  const shifts = apicIdShifts(cpus);
  words.set(Config.APIC_CORE_SHIFT, shifts.core);
  words.set(Config.APIC_CACHE_SHIFT, shifts.llc);
  words.set(Config.APIC_DIE_SHIFT, shifts.die);
  words.set(Config.APIC_PACKAGE_SHIFT, shifts.package);
  words.set(Config.SHUTDOWN_STATE, shutdown === "wait" ? 1 : 0);
}

function clockMhz(timing: TimingModel): number {
  const { value } = timing.clockMhz;
  if (Number.isInteger(value) && value > 0 && value <= 100_000) return value;
  throw new AllstopError("OPTION_INVALID", "clock", { value, allowed: "1 to 100000 MHz, whole" });
}

/** The core converts between counts and cycles exactly, which needs their ratio in lowest terms to fit 64 bits. */
function counterHz(timing: TimingModel): number {
  const { value } = timing.counterHz;
  const isWhole = Number.isInteger(value) && value > 0 && value < 2 ** 32;
  const clockHz = clockMhz(timing) * 1_000_000;
  const divisor = isWhole ? commonDivisor(clockHz, value) : 1;
  if (isWhole && (clockHz / divisor) * (value / divisor) < 2 ** 63) return value;
  throw new AllstopError("OPTION_INVALID", "counter frequency", {
    value,
    allowed: "1 to 4294967295 Hz, whole; with the clock in lowest terms, a product below 2^63",
  });
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

function hops(topology: Topology, timing: TimingModel): Uint32Array {
  const { nodes } = topology;
  const count = Math.max(1, nodes.length);
  const table = new Uint32Array(count * count);
  for (let from = 0; from < count; from++) {
    for (let to = 0; to < count; to++) {
      const samePackage = nodes[from]?.package === nodes[to]?.package;
      const distance = from === to ? 10 : nodeDistance(topology, from, to);
      table[from * count + to] = hopCycles(timing, samePackage, from === to, distance);
    }
  }
  return table;
}

/** Words in front, tables behind, each at the byte offset that its word names. */
class Words {
  readonly #head: Uint32Array;
  readonly #tables: { field: Config; words: ArrayLike<number> }[] = [];

  constructor(fields: number) {
    this.#head = new Uint32Array(fields);
  }

  set(field: Config, value: number): void {
    this.#head[field] = value;
  }

  table(field: Config, words: ArrayLike<number>): void {
    this.#tables.push({ field, words });
  }

  finish(): Uint32Array {
    let length = this.#head.length;
    for (const { field, words } of this.#tables) {
      this.#head[field] = length * 4;
      length += words.length;
    }
    const all = new Uint32Array(length);
    all.set(this.#head);
    for (const { field, words } of this.#tables) all.set(words, (this.#head[field] ?? 0) / 4);
    return all;
  }
}
