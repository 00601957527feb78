// Positions in the TypeScript source: where a routine's author called the builder.
//
// Capturing costs about a microsecond; formatting a stack several, so it waits until somebody asks for a line table.
// Positions are those of the running file. They never enter bytes, identities or digests.

/** A place in TypeScript source; line and column count from 1. */
export interface SourcePosition {
  /** Relative to the package root where the file lies below it, else as the engine reports it. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** V8's extension; the type library of this project knows it only through Node. */
interface StackTraces {
  stackTraceLimit?: number;
  captureStackTrace?: (holder: object, above?: (...values: never[]) => unknown) => void;
}

const traces: StackTraces = Error;

/** Frames of a captured stack: the builder's method, then its caller. */
const FRAMES_KEPT = 2;

/** A place in somebody's source, not yet formatted. */
export class SourceMark {
  #holder: { stack?: string } | undefined;
  #position: SourcePosition | undefined;
  /** How many frames lie between the top of the stack and the caller. */
  readonly #skipped: number;

  constructor(holder: { stack?: string }, skipped: number) {
    this.#holder = holder;
    this.#skipped = skipped;
  }

  /** Formats the stack at the first call. Undefined where the engine gives no usable stack. */
  get position(): SourcePosition | undefined {
    if (this.#holder !== undefined) {
      this.#position = parseFrame(frameAt(this.#holder.stack ?? "", this.#skipped));
      this.#holder = undefined;
    }
    return this.#position;
  }
}

/** The position of the code that called the function from which `here` is called. */
export function here(): SourceMark {
  if (traces.captureStackTrace === undefined) return new SourceMark(new Error(), 2);
  const holder: { stack?: string } = {};
  const limit = traces.stackTraceLimit;
  traces.stackTraceLimit = FRAMES_KEPT;
  traces.captureStackTrace(holder, here);
  if (limit === undefined) delete traces.stackTraceLimit;
  else traces.stackTraceLimit = limit;
  return new SourceMark(holder, 1);
}

/** Frames between a mistake and its author: expressions nest, and each level is a call. */
const FRAMES_SEARCHED = 100;

/** The innermost place on the stack that is not in the assembler itself; undefined in a bundle, where all is one file. */
export function callerOutside(): SourcePosition | undefined {
  const limit = traces.stackTraceLimit;
  traces.stackTraceLimit = FRAMES_SEARCHED;
  const { stack = "" } = new Error();
  if (limit === undefined) delete traces.stackTraceLimit;
  else traces.stackTraceLimit = limit;
  for (const line of stack.split("\n")) {
    const position = parseFrame(line);
    if (position !== undefined && !position.file.startsWith(ownFolder) && !position.file.startsWith("node:"))
      return position;
  }
  return undefined;
}

/** file:line:column */
export function formatPosition(position: SourcePosition | undefined): string | undefined {
  return position === undefined ? undefined : `${position.file}:${position.line}:${position.column}`;
}

/** The n-th frame line of a stack text, in either engine family's form. */
function frameAt(stack: string, index: number): string {
  const lines = stack.split("\n").filter((line) => /:\d+:\d+\)?$/.test(line));
  return lines[index] ?? "";
}

/** Understands `at name (file:line:column)`, `at file:line:column` and `name@file:line:column`. */
export function parseFrame(frame: string): SourcePosition | undefined {
  const match = /^(.*):(\d+):(\d+)\)?$/.exec(frame.trim());
  if (match?.[1] === undefined) return undefined;
  return { file: relative(fileOf(match[1])), line: Number(match[2]), column: Number(match[3]) };
}

function fileOf(place: string): string {
  if (!place.startsWith("at ")) return place.slice(place.indexOf("@") + 1);
  const parenthesis = place.lastIndexOf(" (");
  return parenthesis >= 0 ? place.slice(parenthesis + 2) : place.replace(/^at (?:async )?/, "");
}

/** This file lies two folders below the package root, in the sources as in the built package. */
const root = packageRoot(import.meta.url);

/** Undefined where modules have no hierarchical address, as in a blob. */
export function packageRoot(module: string): URL | undefined {
  try {
    return new URL("../../", module);
  } catch {
    return undefined;
  }
}

function relative(file: string): string {
  if (root === undefined) return file;
  if (file.startsWith(root.href)) return file.slice(root.href.length);
  return file.startsWith(root.pathname) ? file.slice(root.pathname.length) : file;
}

/** The folder of the assembler, as positions in it are reported. */
const ownFolder = relative(String(import.meta.url)).replace(/[^/]*$/, "");

/** Positions recorded in advance, for bundles whose own positions mean nothing: routine name to one entry per statement. */
export type PositionTable = Readonly<Record<string, readonly (SourcePosition | undefined)[]>>;
