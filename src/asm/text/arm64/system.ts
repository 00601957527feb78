// A64 mnemonics of branches, barriers, hints, exceptions and system registers (Arm ARM, chapter C6).

import type { Arm64Assembler } from "../../arm64/assembler.ts";
import { ARM_CONDITIONS, xzr } from "../../arm64/registers.ts";
import {
  OTHER_SYSTEM_INSTRUCTIONS,
  OTHER_SYSTEM_REGISTERS,
  otherSystemInstruction,
  otherSystemRegister,
  takesRegister,
} from "../../arm64/system-register-names.ts";
import {
  BARRIERS,
  NXS_BARRIERS,
  PSTATE_FIELDS,
  SYSTEM_INSTRUCTIONS,
  SYSTEM_REGISTER_NAMES,
} from "../../arm64/system-registers.ts";
import type { PstateField, SystemRegister } from "../../arm64/system-registers.ts";
import { nearNames } from "../failure.ts";
import { conditionByName } from "./statement.ts";
import type { Arm64Statement } from "./statement.ts";
import { each } from "./table.ts";
import type { Table } from "./table.ts";

// --- branches and addresses -----------------------------------------------------------------------------------------------------

const CONDITION_NAMES = [...ARM_CONDITIONS, "cs", "cc"] as const;

const BRANCHES: Table = {
  ...each(["b", "bl"], (name) => ({
    forms: "a label, an address",
    emit: (s) => {
      s.expect(1);
      s.a[name](s.target(0));
    },
  })),
  ...each(
    CONDITION_NAMES.flatMap((name) =>
      name === "al" ? ["b.al" as const] : [`b.${name}` as const, `b${name}` as const],
    ),
    (name) => ({
      forms: "a label, an address",
      emit: (s) => {
        s.expect(1);
        s.a.bcond(conditionByName(name.replace(/^b\.?/, "")) ?? "al", s.target(0));
      },
    }),
  ),
  ...each(["cbz", "cbnz"], (name) => ({
    forms: "register, label",
    emit: (s) => {
      s.expect(2);
      s.a[name](s.register(0), s.target(1));
    },
  })),
  ...each(["tbz", "tbnz"], (name) => ({
    forms: "register, #bit, label",
    emit: (s) => {
      s.expect(3);
      s.a[name](s.register(0), s.number(1, 0, 63), s.target(2));
    },
  })),
  ...each(["br", "blr"], (name) => ({
    forms: "register of 64 bits",
    emit: (s) => {
      s.expect(1);
      s.a[name](s.register(0, 64));
    },
  })),
  ret: {
    forms: "none, or register of 64 bits",
    emit: (s) => {
      s.expect(0, 1);
      if (s.count === 0) s.a.ret();
      else s.a.ret(s.register(0, 64));
    },
  },
  adr: {
    forms: "register of 64 bits, label",
    emit: (s) => {
      s.expect(2);
      s.a.adr(s.register(0, 64), s.target(1));
    },
  },
  adrp: {
    forms: "register of 64 bits, label",
    emit: (s) => {
      s.expect(2);
      s.a.adrp(s.register(0, 64), s.scope.deferred(s.expression(1)));
    },
  },
};

// --- barriers and hints ---------------------------------------------------------------------------------------------------------

const HINTS = {
  nop: 0, yield: 1, wfe: 2, wfi: 3, sev: 4, sevl: 5, dgh: 6, xpaclri: 7, pacia1716: 8, pacib1716: 10, autia1716: 12, autib1716: 14,
  esb: 16, csdb: 20, paciaz: 24, paciasp: 25, pacibz: 26, pacibsp: 27, autiaz: 28, autiasp: 29, autibz: 30, autibsp: 31,
} as const; // prettier-ignore
const TARGETS: Readonly<Record<string, number>> = { c: 34, j: 36, jc: 38 };

function barrier(s: Arm64Statement, name: "dmb" | "dsb" | "isb"): void {
  s.expect(...(name === "isb" ? [0, 1] : [1]));
  const known: Readonly<Record<string, number>> = name === "isb" ? { sy: 15 } : BARRIERS;
  if (s.count === 0) s.a.isb();
  else if (!s.is(0, "name")) s.a.barrier(name, s.number(0, 0, 15));
  else if (name === "dsb" && s.name(0) in NXS_BARRIERS) s.a.dsbNxs(s.name(0) as keyof typeof NXS_BARRIERS);
  else {
    const option = known[s.name(0)];
    if (option === undefined)
      throw s.refuse("no such option of a barrier", s.operand(0).token, Object.keys(known).join(" "));
    s.a.barrier(name, option);
  }
}

function branchTarget(s: Arm64Statement): void {
  s.expect(0, 1);
  const hint = s.count === 0 ? 32 : TARGETS[s.name(0)];
  if (hint === undefined) throw s.refuse("no such kind of branch", s.operand(0).token, "c, j, jc");
  s.a.hint(hint);
}

