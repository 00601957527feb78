// The boundary to the WebAssembly core: the only file that sees its raw exports. Everything signed is made unsigned here,
// and a trap becomes an error that leaves the instance unusable.

import { instantiateSync, type ASUtil } from "@assemblyscript/loader";
import {
  ABI_VERSION,
  Counter,
  type DeliveryKind,
  type DeliveryMode,
  type LineChange,
  type LocalInterrupt,
  type Region,
  type RunStatus,
  type Warmth,
} from "../abi.ts";
import { AllstopError } from "../errors.ts";
import type { MaskOperations } from "./mask-operations.ts";

// A type alias, not an interface: the loader's generic wants an index signature.
type CoreExports = {
  memory: WebAssembly.Memory;
  abiVersion(): number;
  allocate(bytes: number): number;
  initialize(configuration: number): number;
  mapPages(address: bigint, bytes: bigint, attributes: number): number;
  warm(address: bigint, bytes: bigint, warmth: number, core: number): void;
  startCpuAt(cpu: number, pc: bigint, stack: bigint, argument: bigint, cycle: bigint): void;
  setDeliveryOf(cpu: number, kind: number, delay: bigint, lose: number): void;
  deliveryDelayOf(cpu: number, kind: number): bigint;
  deliveryLossesOf(cpu: number, kind: number): number;
  signalLocalInterrupt(cpu: number, source: number, cycle: bigint): void;
  sendInterruptAt(cpu: number, vector: number, mode: number, cycle: bigint): void;
  sendSmiAt(cpu: number, duration: number, cycle: bigint): void;
  setMicrocodeUpdate(cpu: number, cycles: bigint, refused: number): void;
  raiseSystemNmiAt(source: number, cycle: bigint): void;
  holdNext(cpu: number, address: bigint, instructions: number): number;
  suspendAt(cpu: number, duration: bigint, cycle: bigint): void;
  setIdleExitOf(cpu: number, cycles: number): void;
  privilegeOf(cpu: number): number;
  setStartupEntry(cpu: number, pc: bigint, stack: bigint, argument: bigint): void;
  triggerEvent(cpu: number, event: number, cycle: bigint): number;
  setProbe(address: bigint, flags: number, registers: number): number;
  changeLine(intid: number, change: number, cycle: bigint): number;
  setTraceMask(mask: number): void;
  setPerturbation(seed: number): void;
  clearTrace(): void;
  run(until: bigint): number;
  catchUp(): void;
  attachCopy(): void;
  nextPageInUse(from: number): number;
  nextPageOutOfUse(from: number): number;
  setAccelerations(accelerations: number): void;
  digest(): bigint;
  cpuDigest(cpu: number): bigint;
  region(which: number): number;
  counter(which: number): bigint;
} & MaskOperations;

/** Bytes of linear memory, `end` excluded; both are multiples of PAGE_BYTES. */
export interface PageRun {
  readonly start: number;
  readonly end: number;
}

const WASM_PAGE_BYTES = 65_536;

/** One instance of the core: one machine's memory, or a workshop for cpumasks. */
export class Core {
  readonly module: WebAssembly.Module;
  readonly #raw: ASUtil & CoreExports;
  #failure: AllstopError | undefined;

  constructor(module: WebAssembly.Module) {
    this.module = module;
    let version: number;
    try {
      this.#raw = instantiateSync<CoreExports>(module).exports;
      version = this.#raw.abiVersion();
    } catch (cause) {
      throw new AllstopError("CORE_MISMATCH", "not a core of allstop", { cause });
    }
    if (version !== ABI_VERSION) {
      throw new AllstopError("CORE_MISMATCH", "the core speaks another ABI", {
        value: version,
        allowed: `${ABI_VERSION}`,
      });
    }
  }

