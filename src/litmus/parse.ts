// A litmus test of the herd tools, from text: name, initial state, a table of threads, and a condition.

import { parseCondition, parseLocation, parseProp } from "./condition.ts";
import { litmusMistake } from "./failure.ts";
import { parseInitial } from "./initial.ts";
import { Source, TokenReader } from "./source.ts";
import type { Cell, DialectName, LitmusTest } from "./test.ts";
import { ADDRESS, typeNamed } from "./values.ts";

const DIALECTS: readonly DialectName[] = ["AArch64", "X86_64", "X86"];
/** Where the table of threads ends: no instruction begins so. */
const BEHIND_THREADS = /\s*(?:(?:exists|forall|final|locations|filter|observed|~\s*exists|not\s+exists)(?![\w.:])|\()/y;

/** @throws AllstopError LITMUS_INVALID at line:column, with what stands there and what is allowed */
export function parseLitmus(text: string): LitmusTest {
  const source = new Source(text);
  const open = source.text.indexOf("{");
  const header = parseHeader(source, open < 0 ? source.text.length : open);
  if (open < 0) throw litmusMistake("no initial state", source.place(source.text.length), "the end", "{ … }");
  const close = closingBrace(source, open);
  const initial = parseInitial(new TokenReader(source.tokens(open + 1, close)));
  const { threads, end } = parseThreads(source, close + 1);
  const reader = new TokenReader(source.tokens(end, source.text.length));
  const shown = parseShown(reader);
  const filter = reader.accept("filter") ? parseProp(reader) : undefined;
  const condition = parseCondition(reader);
  return { ...header, initial, threads, shown, filter, condition };
}

type Header = Pick<LitmusTest, "dialect" | "name" | "doc" | "info">;

function parseHeader(source: Source, end: number): Header {
  const first = /^\s*(\S+)[ \t]*([^\n]*)/.exec(source.text.slice(0, end));
  const word = first?.[1] ?? "";
  const start = source.text.indexOf(word);
  const dialect = DIALECTS.find((name) => name === word);
  if (first === null || dialect === undefined)
    throw litmusMistake("no dialect that is understood", source.place(start), word, DIALECTS.join(", "));
  const name = first[2]?.trim() ?? "";
  if (name === "") throw litmusMistake("a test without a name", source.place(start), word, `${word} NAME`);
  const rest = source.text.slice(first[0].length, end);
  const doc = /"([^"]*)"/.exec(rest)?.[1];
  const info = [...rest.matchAll(/^[ \t]*([A-Za-z][\w-]*)[ \t]*=[ \t]*([^\n]*?)[ \t\r]*$/gm)].map(
    ([, key = "", value = ""]) => [key, value] as const,
  );
  return { dialect, name, doc, info };
}

function closingBrace(source: Source, open: number): number {
  let depth = 0;
  for (let at = open; at < source.text.length; at++) {
    if (source.text[at] === "{") depth++;
    else if (source.text[at] === "}" && --depth === 0) return at;
  }
  throw litmusMistake("an initial state without end", source.place(open), "{", "} behind it");
}

// --- threads --------------------------------------------------------------------------------------------------------------------

/** Rows end with a semicolon; their cells are separated by bars. */
function parseThreads(source: Source, start: number): { threads: Cell[][]; end: number } {
  let row = takeRow(source, start);
  if (row === undefined) {
    const { at, found } = restOf(source, start);
    throw litmusMistake("no threads", source.place(at), found, "P0 | P1 ;");
  }
  const threads = row.cells.map((cell, number) => columnOf(cell, number));
  let { end } = row;
  while (!isBehindThreads(source, end)) {
    row = takeRow(source, end);
    if (row === undefined) return checkRest(source, end, threads);
    ({ end } = row);
    const [surplus] = row.cells.slice(threads.length);
    if (surplus !== undefined)
      throw litmusMistake("a row with more cells than threads", surplus.place, surplus.text, `${threads.length} cells`);
    row.cells.forEach((cell, thread) => threads[thread]?.push(cell));
  }
  return { threads, end };
}

function columnOf({ text, place }: Cell, number: number): Cell[] {
  if (text !== `P${number}`)
    throw litmusMistake("no heading of a thread", place, text, `P${number} (threads have no names or handlers here)`);
  return [];
}

function isBehindThreads(source: Source, at: number): boolean {
  BEHIND_THREADS.lastIndex = at;
  return BEHIND_THREADS.test(source.text);
}

/** A last row without a semicolon is a mistake; nothing at all is a test without a condition. */
function checkRest(source: Source, start: number, threads: Cell[][]): { threads: Cell[][]; end: number } {
  const { at, found } = restOf(source, start);
  if (at < source.text.length)
    throw litmusMistake("a row without end, or no condition", source.place(at), found, "; or exists …");
  return { threads, end: at };
}

function restOf({ text }: Source, start: number): { at: number; found: string } {
  const rest = text.slice(start);
  return { at: start + rest.search(/\S|$/), found: rest.trim().slice(0, 40) || "the end" };
}

/** A row ends with a semicolon, but herd lets one stand behind LOCK as well. */
const ROW_END = /(?<!\block\s*);/gi;

function takeRow(source: Source, start: number): { cells: Cell[]; end: number } | undefined {
  ROW_END.lastIndex = start;
  const end = ROW_END.exec(source.text)?.index;
  if (end === undefined) return undefined;
  let at = start;
  const cells = source.text.slice(start, end).split("|").map((raw): Cell => {
    const text = raw.trim();
    const offset = at + (text === "" ? raw.length : raw.indexOf(text));
    at += raw.length + 1;
    return { text, place: source.place(offset) };
  }); // prettier-ignore
  return { cells, end: end + 1 };
}

// --- what is shown --------------------------------------------------------------------------------------------------------------

/** locations [x; 0:X0; uint64_t-typed ones with the type behind them] */
function parseShown(reader: TokenReader): LitmusTest["shown"] {
  if (!reader.accept("locations")) return [];
  const shown: LitmusTest["shown"][number][] = [];
  reader.expect("[");
  while (!reader.accept("]")) {
    const location = parseLocation(reader);
    const named = reader.peek().kind === "name" ? typeNamed(reader.take()) : undefined;
    shown.push({ location, type: reader.accept("*") ? ADDRESS : named });
    if (!reader.isNext("]")) reader.expect(";");
  }
  reader.accept(";");
  return shown;
}
