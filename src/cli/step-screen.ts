// The full-screen view of allstop step: draws, and reads keys. Whatever happens, the terminal is left as it was.

import { emitKeypressEvents, type Key } from "node:readline";
import { AllstopError } from "../errors.ts";
import type { Palette } from "../report/text.ts";
import { screenLines } from "../stepping/screen.ts";
import type { StepSession } from "../stepping/session.ts";

const ENTER = "\x1b[?1049h\x1b[H";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const PROMPT = "allstop> ";
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const SIGNAL_EXIT = 130;
const MOST_OUTPUT = 1000;

/** Keys that are commands while nothing is typed. */
const KEYS: Readonly<Record<string, string>> = {
  space: "step",
  right: "step",
  down: "event",
  left: "back",
  pagedown: "continue",
};

export class StepScreen {
  readonly #session: StepSession;
  readonly #palette: Palette;
  #output: string[] = [];
  #typed = "";
  /** Commands that were typed, and the one that ↑ has brought back. */
  readonly #history: string[] = [];
  #recalled = 0;
  #finish: (code: number) => void = () => undefined;

  constructor(session: StepSession, palette: Palette) {
    this.#session = session;
    this.#palette = palette;
  }

  /** Until the user leaves. @returns the exit code */
  async run(): Promise<number> {
    const { stdin, stdout } = process;
    const draw = (): void => {
      this.#draw();
    };
    const restore = (): void => {
      stdin.setRawMode(false);
      stdout.write(LEAVE);
    };
    const leave = (): void => {
      this.#finish(SIGNAL_EXIT);
    };
    process.once("exit", restore);
    for (const signal of SIGNALS) process.on(signal, leave);
    stdout.write(ENTER);
    stdin.setRawMode(true);
    emitKeypressEvents(stdin);
    stdin.on("keypress", this.#press).resume();
    stdin.once("end", leave);
    stdout.on("resize", draw);
    try {
      return await new Promise<number>((resolve) => {
        this.#finish = resolve;
        draw();
      });
    } finally {
      stdin.off("keypress", this.#press).pause();
      stdin.off("end", leave);
      stdout.off("resize", draw);
      for (const signal of SIGNALS) process.off(signal, leave);
      process.off("exit", restore);
      restore();
    }
  }

  readonly #press = (text: string | undefined, key: Key): void => {
    if (key.ctrl === true && (key.name === "c" || key.name === "d")) {
      this.#finish(0);
      return;
    }
    const command = this.#typed === "" ? this.#commandOf(text, key) : undefined;
    if (command !== undefined) this.#execute(command);
    else this.#edit(text, key);
    this.#draw();
  };

  #commandOf(text: string | undefined, { name = "" }: Key): string | undefined {
    if (text === "?") return "help";
    if (name === "tab") return `cpu ${this.#nextCpu()}`;
    return KEYS[name];
  }

  #nextCpu(): number {
    const { cpus, focus } = this.#session.stepper;
    return cpus[(cpus.indexOf(focus) + 1) % cpus.length] ?? focus;
  }

  #edit(text: string | undefined, { name, ctrl, meta }: Key): void {
    if (name === "return" || name === "enter") {
      const command = this.#typed === "" ? (this.#history.at(-1) ?? "") : this.#typed;
      this.#typed = "";
      this.#execute(command);
      if (command !== "" && this.#history.at(-1) !== command) this.#history.push(command);
      this.#recalled = this.#history.length;
    } else if (name === "up" || name === "down") {
      this.#recalled = Math.max(0, Math.min(this.#history.length, this.#recalled + (name === "up" ? -1 : 1)));
      this.#typed = this.#history[this.#recalled] ?? "";
    } else if (name === "backspace") this.#typed = this.#typed.slice(0, -1);
    else if (name === "escape" || (ctrl === true && name === "u")) this.#typed = "";
    else if (text !== undefined && ctrl !== true && meta !== true && text >= " " && text !== "\x7f")
      this.#typed += text;
  }

  /** What can't be done is said where output stands. */
  #execute(command: string): void {
    if (command === "") return;
    try {
      const { lines, quit } = this.#session.execute(command);
      if (quit) this.#finish(0);
      this.#output.push(this.#palette.faint(`> ${command}`), ...lines);
    } catch (error) {
      if (!(error instanceof AllstopError)) throw error;
      this.#output.push(this.#palette.bad(error.message));
    }
    this.#output = this.#output.slice(-MOST_OUTPUT);
  }

  #draw(): void {
    const { columns = 80, rows = 24 } = process.stdout;
    const lines = screenLines(this.#session, this.#output, { columns, rows }, this.#palette);
    const body = lines.map((line) => `${line}\x1b[K`).join("\r\n");
    process.stdout.write(`\x1b[?25l\x1b[H${body}\r\n${PROMPT}${this.#typed}\x1b[J\x1b[?25h`);
  }
}
