// The A64 interpreter: steps one PE through decoded instructions until a limit is reached or something else needs
// attention. Operations that are common in kernels are done here; executeRare() does the others.

import { Cpu } from "../cpu.ts";
import { machine } from "../machine.ts";
import { locate } from "../memory/access.ts";
import { SpecialKind, kindBehindProbe } from "../memory/code.ts";
import { forgetEarly } from "../memory/early.ts";
import { pageAt, ramAt } from "../memory/map.ts";
import { Leave } from "../time/leave.ts";
import { hitLimit, otherLimit } from "../time/limits.ts";
import { comeRound, loopEdge } from "../time/spin.ts";
import { probeHit } from "../trace/probe.ts";
import { beyondHits } from "./beyond.ts";
import { isAtEl0, readX, writeX } from "./cpu.ts";
import { decodeA64 } from "./decode.ts";
import { addFlags32, addFlags64, conditionHolds, logicFlags32, logicFlags64 } from "./flags.ts";
import { subtractFlags32, subtractFlags64 } from "./flags.ts";
import { isCarry, isEqual, isGreater, isGreaterOrEqual, isHigher, isNegative, isOverflow } from "./flags.ts";
import { loadHit, loadIndexedHit, loadPairHit, offsetAddress, registerAddress } from "./hits.ts";
import { storeHit, storeIndexedHit, storePairHit } from "./hits.ts";
import {
  arithmetic32,
  arithmetic64,
  executeInteger,
  insertField32,
  insertField64,
  logical32,
  logical64,
} from "./integer.ts";
import { leaveAfter, leaveForAbort, leaveForAccess, save } from "./leave.ts";
import { A64, A64_BYTES, Op, leavesRoutine } from "./operations.ts";
import { executeRare } from "./rare.ts";
import { branchTarget, isMemory, pcAt, pcBaseOf, recordAt } from "./records.ts";
import { Step } from "./step.ts";

/**
 * Executes from cpu.pc at cpu.clock.
 *
 * In a page, the record alone says where execution is; the address follows from it (pcAt). While it runs, the CPU's pc,
 * clock and retired count are kept in locals; save() writes them back before anything that looks at them.
 * @param must execute the first instruction whatever the limits say
 */
