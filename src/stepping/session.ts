// Stepping by typed commands: each is a line of words, and has lines of text to show for it.

import { AllstopError } from "../errors.ts";
import { nearestNames } from "../names.ts";
import type { Palette } from "../report/text.ts";
import { Pictures, type CpuPicture } from "./picture.ts";
import type { StepEnd, StepPlace, Stepper } from "./stepper.ts";
import {
  changesText,
  codeLines,
  eventText,
  holdersText,
  interruptLines,
  lineLines,
  nextText,
  pictureLines,
  registerLines,
  stateText,
  whereText,
} from "./text.ts";

/** What a command has brought. */
export interface CommandResult {
  readonly lines: readonly string[];
  /** The user wants to leave. */
  readonly quit?: true;
  /** The position may be another one. */
  readonly moved?: true;
}

/** Commands with their short forms, arguments and what they do, in the order in which help lists them. */
export const stepCommands = [
  ["step", "s", "[N]", "the CPU's next instruction, or N; taking an interrupt or exception counts as one"],
  ["event", "e", "[N]", "to the next event of the chosen CPUs, or the N-th"],
  [
    "until",
    "u",
    "PLACE [CPU]",
    "to a mark, symbol or address; or to a time such as 65.2us, or a cycle such as @160000",
  ],
  ["continue", "c", "", "to the next breakpoint, or to where the run's requester is through"],
  ["break", "b", "[PLACE [CPU]]", "set a breakpoint; list them"],
  ["delete", "d", "PLACE", "remove a breakpoint"],
  ["back", "k", "[N]", "to where the last command that moved began, or the N-th last; or to a cycle such as @160000"],
  ["cpu", "p", "N", "step this CPU from now on"],
  ["show", "v", "[CPU]", "all there is to see of a CPU: code, registers, interrupts, lines"],
  ["code", "l", "[N]", "instructions around the next one, N to either side"],
  ["registers", "r", "", "registers, those that have changed marked by *"],
  ["interrupts", "i", "", "what is pending, and what masks it"],
  ["lines", "n", "[PLACE]", "cache lines that the CPU touches; or that of a place: state, owner, sharers"],
  ["memory", "m", "PLACE [BYTES]", "memory from a symbol or address on, 64 bytes if not given"],
  ["cpus", "a", "", "where the chosen CPUs are"],
  ["digest", "g", "", "hash of the whole state at this cycle"],
  ["help", "h", "", "this list"],
  ["quit", "q", "", "leave"],
] as const;

type CommandName = (typeof stepCommands)[number][0];

const DEFAULT_BYTES = 64;
const MOST_BYTES = 4096;
const BYTES_PER_LINE = 16;
const MOST_AROUND = 100;

/** Interprets commands for one stepper. */
export class StepSession {
  readonly stepper: Stepper;
  readonly pictures: Pictures;
  readonly #palette: Palette;
  /** By CPU: as it was when the last command that moved began. */
  #before = new Map<number, CpuPicture>();

  private constructor(stepper: Stepper, pictures: Pictures, palette: Palette) {
    this.stepper = stepper;
    this.pictures = pictures;
    this.#palette = palette;
  }

  static async of(stepper: Stepper, palette: Palette): Promise<StepSession> {
    return new StepSession(stepper, await Pictures.of(stepper), palette);
  }

