// Which load may be bound while the one before it waits (memory/early.ts): the next instruction, if it is a plain load as that
// one is, of an address that hangs neither on what the first loads nor on the base that it moves. What comes behind an acquire or
// an exclusive waits (Arm ARM DDI 0487 B2.3.6); LDP, literals and code in writable pages do so too.

import { PAGE_BYTES } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { SpecialKind, isWritableCode } from "../memory/code.ts";
import { bindEarly } from "../memory/early.ts";
import { pageAt, ramAt } from "../memory/map.ts";
import { decodeA64 } from "./decode.ts";
import { addressOf, isLoad, modeOf } from "./memory.ts";
import { A64, A64_BYTES, AddressMode } from "./operations.ts";
import { recordAt } from "./records.ts";

/** The load behind that at cpu.pc if it may be bound before it, or null. */
function nextLoad(cpu: Cpu): A64 {
  const none = changetype<A64>(0);
  // Siblings share copies, and end each other's claims to them.
  if (cpu.core.threadCount != 1 || (cpu.pc & (<u64>(PAGE_BYTES - 1))) == <u64>(PAGE_BYTES - 4)) return none;
  const record = recordAt(cpu.pc);
  if (record == 0 || isWritableCode(pageAt(cpu.pc))) return none;
  const first = decoded(record, cpu.pc);
  if (!isLoad(<i32>first.operation)) return none;
  const next = decoded(record + A64_BYTES, cpu.pc + 4);
  if (!isLoad(<i32>next.operation)) return none;
  const firstMode = modeOf(first);
  const moves = firstMode == AddressMode.PRE_INDEX || firstMode == AddressMode.POST_INDEX;
  if (hangsOn(next, first.rd) || (moves && hangsOn(next, first.rn))) return none;
  return next;
}

function decoded(record: usize, pc: u64): A64 {
  const d = changetype<A64>(record);
  if (d.kind == <u16>SpecialKind.UNDECODED) decodeA64(d, load<u32>(ramAt(pc)), pc, pageAt(pc));
  return d;
}

function hangsOn(loads: A64, register: u32): bool {
  return loads.rn == register || (modeOf(loads) == AddressMode.REGISTER && loads.rm == register);
}

/** Whether the load at cpu.pc, if it misses, lets the next one look whether its line is at hand: at its start, not before. */
export function mayBindNext(cpu: Cpu): bool {
  return changetype<usize>(nextLoad(cpu)) != 0;
}

/** The load at cpu.pc has just missed, or would have when it started and nothing has changed since. */
export function bindNextLoad(cpu: Cpu): void {
  const next = nextLoad(cpu);
  if (changetype<usize>(next) == 0) return;
  bindEarly(cpu, cpu.pc + 4, addressOf(changetype<usize>(cpu), next), 1 << (next.extra & 3));
}
