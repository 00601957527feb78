// Which load may be bound while another waits (memory/early.ts): the next one behind it, if only instructions between registers
// stand between them, and if its address hangs neither on what those write nor on what the first loads, or on the base that it
// moves. What comes behind an acquire, an exclusive, a store, a branch, a barrier waits (Arm ARM DDI 0487 B2.3.6); LDP, literals
// and code in writable pages do so too.

import { PAGE_BYTES } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { SpecialKind, isWritableCode } from "../memory/code.ts";
import { bindEarly, mayBeBound } from "../memory/early.ts";
import { pageAt, ramAt } from "../memory/map.ts";
import { decodeA64 } from "./decode.ts";
import { addressOf, isLoad, modeOf } from "./memory.ts";
import { A64, A64_BYTES, AddressMode, Op } from "./operations.ts";
import { recordAt } from "./records.ts";

/** Instructions behind a load among which the next load is looked for. */
const WINDOW: u32 = 8;

/** How many instructions behind the first the found one stands. */
let distance: u32 = 0;

/** The load behind that at cpu.pc which may be bound before it, or null. */
function nextLoad(cpu: Cpu): A64 {
  const none = changetype<A64>(0);
  // Siblings share copies, and end each other's claims to them.
  if (cpu.core.threadCount != 1) return none;
  const record = recordAt(cpu.pc);
  if (record == 0 || isWritableCode(pageAt(cpu.pc))) return none;
  const first = decoded(record, cpu.pc);
  if (!isLoad(<i32>first.operation)) return none;
  const inPage = (<u32>PAGE_BYTES - ((<u32>cpu.pc) & (PAGE_BYTES - 1))) >>> 2;
  let unknown = bitOf(first.rd);
  if (movesBase(first)) unknown |= bitOf(first.rn);
  for (distance = 1; distance <= WINDOW && distance < inPage; distance++) {
    const next = decoded(record + <usize>distance * A64_BYTES, cpu.pc + ((<u64>distance) << 2));
    if (isLoad(<i32>next.operation)) return hangsOn(next, unknown) ? none : next;
    if (!isBetweenRegisters(<i32>next.operation)) return none;
    unknown |= bitOf(next.rd);
  }
  return none;
}

// @ts-ignore: decorator
@inline
function bitOf(register: u32): u64 {
  return (<u64>1) << (<u64>register);
}

function decoded(record: usize, pc: u64): A64 {
  const d = changetype<A64>(record);
  if (d.kind == <u16>SpecialKind.UNDECODED) decodeA64(d, load<u32>(ramAt(pc)), pc, pageAt(pc));
  return d;
}

function movesBase(d: A64): bool {
  const mode = modeOf(d);
  return mode == AddressMode.PRE_INDEX || mode == AddressMode.POST_INDEX;
}

/** Whether the address of a load depends on one of some registers. */
function hangsOn(d: A64, registers: u64): bool {
  const uses = modeOf(d) == AddressMode.REGISTER ? bitOf(d.rn) | bitOf(d.rm) : bitOf(d.rn);
  return (uses & registers) != 0;
}

/** Writes `rd`, or flags, and nothing else (operations.ts has them in this order). */
function isBetweenRegisters(operation: i32): bool {
  return (
    (operation >= Op.MOVE_IMMEDIATE && operation <= Op.MADD64) ||
    operation == Op.NOP ||
    (operation >= Op.INTEGER && operation <= Op.UMULH)
  );
}

/** Whether the load at cpu.pc, if it misses, lets another look whether its line is at hand: at its start, not before. */
export function mayBindNext(cpu: Cpu): bool {
  const next = nextLoad(cpu);
  return (
    changetype<usize>(next) != 0 && mayBeBound(cpu, addressOf(changetype<usize>(cpu), next), 1 << (next.extra & 3))
  );
}

/** The load at cpu.pc has just missed a line, or would have when it started, and nothing has changed since. */
export function bindNextLoad(cpu: Cpu, line: u32): void {
  const next = nextLoad(cpu);
  if (changetype<usize>(next) == 0) return;
  bindEarly(cpu, line, distance, addressOf(changetype<usize>(cpu), next), 1 << (next.extra & 3));
}
