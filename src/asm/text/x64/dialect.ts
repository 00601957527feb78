// x86-64 in AT&T syntax, as GNU as and herd's X86_64 tests have it.

import type { Repeat } from "../../x64/instructions/moves.ts";
import { X64Assembler } from "../../x64/assembler.ts";
import type { Cursor } from "../cursor.ts";
import type { Dialect } from "../dialect.ts";
import { blamingOperands, mistake, nearNames } from "../failure.ts";
import { Scope } from "../scope.ts";
import type { Token } from "../scanner.ts";
import { INTEGER } from "./integer.ts";
import { OperandParser } from "./operands.ts";
import { X64Statement } from "./statement.ts";
import { SYSTEM_TABLE } from "./system.ts";
import { SUFFIX_WIDTHS } from "./table.ts";
import type { Entry, Suffix } from "./table.ts";

/** By mnemonic, in small letters. */
export const X64_TABLE: ReadonlyMap<string, Entry> = new Map(Object.entries({ ...INTEGER, ...SYSTEM_TABLE }));
const REPEATS: Readonly<Record<string, Repeat>> = {
  rep: "rep",
  repe: "repe",
  repz: "repe",
  repne: "repne",
  repnz: "repne",
};

export class X64Dialect implements Dialect {
  readonly buffer = new X64Assembler();
  readonly scope: Scope;
  readonly numberSign = "comment";
  readonly wordBytes = 2;
  readonly alignsByPower = false;
  readonly directives: readonly string[] = [];
  /** Prefixes before the instruction; they may stand in a statement of their own. */
  #lock: Token | undefined;
  #repeat: { readonly token: Token; readonly repeat: Repeat } | undefined;

  constructor(base: number, symbols: Readonly<Record<string, number | bigint>>) {
    this.scope = new Scope(this.buffer, base, symbols);
  }

  instruction(first: Token, cursor: Cursor): void {
    let mnemonic = first;
    while (this.#prefix(mnemonic)) {
      if (cursor.isAtEnd) return;
      mnemonic = cursor.expectName("an instruction");
    }
    const { entry, suffix } = lookUp(mnemonic);
    const operands = new OperandParser(cursor, this.scope).all();
    const indirect = operands.find(({ isIndirect }) => isIndirect);
    if (indirect !== undefined && entry.isIndirect !== true)
      throw mistake("an indirect operand of an instruction that goes nowhere", indirect.token, entry.forms);
    const repeat = this.#takePrefixes(entry, operands.at(-1)?.kind === "memory");
    const statement = new X64Statement({
      a: this.buffer,
      scope: this.scope,
      mnemonic,
      operands,
      suffix: suffix === undefined ? undefined : SUFFIX_WIDTHS[suffix],
      repeat,
      forms: entry.forms,
    });
    blamingOperands(
      first,
      operands,
      (operand, value) => statement.hasValue(operand, value),
      () => {
        entry.emit(statement);
      },
    );
    statement.finish();
  }

  #prefix(token: Token): boolean {
    const name = token.text.toLowerCase();
    const repeat = REPEATS[name];
    if (name === "lock") this.#lock = token;
    else if (repeat !== undefined) this.#repeat = { token, repeat };
    else return false;
    return true;
  }

  #takePrefixes(entry: Entry, writesMemory: boolean): Repeat | undefined {
    const lock = this.#lock;
    const repeat = this.#repeat;
    this.#lock = undefined;
    this.#repeat = undefined;
    if (lock !== undefined) {
      const allowed = "read-modify-writes of memory: add, adc, and, btc, btr, bts, cmpxchg, dec, inc, neg, not, or, …";
      if (entry.isLockable !== true || !writesMemory)
        throw mistake("lock before an instruction that can't be locked", lock, allowed);
      this.buffer.lock();
    }
    if (repeat !== undefined && entry.isRepeatable !== true)
      throw mistake("a repeat prefix before another instruction", repeat.token, "movs, cmps, stos, lods, scas");
    return repeat?.repeat;
  }

  align(multiple: number, fill: number | undefined): void {
    this.buffer.align(multiple, fill);
  }

  padTo(offset: number, fill = 0): void {
    this.buffer.padTo(offset, fill);
  }

  directive(): boolean {
    return false;
  }

  finish(): void {
    const prefix = this.#lock ?? this.#repeat?.token;
    if (prefix !== undefined) throw mistake("a prefix without an instruction", prefix, "an instruction behind it");
  }
}

function lookUp(mnemonic: Token): { readonly entry: Entry; readonly suffix?: Suffix } {
  const name = mnemonic.text.toLowerCase();
  const exact = X64_TABLE.get(name);
  if (exact !== undefined) return { entry: exact };
  const suffix = name.slice(-1);
  const entry = X64_TABLE.get(name.slice(0, -1));
  if (entry !== undefined && isSuffix(suffix) && entry.suffixes.includes(suffix)) return { entry, suffix };
  if (entry !== undefined && isSuffix(suffix) && entry.suffixes !== "")
    throw mistake("a suffix that the instruction doesn't have", mnemonic, [...entry.suffixes].join(", "));
  throw mistake(
    "no such instruction",
    mnemonic,
    nearNames(name, X64_TABLE.keys()) || "x86-64 mnemonics in AT&T syntax",
  );
}

function isSuffix(letter: string): letter is Suffix {
  return letter in SUFFIX_WIDTHS;
}
