// Small x86-64 guests to which a test sends SMIs, NMIs, INITs and interrupts at a chosen instruction: programs as text, run up to
// a label.

import { Counter, type DeliveryMode, type TraceKind } from "../../../src/abi.ts";
import { R8, RAX, RBX, RCX, RDX, RSP, type Code, le } from "../../instructions/x86-64/code.ts";
import { DATA, Guest, type Gate, type GuestOptions, enableApic, loadTables } from "../../instructions/x86-64/guest.ts";
import type { TraceRecord } from "../../support/bare-machine.ts";
import { plainTiming } from "../../support/plain-timing.ts";

/** WBINVD is the slow instruction during which messages arrive. */
export const figures = { writeBackAll: 1000, smm: 300, cpuOn: 50, interrupt: 40, device: 20 };
export const VECTOR = 0x47;

const fixed: Readonly<Record<string, readonly number[]>> = {
  nop: [0x90],
  cli: [0xfa],
  sti: [0xfb],
  hlt: [0xf4],
  cld: [0xfc],
  ud2: [0x0f, 0x0b],
  int3: [0xcc],
  rsm: [0x0f, 0xaa],
  iretq: [0x48, 0xcf],
  retfq: [0x48, 0xcb],
  wbinvd: [0x0f, 0x09],
  pushfq: [0x9c],
  popfq: [0x9d],
  rdtsc: [0x0f, 0x31],
  rdtscp: [0x0f, 0x01, 0xf9],
  cpuid: [0x0f, 0xa2],
  rdmsr: [0x0f, 0x32],
  wrmsr: [0x0f, 0x30],
  syscall: [0x0f, 0x05],
  monitor: [0x0f, 0x01, 0xc8],
  mwait: [0x0f, 0x01, 0xc9],
  "rep stosb": [0xf3, 0xaa],
  "inc r8": [0x49, 0xff, 0xc0],
  "mov ss, ebx": [0x8e, 0xd3],
  "in al, 0x61": [0xe4, 0x61],
  "out 0x61, al": [0xe6, 0x61],
  "jmp $": [0xeb, 0xfe],
};
const withImmediate: Readonly<Record<string, readonly [opcode: number[], bytes: number]>> = {
  int: [[0xcd], 1],
  push: [[0x68], 4],
  "mov eax,": [[0xb8], 4],
  "mov ecx,": [[0xb9], 4],
  "mov edx,": [[0xba], 4],
  "mov ebx,": [[0xbb], 4],
  "mov edi,": [[0xbf], 4],
  "mov r8d,": [[0x41, 0xb8], 4],
};

/** Instructions and "label:"s, separated by semicolons or line ends. */
export function text(code: Code, source: string): void {
  for (const statement of source.split(/[;\n]/)) {
    const [, labels = "", name = ""] = /^\s*((?:\w+:\s*)*)(.*?)\s*$/.exec(statement) ?? [];
    for (const label of labels.match(/\w+/g) ?? []) code.label(label);
    if (name === "") continue;
    if (fixed[name] !== undefined) code.raw(...fixed[name]);
    else immediate(code, name);
  }
}

function immediate(code: Code, name: string): void {
  const [, start = "", number = ""] = /^(.*) (\w+)$/.exec(name) ?? [];
  const form = withImmediate[start];
  if (form === undefined) throw new Error(`no such instruction: ${name}`);
  code.raw(...form[0], ...le(Number(number), form[1]));
}

/** Notes an order: DATA[0] counts, and DATA[count] becomes `number`; keeps all registers. */
export function note(code: Code, number: number): void {
  code.push(RBX);
  code.put({ opcode: [0xff], rm: { displacement: DATA }, wide: true });
  code.mov(RBX, { displacement: DATA });
  code.put({ opcode: [0xc7], rm: { index: RBX, scale: 8, displacement: DATA }, wide: true, immediate: le(number, 4) });
  code.pop(RBX);
}

export const noted = (guest: Guest): number[] =>
  Array.from({ length: Number(guest.data(0)) }, (_, index) => Number(guest.data(index + 1)));

/** The handler notes the number, then where it was called from (word `returnWord` of DATA), and returns. */
export const notes =
  (number: number, returnWord = 40, more: (code: Code) => void = () => undefined) =>
  (code: Code): void => {
    note(code, number);
    const withError = [8, 10, 11, 12, 13, 14, 17].includes(number) ? 8 : 0;
    const saved = 24 + withError;
    code.mov(RAX, { base: RSP, displacement: saved }).mov({ displacement: DATA + 8 * returnWord }, RAX);
    code.mov(RAX, { base: RSP, displacement: saved + 16 }).mov({ displacement: DATA + 8 * (returnWord + 1) }, RAX);
    more(code);
  };

type Handlers = Readonly<Record<number, (code: Code) => void>>;

/**
 * CPU i runs programs[i], with tables and APIC set and IF clear, then halts for good at "end<i>". Handlers keep RAX, RCX and
 * RDX and return. Nothing has run yet.
 */
export function guestOf(
  programs: readonly (string | ((code: Code) => void))[],
  handlers: Handlers = {},
  options: GuestOptions = {},
): Guest {
  const gates: Record<number, Gate> = {};
  for (const vector of Object.keys(handlers)) {
    gates[Number(vector)] = { label: `handler${vector}`, ...options.gates?.[Number(vector)] };
  }
  const emit = (code: Code): void => {
    programs.forEach((program, cpu) => {
      code.label(`start${cpu}`);
      loadTables(code, cpu);
      enableApic(code);
      code.movShort(RBX, 0x10).movShort(R8, 0);
      if (typeof program === "string") text(code, program);
      else program(code);
      code.label(`end${cpu}`);
      text(code, `cli; hlt`);
      code.jump(`end${cpu}`);
    });
    for (const [vector, handler] of Object.entries(handlers)) {
      code.label(`handler${vector}`).push(RAX).push(RCX).push(RDX);
      handler(code);
      code.pop(RDX).pop(RCX).pop(RAX);
      text(code, "iretq");
    }
  };
  const timing = plainTiming("x86-64", figures);
  const guest = new Guest(emit, { cpus: programs.length, timing, ...options, gates: { ...options.gates, ...gates } });
  guest.machine.core.setTraceMask(0xffff_ffff);
  return guest.start(...programs.map((_, cpu) => `start${cpu}`));
}

export const now = (guest: Guest): bigint => guest.machine.counter(Counter.NOW);

/** Runs until the next instruction of a CPU is the one at a label. @returns the cycle, which has not been run */
export function runTo(guest: Guest, label: string, cpu = 0): bigint {
  const target = guest.label(label);
  for (let step = 0; step < 20_000; step++) {
    if (guest.machine.pc(cpu) === target) return now(guest);
    guest.machine.run(now(guest) + 1n);
  }
  throw new Error(`CPU ${cpu} does not come to ${label}`);
}

/** A message of the platform, some cycles from now. */
export function send(guest: Guest, mode: DeliveryMode, { cpu = 0, vector = 0, after = 5 } = {}): void {
  guest.machine.core.sendInterrupt(cpu, vector, mode, now(guest) + BigInt(after));
}

export function sendSmi(guest: Guest, { cpu = 0, duration = 0, after = 5 } = {}): void {
  guest.machine.core.sendSmi(cpu, duration, now(guest) + BigInt(after));
}

export function records(guest: Guest, ...kinds: TraceKind[]): TraceRecord[] {
  return guest.machine.drain().filter(({ kind }) => kinds.includes(kind));
}
