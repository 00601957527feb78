// Pictures of CPUs as lines of text.

import { instructionLine, instructionText } from "../disassembly/text.ts";
import type { CpuInterrupts } from "../inspect/interrupts.ts";
import type { LineHolders } from "../inspect/lines.ts";
import type { Palette } from "../report/text.ts";
import { nsOf } from "../timing/index.ts";
import { formatCpuList } from "../topology/index.ts";
import { interruptName } from "../trace/interrupt-names.ts";
import type { StepEvent } from "./events.ts";
import type { CpuPicture, TouchedLine } from "./picture.ts";
import type { Stepper } from "./stepper.ts";

/** "cycle 160,444 + 1 instruction  64.178 us" */
export function positionText(stepper: Stepper, cpu: number): string {
  const { cycle, instructions } = stepper.position;
  const within = instructions.get(cpu) ?? 0;
  const more = within === 0 ? "" : ` + ${within} instruction${within === 1 ? "" : "s"}`;
  return `cycle ${cycle.toLocaleString("en-US")}${more}  ${timeText(stepper.ns)}`;
}

/** To a nanosecond: "64.178 us". */
function timeText(ns: number): string {
  return `${(ns / 1000).toFixed(3)} us`;
}

/** Where a CPU stands: position, state and place. */
export function whereText(stepper: Stepper, { cpu, view, blockedFor }: CpuPicture, palette: Palette): string {
  const state = stateText(view, blockedFor);
  const place = view.state === "OFFLINE" ? "" : `  ${view.at ?? `0x${view.pc.toString(16)}`}`;
  return `${palette.strong(`CPU ${cpu}`)}  ${positionText(stepper, cpu)}  ${state}${place}`;
}

export function stateText(view: CpuPicture["view"], blockedFor: CpuPicture["blockedFor"]): string {
  if (view.state === "WAITING") return `waits in ${view.waitsIn}`;
  if (view.state !== "BLOCKED" || blockedFor === undefined) return view.state.toLowerCase();
  if (blockedFor.kind === "stores") return "blocked until stores have drained";
  if (blockedFor.kind === "device") return `blocked for a device at 0x${blockedFor.address.toString(16)}`;
  return `blocked for a line to ${blockedFor.write ? "write" : "read"}`;
}

/**
 * Code around the next instruction, which `=>` points to; each with its source line where that changes.
 * @param shortNames source files without their folders
 */
