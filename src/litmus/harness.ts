// A test as an image: for each thread the harness's code, the thread's own, and the harness's again.

import { assembleText } from "../asm/index.ts";
import type { Architecture, AssembledText } from "../asm/index.ts";
import { Sha256 } from "../asm/image/sha256.ts";
import type { ImageSymbol } from "../asm/image/tables.ts";
import { unknownName } from "../asm/failure.ts";
import { AllstopError } from "../errors.ts";
import type { MachineImage } from "../machine/guest-image.ts";
import type { Displacements } from "./dialect/dialect.ts";
import type { Translation } from "./dialect/translation.ts";
import { formatPlace } from "./failure.ts";
import { arm64Harness } from "./harness-arm64.ts";
import { x64Harness } from "./harness-x86-64.ts";
import { layoutOf, memoryOffset, recordAddress } from "./layout.ts";
import type { LitmusLayout } from "./layout.ts";
import type { LitmusPlan, RegisterStart } from "./plan.ts";
import type { Cell } from "./test.ts";

/** What the harness's code around a thread depends on. */
export interface HarnessInput {
  readonly layout: LitmusLayout;
  readonly threads: number;
  /** The thread's record of the first iteration. */
  readonly first: number;
  /** Of the locations, from the thread's record; in the order of the plan. */
  readonly displacements: Displacements;
  readonly starts: readonly RegisterStart[];
  readonly saved: readonly string[];
}

export interface HarnessPart {
  before(input: HarnessInput): string[];
  /** `again` is where the code before begins; defines `finished`. */
  behind(input: HarnessInput): string[];
}

/** A thread's code in memory. */
export interface ThreadCode {
  readonly entry: number;
  /** Start and end of the test's own instructions. */
  readonly start: number;
  readonly end: number;
  /** Where the thread that ends the batch comes by. */
  readonly finished: number;
  readonly bytes: Uint8Array;
  /** The cell whose instruction is at an address, if one is. */
  cellAt(address: number): Cell | undefined;
}

export interface LitmusProgram {
  readonly plan: LitmusPlan;
  readonly layout: LitmusLayout;
  readonly threads: readonly ThreadCode[];
  readonly image: MachineImage;
}

const harnesses: Readonly<Record<Architecture, HarnessPart>> = { "x86-64": x64Harness, arm64: arm64Harness };
/** Threads don't share cache lines of code. */
const CODE_ALIGN = 4096;

/** @throws LITMUS_INVALID for an instruction that the assembler doesn't know, with its place */
export function buildProgram(plan: LitmusPlan): LitmusProgram {
  const layout = layoutOf(plan);
  const threads: ThreadCode[] = [];
  let base = layout.codeBase;
  for (const number of plan.test.threads.keys()) {
    const thread = assembleThread(plan, layout, number, base);
    threads.push(thread);
    base += Math.ceil(thread.bytes.length / CODE_ALIGN) * CODE_ALIGN;
  }
  return { plan, layout, threads, image: imageOf(plan, layout, threads) };
}

function assembleThread(plan: LitmusPlan, layout: LitmusLayout, thread: number, base: number): ThreadCode {
  const { architecture } = plan.dialect;
  const threads = plan.test.threads.length;
  const displacements = new Map(
    plan.memory.map(({ name }, i) => [name, memoryOffset(layout, threads, i) - thread * layout.recordBytes] as const),
  );
  const input: HarnessInput = {
    layout,
    threads,
    first: recordAddress(layout, 0, thread),
    displacements,
    starts: plan.starts[thread] ?? [],
    saved: plan.saved[thread] ?? [],
  };
  const harness = harnesses[architecture];
  const assemble = (lines: readonly string[], at: number, symbols: Record<string, number> = {}) =>
    assembleText(lines.join("\n"), { architecture, base: at, symbols });
  const before = assemble(harness.before(input), base);
  const body = assembleBody(plan, thread, displacements, endOf(before));
  const behind = assemble(harness.behind(input), endOf(body.assembled), { again: base });
  return {
    entry: base,
    start: body.assembled.base,
    end: behind.base,
    finished: behind.label("finished"),
    bytes: Uint8Array.from([before, body.assembled, behind].flatMap(({ bytes }) => [...bytes])),
    cellAt: body.cellAt,
  };
}

