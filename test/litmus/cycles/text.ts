// Litmus tests for the cycles that diy's names stand for.

import type { Access, Cycle } from "./names.ts";
import { cycleOf } from "./names.ts";

interface Column {
  readonly lines: string[];
  readonly init: string[];
  /** Registers that the condition asks for, with their values. */
  readonly reads: string[];
}

const LOADS = { p: "LDR", a: "LDAR", q: "LDAPR", l: "" } as const;
const STORES = { p: "STR", a: "", q: "", l: "STLR" } as const;

/** Registers are taken in order: x0 and x1 for the first access, and so on. */
class AArch64Column implements Column {
  readonly lines: string[] = [];
  readonly init: string[] = [];
  readonly reads: string[] = [];
  readonly #thread: number;
  readonly #addresses = new Map<string, number>();
  #used = 0;
  #labels = 0;
  #loaded = 0;

  constructor(thread: number) {
    this.#thread = thread;
  }

  #address(location: string): number {
    const known = this.#addresses.get(location);
    if (known !== undefined) return known;
    const register = this.#used++;
    this.#addresses.set(location, register);
    this.init.push(`${this.#thread}:X${register}=${location};`);
    return register;
  }

  /** What stands between two accesses. @returns the register with a zero that depends on the load before */
  #between(edge: string | undefined): number | undefined {
    if (edge?.startsWith("ctrl") === true) {
      const label = `LC${this.#thread}${this.#labels++}`;
      this.lines.push(`CBNZ W${this.#loaded},${label}`, `${label}:`);
    }
    if (edge?.endsWith("isb") === true) this.lines.push("ISB");
    if (edge !== undefined && /^d[sm]b/.test(edge)) this.lines.push(edge.toUpperCase().replace(".", " "));
    if (edge !== "addr" && edge !== "data") return undefined;
    const zero = this.#used++;
    this.lines.push(`EOR W${zero},W${this.#loaded},W${this.#loaded}`);
    return zero;
  }

  add({ direction, ordering, location, value, edge }: Access): void {
    const zero = this.#between(edge);
    const data = edge === "data" ? (zero ?? 0) : this.#used++;
    if (edge === "data") this.lines.push(`ADD W${data},W${data},#${value}`);
    else if (direction === "W") this.lines.push(`MOV W${data},#${value}`);
    const address = this.#address(location);
    const name = direction === "R" ? LOADS[ordering] : STORES[ordering];
    if (name === "") throw new Error(`litmus cycle: ${direction} with ordering ${ordering}`);
    if (edge !== "addr") this.lines.push(`${name} W${data},[X${address}]`);
    else if (ordering === "p") this.lines.push(`${name} W${data},[X${address},W${zero ?? 0},SXTW]`);
    else {
      const place = this.#used++;
      this.lines.push(`ADD X${place},X${address},W${zero ?? 0},SXTW`, `${name} W${data},[X${place}]`);
    }
    if (direction === "W") return;
    this.#loaded = data;
    this.reads.push(`${this.#thread}:X${data}=${value}`);
  }
}

const X86_REGISTERS = ["a", "b", "c", "d"] as const;

class X86Column implements Column {
  readonly lines: string[] = [];
  readonly init: string[] = [];
  readonly reads: string[] = [];
  readonly #thread: number;
  readonly #isIntel: boolean;

  constructor(thread: number, isIntel: boolean) {
    this.#thread = thread;
    this.#isIntel = isIntel;
  }

  add({ direction, location, value, edge }: Access): void {
    if (edge?.endsWith("fence") === true) this.lines.push(this.#isIntel ? edge.toUpperCase() : edge);
    if (direction === "W")
      this.lines.push(this.#isIntel ? `MOV [${location}],$${value}` : `movl $${value},(${location})`);
    else {
      const register = X86_REGISTERS[this.reads.length] ?? "d";
      const name = this.#isIntel ? `E${register.toUpperCase()}X` : `r${register}x`;
      this.lines.push(this.#isIntel ? `MOV ${name},[${location}]` : `movl (${location}),%e${register}x`);
      this.reads.push(`${this.#thread}:${name}=${value}`);
    }
  }
}

/** Columns side by side, each row ended by a semicolon. */
export function table(columns: readonly (readonly string[])[]): string {
  const widths = columns.map((lines) => Math.max(...lines.map((line) => line.length)));
  const rows = Math.max(...columns.map((lines) => lines.length));
  return Array.from(
    { length: rows },
    (_, row) => ` ${columns.map((lines, at) => (lines[row] ?? "").padEnd(widths[at] ?? 0)).join(" | ")} ;`,
  ).join("\n");
}

function columnOf(dialect: string, thread: number): Column & { add(access: Access): void } {
  return dialect === "AArch64" ? new AArch64Column(thread) : new X86Column(thread, dialect === "X86");
}

/** The test of a name, in the order in which herd has the parts of one. */
export function litmusOf(dialect: "AArch64" | "X86_64" | "X86", name: string, doc: string): string {
  const cycle: Cycle = cycleOf(name);
  const columns = Array.from({ length: cycle.threads }, (_, thread) => columnOf(dialect, thread));
  for (const access of cycle.accesses) columns[access.thread]?.add(access);
  const finals = [...cycle.finals].map(([location, value]) => `[${location}]=${value}`);
  const condition = [...columns.flatMap(({ reads }) => reads), ...finals.sort()].join(" /\\ ");
  const init = columns.map((column) => column.init.join(" ")).filter((line) => line !== "");
  return [
    `${dialect} ${name}`,
    `"${doc}"`,
    ...["{", ...init, "}"],
    table(columns.map(({ lines }, thread) => [`P${thread}`, ...lines])),
    `exists (${condition})`,
    "",
  ].join("\n");
}
