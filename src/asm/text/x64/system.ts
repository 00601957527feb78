// x86-64 mnemonics of control flow, interrupts, waiting, ordering, system registers and ports (SDM volume 2).

import type { X64Assembler } from "../../x64/assembler.ts";
import type { Width, X64Memory } from "../../x64/registers.ts";
import { CONDITION_NAMES } from "./operands.ts";
import type { X64Statement } from "./statement.ts";
import { each } from "./table.ts";
import type { Entry, Table } from "./table.ts";

// --- without operands -----------------------------------------------------------------------------------------------------------

/** By the name of their method where it is another. */
const WITHOUT_OPERANDS = {
  cqto: "cqo", cqo: "cqo", cltd: "cdq", cdq: "cdq", cwtd: "cwd", cwd: "cwd", cltq: "cdqe", cdqe: "cdqe", cwtl: "cwde", cwde: "cwde",
  cbtw: "cbw", cbw: "cbw", clc: "clc", stc: "stc", cmc: "cmc", lahf: "lahf", sahf: "sahf", cld: "cld", std: "std",
  pushfq: "pushfq", pushf: "pushfq", popfq: "popfq", popf: "popfq", leave: "leave", leaveq: "leave",
  iret: "iretd", iretl: "iretd", iretq: "iretq", erets: "erets", eretu: "eretu",
  syscall: "syscall", sysret: "sysretl", sysretl: "sysretl", sysretq: "sysretq", int1: "int1", int3: "int3",
  ud2: "ud2", endbr64: "endbr64", cli: "cli", sti: "sti", hlt: "hlt", pause: "pause", mfence: "mfence", lfence: "lfence",
  sfence: "sfence", serialize: "serialize", wbinvd: "wbinvd", wbnoinvd: "wbnoinvd", invd: "invd", wrmsr: "wrmsr", rdmsr: "rdmsr",
  cpuid: "cpuid", rdtsc: "rdtsc", rdtscp: "rdtscp", rdpmc: "rdpmc", xgetbv: "xgetbv", xsetbv: "xsetbv", swapgs: "swapgs",
  stac: "stac", clac: "clac", vmcall: "vmcall", vmmcall: "vmmcall", rsm: "rsm", clts: "clts",
} as const satisfies Record<string, keyof X64Assembler>; // prettier-ignore

/** Waits whose operands may be written out, as objdump does. */
const WAITS = {
  monitor: ["rax", "ecx", "edx"],
  mwait: ["eax", "ecx"],
  monitorx: ["rax", "ecx", "edx"],
  mwaitx: ["eax", "ecx", "ebx"],
} as const;

function wait(s: X64Statement, name: keyof typeof WAITS): void {
  const names: readonly string[] = WAITS[name];
  s.expect(0, names.length);
  for (const position of s.operands.keys()) {
    const { name: found } = s.register(position);
    const allowed = names[position] ?? "";
    // The manuals call them by other widths here and there.
    if (found.slice(1) !== allowed.slice(1))
      throw s.refuse("another register than the instruction has", s.operand(position).token, `%${allowed}`);
  }
  s.a[name]();
}

const SIMPLE: Table = {
  ...each(Object.keys(WITHOUT_OPERANDS) as (keyof typeof WITHOUT_OPERANDS)[], (name) => ({
    suffixes: "",
    forms: "no operands",
    emit: (s) => {
      s.expect(0);
      s.a[WITHOUT_OPERANDS[name]]();
    },
  })),
  ...each(Object.keys(WAITS) as (keyof typeof WAITS)[], (name) => ({
    suffixes: "",
    forms: WAITS[name].map((register) => `%${register}`).join(", "),
    emit: (s) => wait(s, name),
  })),
  nop: { suffixes: "wlq", forms: "none, or register or memory", isRepeatable: true, emit: nop },
  ret: { suffixes: "q", forms: "none, or $bytes", isRepeatable: true, emit: ret },
  lret: {
    suffixes: "lq",
    forms: "none, or $bytes",
    emit: (s) => s.a[s.suffix === 64 ? "retfq" : "retf"](poppedBytes(s)),
  },
};

function nop(s: X64Statement): void {
  s.expect(0, 1);
  if (s.repeat !== undefined) s.a.pause();
  else if (s.count === 1) s.a.nopOperand(s.registerOrMemory(0, s.width(0)));
  else s.a.nop();
}

/** `rep; ret` was advised for some processors; the prefix means nothing. */
function ret(s: X64Statement): void {
  const bytes = poppedBytes(s);
  if (s.repeat !== undefined) s.a.repeatPrefix(s.repeat);
  s.a.ret(bytes);
}

function poppedBytes(s: X64Statement): number {
  s.expect(0, 1);
  return s.count === 0 ? 0 : s.constant(0, 0, 0xffff);
}

// --- control flow ---------------------------------------------------------------------------------------------------------------

function branch(s: X64Statement, name: "jmp" | "call"): void {
  s.expect(1);
  if (s.operand(0).isIndirect) s.a[`${name}Indirect`](s.registerOrMemory(0, 64));
  else if (name === "jmp") s.a.jmp(s.target(0));
  else s.a.callLabel(s.target(0));
}

function far(s: X64Statement, name: "jmpFar" | "callFar"): void {
  s.expect(1);
  if (!s.operand(0).isIndirect) throw s.refuse("a far branch to a place", s.operand(0).token);
  s.a[name](s.memory(0, s.suffix ?? 32));
}

function toLabel(emit: (s: X64Statement) => void): Entry {
  return {
    suffixes: "",
    forms: "a label or an address",
    emit: (s) => {
      s.expect(1);
      emit(s);
    },
  };
}