function endOf({ base, bytes }: AssembledText): number {
  return base + bytes.length;
}

// --- a thread's own code --------------------------------------------------------------------------------------------------------

/** Names that may not be the test's labels: none are given to its code. */
function assembleBody(
  { test, dialect }: LitmusPlan,
  thread: number,
  displacements: Displacements,
  base: number,
): { assembled: AssembledText; cellAt: ThreadCode["cellAt"] } {
  const cells = (test.threads[thread] ?? []).filter(({ text }) => text !== "");
  const lines = cells.map((cell) => dialect.translate(cell, displacements));
  const text = lines.map((line) => `${line.text}\n`).join("");
  const assembled = inFile(lines, () => assembleText(text, { architecture: dialect.architecture, base }));
  const cellAt = (address: number): Cell | undefined => {
    const found = assembled.lines.find(({ start, end }) => start <= address && address < end);
    return found === undefined ? undefined : cells[found.line - 1];
  };
  return { assembled, cellAt };
}

/** Mistakes of the assembler, at their places in the test. */
function inFile<T>(lines: readonly Translation[], work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof AllstopError) || error.code !== "ASSEMBLY_INVALID") throw error;
    const [, line = 0, column = 0] = (/^(\d+):(\d+)$/.exec(error.at ?? "") ?? []).map(Number);
    const translation = lines[line - 1];
    const { what, value, allowed } = error;
    const details = {
      value: value === undefined ? translation?.cell.text : value,
      ...(allowed === undefined ? {} : { allowed }),
      cause: error,
    };
    if (translation === undefined) throw new AllstopError("LITMUS_INVALID", what, details);
    const at = formatPlace({
      line: translation.cell.place.line,
      column: translation.columns[column - 1] ?? translation.columns.at(-1) ?? 1,
    });
    throw new AllstopError("LITMUS_INVALID", `${what}, in ${JSON.stringify(translation.cell.text)}`, {
      at,
      ...details,
    });
  }
}

// --- the image ------------------------------------------------------------------------------------------------------------------

function imageOf({ dialect, test }: LitmusPlan, layout: LitmusLayout, threads: readonly ThreadCode[]): MachineImage {
  const code = threads.map(({ entry, bytes }) => ({
    address: entry,
    bytes,
    memoryBytes: bytes.length,
    readable: true,
    writable: false,
    executable: true,
  }));
  const data = {
    address: layout.dataBase,
    bytes: new Uint8Array(0),
    memoryBytes: layout.dataBytes,
    readable: true,
    writable: true,
    executable: false,
  };
  const symbols = threads.map(({ entry, bytes }, thread): ImageSymbol => ({
    name: `P${thread}`,
    address: entry,
    size: bytes.length,
    kind: "function",
    section: ".text",
  }));
  const hash = new Sha256().text("allstop litmus image 1").text(test.name).number(layout.dataBytes);
  for (const { entry, bytes } of threads) hash.number(entry).update(bytes);
  return {
    architecture: dialect.architecture,
    cpus: 0,
    entry: layout.codeBase,
    hash: hash.hex(),
    hasSymbol: (name) => symbols.some((symbol) => symbol.name === name),
    marks: [],
    perCpuStart: 0,
    perCpuStride: 0,
    segments: [...code, data],
    symbol: (name) => {
      const found = symbols.find((symbol) => symbol.name === name);
      if (found === undefined) throw unknownName("the image has no such symbol", { value: name, allowed: "P0, P1 …" });
      return found;
    },
    symbols,
  };
}
