// The full-screen view of a stepping session as lines that fit a terminal.

import type { Palette } from "../report/text.ts";
import type { StepSession } from "./session.ts";
import { codeLines, interruptLines, lineLines, registerLines, stateText, whereText } from "./text.ts";

/** What the terminal has room for. */
export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

/** Rows of code, of a screen of usual height, and of what the last commands have shown. */
const LEAST_CODE_ROWS = 5;
const OUTPUT_ROWS = 6;
const MOST_CPU_ROWS = 8;
/** Of one register and the gap behind it; of a screen so low that output takes less. */
const REGISTER_COLUMNS = 24;
const LOW_ROWS = 32;
/** A terminal that has room for the folders of source files. */
const WIDE_COLUMNS = 160;

/**
 * Code around the next instruction, registers, interrupts, lines of memory, the other CPUs, and what the last command has shown; as many
 * lines as there are rows but the last one, which is the user's. What has no room is left out from the bottom of each part.
 */
export function screenLines(
  session: StepSession,
  output: readonly string[],
  { columns, rows }: ScreenSize,
  palette: Palette,
): string[] {
  const { stepper } = session;
  const { now, before } = session.picture(undefined, Math.max(LEAST_CODE_ROWS, rows));
  const nameOf = (address: number): string => session.pictures.name(address);
  const state = [
    ...titled(
      "registers",
      registerLines(now, before, palette, Math.floor((columns - 2) / REGISTER_COLUMNS) || 1),
      palette,
    ),
    ...titled("interrupts", interruptLines(now.interrupts), palette),
    ...titled("cache lines", lineLines(now, nameOf).slice(0, MOST_CPU_ROWS), palette),
    ...titled("CPUs", otherCpus(session), palette),
  ];
  const shown = output.slice(rows < LOW_ROWS ? -OUTPUT_ROWS / 2 : -OUTPUT_ROWS);
  const below = shown.length === 0 ? [] : [palette.faint("─".repeat(columns)), ...shown];
  const space = rows - 1;
  const codeRows = Math.max(LEAST_CODE_ROWS, space - 1 - state.length - below.length);
  const code = around(
    codeLines(now, palette, columns < WIDE_COLUMNS),
    codeRows,
    now.code.findIndex(({ address }) => address === now.view.pc),
  );
  const missing = session.pictures.missing;
  const top = [
    whereText(stepper, now, palette),
    ...(code.length > 0 ? code : [missing ?? "  no code to show"]),
    ...state,
  ];
  const most = Math.max(0, space - below.length);
  const padded = [...top.slice(0, most), ...Array<string>(Math.max(0, most - top.length)).fill(""), ...below];
  return padded.slice(0, space).map((line) => clipped(line, columns));
}

function titled(title: string, lines: readonly string[], { faint }: Palette): string[] {
  return lines.length === 0 ? [] : [faint(title), ...lines.map((line) => `  ${line}`)];
}

/** The chosen CPUs, as far as there is room. */
function otherCpus({ stepper, pictures }: StepSession): string[] {
  const { cpus, focus } = stepper;
  if (cpus.length === 1) return [];
  const first = Math.max(0, Math.min(cpus.indexOf(focus) - MOST_CPU_ROWS / 2, cpus.length - MOST_CPU_ROWS));
  return cpus.slice(first, first + MOST_CPU_ROWS).map((cpu) => {
    const { view, blockedFor } = pictures.of(cpu, 0);
    const mark = cpu === focus ? "*" : " ";
    return `${mark} ${String(cpu).padEnd(5)} ${stateText(view, blockedFor).padEnd(28)} ${view.at ?? ""}`.trimEnd();
  });
}

/** Lines around one of them. */
function around(lines: readonly string[], rows: number, index: number): readonly string[] {
  const first = Math.max(0, Math.min(index - Math.floor(rows / 3), lines.length - rows));
  return lines.slice(first, first + rows);
}

/** Text of at most so many columns; what colours it takes none. */
export function clipped(text: string, columns: number): string {
  let width = 0;
  let result = "";
  for (const [part] of text.matchAll(/\x1b\[[0-9;]*m|[^\x1b]|\x1b/gu)) {
    if (part.length > 1 && part.startsWith("\x1b")) result += part;
    else if (width < columns) {
      result += part;
      width++;
    }
  }
  return result;
}
