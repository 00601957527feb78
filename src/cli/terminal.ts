// What the commands share of the terminal: colours, a progress bar, results on stdout and everything else on stderr.

import { isatty } from "node:tty";
import picocolors from "picocolors";
import type { Palette } from "../report/text.ts";

/** Whether stdout takes colours: a terminal does, unless NO_COLOR is set; FORCE_COLOR makes anything take them. */
function coloured(): boolean {
  if (process.env["NO_COLOR"]) return false;
  if (process.env["FORCE_COLOR"]) return true;
  return isatty(1) && process.env["TERM"] !== "dumb";
}

/** Colours for output on stdout. The library alone would colour the logs and pipes of a CI job as well. */
export function palette(): Palette {
  const colors = picocolors.createColors(coloured());
  return { good: colors.green, bad: colors.red, strong: colors.bold, faint: colors.dim };
}

/** Prints to stdout. A reader that went away (a pipe into head) is no error. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function ignoreClosedPipes(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
}

const BAR_COLUMNS = 32;
const LEAST_INTERVAL_MS = 80;

/** A progress bar on stderr, drawn only on a terminal. */
export class ProgressBar {
  readonly #title: string;
  readonly #active = process.stderr.isTTY;
  readonly #started = performance.now();
  #drawn = 0;

  constructor(title: string) {
    this.#title = title;
  }

  readonly update = (share: number): void => {
    const now = performance.now();
    if (!this.#active || now - this.#drawn < LEAST_INTERVAL_MS) return;
    this.#drawn = now;
    const filled = Math.round(share * BAR_COLUMNS);
    const seconds = ((now - this.#started) / 1000).toFixed(1);
    const percent = String(Math.round(share * 100)).padStart(3);
    process.stderr.write(
      `\r${this.#title} [${"█".repeat(filled)}${"░".repeat(BAR_COLUMNS - filled)}] ${percent} %  ${seconds} s`,
    );
  };

  /** Removes the bar. */
  end(): void {
    if (this.#active && this.#drawn > 0) process.stderr.write("\r\x1b[2K");
  }
}
