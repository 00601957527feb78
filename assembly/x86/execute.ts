// The x86-64 interpreter: steps one CPU through decoded instructions until a limit is reached or something else needs
// attention. Operations that are common in kernels are done here; executeRare() does the others.

import { Cpu } from "../cpu.ts";
import { machine } from "../machine.ts";
import { Access, closeJournal, outcome, readSlow } from "../memory/access.ts";
import { DecodedFlag, SpecialKind, kindBehindProbe } from "../memory/code.ts";
import { readable } from "../memory/copies.ts";
import { hitLimit, otherLimit } from "../time/limits.ts";
import { Leave } from "../time/leave.ts";
import { comeRound, loopEdge } from "../time/spin.ts";
import { probeHit } from "../trace/probe.ts";
import { accessSlow, hitLoad, hitPop, hitPush, hitStore, pushSlow } from "./accesses.ts";
import { addressOf } from "./address.ts";
import { beyondHits } from "./beyond.ts";
import { RFLAGS_TF, RSP, Shadow, advanceShadow, isCanonical, readR, writeR, x86 } from "./cpu.ts";
import { fetchFault, nonCanonical, refusedAccess, singleStepTrap } from "./exception.ts";
import { fetchInstruction, follow, prepare, recordAt } from "./fetch.ts";
import {
  addFlags32,
  addFlags64,
  carryOf,
  conditionHolds,
  decrementFlags32,
  decrementFlags64,
  incrementFlags32,
  incrementFlags64,
  lessOf,
  logicFlags32,
  logicFlags64,
  logicFlags8,
  overflowOf,
  parityOf,
  shiftArithmeticFlags32,
  shiftArithmeticFlags64,
  shiftLeftFlags32,
  shiftLeftFlags64,
  shiftRightFlags32,
  shiftRightFlags64,
  signOf,
  subtractFlags32,
  subtractFlags64,
  subtractFlags8,
  zeroOf,
} from "./flags.ts";
import { alu32, alu64 } from "./integer.ts";
import { Alu, Op, X86, X86Flag, leavesRoutine, wide } from "./operations.ts";
import { executeRare } from "./rare.ts";
import { Step } from "./step.ts";
import { leaveWait } from "./wait.ts";

// @ts-ignore: decorator
@inline
function save(cpu: Cpu, pc: u64, clock: u64, retired: u64): void {
  cpu.pc = pc;
  cpu.clock = clock;
  cpu.retired = retired;
}

/** What a memory access that was not done means for the executor. */
function leaveFor(cpu: Cpu, d: X86): Leave {
  if (changetype<usize>(cpu) == machine().shadow) {
    closeJournal(cpu);
    return Leave.REFUSED;
  }
  switch (outcome()) {
    case Access.BLOCKED:
      return Leave.BLOCKED;
    case Access.SIBLING:
      return Leave.SIBLING;
    case Access.DONE:
      // A pause between attempts at a locked access across two lines.
      cpu.resumed = 1;
      return Leave.RECHECK;
    default:
      refusedAccess(cpu, (d.flags & (<u16>X86Flag.STACK)) != 0, d.size);
      return Leave.RECHECK;
  }
}

/** Fetching code in a writable page is not done. */
function leaveForFetch(cpu: Cpu): Leave {
  return outcome() == Access.FAULT ? fetchFault(cpu, cpu.pc) : leaveFor(cpu, changetype<X86>(0));
}

/** The instruction under a shadow, or with TF set, is complete: whatever was held off is looked at. */
function completeSingle(cpu: Cpu, trapped: bool): Leave {
  const state = x86(cpu);
  // A shadow of MOV SS holds off the trap of the instruction that opens it (SDM 3A 6.8.3).
  const suppressed = (state.shadow & (Shadow.OPENING | Shadow.STACK)) == (Shadow.OPENING | Shadow.STACK);
  advanceShadow(cpu);
  if (trapped && !suppressed) singleStepTrap(cpu);
  return Leave.RECHECK;
}