const BARRIER_TABLE: Table = {
  ...each(["dmb", "dsb", "isb"], (name) => ({
    forms: name === "isb" ? "none, sy, #0 to #15" : `${Object.keys(BARRIERS).join(" ")}, #0 to #15`,
    emit: (s) => barrier(s, name),
  })),
  ...each(["ssbb", "pssbb"], (name) => ({
    forms: "no operands",
    emit: (s) => {
      s.expect(0);
      s.a.barrier("dsb", name === "ssbb" ? 0 : 4);
    },
  })),
  clrex: {
    forms: "none, #0 to #15",
    emit: (s) => {
      s.expect(0, 1);
      s.a.clrex(s.count === 0 ? 15 : s.number(0, 0, 15));
    },
  },
  ...each(Object.keys(HINTS) as (keyof typeof HINTS)[], (name) => ({
    forms: "no operands",
    emit: (s) => {
      s.expect(0);
      s.a.hint(HINTS[name]);
    },
  })),
  hint: {
    forms: "#0 to #127",
    emit: (s) => {
      s.expect(1);
      s.a.hint(s.number(0, 0, 127));
    },
  },
  ...each(["psb", "tsb"], (name) => ({
    forms: "csync",
    emit: (s) => {
      s.expect(1);
      if (s.name(0) !== "csync") throw s.refuse("no such kind of synchronization", s.operand(0).token);
      s.a.hint(name === "psb" ? 17 : 18);
    },
  })),
  bti: { forms: "none, c, j, jc", emit: branchTarget },
  ...each(["sb", "eret"], (name) => ({
    forms: "no operands",
    emit: (s) => {
      s.expect(0);
      s.a[name]();
    },
  })),
  ...each(["wfet", "wfit"], (name) => ({
    forms: "register of 64 bits",
    emit: (s) => {
      s.expect(1);
      s.a[name](s.register(0, 64));
    },
  })),
};

// --- exceptions -----------------------------------------------------------------------------------------------------------------

const EXCEPTIONS = ["svc", "hvc", "smc", "brk", "hlt", "udf"] as const satisfies readonly (keyof Arm64Assembler)[];

const EXCEPTION_TABLE: Table = each(EXCEPTIONS, (name) => ({
  forms: "#0 to #65535",
  emit: (s) => {
    s.expect(1);
    s.a[name](s.number(0, 0, 0xffff));
  },
}));

// --- system registers and instructions ------------------------------------------------------------------------------------------

function systemRegister(s: Arm64Statement, position: number): SystemRegister {
  const name = s.name(position);
  const isEncoding = /^s[23]_[0-7]_c(\d|1[0-5])_c(\d|1[0-5])_[0-7]$/.test(name);
  const isKnown =
    (SYSTEM_REGISTER_NAMES as readonly string[]).includes(name) || otherSystemRegister(name) !== undefined;
  if (isEncoding || isKnown) return name as SystemRegister;
  const near = nearNames(name, [...SYSTEM_REGISTER_NAMES, ...OTHER_SYSTEM_REGISTERS]);
  const allowed = `${near === "" ? "" : `${near}, or `}any by its encoding: s3_0_c12_c11_5`;
  throw s.refuse("no such system register", s.operand(position).token, allowed);
}

/** A register to a system register, or a constant to a field of PSTATE. */
function msr(s: Arm64Statement): void {
  s.expect(2);
  if (s.is(1, "register")) {
    s.a.msr(systemRegister(s, 0), s.register(1, 64));
    return;
  }
  const field = s.name(0);
  if (!(field in PSTATE_FIELDS))
    throw s.refuse("no field of PSTATE", s.operand(0).token, Object.keys(PSTATE_FIELDS).join(" "));
  s.a.msrImmediate(field as PstateField, s.number(1, 0, field.startsWith("daif") ? 15 : 1));
}

/** tlbi, dc, ic, at, cfp, dvp, cpp: an operation by name, with a register unless it is about everything. */
function systemInstruction(s: Arm64Statement): void {
  s.expect(1, 2);
  const kind = s.mnemonic.text.toLowerCase();
  const name = `${kind} ${s.name(0)}`;
  const known: Readonly<Record<string, readonly number[]>> = SYSTEM_INSTRUCTIONS;
  const fields = known[name] ?? otherSystemInstruction(name);
  if (fields === undefined) {
    const all = [...Object.keys(known), ...OTHER_SYSTEM_INSTRUCTIONS].filter((one) => one.startsWith(`${kind} `));
    const names = all.map((one) => one.slice(kind.length + 1));
    throw s.refuse("no such operation", s.operand(0).token, nearNames(s.name(0), names) || names.join(" "));
  }
  s.expect(takesRegister(name) ? 2 : 1);
  const [op1 = 0, crn = 0, crm = 0, op2 = 0] = fields;
  s.a.sysFields(op1, crn, crm, op2, s.count === 2 ? s.register(1, 64) : xzr);
}

/** c0 to c15 */
function controlName(s: Arm64Statement, position: number): number {
  const number = /^c(\d|1[0-5])$/.exec(s.name(position))?.[1];
  if (number === undefined) throw s.refuse("no such field", s.operand(position).token, "c0 to c15");
  return Number(number);
}

const SYSTEM: Table = {
  mrs: {
    forms: "register of 64 bits, system register",
    emit: (s) => {
      s.expect(2);
      s.a.mrs(s.register(0, 64), systemRegister(s, 1));
    },
  },
  msr: { forms: "system register, register of 64 bits; field of PSTATE, #immediate", emit: msr },
  ...each(["tlbi", "dc", "ic", "at", "cfp", "dvp", "cpp"], () => ({
    forms: "operation[, register of 64 bits]",
    emit: systemInstruction,
  })),
  sys: {
    forms: "#op1, cn, cm, #op2[, register of 64 bits]",
    emit: (s) => {
      s.expect(4, 5);
      const register = s.count === 5 ? s.register(4, 64) : xzr;
      s.a.sysFields(s.number(0, 0, 7), controlName(s, 1), controlName(s, 2), s.number(3, 0, 7), register);
    },
  },
  sysl: {
    forms: "register of 64 bits, #op1, cn, cm, #op2",
    emit: (s) => {
      s.expect(5);
      s.a.sysl(s.register(0, 64), s.number(1, 0, 7), controlName(s, 2), controlName(s, 3), s.number(4, 0, 7));
    },
  },
};

export const SYSTEM_TABLE: Table = { ...BRANCHES, ...BARRIER_TABLE, ...EXCEPTION_TABLE, ...SYSTEM };