export function codeLines({ code, view, interrupts }: CpuPicture, palette: Palette, shortNames = false): string[] {
  let before = "";
  return code.map((instruction) => {
    const { source, address } = instruction;
    const file = shortNames ? source?.file.replace(/.*\//, "") : source?.file;
    const place = source === undefined ? "" : `${file}:${source.line}`;
    const isNext = address === view.pc;
    const note = place === before && !isNext ? "" : place;
    before = place;
    const text = source?.text === undefined || note === "" ? note : `${note}  ${source.text}`;
    const line = instructionLine(instruction, interrupts.architecture, text, palette);
    return isNext ? palette.strong(`=>${line.slice(2)}`) : line;
  });
}

/** The next instruction alone. */
export function nextText({ code, view }: CpuPicture): string {
  const next = code.find(({ address }) => address === view.pc);
  if (next === undefined) return "";
  const comment = next.comment === "" ? "" : `  ; ${next.comment}`;
  const source = next.source === undefined ? "" : `  ${next.source.file}:${next.source.line}`;
  return `${instructionText(next)}${comment}${source}`;
}

const REGISTERS_PER_LINE = 4;
const NAME_COLUMNS = 4;

/** Registers, those that have changed since `before` in bold and with an asterisk. */
export function registerLines(
  picture: CpuPicture,
  before: CpuPicture | undefined,
  palette: Palette,
  perLine = REGISTERS_PER_LINE,
): string[] {
  const old = new Map([...(before?.registers ?? []), ...(before?.system ?? [])]);
  const cell = ([name, value]: readonly [string, bigint]): string => {
    const isNew = before !== undefined && old.get(name) !== value;
    const text = `${name.padEnd(NAME_COLUMNS)} ${value.toString(16).padStart(16, "0")}${isNew ? "*" : " "}`;
    return isNew ? palette.strong(text) : text;
  };
  const lines = rows(picture.registers.map(cell), perLine);
  const system = picture.system.map(([name, value]) => {
    const isNew = before !== undefined && old.get(name) !== value;
    const text = `${name} ${value.toString(16)}${isNew ? "*" : ""}`;
    return isNew ? palette.strong(text) : text;
  });
  return [...lines, [flagsText(picture), ...system].join("  ")];
}

/** What has changed, as "rax 5 -> 7". */
export function changesText(picture: CpuPicture, before: CpuPicture | undefined): string {
  if (before === undefined) return "";
  const old = new Map([...before.registers, ...before.system]);
  const changes = [...picture.registers, ...picture.system].flatMap(([name, value]) => {
    const was = old.get(name);
    return was === undefined || was === value ? [] : [`${name} ${was.toString(16)} -> ${value.toString(16)}`];
  });
  const [now, then] = [flagsText(picture), flagsText(before)];
  return [...changes, ...(now === then ? [] : [`${then} -> ${now.replace(/^\w+ /, "")}`])].join("  ");
}

function rows(cells: readonly string[], perLine: number): string[] {
  const count = Math.ceil(cells.length / perLine);
  return Array.from({ length: count }, (_, row) =>
    cells
      .slice(row * perLine, (row + 1) * perLine)
      .join("  ")
      .trimEnd(),
  );
}

const X86_FLAGS = [
  [11, "OF"],
  [10, "DF"],
  [9, "IF"],
  [7, "SF"],
  [6, "ZF"],
  [4, "AF"],
  [2, "PF"],
  [0, "CF"],
] as const;

/** "rflags IF ZF PF", or "nzcv nZCv". */
export function flagsText({ flags, interrupts }: CpuPicture): string {
  if (interrupts.architecture === "arm64") {
    const letters = [...NZCV].map((letter, index) => ((flags >>> (3 - index)) & 1 ? letter : letter.toLowerCase()));
    return `nzcv ${letters.join("")}`;
  }
  const set = X86_FLAGS.flatMap(([bit, name]) => ((flags >>> bit) & 1 ? [name] : []));
  return ["rflags", ...set].join(" ");
}

const NZCV = "NZCV";

/** What waits to be taken, and what holds it off. */
export function interruptLines(interrupts: CpuInterrupts): string[] {
  const underWay = interrupts.underWay === 0 ? "" : `  under way ${interrupts.underWay}`;
  const list = (numbers: readonly number[]): string =>
    numbers.length === 0 ? "-" : numbers.map((number) => numberText(interrupts.architecture, number)).join(",");
  if (interrupts.architecture === "x86-64") {
    const { irr, isr, tpr, ppr, icr, interruptFlag, nmiLatched, nmiBlocked, smiLatched, initLatched } = interrupts;
    const latched = [...(nmiLatched ? ["NMI"] : []), ...(smiLatched ? ["SMI"] : []), ...(initLatched ? ["INIT"] : [])];
    return [
      `IRR ${list(irr)}  ISR ${list(isr)}  TPR ${hex(tpr)}  PPR ${hex(ppr)}  ICR ${hex(icr)}${underWay}`,
      `IF ${interruptFlag ? 1 : 0}  latched ${latched.join(",") || "-"}  NMI ${nmiBlocked ? "blocked until IRET" : "open"}`,
    ];
  }
  const { pending, active, enabled, nonMaskable, pmr, rpr, daif, allint } = interrupts;
  const signals = [
    ...(interrupts.nmiSignalled ? ["NMI"] : []),
    ...(interrupts.irqSignalled ? ["IRQ"] : []),
    ...(interrupts.fiqSignalled ? ["FIQ"] : []),
    ...(interrupts.el3Pending ? ["EL3"] : []),
  ];
  const superpriority = nonMaskable.length === 0 ? "" : `  non-maskable ${formatCpuList(nonMaskable)}`;
  return [
    `pending ${list(pending)}  active ${list(active)}  enabled ${enabled.length === 0 ? "-" : formatCpuList(enabled)}${superpriority}${underWay}`,
    `PMR ${hex(pmr)}  RPR ${hex(rpr)}  signalled ${signals.join(",") || "-"}  masked ${daif || "-"}${allint ? " ALLINT" : ""}`,
  ];
}

function numberText(architecture: "x86-64" | "arm64", number: number): string {
  const name = interruptName(architecture, { number, mode: 0 });
  if (architecture === "arm64") return name.startsWith("INTID") ? String(number) : `${number} ${name}`;
  return name.startsWith("vector") ? hex(number) : `${hex(number)} ${name}`;
}

function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

const BY: Readonly<Record<TouchedLine["by"], string>> = {
  next: "next",
  blocked: "waits for",
  store: "store waits",
  before: "before",
};

/** Lines that a CPU touches: why, state, who has them, name. */
export function lineLines({ lines, stores }: CpuPicture, nameOf: (address: number) => string): string[] {
  const touched = lines.map((line) => `${BY[line.by].padEnd(11)} ${holdersText(line)}  ${line.name}`);
  const waiting = stores.map(
    ({ address, bytes, value }) => `store buffer  ${hex(address)} = ${hex(value)} (${bytes} bytes)  ${nameOf(address)}`,
  );
  return [...touched, ...waiting];
}

/** "S  line 0x20a780  shared by CPU 0-3" */
export function holdersText({ address, state, owner, sharers, asking }: LineHolders): string {
  const who =
    state === "M"
      ? `CPU ${formatCpuList(owner)} may write${sharers.length === 0 ? "" : `, CPU ${formatCpuList(sharers)} read`}`
      : state === "S"
        ? `shared by CPU ${formatCpuList(sharers)}`
        : "in no cache";
  const queue = asking === 0 ? "" : `, ${asking} cache${asking === 1 ? "" : "s"} asking`;
  return `${state}  line ${hex(address)}  ${who}${queue}`;
}

/** "160,444  64.178 us  CPU 3  takes reschedule" */
export function eventText(stepper: Stepper, { cycle, cpu, text, kind }: StepEvent): string {
  const ns = nsOf(stepper.machine.timing, cycle);
  const what = kind === "mark" ? `at ${text}` : text;
  return `${cycle.toLocaleString("en-US").padStart(11)}  ${timeText(ns)}  CPU ${cpu}  ${what}`;
}

/** All there is to see of a CPU. */
export function pictureLines(
  stepper: Stepper,
  picture: CpuPicture,
  before: CpuPicture | undefined,
  nameOf: (address: number) => string,
  palette: Palette,
): string[] {
  return [
    whereText(stepper, picture, palette),
    ...codeLines(picture, palette),
    palette.faint("registers"),
    ...registerLines(picture, before, palette).map(indented),
    palette.faint("interrupts"),
    ...interruptLines(picture.interrupts).map(indented),
    ...(picture.lines.length + picture.stores.length === 0 ? [] : [palette.faint("lines")]),
    ...lineLines(picture, nameOf).map(indented),
  ];
}

function indented(line: string): string {
  return `  ${line}`;
}
