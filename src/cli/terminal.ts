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

  /** @param note in the place of the time that has passed */
  readonly update = (share: number, note?: string): void => {
    const now = performance.now();
    if (!this.#active || now - this.#drawn < LEAST_INTERVAL_MS) return;
    this.#drawn = now;
    const filled = Math.round(share * BAR_COLUMNS);
    const passed = note ?? `${((now - this.#started) / 1000).toFixed(1)} s`;
    const percent = String(Math.round(share * 100)).padStart(3);
    process.stderr.write(
      `\r${this.#title} [${"█".repeat(filled)}${"░".repeat(BAR_COLUMNS - filled)}] ${percent} %  ${passed}\x1b[K`,
    );
  };

  /** Removes the bar. */
  end(): void {
    if (this.#active && this.#drawn > 0) process.stderr.write("\r\x1b[2K");
  }
}

/** How far back the rate looks. */
const WINDOW_MS = 15_000;

/** The rate at which things get done, over the last seconds, and the time that the rest will take. */
export class Pace {
  readonly #clock: () => number;
  /** Oldest first. */
  #samples: { readonly at: number; readonly done: number }[] = [];

  /** @param clock milliseconds */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  /** Such as "120 of 1,000 runs, 41.2/s, 0:21 left". */
  text(done: number, total: number, what: string): string {
    const at = this.#clock();
    const last = this.#samples.at(-1);
    if (last === undefined || at - last.at >= LEAST_INTERVAL_MS) this.#samples.push({ at, done });
    const outside = this.#samples.findLastIndex((sample) => at - sample.at >= WINDOW_MS);
    if (outside > 0) this.#samples = this.#samples.slice(outside);
    const [first] = this.#samples;
    const rate = first === undefined || first.at === at ? NaN : ((done - first.done) / (at - first.at)) * 1000;
    const count = `${done.toLocaleString("en-US")} of ${total.toLocaleString("en-US")} ${what}`;
    if (!(rate > 0)) return count;
    return `${count}, ${rate.toPrecision(3)}/s, ${clockTime((total - done) / rate)} left`;
  }
}

/** m:ss, or h:mm:ss. */
function clockTime(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (value: number): string => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