  /** The picture of a CPU, and how it was before. @param around see Pictures.of() */
  picture(cpu = this.stepper.focus, around?: number): { now: CpuPicture; before: CpuPicture | undefined } {
    return { now: this.pictures.of(cpu, around), before: this.#before.get(cpu) };
  }

  /** Runs a command; an empty one does nothing. @throws OPTION_INVALID, NAME_UNKNOWN for commands that make no sense */
  execute(line: string): CommandResult {
    const [word = "", ...rest] = line.trim().split(/\s+/);
    if (word === "" || word.startsWith("#")) return { lines: [] };
    return this.#commands[commandNamed(word)](rest);
  }

  readonly #commands: Readonly<Record<CommandName, (words: readonly string[]) => CommandResult>> = {
    step: (words) => this.#move(() => this.stepper.stepInstruction(count(words[0]))),
    event: (words) => this.#move(() => this.stepper.stepEvent(count(words[0]))),
    until: (words) => this.#move(() => this.#until(words)),
    continue: () => this.#move(() => this.stepper.continue()),
    break: (words) => this.#break(words),
    delete: ([place]) => this.#delete(place),
    back: ([word]) => this.#back(word),
    cpu: ([word]) => {
      this.stepper.focus = cpuOf(word);
      return { lines: this.#where(), moved: true };
    },
    show: ([word]) => {
      const { now, before } = this.picture(word === undefined ? undefined : cpuOf(word));
      return {
        lines: pictureLines(this.stepper, now, before, (address) => this.pictures.name(address), this.#palette),
      };
    },
    code: ([word]) => ({ lines: this.#code(word) }),
    registers: () => {
      const { now, before } = this.picture();
      return { lines: registerLines(now, before, this.#palette) };
    },
    interrupts: () => ({ lines: interruptLines(this.picture().now.interrupts) }),
    lines: ([place]) => ({ lines: this.#lines(place) }),
    memory: (words) => ({ lines: this.#memory(words) }),
    cpus: () => ({ lines: this.#cpus() }),
    digest: () => ({ lines: [this.stepper.digest()] }),
    help: () => ({ lines: helpLines() }),
    quit: () => ({ lines: [], quit: true }),
  };

  // --- commands that move -----------------------------------------------------------------------------------------------------

  #move(command: () => StepEnd): CommandResult {
    const chosen = new Set([...this.stepper.cpus.slice(0, MOST_REMEMBERED), this.stepper.focus]);
    const before = new Map([...chosen].map((cpu) => [cpu, this.pictures.of(cpu, 0)]));
    const end = command();
    this.#before = before;
    return { lines: [...this.#endLines(end), ...this.#where()], moved: true };
  }

  #endLines({ kind, events, stop }: StepEnd): string[] {
    const told = events.slice(-MOST_TOLD).map((event) => eventText(this.stepper, event));
    const more = events.length > told.length ? [`… ${events.length - told.length} events before`] : [];
    const limit = kind === "limit" ? ["nothing of that before the end of the run: its limit is reached"] : [];
    const stopped = stop === undefined ? [] : [`the machine has stopped: ${stop.reason} on CPU ${stop.cpu}`];
    return [...more, ...told, ...limit, ...stopped];
  }

  /** Where the CPU stands, its next instruction, and what has changed. */
  #where(): string[] {
    const { now, before } = this.picture();
    const next = nextText(now);
    const changes = changesText(now, before);
    return [
      whereText(this.stepper, now, this.#palette),
      ...(next === "" ? [] : [`  => ${next}`]),
      ...(changes === "" ? [] : [`     ${changes}`]),
    ];
  }

  #until([word, cpu]: readonly string[]): StepEnd {
    if (word === undefined)
      throw missing("until", "a mark, symbol or address, a time such as 65.2us, or a cycle such as @160000");
    const time = /^(\d+(?:\.\d+)?)(ns|us|ms)$/.exec(word);
    if (time !== null)
      return this.stepper.runUntil({ ns: Number(time[1]) * NS_PER_UNIT[time[2] as "ns" | "us" | "ms"] });
    if (word.startsWith("@")) return this.stepper.runUntil({ cycle: cycleOf(word) });
    return this.stepper.runUntil(placeOf(word, cpu));
  }

  #back(word: string | undefined): CommandResult {
    const before = new Map<number, CpuPicture>();
    if (word?.startsWith("@")) this.stepper.backTo(cycleOf(word));
    else if (!this.stepper.back(count(word))) {
      const stops = this.stepper.stops.length;
      throw new AllstopError("OPTION_INVALID", "no stop so far back", { value: count(word), allowed: `1 to ${stops}` });
    }
    this.#before = before;
    return { lines: this.#where(), moved: true };
  }

  // --- breakpoints ------------------------------------------------------------------------------------------------------------

  #break([word, cpu]: readonly string[]): CommandResult {
    if (word !== undefined) this.stepper.setBreakpoint(placeOf(word, cpu));
    const { breakpoints } = this.stepper;
    const text = ({ place, cpu: only }: StepPlace): string => {
      const name = typeof place === "number" ? `0x${place.toString(16)}` : place;
      return only === undefined ? name : `${name} on CPU ${only}`;
    };
    return { lines: breakpoints.length === 0 ? ["no breakpoints"] : breakpoints.map(text) };
  }

  #delete(word: string | undefined): CommandResult {
    if (word === undefined) throw missing("delete", "the place of a breakpoint");
    if (this.stepper.removeBreakpoint(placeOf(word, undefined).place)) return { lines: [] };
    const allowed = this.stepper.breakpoints.map(({ place }) => String(place)).join(", ") || "there are none";
    throw new AllstopError("NAME_UNKNOWN", "no breakpoint there", { value: word, allowed });
  }

  // --- commands that show -----------------------------------------------------------------------------------------------------

  #code(word: string | undefined): string[] {
    const around = word === undefined ? 8 : Math.min(MOST_AROUND, count(word));
    const { now } = this.picture(undefined, around);
    if (now.code.length > 0) return codeLines(now, this.#palette);
    return [this.pictures.missing ?? `no code at 0x${now.view.pc.toString(16)}`];
  }

  #lines(place: string | undefined): string[] {
    if (place !== undefined) {
      const line = this.pictures.line(placeOf(place, undefined).place);
      return [`${holdersText(line)}  ${line.name}`];
    }
    const lines = lineLines(this.picture().now, (address) => this.pictures.name(address));
    return lines.length === 0 ? ["the next instruction touches no memory, and no store waits"] : lines;
  }

  #memory([word, length]: readonly string[]): string[] {
    if (word === undefined) throw missing("memory", "a symbol or an address, and a number of bytes");
    const { machine } = this.stepper;
    const start = machine.address(placeOf(word, undefined).place);
    const bytes = machine.readMemory(start, Math.min(MOST_BYTES, length === undefined ? DEFAULT_BYTES : count(length)));
    const lines: string[] = [];
    for (let at = 0; at < bytes.length; at += BYTES_PER_LINE) {
      const own = bytes.subarray(at, at + BYTES_PER_LINE);
      const digits = Array.from(own, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
      lines.push(
        `${(start + at).toString(16).padStart(8, "0")}  ${digits.padEnd(3 * BYTES_PER_LINE - 1)}  ${this.pictures.name(start + at)}`,
      );
    }
    return lines;
  }

  #cpus(): string[] {
    const { cpus, focus } = this.stepper;
    return cpus.map((cpu) => {
      const { view, blockedFor } = this.pictures.of(cpu, 0);
      const mark = cpu === focus ? "*" : " ";
      const place = view.state === "OFFLINE" ? "" : (view.at ?? `0x${view.pc.toString(16)}`);
      return `${mark} CPU ${String(cpu).padEnd(5)} ${stateText(view, blockedFor).padEnd(28)} ${place}`.trimEnd();
    });
  }
}

const NS_PER_UNIT = { ns: 1, us: 1_000, ms: 1_000_000 } as const;
/** CPUs whose changes are told. */
const MOST_REMEMBERED = 8;
/** Events that are listed, of those that were stepped by. */
const MOST_TOLD = 20;

function commandNamed(word: string): CommandName {
  const wanted = word.toLowerCase();
  const found = stepCommands.find(([name, short]) => name === wanted || short === wanted);
  if (found !== undefined) return found[0];
  const names = stepCommands.map(([name]) => name);
  const beginning = names.filter((name) => name.startsWith(wanted));
  if (beginning.length === 1) return beginning[0] as CommandName;
  const near = nearestNames(wanted, names);
  throw new AllstopError("NAME_UNKNOWN", "no such command", {
    value: word,
    allowed: `${near.join(", ")}, and others: help`,
  });
}

function helpLines(): string[] {
  return stepCommands.map(([name, short, words, what]) => `  ${`${name}, ${short} ${words}`.padEnd(26)} ${what}`);
}

function missing(command: string, allowed: string): AllstopError {
  return new AllstopError("OPTION_INVALID", `${command} needs to be told more`, { allowed });
}

function count(word: string | undefined): number {
  if (word === undefined) return 1;
  if (/^[1-9]\d{0,6}$/.test(word)) return Number(word);
  throw new AllstopError("OPTION_INVALID", "a number", { value: word, allowed: "whole numbers from 1 on" });
}

function cpuOf(word: string | undefined): number {
  if (word !== undefined && /^\d{1,6}$/.test(word)) return Number(word);
  throw new AllstopError("OPTION_INVALID", "the number of a CPU", { value: word ?? "", allowed: "0 and so on" });
}

function cycleOf(word: string): number {
  if (/^@\d{1,15}$/.test(word)) return Number(word.slice(1));
  throw new AllstopError("OPTION_INVALID", "a cycle", { value: word, allowed: "@ and a whole number" });
}

/** Hexadecimal numbers are addresses. */
function placeOf(word: string, cpu: string | undefined): StepPlace {
  const place = /^0x[0-9a-f]{1,13}$/i.test(word) ? Number(word) : word;
  return cpu === undefined ? { place } : { place, cpu: cpuOf(cpu) };
}
