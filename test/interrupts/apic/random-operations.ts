// Random programs about the local APIC: what each instruction is, so that a model can do the same; and their text.

import type { Random } from "../../support/random.ts";
import { lvtOffsets, type Mode } from "./model.ts";

/** One instruction under observation; EDX:EAX, or EAX, is what it writes, and is seen as it starts. */
export type Operation =
  | { readonly kind: "rdmsr" | "wrmsr"; readonly msr: number }
  | { readonly kind: "load" | "store"; readonly offset: number }
  | { readonly kind: "read-cr8" | "write-cr8" | "close" };

/** An operation of a program, between two labels: its name, and its name with Behind. */
export interface Step {
  readonly operation: Operation;
  readonly label: string;
}

const BASE = 0xfee0_0000;
const APIC_BASE = 0x1b;
const TSC_DEADLINE = 0x6e0;
const ICR = 0x300;

const vectorsOf = [...Array(8).keys()];
const readable = [
  ...[0x20, 0x30, 0x80, 0xa0, 0xd0, 0xf0, 0x280, 0x300, 0x380, 0x390, 0x3e0],
  ...lvtOffsets,
  ...[0x100, 0x180, 0x200].flatMap((first) => vectorsOf.map((word) => first + 16 * word)),
];
/** In xAPIC mode only; or nowhere. */
const others = [0xe0, 0x310, 0x90, 0xc0, 0xb0, 0x00, 0x40, 0x290, 0x3a0, 0x3f0, 0x400, 0xff0];

export class OperationWriter {
  readonly steps: Step[] = [];
  readonly #lines: string[] = [];
  readonly #random: Random;
  readonly #ids: readonly number[];
  readonly #cpu: number;
  readonly #mayDisable: boolean;
  #mode: Mode;

  constructor(random: Random, cpu: number, ids: readonly number[], mode: Mode, mayDisable: boolean) {
    this.#random = random;
    this.#cpu = cpu;
    this.#ids = ids;
    this.#mode = mode;
    this.#mayDisable = mayDisable;
  }

  get text(): string {
    return this.#lines.join("\n");
  }