export function arm64Execute(cpu: Cpu, must: bool): Leave {
  const base = changetype<usize>(cpu);
  let limit = hitLimit;
  let clock = cpu.clock;
  let retired = cpu.retired;
  /** The instruction that stands at this count is executed whatever the limits say. */
  const mustAt = must ? retired : u64.MAX_VALUE;
  /** The instruction that stands at this count has reported its probe already. */
  const resumedAt = cpu.resumed != 0 ? retired : u64.MAX_VALUE;
  cpu.resumed = 0;

  let record = recordAt(cpu.pc);
  if (record == 0) return leaveForAbort(cpu);
  if (!must && clock >= limit && isMemory(record)) return beyondHits(cpu, changetype<A64>(record));
  let kind = <i32>changetype<A64>(record).kind;
  let pcBase = pcBaseOf(record, cpu.pc);
  /** Where BR and BLR go. */
  let target: u64 = 0;

  while (true) {
    const d = changetype<A64>(record);
    /** Record of the next instruction; null when it has to be looked up. */
    let next = record + A64_BYTES;
    switch (kind) {
      case SpecialKind.UNDECODED: {
        const pc = pcAt(record, pcBase);
        kind = decodeA64(d, load<u32>(ramAt(pc)), pc, pageAt(pc));
        if (clock >= limit && isMemory(record) && retired != mustAt) {
          save(cpu, pc, clock, retired);
          return beyondHits(cpu, d);
        }
        continue;
      }
      case SpecialKind.FETCH: {
        const pc = pcAt(record, pcBase);
        save(cpu, pc, clock, retired);
        const host = locate(cpu, pc, false);
        if (host == 0) return leaveForAccess(cpu, false);
        limit = hitLimit; // the access may have woken a sibling, and thereby moved it
        if (load<u32>(host) != d.raw) decodeA64(d, load<u32>(host), pc, pageAt(pc));
        kind = d.operation;
        continue;
      }
      case SpecialKind.PROBE: {
        if (base == machine().shadow) return Leave.REFUSED;
        if (retired != resumedAt) {
          save(cpu, pcAt(record, pcBase), clock, retired);
          probeHit(cpu);
          limit = hitLimit; // a break moves it
        }
        kind = kindBehindProbe(d);
        continue;
      }
      case SpecialKind.PAGE_END: {
        const pc = pcAt(record, pcBase);
        record = recordAt(pc);
        if (record == 0 || (clock >= limit && isMemory(record))) {
          save(cpu, pc, clock, retired);
          return record == 0 ? leaveForAbort(cpu) : beyondHits(cpu, changetype<A64>(record));
        }
        pcBase = pcBaseOf(record, pc);
        kind = changetype<A64>(record).kind;
        continue;
      }

      // --- data processing, immediate
      case Op.MOVE_IMMEDIATE:
        writeX(base, d.rd, <u64>d.immediate);
        break;
      case Op.ADR:
        writeX(base, d.rd, pcAt(record, pcBase) + <u64>d.immediate);
        break;
      case Op.ADRP:
        writeX(base, d.rd, (pcAt(record, pcBase) & ~(<u64>0xfff)) + <u64>d.immediate);
        break;
      case Op.MOVK64:
        writeX(base, d.rd, (readX(base, d.rn) & ~((<u64>0xffff) << (<u64>d.extra))) | (<u64>d.immediate));
        break;
      case Op.ADD_IMMEDIATE64:
        writeX(base, d.rd, readX(base, d.rn) + <u64>d.immediate);
        break;
      case Op.ADD_IMMEDIATE32:
        writeX(base, d.rd, <u64>(<u32>readX(base, d.rn) + <u32>d.immediate));
        break;
      case Op.ADDS_IMMEDIATE64:
        writeX(base, d.rd, addFlags64(base, readX(base, d.rn), <u64>d.immediate));
        break;
      case Op.ADDS_IMMEDIATE32:
        writeX(base, d.rd, addFlags32(base, <u32>readX(base, d.rn), <u32>d.immediate));
        break;
      case Op.SUBS_IMMEDIATE64:
        writeX(base, d.rd, subtractFlags64(base, readX(base, d.rn), <u64>d.immediate));
        break;
      case Op.SUBS_IMMEDIATE32:
        writeX(base, d.rd, subtractFlags32(base, <u32>readX(base, d.rn), <u32>d.immediate));
        break;
      case Op.AND_IMMEDIATE:
        writeX(base, d.rd, readX(base, d.rn) & (<u64>d.immediate));
        break;
      case Op.ORR_IMMEDIATE64:
        writeX(base, d.rd, readX(base, d.rn) | (<u64>d.immediate));
        break;
      case Op.ORR_IMMEDIATE32:
        writeX(base, d.rd, <u64>((<u32>readX(base, d.rn)) | (<u32>d.immediate)));
        break;
      case Op.ANDS_IMMEDIATE64:
        writeX(base, d.rd, logicFlags64(base, readX(base, d.rn) & (<u64>d.immediate)));
        break;
      case Op.ANDS_IMMEDIATE32:
        writeX(base, d.rd, logicFlags32(base, (<u32>readX(base, d.rn)) & (<u32>d.immediate)));
        break;
      case Op.UBFX:
        writeX(base, d.rd, (readX(base, d.rn) >>> (<u64>d.extra)) & (<u64>d.immediate));
        break;
      case Op.UBFIZ:
        writeX(base, d.rd, (readX(base, d.rn) & (<u64>d.immediate)) << (<u64>d.extra));
        break;
      case Op.SBFX64:
        writeX(base, d.rd, <u64>(((<i64>readX(base, d.rn)) << d.immediate) >> (<i64>d.extra)));
        break;
      case Op.SBFX32:
        writeX(base, d.rd, <u64>(<u32>(((<i32>readX(base, d.rn)) << (<i32>d.immediate)) >> (<i32>d.extra))));
        break;
      case Op.BFM64:
        writeX(base, d.rd, insertField64(d, readX(base, d.ra), readX(base, d.rn)));
        break;
      case Op.BFM32:
        writeX(base, d.rd, insertField32(d, <u32>readX(base, d.ra), <u32>readX(base, d.rn)));
        break;

      // --- data processing, register
      case Op.ADD_REGISTER64:
        writeX(base, d.rd, readX(base, d.rn) + readX(base, d.rm));
        break;
      case Op.ADD_REGISTER32:
        writeX(base, d.rd, <u64>(<u32>readX(base, d.rn) + <u32>readX(base, d.rm)));
        break;
      case Op.SUB_REGISTER64:
        writeX(base, d.rd, readX(base, d.rn) - readX(base, d.rm));
        break;
      case Op.SUB_REGISTER32:
        writeX(base, d.rd, <u64>(<u32>readX(base, d.rn) - <u32>readX(base, d.rm)));
        break;
      case Op.ADDS_REGISTER64:
        writeX(base, d.rd, addFlags64(base, readX(base, d.rn), readX(base, d.rm)));
        break;
      case Op.ADDS_REGISTER32:
        writeX(base, d.rd, addFlags32(base, <u32>readX(base, d.rn), <u32>readX(base, d.rm)));
        break;
      case Op.SUBS_REGISTER64:
        writeX(base, d.rd, subtractFlags64(base, readX(base, d.rn), readX(base, d.rm)));
        break;
      case Op.SUBS_REGISTER32:
        writeX(base, d.rd, subtractFlags32(base, <u32>readX(base, d.rn), <u32>readX(base, d.rm)));
        break;
      case Op.AND_REGISTER64:
        writeX(base, d.rd, readX(base, d.rn) & readX(base, d.rm));
        break;
      case Op.AND_REGISTER32:
        writeX(base, d.rd, <u64>((<u32>readX(base, d.rn)) & (<u32>readX(base, d.rm))));
        break;
      case Op.ORR_REGISTER64:
        writeX(base, d.rd, readX(base, d.rn) | readX(base, d.rm));
        break;
      case Op.ORR_REGISTER32:
        writeX(base, d.rd, <u64>((<u32>readX(base, d.rn)) | (<u32>readX(base, d.rm))));
        break;
      case Op.EOR_REGISTER64:
        writeX(base, d.rd, readX(base, d.rn) ^ readX(base, d.rm));
        break;
      case Op.EOR_REGISTER32:
        writeX(base, d.rd, <u64>((<u32>readX(base, d.rn)) ^ (<u32>readX(base, d.rm))));
        break;
      case Op.ANDS_REGISTER64:
        writeX(base, d.rd, logicFlags64(base, readX(base, d.rn) & readX(base, d.rm)));
        break;
      case Op.ANDS_REGISTER32:
        writeX(base, d.rd, logicFlags32(base, (<u32>readX(base, d.rn)) & (<u32>readX(base, d.rm))));
        break;
      case Op.CSEL64:
        writeX(base, d.rd, conditionHolds(base, d.extra) ? readX(base, d.rn) : readX(base, d.rm));
        break;
      case Op.CSEL32:
        writeX(base, d.rd, (conditionHolds(base, d.extra) ? readX(base, d.rn) : readX(base, d.rm)) & 0xffff_ffff);
        break;
      case Op.CSINC64:
        writeX(base, d.rd, conditionHolds(base, d.extra) ? readX(base, d.rn) : readX(base, d.rm) + 1);
        break;
      case Op.CSINC32:
        writeX(base, d.rd, (conditionHolds(base, d.extra) ? readX(base, d.rn) : readX(base, d.rm) + 1) & 0xffff_ffff);
        break;
      case Op.MADD64:
        writeX(base, d.rd, readX(base, d.ra) + readX(base, d.rn) * readX(base, d.rm));
        break;

      // --- branches: where they go is found behind the switch, unless they remember it
      case Op.BL:
        writeX(base, 30, pcAt(record, pcBase) + 4);
        next = d.target;
        break;
      case Op.B:
        next = d.target;
        break;
      case Op.B_EQ:
        if (isEqual(base)) next = d.target;
        break;
      case Op.B_NE:
        if (!isEqual(base)) next = d.target;
        break;
      case Op.B_CS:
        if (isCarry(base)) next = d.target;
        break;
      case Op.B_CC:
        if (!isCarry(base)) next = d.target;
        break;
      case Op.B_MI:
        if (isNegative(base)) next = d.target;
        break;
      case Op.B_PL:
        if (!isNegative(base)) next = d.target;
        break;
      case Op.B_VS:
        if (isOverflow(base)) next = d.target;
        break;
      case Op.B_VC:
        if (!isOverflow(base)) next = d.target;
        break;
      case Op.B_HI:
        if (isHigher(base)) next = d.target;
        break;
      case Op.B_LS:
        if (!isHigher(base)) next = d.target;
        break;
      case Op.B_GE:
        if (isGreaterOrEqual(base)) next = d.target;
        break;
      case Op.B_LT:
        if (!isGreaterOrEqual(base)) next = d.target;
        break;
      case Op.B_GT:
        if (isGreater(base)) next = d.target;
        break;
      case Op.B_LE:
        if (!isGreater(base)) next = d.target;
        break;
      case Op.CBZ64:
        if (readX(base, d.rn) == 0) next = d.target;
        break;
      case Op.CBZ32:
        if (<u32>readX(base, d.rn) == 0) next = d.target;
        break;
      case Op.CBNZ64:
        if (readX(base, d.rn) != 0) next = d.target;
        break;
      case Op.CBNZ32:
        if (<u32>readX(base, d.rn) != 0) next = d.target;
        break;
      case Op.TBZ:
        if (((readX(base, d.rn) >>> (<u64>d.extra)) & 1) == 0) next = d.target;
        break;
      case Op.TBNZ:
        if (((readX(base, d.rn) >>> (<u64>d.extra)) & 1) != 0) next = d.target;
        break;
      case Op.BR:
        target = readX(base, d.rn);
        next = 0;
        break;
      case Op.BLR:
        target = readX(base, d.rn);
        writeX(base, 30, pcAt(record, pcBase) + 4);
        next = 0;
        break;

      // --- loads and stores: hits are done here, all else is left to the general operation
      case Op.LOAD64:
        if (loadHit<u64>(base, d, offsetAddress(base, d))) break;
        kind = Op.LOAD;
        continue;
      case Op.LOAD32:
        if (loadHit<u32>(base, d, offsetAddress(base, d))) break;
        kind = Op.LOAD;
        continue;
      case Op.LOAD16:
        if (loadHit<u16>(base, d, offsetAddress(base, d))) break;
        kind = Op.LOAD;
        continue;
      case Op.LOAD8:
        if (loadHit<u8>(base, d, offsetAddress(base, d))) break;
        kind = Op.LOAD;
        continue;
      case Op.STORE64:
        if (storeHit<u64>(base, d, offsetAddress(base, d))) break;
        kind = Op.STORE;
        continue;
      case Op.STORE32:
        if (storeHit<u32>(base, d, offsetAddress(base, d))) break;
        kind = Op.STORE;
        continue;
      case Op.STORE16:
        if (storeHit<u16>(base, d, offsetAddress(base, d))) break;
        kind = Op.STORE;
        continue;
      case Op.STORE8:
        if (storeHit<u8>(base, d, offsetAddress(base, d))) break;
        kind = Op.STORE;
        continue;
      case Op.LOAD_REGISTER64:
        if (loadHit<u64>(base, d, registerAddress(base, d))) break;
        kind = Op.LOAD;
        continue;
      case Op.LOAD_REGISTER32:
        if (loadHit<u32>(base, d, registerAddress(base, d))) break;
        kind = Op.LOAD;
        continue;
      case Op.LOAD_REGISTER16:
        if (loadHit<u16>(base, d, registerAddress(base, d))) break;
        kind = Op.LOAD;
        continue;
      case Op.LOAD_REGISTER8:
        if (loadHit<u8>(base, d, registerAddress(base, d))) break;
        kind = Op.LOAD;
        continue;
      case Op.STORE_REGISTER64:
        if (storeHit<u64>(base, d, registerAddress(base, d))) break;
        kind = Op.STORE;
        continue;
      case Op.STORE_REGISTER32:
        if (storeHit<u32>(base, d, registerAddress(base, d))) break;
        kind = Op.STORE;
        continue;
      case Op.STORE_REGISTER16:
        if (storeHit<u16>(base, d, registerAddress(base, d))) break;
        kind = Op.STORE;
        continue;
      case Op.STORE_REGISTER8:
        if (storeHit<u8>(base, d, registerAddress(base, d))) break;
        kind = Op.STORE;
        continue;
      case Op.LOAD_INDEXED64:
        if (loadIndexedHit<u64>(base, d)) break;
        kind = Op.LOAD;
        continue;
      case Op.LOAD_INDEXED32:
        if (loadIndexedHit<u32>(base, d)) break;
        kind = Op.LOAD;
        continue;
      case Op.LOAD_INDEXED16:
        if (loadIndexedHit<u16>(base, d)) break;
        kind = Op.LOAD;
        continue;
      case Op.LOAD_INDEXED8:
        if (loadIndexedHit<u8>(base, d)) break;
        kind = Op.LOAD;
        continue;
      case Op.STORE_INDEXED64:
        if (storeIndexedHit<u64>(base, d)) break;
        kind = Op.STORE;
        continue;
      case Op.STORE_INDEXED32:
        if (storeIndexedHit<u32>(base, d)) break;
        kind = Op.STORE;
        continue;
      case Op.STORE_INDEXED16:
        if (storeIndexedHit<u16>(base, d)) break;
        kind = Op.STORE;
        continue;
      case Op.STORE_INDEXED8:
        if (storeIndexedHit<u8>(base, d)) break;
        kind = Op.STORE;
        continue;
      case Op.LOAD_PAIR64:
        if (loadPairHit<u64>(base, d)) break;
        kind = Op.LOAD_PAIR;
        continue;
      case Op.LOAD_PAIR32:
        if (loadPairHit<u32>(base, d)) break;
        kind = Op.LOAD_PAIR;
        continue;
      case Op.STORE_PAIR64:
        if (storePairHit<u64>(base, d)) break;
        kind = Op.STORE_PAIR;
        continue;
      case Op.STORE_PAIR32:
        if (storePairHit<u32>(base, d)) break;
        kind = Op.STORE_PAIR;
        continue;

      case Op.READ_STATE:
        writeX(base, d.rd, load<u64>(base + d.extra));
        break;
      case Op.READ_EL1_STATE:
        if (isAtEl0(base)) {
          kind = Op.UNDEFINED;
          continue;
        }
        writeX(base, d.rd, load<u64>(base + d.extra));
        break;
      case Op.NOP:
      case Op.YIELD:
        break;

      case Op.ARITHMETIC64:
        arithmetic64(base, d);
        break;
      case Op.ARITHMETIC32:
        arithmetic32(base, d);
        break;
      case Op.LOGICAL64:
        logical64(base, d);
        break;
      case Op.LOGICAL32:
        logical32(base, d);
        break;
      default: {
        if (kind <= Op.UMULH) {
          executeInteger(base, d, kind);
          break;
        }
        save(cpu, pcAt(record, pcBase), clock, retired);
        const step = executeRare(cpu, d, kind);
        if (step != Step.NEXT) return leaveAfter(cpu, d, step);
        clock = cpu.clock;
        limit = hitLimit; // as behind FETCH
        break;
      }
    }

    // The instruction is complete.
    clock += d.cost;
    retired++;
    if (next <= record) {
      // A branch goes back, leaves the page, or is taken for the first time.
      const pc = pcAt(record, pcBase);
      if (next != 0) target = pcAt(next, pcBase);
      else if (kind < Op.BR) target = pc + <u64>d.immediate;
      if (target <= pc) forgetEarly(cpu); // what was issued lies ahead
      if (target <= pc && !leavesRoutine(kind) && loopEdge(cpu, target)) {
        save(cpu, target, clock, retired);
        const leave = comeRound(cpu);
        if (leave != Leave.NONE) return leave;
        limit = hitLimit;
        next = recordAt(target); // decoded code may have been forgotten
      } else if (next == 0) {
        next = kind < Op.BR ? branchTarget(d, target) : recordAt(target);
      }
      if (next == 0) {
        save(cpu, target, clock, retired);
        return leaveForAbort(cpu);
      }
      pcBase = pcBaseOf(next, target);
    }
    record = next;
    if (clock >= limit) {
      if (clock >= otherLimit) {
        save(cpu, pcAt(record, pcBase), clock, retired);
        return Leave.LIMIT;
      }
      if (isMemory(record)) {
        save(cpu, pcAt(record, pcBase), clock, retired);
        return beyondHits(cpu, changetype<A64>(record));
      }
    }
    kind = <i32>changetype<A64>(record).kind;
  }
}