const CONTROL_FLOW: Table = {
  ...each(["jmp", "call"], (name) => ({
    suffixes: "q",
    forms: "a label, an address, *register, *memory",
    isIndirect: true,
    emit: (s) => branch(s, name),
  })),
  ljmp: { suffixes: "q", forms: "*memory", isIndirect: true, emit: (s) => far(s, "jmpFar") },
  lcall: { suffixes: "q", forms: "*memory", isIndirect: true, emit: (s) => far(s, "callFar") },
  ...Object.fromEntries(
    Object.entries(CONDITION_NAMES).map(([name, condition]) => [
      `j${name}`,
      toLabel((s) => s.a.jcc(condition, s.target(0))),
    ]),
  ),
  loop: toLabel((s) => s.a.loop("loop", s.target(0))),
  ...each(["loope", "loopz"], () => toLabel((s) => s.a.loop("loope", s.target(0)))),
  ...each(["loopne", "loopnz"], () => toLabel((s) => s.a.loop("loopne", s.target(0)))),
  ...each(["jrcxz", "jecxz"], (name) => toLabel((s) => s.a[name](s.target(0)))),
  int: {
    suffixes: "",
    forms: "$vector",
    emit: (s) => {
      s.expect(1);
      const vector = s.constant(0, 0, 255);
      // As GNU as; outside virtual-8086 mode there is no difference.
      if (vector === 3) s.a.int3();
      else s.a.int(vector);
    },
  },
};

// --- system registers and memory ------------------------------------------------------------------------------------------------

type OfMemory =
  | "lgdt" | "lidt" | "sgdt" | "sidt" | "invlpg" | "clflush" | "clflushopt" | "clwb" | "prefetchw"; // prettier-ignore

function ofMemory(emit: (s: X64Statement, operand: X64Memory) => void): Entry {
  return {
    suffixes: "",
    forms: "memory",
    emit: (s) => {
      s.expect(1);
      emit(s, s.memory(0, 64));
    },
  };
}

function ofRegister(s: X64Statement, name: keyof typeof REGISTER_WIDTHS): void {
  s.expect(1);
  const widths: readonly Width[] = REGISTER_WIDTHS[name];
  const register = s.register(0);
  if (!widths.includes(register.width))
    throw s.refuse("a register of another width", s.operand(0).token, `${widths.join(" or ")} bits`);
  s.a[name](register);
}
const REGISTER_WIDTHS = {
  rdfsbase: [32, 64], rdgsbase: [32, 64], wrfsbase: [32, 64], wrgsbase: [32, 64], rdpid: [64], umonitor: [64], umwait: [32],
  tpause: [32],
} as const; // prettier-ignore

/** 16 bits in memory; registers of any width. */
function selector(s: X64Statement, name: "lldt" | "ltr" | "sldt" | "str" | "smsw" | "lmsw"): void {
  s.expect(1);
  s.a[name](s.registerOrMemory(0, s.isRegister(0) ? s.register(0).width : 16));
}

const SYSTEM: Table = {
  ...each<OfMemory>(["lgdt", "lidt", "sgdt", "sidt", "invlpg", "clflush", "clflushopt", "clwb", "prefetchw"], (name) =>
    ofMemory((s, operand) => s.a[name](operand)),
  ),
  ...each(["prefetchnta", "prefetcht0", "prefetcht1", "prefetcht2"], (name) =>
    ofMemory((s, operand) => s.a.prefetch(name, operand)),
  ),
  ...each(Object.keys(REGISTER_WIDTHS) as (keyof typeof REGISTER_WIDTHS)[], (name) => ({
    suffixes: "",
    forms: "one register",
    emit: (s) => ofRegister(s, name),
  })),
  ...each(["lldt", "ltr", "sldt", "str", "smsw", "lmsw"], (name) => ({
    suffixes: "w",
    forms: "register, or memory of 16 bits",
    emit: (s) => selector(s, name),
  })),
};

// --- ports ----------------------------------------------------------------------------------------------------------------------

/** The accumulator may be left out where a suffix gives the width. */
function port(s: X64Statement, name: "in" | "out"): void {
  s.expect(1, 2);
  const [place, accumulator] = name === "in" ? [0, 1] : s.count === 2 ? [1, 0] : [0, 1];
  const width = s.count === 2 ? s.width(accumulator) : s.width();
  if (s.count === 2 && s.register(accumulator, width).number !== 0)
    throw s.refuse("another register than the accumulator", s.operand(accumulator).token, "%al, %ax, %eax");
  if (width === 64) throw s.refuse("a port of 64 bits", s.mnemonic, "b, w, l");
  s.a[`${name}Port`](width, portNumber(s, place));
}

function portNumber(s: X64Statement, position: number): number | "dx" {
  const operand = s.operand(position);
  if (operand.kind === "immediate") return s.constant(position, 0, 255);
  if (/^\(?%dx\)?$/.test(operand.token.text.toLowerCase().replaceAll(/\s/g, ""))) return "dx";
  throw s.refuse("no port", operand.token, "$0 to $255, %dx");
}

const PORTS: Table = {
  in: { suffixes: "bwl", forms: "$port or %dx, %al to %eax", emit: (s) => port(s, "in") },
  out: { suffixes: "bwl", forms: "%al to %eax, $port or %dx", emit: (s) => port(s, "out") },
};

export const SYSTEM_TABLE: Table = { ...SIMPLE, ...CONTROL_FLOW, ...SYSTEM, ...PORTS };