  /** Runs one export; a trap makes this instance unusable for ever. */
  #call<T>(name: string, body: (raw: ASUtil & CoreExports) => T): T {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return body(this.#raw);
    } catch (cause) {
      this.#failure = new AllstopError("CORE_TRAPPED", `the core failed in ${name}: ${String(cause)}`, { cause });
      throw this.#failure;
    }
  }

  /** Linear memory; it never grows once the machine is built, so views stay valid from then on. */
  get buffer(): ArrayBuffer {
    return this.#raw.memory.buffer;
  }

  /** Reserves bytes for the host. @returns their address @throws CAPACITY_EXCEEDED */
  allocate(bytes: number): number {
    const address = this.#call("allocate", (raw) => raw.allocate(bytes)) >>> 0;
    if (address === 0) throw new AllstopError("CAPACITY_EXCEEDED", "linear memory is exhausted", { value: bytes });
    return address;
  }

  /** @returns InitializeStatus */
  initialize(configuration: number): number {
    return this.#call("initialize", (raw) => raw.initialize(configuration));
  }

  /** @returns whether the range fits */
  mapPages(address: bigint, bytes: bigint, attributes: number): boolean {
    return this.#call("mapPages", (raw) => raw.mapPages(address, bytes, attributes)) !== 0;
  }

  warm(address: bigint, bytes: bigint, warmth: Warmth, core = 0): void {
    this.#call("warm", (raw) => raw.warm(address, bytes, warmth, core));
  }

  startCpu(cpu: number, start: { pc: bigint; stack: bigint; argument: bigint; cycle: bigint }): void {
    this.#call("startCpuAt", (raw) => raw.startCpuAt(cpu, start.pc, start.stack, start.argument, start.cycle));
  }

  /** From now on, messages of a kind to a CPU come `delay` cycles later; the next `lose` (LOSE_ALL: all) don't come. */
  setDelivery(cpu: number, kind: DeliveryKind, fault: { delay: bigint; lose: number }): void {
    this.#call("setDeliveryOf", (raw) => raw.setDeliveryOf(cpu, kind, fault.delay, fault.lose));
  }

  /** The same, with the losses that are left. */
  delivery(cpu: number, kind: DeliveryKind): { delay: bigint; lose: number } {
    return {
      delay: this.#call("deliveryDelayOf", (raw) => raw.deliveryDelayOf(cpu, kind)),
      lose: this.#call("deliveryLossesOf", (raw) => raw.deliveryLossesOf(cpu, kind)) >>> 0,
    };
  }

  signalLocalInterrupt(cpu: number, source: LocalInterrupt, cycle: bigint): void {
    this.#call("signalLocalInterrupt", (raw) => raw.signalLocalInterrupt(cpu, source, cycle));
  }

  /** x86: a message reaches a CPU's local APIC at a cycle behind now. */
  sendInterrupt(cpu: number, vector: number, mode: DeliveryMode, cycle: bigint): void {
    this.#call("sendInterruptAt", (raw) => raw.sendInterruptAt(cpu, vector, mode, cycle));
  }

  /** x86. @param duration cycles; 0: the timing model's */
  sendSmi(cpu: number, duration: number, cycle: bigint): void {
    this.#call("sendSmiAt", (raw) => raw.sendSmiAt(cpu, duration, cycle));
  }

  /**
   * The next message that the host sends to a CPU is held when it arrives: until the CPU stands at an address (0n: at once), and has
   * executed so many instructions from there. @returns false when the CPU has too many such
   */
  holdNext(cpu: number, address: bigint, instructions: number): boolean {
    return this.#call("holdNext", (raw) => raw.holdNext(cpu, address, instructions)) !== 0;
  }

  /** A CPU executes nothing from a cycle behind now on, for `duration` cycles. */
  suspend(cpu: number, duration: bigint, cycle: bigint): void {
    this.#call("suspendAt", (raw) => raw.suspendAt(cpu, duration, cycle));
  }

  /** x86-64: CPL; arm64: exception level. */
  privilegeOf(cpu: number): number {
    return this.#call("privilegeOf", (raw) => raw.privilegeOf(cpu));
  }

  /** Cycles that a CPU takes to leave a deep idle state; 0: as the shallow ones. */
  setIdleExit(cpu: number, cycles: number): void {
    this.#call("setIdleExitOf", (raw) => raw.setIdleExitOf(cpu, cycles));
  }

  /** x86. @param cycles 0: the timing model's */
  setMicrocodeUpdate(cpu: number, cycles: bigint, refused: boolean): void {
    this.#call("setMicrocodeUpdate", (raw) => raw.setMicrocodeUpdate(cpu, cycles, refused ? 1 : 0));
  }

  /** x86. @param source a bit of port 0x61 */
  raiseSystemNmi(source: number, cycle: bigint): void {
    this.#call("raiseSystemNmiAt", (raw) => raw.raiseSystemNmiAt(source, cycle));
  }

  /** x86: where INIT and start-up IPIs lead to. */
  setStartupEntry(cpu: number, entry: { pc: bigint; stack: bigint; argument: bigint }): void {
    this.#call("setStartupEntry", (raw) => raw.setStartupEntry(cpu, entry.pc, entry.stack, entry.argument));
  }

  /** @returns whether there is such an event of SDEI */
  triggerEvent(cpu: number, event: number, cycle: bigint): boolean {
    return this.#call("triggerEvent", (raw) => raw.triggerEvent(cpu, event, cycle)) !== 0;
  }

  /** @returns the probe's number, or -1 when there are too many */
  setProbe(address: bigint, flags: number, registers: number): number {
    return this.#call("setProbe", (raw) => raw.setProbe(address, flags, registers));
  }

  /** Changes the wire of a shared peripheral interrupt at a cycle. @returns whether there is such an interrupt */
  changeLine(intid: number, change: LineChange, cycle: bigint): boolean {
    return this.#call("changeLine", (raw) => raw.changeLine(intid, change, cycle)) !== 0;
  }

  setPerturbation(seed: number): void {
    this.#call("setPerturbation", (raw) => raw.setPerturbation(seed));
  }

  setTraceMask(mask: number): void {
    this.#call("setTraceMask", (raw) => raw.setTraceMask(mask));
  }

  clearTrace(): void {
    this.#call("clearTrace", (raw) => raw.clearTrace());
  }

  run(until: bigint): RunStatus {
    return this.#call("run", (raw) => raw.run(until));
  }

  /** Brings every CPU's registers and memory up to now: the core only notes that a CPU spins. */
  catchUp(): void {
    this.#call("catchUp", (raw) => raw.catchUp());
  }

  // --- copies -----------------------------------------------------------------------------------------------------------------

  /** Where linear memory differs from zero as far as the machine depends on it. O(memory in use). */
  pagesInUse(): PageRun[] {
    return this.#call("nextPageInUse", (raw) => {
      const runs: PageRun[] = [];
      const top = this.memoryBytes;
      for (let start = 0; (start = raw.nextPageInUse(start) >>> 0) < top;) {
        const end = raw.nextPageOutOfUse(start) >>> 0;
        runs.push({ start, end });
        start = end;
      }
      return runs;
    });
  }

  /** Bytes that the machine has reserved, from address 0. */
  get memoryBytes(): number {
    return Number(this.counter(Counter.RESERVED_BYTES));
  }

  /**
   * Makes this new instance a copy of another one.
   * @param bytes memoryBytes of the other
   * @param fill writes the other's pages in use into linear memory, which is zero
   * @throws CAPACITY_EXCEEDED
   */
  adopt(bytes: number, fill: (memory: Uint8Array) => void): void {
    const { memory } = this.#raw;
    new Uint8Array(memory.buffer).fill(0);
    try {
      memory.grow(Math.max(0, Math.ceil((bytes - memory.buffer.byteLength) / WASM_PAGE_BYTES)));
    } catch (cause) {
      throw new AllstopError("CAPACITY_EXCEEDED", "no memory for a copy of the machine", { value: bytes, cause });
    }
    fill(new Uint8Array(memory.buffer));
    this.#call("attachCopy", (raw) => raw.attachCopy());
  }

  /** An instance in the same state. Costs what is in use, not what is reserved. @throws CAPACITY_EXCEEDED */
  fork(): Core {
    const runs = this.pagesInUse();
    const source = new Uint8Array(this.buffer);
    const copy = new Core(this.module);
    copy.adopt(this.memoryBytes, (memory) => {
      for (const { start, end } of runs) memory.set(source.subarray(start, end), start);
    });
    return copy;
  }

  /** Changes which accelerations are used; between runs only. */
  setAccelerations(bits: number): void {
    this.#call("setAccelerations", (raw) => raw.setAccelerations(bits));
  }

  digest(): bigint {
    return BigInt.asUintN(
      64,
      this.#call("digest", (raw) => raw.digest()),
    );
  }

  cpuDigest(cpu: number): bigint {
    return BigInt.asUintN(
      64,
      this.#call("cpuDigest", (raw) => raw.cpuDigest(cpu)),
    );
  }

  region(which: Region): number {
    return this.#call("region", (raw) => raw.region(which)) >>> 0;
  }

  counter(which: Counter): bigint {
    return BigInt.asUintN(
      64,
      this.#call("counter", (raw) => raw.counter(which)),
    );
  }

  /** The cpumask operations, on addresses of linear memory. */
  get masks(): MaskOperations {
    return this.#raw;
  }
}
