// A64 mnemonics that access memory (Arm ARM, chapter C6).

import { armGpr } from "../../arm64/registers.ts";
import type { ArmAccess, ArmAtomic, ArmOrdering, ArmPart } from "../../arm64/instructions/memory.ts";
import type { Arm64Width } from "../../arm64/registers.ts";
import type { Arm64Statement } from "./statement.ts";
import { each } from "./table.ts";
import type { Entry, Table } from "./table.ts";

const ADDRESS = "[base[, #offset | index[, extension #amount]]], [base, #offset]!, [base], #offset";
const PARTS = ["", "b", "h"] as const;
const ORDERINGS = ["", "a", "l", "al"] as const;

/** Bytes and halfwords are in w registers; other registers say how much is accessed. */
function partWidth(part: ArmPart | ""): Arm64Width | undefined {
  return part === "" ? undefined : 32;
}
function partOf(part: ArmPart | ""): ArmPart | undefined {
  return part === "" ? undefined : part;
}

// --- plain accesses -------------------------------------------------------------------------------------------------------------

const PLAIN = {
  ldr: undefined, str: undefined, ldrb: 32, strb: 32, ldrh: 32, strh: 32, ldrsb: undefined, ldrsh: undefined, ldrsw: 64,
} as const; // prettier-ignore

function plain(s: Arm64Statement, name: keyof typeof PLAIN): void {
  s.expect(2, 3);
  const register = s.register(0, PLAIN[name]);
  const operand = s.operand(1);
  if (operand.kind === "address") {
    const address = s.address(1);
    const isWrittenBack = address.mode !== "offset" && address.base.number === register.number;
    if (isWrittenBack && register.number !== 31)
      throw s.refuse("a base that is written twice", operand.token, "another base than the register that is accessed");
    s.a[name](register, address);
  } else if (operand.kind === "literal" && name === "ldr") {
    s.a.ldrLiteral(register, s.pool.label(register.width === 64 ? 8 : 4, operand.expression));
  } else if (name === "ldr") s.a.ldrLiteral(register, s.target(1));
  else if (name === "ldrsw") s.a.ldrswLiteral(register, s.target(1));
  else throw s.refuse("no address", operand.token);
}

/** Names of the accesses with an unscaled offset: what stands before and behind the u, t or apu. */
const UNSCALED: readonly (readonly [string, "unscaled" | "unprivileged" | "ordered", ArmAccess, Arm64Width | undefined])[] = (
  [
    ["ld", "r", "ld", undefined], ["st", "r", "st", undefined], ["ld", "rb", "ldb", 32], ["st", "rb", "stb", 32],
    ["ld", "rh", "ldh", 32], ["st", "rh", "sth", 32], ["ld", "rsb", "ldsb", undefined], ["ld", "rsh", "ldsh", undefined],
    ["ld", "rsw", "ldsw", 64],
  ] as const
).flatMap(([start, end, access, width]) => [
  [`${start}u${end}`, "unscaled", access, width] as const,
  [`${start}t${end}`, "unprivileged", access, width] as const,
  [`${start}${start === "ld" ? "ap" : "l"}u${end}`, "ordered", access, width] as const,
]); // prettier-ignore

function unscaled(entry: (typeof UNSCALED)[number]): Entry {
  const [, form, access, width] = entry;
  return {
    forms: "register, [base[, #-256 to #255]]",
    emit: (s) => {
      s.expect(2);
      const register = s.register(0, width);
      const { base, offset, mode, index, low12 } = s.address(1);
      if (mode !== "offset" || index !== undefined || low12 !== undefined)
        throw s.refuse("an address that this instruction doesn't have", s.operand(1).token);
      s.a.unscaledAccess(form, access, register, base, offset);
    },
  };
}

function pair(s: Arm64Statement, name: "ldp" | "stp" | "ldnp" | "stnp" | "ldpsw"): void {
  s.expect(3, 4);
  const one = s.register(0, name === "ldpsw" ? 64 : undefined);
  const two = s.register(1, one.width);
  const address = s.address(2);
  const isOffset = address.mode === "offset" && address.index === undefined && address.low12 === undefined;
  if (address.index !== undefined || address.low12 !== undefined || (!isOffset && name.endsWith("np")))
    throw s.refuse("an address that this instruction doesn't have", s.operand(2).token);
  if (name.startsWith("ld") && one.number === two.number)
    throw s.refuse("the same register twice", s.operand(1).token, "two registers");
  s.a[name](one, two, address);
}

const PREFETCHES = ["pld", "pli", "pst"].flatMap((what, type) =>
  ["l1", "l2", "l3"].flatMap((level, target) =>
    ["keep", "strm"].map(
      (policy, stream) => [`${what}${level}${policy}`, (type << 3) | (target << 1) | stream] as const,
    ),
  ),
);

function prefetch(s: Arm64Statement): void {
  s.expect(2);
  const operation = s.is(0, "name") ? new Map(PREFETCHES).get(s.name(0)) : s.number(0, 0, 31);
  if (operation === undefined)
    throw s.refuse("no such prefetch", s.operand(0).token, PREFETCHES.map(([name]) => name).join(" "));
  if (!s.is(1, "address")) {
    s.a.prfmLiteral(operation, s.target(1));
    return;
  }
  const address = s.address(1);
  if (address.mode !== "offset") throw s.refuse("an address that is written back", s.operand(1).token);
  s.a.prfm(operation, address);
}