/**
 * Executes from cpu.pc at cpu.clock.
 * @param must execute the first instruction whatever the limits say
 */
export function x86Execute(cpu: Cpu, must: bool): Leave {
  const base = changetype<usize>(cpu);
  const state = x86(cpu);
  if (state.waited != 0) {
    const leave = leaveWait(cpu);
    if (leave != Leave.NONE) return leave;
  }
  let pc = cpu.pc;
  let clock = cpu.clock;
  let retired = cpu.retired;
  let resumed = cpu.resumed != 0;

  let record = recordAt(pc);
  if (record == 0) return fetchFault(cpu, pc);
  if (!must && clock >= hitLimit && (changetype<X86>(record).flags & (<u16>DecodedFlag.MEMORY)) != 0) {
    return beyondHits(cpu, changetype<X86>(record));
  }
  cpu.resumed = 0;
  let kind = <i32>changetype<X86>(record).kind;

  // One instruction at a time: under a shadow, with TF set.
  const trapped = (state.rflags & RFLAGS_TF) != 0;
  const single = trapped || state.shadow != Shadow.NONE;
  let limit: u64 = single ? 0 : hitLimit;

  while (true) {
    const d = changetype<X86>(record);
    let next = <usize>d.next;
    let nextPc = pc + <u64>d.length;
    // One table: a line for each operation that fits one.
    // prettier-ignore
    switch (kind) {
      case SpecialKind.UNDECODED: {
        kind = prepare(d, pc);
        if (!must && clock >= hitLimit && (d.flags & (<u16>DecodedFlag.MEMORY)) != 0) {
          save(cpu, pc, clock, retired);
          if (resumed) cpu.resumed = 1;
          return beyondHits(cpu, d);
        }
        continue;
      }
      case SpecialKind.FETCH: {
        save(cpu, pc, clock, retired);
        const fetched = fetchInstruction(cpu, d, resumed);
        if (fetched == 0) return leaveForFetch(cpu);
        limit = single ? 0 : hitLimit;
        record = fetched;
        kind = changetype<X86>(record).operation;
        continue;
      }
      case SpecialKind.PROBE: {
        if (base == machine().shadow) return Leave.REFUSED;
        if (!resumed) {
          save(cpu, pc, clock, retired);
          probeHit(cpu);
          limit = single ? 0 : hitLimit;
        }
        kind = kindBehindProbe(d);
        continue;
      }

      // --- moves
      case Op.MOV_RR64: writeR(base, d.reg, readR(base, d.rm)); break;
      case Op.MOV_RR32: writeR(base, d.reg, readR(base, d.rm) & 0xffff_ffff); break;
      case Op.MOV_RI: writeR(base, d.reg, wide(d)); break;
      case Op.LEA64: writeR(base, d.reg, addressOf(base, d, nextPc)); break;
      case Op.LEA32: writeR(base, d.reg, addressOf(base, d, nextPc) & 0xffff_ffff); break;
      case Op.MOVZX_R16: writeR(base, d.reg, readR(base, d.rm) & 0xffff); break;
      case Op.MOVZX_R8: writeR(base, d.reg, readR(base, d.rm) & 0xff); break;
      case Op.MOVSXD_R: writeR(base, d.reg, <u64>(<i64>(<i32>readR(base, d.rm)))); break;
      case Op.CMOV_RR64: if (conditionHolds(base, d.extra)) writeR(base, d.reg, readR(base, d.rm)); break;
      // The upper half is cleared in any case.
      case Op.CMOV_RR32: {
        const from = <u32>(conditionHolds(base, d.extra) ? d.rm : d.reg);
        writeR(base, d.reg, readR(base, from) & 0xffff_ffff);
        break;
      }
      case Op.SETCC_R8: writeR(base, d.rm, (readR(base, d.rm) & ~(<u64>0xff)) | (<u64>conditionHolds(base, d.extra))); break;

      // --- arithmetic and logic
      case Op.ADD_RR64: writeR(base, d.reg, addFlags64(base, readR(base, d.reg), readR(base, d.rm))); break;
      case Op.OR_RR64: writeR(base, d.reg, logicFlags64(base, readR(base, d.reg) | readR(base, d.rm))); break;
      case Op.ADC_RR64: writeR(base, d.reg, alu64(base, Alu.ADC, readR(base, d.reg), readR(base, d.rm))); break;
      case Op.SBB_RR64: writeR(base, d.reg, alu64(base, Alu.SBB, readR(base, d.reg), readR(base, d.rm))); break;
      case Op.AND_RR64: writeR(base, d.reg, logicFlags64(base, readR(base, d.reg) & readR(base, d.rm))); break;
      case Op.SUB_RR64: writeR(base, d.reg, subtractFlags64(base, readR(base, d.reg), readR(base, d.rm))); break;
      case Op.XOR_RR64: writeR(base, d.reg, logicFlags64(base, readR(base, d.reg) ^ readR(base, d.rm))); break;
      case Op.CMP_RR64: subtractFlags64(base, readR(base, d.reg), readR(base, d.rm)); break;
      case Op.ADD_RR32: writeR(base, d.reg, addFlags32(base, <u32>readR(base, d.reg), <u32>readR(base, d.rm))); break;
      case Op.OR_RR32: writeR(base, d.reg, logicFlags32(base, (<u32>readR(base, d.reg)) | (<u32>readR(base, d.rm)))); break;
      case Op.ADC_RR32: writeR(base, d.reg, alu32(base, Alu.ADC, <u32>readR(base, d.reg), <u32>readR(base, d.rm))); break;
      case Op.SBB_RR32: writeR(base, d.reg, alu32(base, Alu.SBB, <u32>readR(base, d.reg), <u32>readR(base, d.rm))); break;
      case Op.AND_RR32: writeR(base, d.reg, logicFlags32(base, (<u32>readR(base, d.reg)) & (<u32>readR(base, d.rm)))); break;
      case Op.SUB_RR32: writeR(base, d.reg, subtractFlags32(base, <u32>readR(base, d.reg), <u32>readR(base, d.rm))); break;
      case Op.XOR_RR32: writeR(base, d.reg, logicFlags32(base, (<u32>readR(base, d.reg)) ^ (<u32>readR(base, d.rm)))); break;
      case Op.CMP_RR32: subtractFlags32(base, <u32>readR(base, d.reg), <u32>readR(base, d.rm)); break;
      case Op.ADD_RI64: writeR(base, d.reg, addFlags64(base, readR(base, d.reg), <u64>(<i64>d.immediate))); break;
      case Op.OR_RI64: writeR(base, d.reg, logicFlags64(base, readR(base, d.reg) | (<u64>(<i64>d.immediate)))); break;
      case Op.ADC_RI64: writeR(base, d.reg, alu64(base, Alu.ADC, readR(base, d.reg), <u64>(<i64>d.immediate))); break;
      case Op.SBB_RI64: writeR(base, d.reg, alu64(base, Alu.SBB, readR(base, d.reg), <u64>(<i64>d.immediate))); break;
      case Op.AND_RI64: writeR(base, d.reg, logicFlags64(base, readR(base, d.reg) & (<u64>(<i64>d.immediate)))); break;
      case Op.SUB_RI64: writeR(base, d.reg, subtractFlags64(base, readR(base, d.reg), <u64>(<i64>d.immediate))); break;
      case Op.XOR_RI64: writeR(base, d.reg, logicFlags64(base, readR(base, d.reg) ^ (<u64>(<i64>d.immediate)))); break;
      case Op.CMP_RI64: subtractFlags64(base, readR(base, d.reg), <u64>(<i64>d.immediate)); break;
      case Op.ADD_RI32: writeR(base, d.reg, addFlags32(base, <u32>readR(base, d.reg), <u32>d.immediate)); break;
      case Op.OR_RI32: writeR(base, d.reg, logicFlags32(base, (<u32>readR(base, d.reg)) | (<u32>d.immediate))); break;
      case Op.ADC_RI32: writeR(base, d.reg, alu32(base, Alu.ADC, <u32>readR(base, d.reg), <u32>d.immediate)); break;
      case Op.SBB_RI32: writeR(base, d.reg, alu32(base, Alu.SBB, <u32>readR(base, d.reg), <u32>d.immediate)); break;
      case Op.AND_RI32: writeR(base, d.reg, logicFlags32(base, (<u32>readR(base, d.reg)) & (<u32>d.immediate))); break;
      case Op.SUB_RI32: writeR(base, d.reg, subtractFlags32(base, <u32>readR(base, d.reg), <u32>d.immediate)); break;
      case Op.XOR_RI32: writeR(base, d.reg, logicFlags32(base, (<u32>readR(base, d.reg)) ^ (<u32>d.immediate))); break;
      case Op.CMP_RI32: subtractFlags32(base, <u32>readR(base, d.reg), <u32>d.immediate); break;
      case Op.TEST_RR64: logicFlags64(base, readR(base, d.rm) & readR(base, d.reg)); break;
      case Op.TEST_RR32: logicFlags32(base, (<u32>readR(base, d.rm)) & (<u32>readR(base, d.reg))); break;
      case Op.TEST_RR8: logicFlags8(base, (<u32>readR(base, d.rm)) & (<u32>readR(base, d.reg))); break;
      case Op.TEST_RI64: logicFlags64(base, readR(base, d.reg) & (<u64>(<i64>d.immediate))); break;
      case Op.TEST_RI32: logicFlags32(base, (<u32>readR(base, d.reg)) & (<u32>d.immediate)); break;
      case Op.TEST_RI8: logicFlags8(base, (<u32>readR(base, d.reg)) & (<u32>d.immediate)); break;
      case Op.CMP_RI8: subtractFlags8(base, <u32>readR(base, d.reg), <u32>d.immediate); break;
      case Op.INC_R64: writeR(base, d.reg, incrementFlags64(base, readR(base, d.reg))); break;
      case Op.INC_R32: writeR(base, d.reg, incrementFlags32(base, <u32>readR(base, d.reg))); break;
      case Op.DEC_R64: writeR(base, d.reg, decrementFlags64(base, readR(base, d.reg))); break;
      case Op.DEC_R32: writeR(base, d.reg, decrementFlags32(base, <u32>readR(base, d.reg))); break;
      case Op.NEG_R64: writeR(base, d.reg, subtractFlags64(base, 0, readR(base, d.reg))); break;
      case Op.NEG_R32: writeR(base, d.reg, subtractFlags32(base, 0, <u32>readR(base, d.reg))); break;
      case Op.NOT_R64: writeR(base, d.reg, ~readR(base, d.reg)); break;
      case Op.NOT_R32: writeR(base, d.reg, ~readR(base, d.reg) & 0xffff_ffff); break;
      case Op.SHL_RI64: writeR(base, d.reg, shiftLeftFlags64(base, readR(base, d.reg), d.extra)); break;
      case Op.SHL_RI32: writeR(base, d.reg, shiftLeftFlags32(base, <u32>readR(base, d.reg), d.extra)); break;
      case Op.SHR_RI64: writeR(base, d.reg, shiftRightFlags64(base, readR(base, d.reg), d.extra)); break;
      case Op.SHR_RI32: writeR(base, d.reg, shiftRightFlags32(base, <u32>readR(base, d.reg), d.extra)); break;
      case Op.SAR_RI64: writeR(base, d.reg, shiftArithmeticFlags64(base, readR(base, d.reg), d.extra)); break;
      case Op.SAR_RI32: writeR(base, d.reg, shiftArithmeticFlags32(base, <u32>readR(base, d.reg), d.extra)); break;

      // --- loads and stores
      case Op.LOAD64: if (hitLoad<u64>(base, d, nextPc, Op.LOAD64)) break; kind = Op.SLOW_ACCESS; continue;
      case Op.LOAD32: if (hitLoad<u32>(base, d, nextPc, Op.LOAD32)) break; kind = Op.SLOW_ACCESS; continue;
      case Op.LOAD16: if (hitLoad<u16>(base, d, nextPc, Op.LOAD16)) break; kind = Op.SLOW_ACCESS; continue;
      case Op.LOAD8: if (hitLoad<u8>(base, d, nextPc, Op.LOAD8)) break; kind = Op.SLOW_ACCESS; continue;
      case Op.LOAD_SIGNED32: if (hitLoad<u32>(base, d, nextPc, Op.LOAD_SIGNED32)) break; kind = Op.SLOW_ACCESS; continue;
      case Op.ALU_RM64: if (hitLoad<u64>(base, d, nextPc, Op.ALU_RM64)) break; kind = Op.SLOW_ACCESS; continue;
      case Op.ALU_RM32: if (hitLoad<u32>(base, d, nextPc, Op.ALU_RM32)) break; kind = Op.SLOW_ACCESS; continue;
      case Op.CMP_RM64: if (hitLoad<u64>(base, d, nextPc, Op.CMP_RM64)) break; kind = Op.SLOW_ACCESS; continue;
      case Op.CMP_RM32: if (hitLoad<u32>(base, d, nextPc, Op.CMP_RM32)) break; kind = Op.SLOW_ACCESS; continue;
      case Op.CMP_MR64: if (hitLoad<u64>(base, d, nextPc, Op.CMP_MR64)) break; kind = Op.SLOW_ACCESS; continue;
      case Op.CMP_MR32: if (hitLoad<u32>(base, d, nextPc, Op.CMP_MR32)) break; kind = Op.SLOW_ACCESS; continue;
      case Op.CMP_MI64: if (hitLoad<u64>(base, d, nextPc, Op.CMP_MI64)) break; kind = Op.SLOW_ACCESS; continue;
      case Op.CMP_MI32: if (hitLoad<u32>(base, d, nextPc, Op.CMP_MI32)) break; kind = Op.SLOW_ACCESS; continue;
      case Op.CMP_MI8: if (hitLoad<u8>(base, d, nextPc, Op.CMP_MI8)) break; kind = Op.SLOW_ACCESS; continue;
      case Op.TEST_MR64: if (hitLoad<u64>(base, d, nextPc, Op.TEST_MR64)) break; kind = Op.SLOW_ACCESS; continue;
      case Op.TEST_MR32: if (hitLoad<u32>(base, d, nextPc, Op.TEST_MR32)) break; kind = Op.SLOW_ACCESS; continue;
      case Op.TEST_MI32: if (hitLoad<u32>(base, d, nextPc, Op.TEST_MI32)) break; kind = Op.SLOW_ACCESS; continue;
      case Op.TEST_MI8: if (hitLoad<u8>(base, d, nextPc, Op.TEST_MI8)) break; kind = Op.SLOW_ACCESS; continue;
      case Op.STORE64: if (hitStore<u64>(base, d, nextPc, readR(base, d.reg))) break; kind = Op.SLOW_ACCESS; continue;
      case Op.STORE32: if (hitStore<u32>(base, d, nextPc, readR(base, d.reg))) break; kind = Op.SLOW_ACCESS; continue;
      case Op.STORE16: if (hitStore<u16>(base, d, nextPc, readR(base, d.reg))) break; kind = Op.SLOW_ACCESS; continue;
      case Op.STORE8: if (hitStore<u8>(base, d, nextPc, readR(base, d.reg))) break; kind = Op.SLOW_ACCESS; continue;
      case Op.STORE_I64: if (hitStore<u64>(base, d, nextPc, <u64>(<i64>d.immediate))) break; kind = Op.SLOW_ACCESS; continue;
      case Op.STORE_I32: if (hitStore<u32>(base, d, nextPc, <u64>(<i64>d.immediate))) break; kind = Op.SLOW_ACCESS; continue;
      case Op.STORE_I8: if (hitStore<u8>(base, d, nextPc, <u64>(<i64>d.immediate))) break; kind = Op.SLOW_ACCESS; continue;

      // --- stack
      case Op.PUSH_R: if (hitPush(base, readR(base, d.reg))) break; kind = Op.SLOW_ACCESS; continue;
      case Op.POP_R: if (hitPop(base, d)) break; kind = Op.SLOW_ACCESS; continue;
      case Op.SLOW_ACCESS: {
        save(cpu, pc, clock, retired);
        if (!accessSlow(cpu, d)) return leaveFor(cpu, d);
        clock = cpu.clock;
        limit = single ? 0 : hitLimit;
        break;
      }

      // --- branches
      case Op.CALL: {
        if (!hitPush(base, nextPc)) {
          save(cpu, pc, clock, retired);
          if (!pushSlow(cpu, nextPc)) return leaveFor(cpu, d);
          limit = single ? 0 : hitLimit;
        }
        next = <usize>d.target;
        nextPc += <u64>(<i64>d.immediate);
        break;
      }
      case Op.CALL_R: {
        const to = readR(base, d.rm);
        if (!isCanonical(to)) { save(cpu, pc, clock, retired); nonCanonical(cpu, false); return Leave.RECHECK; }
        if (!hitPush(base, nextPc)) {
          save(cpu, pc, clock, retired);
          if (!pushSlow(cpu, nextPc)) return leaveFor(cpu, d);
          limit = single ? 0 : hitLimit;
        }
        next = 0;
        nextPc = to;
        break;
      }
      case Op.RET: {
        const address = readR(base, RSP);
        const host = readable(base, address, 8);
        let to: u64;
        if (host != 0) {
          to = load<u64>(host);
        } else {
          save(cpu, pc, clock, retired);
          to = readSlow(cpu, address, 8);
          if (outcome() != Access.DONE) return leaveFor(cpu, d);
          limit = single ? 0 : hitLimit;
        }
        if (!isCanonical(to)) { save(cpu, pc, clock, retired); nonCanonical(cpu, false); return Leave.RECHECK; }
        writeR(base, RSP, address + 8);
        next = 0;
        nextPc = to;
        break;
      }
      case Op.JMP: next = <usize>d.target; nextPc += <u64>(<i64>d.immediate); break;
      case Op.JMP_R: {
        const to = readR(base, d.rm);
        if (!isCanonical(to)) { save(cpu, pc, clock, retired); nonCanonical(cpu, false); return Leave.RECHECK; }
        next = 0;
        nextPc = to;
        break;
      }
      case Op.JO: if (overflowOf(base)) { next = <usize>d.target; nextPc += <u64>(<i64>d.immediate); } break;
      case Op.JNO: if (!overflowOf(base)) { next = <usize>d.target; nextPc += <u64>(<i64>d.immediate); } break;
      case Op.JB: if (carryOf(base) != 0) { next = <usize>d.target; nextPc += <u64>(<i64>d.immediate); } break;
      case Op.JAE: if (carryOf(base) == 0) { next = <usize>d.target; nextPc += <u64>(<i64>d.immediate); } break;
      case Op.JE: if (zeroOf(base)) { next = <usize>d.target; nextPc += <u64>(<i64>d.immediate); } break;
      case Op.JNE: if (!zeroOf(base)) { next = <usize>d.target; nextPc += <u64>(<i64>d.immediate); } break;
      case Op.JBE: if (carryOf(base) != 0 || zeroOf(base)) { next = <usize>d.target; nextPc += <u64>(<i64>d.immediate); } break;
      case Op.JA: if (carryOf(base) == 0 && !zeroOf(base)) { next = <usize>d.target; nextPc += <u64>(<i64>d.immediate); } break;
      case Op.JS: if (signOf(base)) { next = <usize>d.target; nextPc += <u64>(<i64>d.immediate); } break;
      case Op.JNS: if (!signOf(base)) { next = <usize>d.target; nextPc += <u64>(<i64>d.immediate); } break;
      case Op.JP: if (parityOf(base)) { next = <usize>d.target; nextPc += <u64>(<i64>d.immediate); } break;
      case Op.JNP: if (!parityOf(base)) { next = <usize>d.target; nextPc += <u64>(<i64>d.immediate); } break;
      case Op.JL: if (lessOf(base)) { next = <usize>d.target; nextPc += <u64>(<i64>d.immediate); } break;
      case Op.JGE: if (!lessOf(base)) { next = <usize>d.target; nextPc += <u64>(<i64>d.immediate); } break;
      case Op.JLE: if (lessOf(base) || zeroOf(base)) { next = <usize>d.target; nextPc += <u64>(<i64>d.immediate); } break;
      case Op.JG: if (!lessOf(base) && !zeroOf(base)) { next = <usize>d.target; nextPc += <u64>(<i64>d.immediate); } break;
      case Op.NOP: break;

      default: {
        save(cpu, pc, clock, retired);
        switch (executeRare(cpu, d, kind)) {
          case Step.NEXT:
            clock = cpu.clock;
            limit = single ? 0 : hitLimit;
            break;
          case Step.BRANCH:
            clock = cpu.clock;
            limit = single ? 0 : hitLimit;
            nextPc = cpu.pc;
            next = (d.flags & (<u16>X86Flag.DIRECT)) != 0 ? <usize>d.target : 0;
            break;
          case Step.RECHECK:
            save(cpu, nextPc, cpu.clock + d.cost, retired + 1);
            return completeSingle(cpu, trapped);
          case Step.JUMP:
            save(cpu, cpu.pc, cpu.clock + d.cost, retired + 1);
            return completeSingle(cpu, trapped);
          case Step.WAIT:
            save(cpu, nextPc, cpu.clock + d.cost, retired + 1);
            advanceShadow(cpu);
            return Leave.WAITING;
          case Step.REPEAT:
            cpu.resumed = 1;
            return single ? completeSingle(cpu, trapped) : Leave.LIMIT;
          case Step.EXCEPTION:
            return Leave.RECHECK;
          case Step.LIMIT:
            cpu.resumed = 1;
            return Leave.LIMIT;
          case Step.REFUSED:
            return Leave.REFUSED;
          case Step.DEAD:
            return Leave.WAITING;
          default:
            return leaveFor(cpu, d);
        }
        break;
      }
    }

    // The instruction is complete.
    clock += d.cost;
    retired++;
    must = false;
    resumed = false;
    if (nextPc <= pc && !single && !leavesRoutine(<i32>d.operation) && loopEdge(cpu, nextPc)) {
      save(cpu, nextPc, clock, retired);
      const leave = comeRound(cpu);
      if (leave != Leave.NONE) return leave;
      limit = hitLimit;
    }
    if (clock >= limit) {
      save(cpu, nextPc, clock, retired);
      if (single) return completeSingle(cpu, trapped);
      if (clock >= otherLimit) return Leave.LIMIT;
      if (next == 0) next = follow(d, pc, nextPc);
      if (next == 0) return fetchFault(cpu, nextPc);
      if ((changetype<X86>(next).flags & (<u16>DecodedFlag.MEMORY)) != 0) return beyondHits(cpu, changetype<X86>(next));
    } else if (next == 0) {
      next = follow(d, pc, nextPc);
      if (next == 0) {
        save(cpu, nextPc, clock, retired);
        return fetchFault(cpu, nextPc);
      }
    }
    pc = nextPc;
    record = next;
    kind = <i32>changetype<X86>(record).kind;
  }
}