  /** An instruction under observation, and those before it. */
  #put(operation: Operation, instruction: string, before = ""): void {
    const label = `step${this.steps.length}`;
    this.steps.push({ operation, label });
    this.#lines.push(`${before}; ${label}: ${instruction}; ${label}Behind:`);
  }

  #wrmsr(msr: number, value: bigint): void {
    const before = `mov $${msr}, %ecx; mov $${value & 0xffff_ffffn}, %eax; mov $${value >> 32n}, %edx`;
    this.#put({ kind: "wrmsr", msr }, "wrmsr", before);
  }

  /** By the interface of the mode; now and then by the other. */
  #write(offset: number, value: number, high = 0): void {
    if ((this.#mode === "x2apic") === this.#random.chance(97)) {
      this.#wrmsr(0x800 + (offset >> 4), (BigInt(high) << 32n) | BigInt(value));
      return;
    }
    const before = `mov $${BASE + offset}, %edx; mov $${value}, %eax`;
    this.#put({ kind: "store", offset }, "mov %eax, (%rdx)", before);
  }

  #read(offset: number): void {
    if ((this.#mode === "x2apic") === this.#random.chance(97)) {
      const msr = 0x800 + (offset >> 4);
      this.#put({ kind: "rdmsr", msr }, "rdmsr", `mov $${msr}, %ecx`);
    } else this.#put({ kind: "load", offset }, "mov (%rdx), %eax", `mov $${BASE + offset}, %edx`);
  }

  #pause(): void {
    this.#lines.push(`mov $${this.#random.between(1, 40)}, %ecx; 1: pause; dec %ecx; jnz 1b`);
  }

  #vector(): number {
    return this.#random.chance(8) ? this.#random.between(0, 15) : this.#random.between(16, 255);
  }

  /** A register of the LVT: nothing that would stop a machine without SMM and 8259. */
  #entry(): number {
    const random = this.#random;
    const mode = random.pick([0, 0, 0, 4, 3]) << 8;
    const level = random.chance(30) ? 1 << 15 : 0;
    return this.#vector() | mode | level | (random.chance(20) ? 1 << 16 : 0) | (random.chance(3) ? 1 << 20 : 0);
  }

  #send(): void {
    const random = this.#random;
    const id = random.pick(this.#ids);
    const mode = random.pick([0, 0, 0, 0, 0, 1, 4, 3, 7]);
    const rest = random.chance(3) ? random.pick([1 << 13, 1 << 16, 1 << 20]) : 0;
    const command = this.#vector() | (mode << 8) | rest | random.pick([0, 0x4000, 0xc000, 0x1000]);
    const shorthand = random.chance(40) ? random.between(1, 3) << 18 : 0;
    const logical = random.chance(40);
    let destination = random.chance(10) ? 0xffff_ffff : random.chance(5) ? 0x77 : id;
    if (logical && this.#mode === "x2apic") destination = ((id >> 4) << 16) | (random.next() & 0xffff);
    else if (logical) destination = random.next() & 0xff;
    const low = command | shorthand | (logical ? 0x800 : 0);
    if (this.#mode === "x2apic") {
      if (random.chance(10)) this.#wrmsr(0x83f, BigInt(this.#vector()));
      else this.#write(ICR, low, destination >>> 0);
    } else {
      this.#write(0x310, (destination << 24) >>> 0);
      this.#write(ICR, low);
    }
    // INIT's old de-assert does nothing; nor does whatever is for nobody.
    if (random.chance(5)) this.#write(ICR, 0x8500, 0x77);
  }

  #timer(): void {
    const random = this.#random;
    const mode = random.pick([0, 1, 2, 0, 1, 2, 3]);
    const kind = random.between(0, 5);
    if (kind === 0) this.#write(0x320, this.#vector() | (mode << 17) | (random.chance(15) ? 1 << 16 : 0));
    else if (kind === 1) this.#write(0x3e0, random.pick([0, 1, 2, 3, 8, 9, 10, 11, 11, 11]));
    else if (kind === 2) this.#write(0x380, random.pick([0, random.between(1, 60), random.between(1, 900)]));
    else if (kind === 3) this.#read(0x390);
    else if (kind === 4) {
      this.#put({ kind: "rdmsr", msr: TSC_DEADLINE }, "rdmsr", `mov $${TSC_DEADLINE}, %ecx`);
    } else {
      const before = `rdtsc; add $${random.between(-100, 900)}, %eax; mov $${TSC_DEADLINE}, %ecx`;
      const disarmed = random.chance(10) ? "mov $0, %eax" : "";
      this.#put({ kind: "wrmsr", msr: TSC_DEADLINE }, "wrmsr", `${before}; ${disarmed}`);
    }
  }

  /** Legal transitions mostly; the mode that it is in by now is known here only while no interrupt changes it. */
  #base(): void {
    const random = this.#random;
    const bits: Record<Mode, bigint> = { disabled: 0n, xapic: 0x800n, x2apic: 0xc00n };
    const next: Record<Mode, Mode> = {
      disabled: "xapic",
      xapic: random.chance(60) ? "x2apic" : "disabled",
      x2apic: "disabled",
    };
    const bsp = this.#cpu === 0 ? 0x100n : 0n;
    if (random.chance(70) && (this.#mayDisable || next[this.#mode] !== "disabled")) {
      this.#mode = next[this.#mode];
      this.#wrmsr(APIC_BASE, BigInt(BASE) | bsp | bits[this.#mode]);
      if (this.#mode !== "disabled") this.prepare();
    } else {
      // Illegal from here: it changes nothing.
      const wrong: Record<Mode, bigint> = { disabled: 0xc00n, xapic: 0x400n, x2apic: 0x800n };
      this.#wrmsr(APIC_BASE, BigInt(BASE) | bsp | random.pick([wrong[this.#mode], bits[this.#mode] | 1n]));
    }
  }

  /** Software enable, destinations, and entries of the LVT. */
  prepare(): void {
    this.#write(0xf0, 0x100 | this.#random.between(16, 255));
    if (this.#mode === "xapic") {
      this.#write(0xe0, this.#random.pick([0xffff_ffff, 0x0fff_ffff]));
      this.#write(0xd0, (this.#random.next() << 24) >>> 0);
    }
    this.#write(0x370, this.#vector());
    for (const offset of [0x350, 0x360, 0x340]) if (this.#random.chance(60)) this.#write(offset, this.#entry());
  }

  /** Interrupts open for an instruction: all that may be taken is. */
  #window(): void {
    this.#lines.push("sti; nop");
    if (this.#random.chance(30)) this.#pause();
    this.#put({ kind: "close" }, "cli");
  }

  #cr8(): void {
    if (this.#random.chance(30)) this.#put({ kind: "read-cr8" }, "mov %cr8, %rax");
    else {
      const value = this.#random.pick([0, 0, this.#random.between(0, 15)]);
      this.#put({ kind: "write-cr8" }, "mov %rax, %cr8", `mov $${value}, %eax`);
    }
  }

  some(): void {
    const random = this.#random;
    const kind = random.between(0, 99);
    if (random.chance(40)) this.#pause();
    if (kind < 22) this.#send();
    else if (kind < 37) this.#timer();
    else if (kind < 50) this.#read(random.chance(85) ? random.pick(readable) : random.pick(others));
    else if (kind < 70) this.#window();
    else if (kind < 78) this.#write(0xb0, random.chance(95) ? 0 : 1);
    else if (kind < 82)
      this.#write(random.pick(lvtOffsets.filter((offset) => offset !== 0x320 && offset !== 0x370)), this.#entry());
    else if (kind < 86) this.#cr8();
    else if (kind < 89) this.#write(0x80, random.between(0, random.chance(90) ? 255 : 511));
    else if (kind < 92) this.#write(0xf0, random.pick([0, 0x100, 0x100, 0x100]) | random.between(16, 255));
    else if (kind < 94) this.#write(0x280, random.chance(90) ? 0 : 1);
    else if (kind < 96)
      this.#write(
        random.pick([...readable, ...others].filter((offset) => offset !== ICR && offset !== 0xf0)),
        random.next() & 0xff,
      );
    else this.#base();
  }

  /** Everything that can be read, at the end. */
  dump(): void {
    for (const offset of [...readable, 0xe0, 0x310]) this.#read(offset);
  }
}