const ACCESSES: Table = {
  ...each(Object.keys(PLAIN) as (keyof typeof PLAIN)[], (name) => ({
    forms: `register, ${ADDRESS}${name === "ldr" ? "; register, label; register, =value" : ""}`,
    emit: (s) => plain(s, name),
  })),
  ...Object.fromEntries(UNSCALED.map((entry) => [entry[0], unscaled(entry)])),
  ...each(["ldp", "stp", "ldnp", "stnp", "ldpsw"], (name) => ({
    forms: "register, register, [base[, #offset]]; but for ldnp and stnp [base, #offset]!, [base], #offset",
    emit: (s) => pair(s, name),
  })),
  prfm: { forms: "operation, [base[, #offset | index]]; operation, label", emit: prefetch },
};

// --- ordered and exclusive accesses ---------------------------------------------------------------------------------------------

function entryFor(forms: string, emit: (s: Arm64Statement) => void): Entry {
  return { forms, emit };
}

const ORDERED: Table = Object.fromEntries([
  ...PARTS.flatMap((part) => [
    ...(["ldar", "stlr"] as const).map((name) => [
      `${name}${part}`,
      entryFor("register, [base]", (s) => {
        s.expect(2);
        s.a[`${name}${part}`](s.register(0, partWidth(part)), s.base(1));
      }),
    ]),
    ...(["ldapr", "ldxr", "ldaxr"] as const).map((name) => [
      `${name}${part}`,
      entryFor("register, [base]", (s) => {
        s.expect(2);
        s.a[name](s.register(0, partWidth(part)), s.base(1), partOf(part));
      }),
    ]),
    ...(["stxr", "stlxr"] as const).map((name) => [
      `${name}${part}`,
      entryFor("status of 32 bits, register, [base]", (s) => {
        s.expect(3);
        s.a[name](s.register(0, 32), s.register(1, partWidth(part)), s.base(2), partOf(part));
      }),
    ]),
  ]),
  ...(["ldxp", "ldaxp"] as const).map((name) => [
    name,
    entryFor("register, register, [base]", (s) => {
      s.expect(3);
      s.a.loadExclusivePair(name === "ldaxp", s.register(0), s.register(1), s.base(2));
    }),
  ]),
  ...(["stxp", "stlxp"] as const).map((name) => [
    name,
    entryFor("status of 32 bits, register, register, [base]", (s) => {
      s.expect(4);
      s.a.storeExclusivePair(name === "stlxp", s.register(0, 32), s.register(1), s.register(2), s.base(3));
    }),
  ]),
]) as Table;

// --- atomics --------------------------------------------------------------------------------------------------------------------

const OPERATORS: readonly ArmAtomic[] = ["add", "clr", "eor", "set", "smax", "smin", "umax", "umin"];
const TWO_AND_BASE = "register, register, [base]";

function forParts(make: (part: ArmPart | "") => Table): Table {
  return Object.assign({}, ...PARTS.map((part) => make(part))) as Table;
}

/** cas, swp, ldadd … with one ordering and part. */
function atomics(ordering: ArmOrdering, part: ArmPart | ""): Table {
  const width = partWidth(part);
  const two = (s: Arm64Statement) => {
    s.expect(3);
    return [s.register(0, width), s.register(1, width), s.base(2), partOf(part)] as const;
  };
  const suffix = `${ordering}${part}`;
  return {
    [`cas${suffix}`]: entryFor(TWO_AND_BASE, (s) => s.a.cas(ordering, ...two(s))),
    [`swp${suffix}`]: entryFor(TWO_AND_BASE, (s) => s.a.swp(ordering, ...two(s))),
    ...Object.fromEntries(
      OPERATORS.map((operator) => [
        `ld${operator}${suffix}`,
        entryFor(TWO_AND_BASE, (s) => s.a.ld(operator, ordering, ...two(s))),
      ]),
    ),
  };
}

function stores(ordering: "" | "l", part: ArmPart | ""): Table {
  return Object.fromEntries(
    OPERATORS.map((operator) => [
      `st${operator}${ordering}${part}`,
      entryFor("register, [base]", (s) => {
        s.expect(2);
        s.a.st(operator, ordering, s.register(0, partWidth(part)), s.base(1), partOf(part));
      }),
    ]),
  );
}

/** casp x0, x1, x2, x3, [base]: each pair is even and the one behind it. */
function comparePair(s: Arm64Statement, ordering: ArmOrdering): void {
  s.expect(5);
  for (const first of [0, 2]) {
    const one = s.register(first);
    const behind = armGpr(Math.min(one.number + 1, 31), one.width);
    if (s.register(first + 1) !== behind)
      throw s.refuse("registers that are no pair", s.operand(first + 1).token, behind.name);
  }
  s.a.casp(ordering, s.register(0), s.register(2), s.base(4));
}

const ATOMICS: Table = {
  ...forParts((part) => Object.assign({}, ...ORDERINGS.map((ordering) => atomics(ordering, part))) as Table),
  ...forParts((part) => ({ ...stores("", part), ...stores("l", part) })),
  ...each(
    ORDERINGS.map((ordering) => `casp${ordering}` as const),
    (name) => ({
      forms: "register, register, register, register, [base]",
      emit: (s) => comparePair(s, name.slice(4) as ArmOrdering),
    }),
  ),
};

export const MEMORY: Table = { ...ACCESSES, ...ORDERED, ...ATOMICS };
