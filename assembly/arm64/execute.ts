// The A64 interpreter: steps one PE through decoded instructions until a limit is reached or something else needs
// attention. Operations that are common in kernels are done here; executeRare() does the others.

import { ADDRESS_LIMIT, CPU_REGISTERS, CpuState, PAGE_BYTES, PAGE_SHIFT } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { machine } from "../machine.ts";
import { Access, locate, outcome } from "../memory/access.ts";
import { DecodedFlag, SpecialKind, codePageAt, kindBehindProbe, mayExecute, openCodePage } from "../memory/code.ts";
import { readable, writable } from "../memory/copies.ts";
import { pageAt, ramAt } from "../memory/map.ts";
import { Leave } from "../time/leave.ts";
import { hitLimit, otherLimit } from "../time/bounds.ts";
import { comeRound, loopEdge } from "../time/spin.ts";
import { probeHit } from "../trace/probe.ts";
import { readX, writeX } from "./cpu.ts";
import { decodeA64 } from "./decode.ts";
import { dataAbort, instructionAbort } from "./exception.ts";
import { isReadModifyWrite } from "./atomic.ts";
import { beyondHits } from "./beyond.ts";
import { addFlags32, addFlags64, conditionHolds, logicFlags32, logicFlags64 } from "./flags.ts";
import { subtractFlags32, subtractFlags64 } from "./flags.ts";
import { modeOf } from "./memory.ts";
import { A64, A64_BYTES, AddressMode, Op } from "./operations.ts";
import { executeRare } from "./rare.ts";
import { Step } from "./step.ts";

/** Decoded records of one page, and the marker behind the last. */
const CODE_PAGE_BYTES: usize = (<usize>PAGE_BYTES / 4 + 1) * A64_BYTES;

/** Records are eight times as far apart as instructions. */
const PC_SHIFT: u64 = 3;
if (A64_BYTES != 4 << (<usize>PC_SHIFT)) ERROR("PC_SHIFT relies on A64_BYTES");

/** Record of the instruction at an address, decoded or not; null when nothing can be executed there. */
function recordAt(pc: u64): usize {
  if (pc >= <u64>ADDRESS_LIMIT || (pc & 3) != 0) return 0;
  let page = codePageAt(pc);
  if (page == 0) {
    if (!mayExecute(pageAt(pc))) return 0;
    page = openCodePage(pc, CODE_PAGE_BYTES);
    if (page == 0) return 0;
    changetype<A64>(page + CODE_PAGE_BYTES - A64_BYTES).kind = <u16>SpecialKind.PAGE_END;
  }
  return page + (((<usize>pc) & (PAGE_BYTES - 1)) >>> 2) * A64_BYTES;
}

/** The decoded instruction at an address, for looking at it; null when nothing can be executed there. */
export function decodedAt(pc: u64): A64 {
  const d = changetype<A64>(recordAt(pc));
  if (changetype<usize>(d) != 0 && d.kind == <u16>SpecialKind.UNDECODED) {
    decodeA64(d, load<u32>(ramAt(pc)), pc, pageAt(pc));
  }
  return d;
}

/** Address of the instruction that a record stands for; `pcBase` belongs to the page. */
// @ts-ignore: decorator
@inline
function pcAt(record: usize, pcBase: u64): u64 {
  return pcBase + ((<u64>record) >>> PC_SHIFT);
}

/** Whether the instruction touches memory that others may touch; false while it isn't decoded. */
// @ts-ignore: decorator
@inline
function isMemory(record: usize): bool {
  return (changetype<A64>(record).flags & (<u16>DecodedFlag.MEMORY)) != 0;
}

// @ts-ignore: decorator
@inline
function save(cpu: Cpu, pc: u64, clock: u64, retired: u64): void {
  cpu.pc = pc;
  cpu.clock = clock;
  cpu.retired = retired;
}

/** What a slow access that was not done means for the executor; `atomic` as for dataAbort(). */
function leaveFor(cpu: Cpu, atomic: bool): Leave {
  if (changetype<usize>(cpu) == machine().shadow) return Leave.REFUSED;
  switch (outcome()) {
    case Access.BLOCKED:
      return Leave.BLOCKED;
    case Access.SIBLING:
      return Leave.SIBLING;
    case Access.REFUSED:
      return Leave.REFUSED;
    default:
      dataAbort(cpu, atomic);
      return afterException(cpu);
  }
}

/** There is no instruction to execute at cpu.pc. */
function leaveForAbort(cpu: Cpu): Leave {
  if (changetype<usize>(cpu) == machine().shadow) return Leave.REFUSED;
  instructionAbort(cpu);
  return afterException(cpu);
}

/** An exception has been taken, or has stopped the machine. */
function afterException(cpu: Cpu): Leave {
  return cpu.state == CpuState.RUNNING ? Leave.RECHECK : Leave.WAITING;
}

/**
 * Executes from cpu.pc at cpu.clock.
 *
 * In a page, the record alone says where execution is; the address follows from it (pcAt). While it runs, the CPU's pc,
 * clock and retired count are kept in locals; save() writes them back before anything that looks at them.
 * @param must execute the first instruction whatever the limits say
 */
export function arm64Execute(cpu: Cpu, must: bool): Leave {
  const base = changetype<usize>(cpu);
  let limit = must ? u64.MAX_VALUE : hitLimit;
  let clock = cpu.clock;
  let retired = cpu.retired;
  /** The instruction that stands at this count has reported its probe already. */
  const resumedAt = cpu.resumed != 0 ? retired : u64.MAX_VALUE;
  cpu.resumed = 0;

  let record = recordAt(cpu.pc);
  if (record == 0) return leaveForAbort(cpu);
  if (clock >= limit && isMemory(record)) return beyondHits(cpu, changetype<A64>(record));
  let kind = <i32>changetype<A64>(record).kind;
  let pcBase = cpu.pc - ((<u64>record) >>> PC_SHIFT);
  /** Where a branch goes. */
  let target: u64 = 0;

  while (true) {
    const d = changetype<A64>(record);
    /** Record of the next instruction; null when `target` has to be looked up. */
    let next = record + A64_BYTES;
    switch (kind) {
      case SpecialKind.UNDECODED: {
        const pc = pcAt(record, pcBase);
        kind = decodeA64(d, load<u32>(ramAt(pc)), pc, pageAt(pc));
        if (clock >= limit && isMemory(record)) {
          save(cpu, pc, clock, retired);
          return beyondHits(cpu, d);
        }
        continue;
      }
      case SpecialKind.FETCH: {
        const pc = pcAt(record, pcBase);
        save(cpu, pc, clock, retired);
        const host = locate(cpu, pc, false);
        if (host == 0) return leaveFor(cpu, false);
        if (load<u32>(host) != d.raw) decodeA64(d, load<u32>(host), pc, pageAt(pc));
        kind = d.operation;
        continue;
      }
      case SpecialKind.PROBE: {
        if (base == machine().shadow) return Leave.REFUSED;
        if (retired != resumedAt) {
          save(cpu, pcAt(record, pcBase), clock, retired);
          probeHit(cpu);
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
        pcBase = pc - ((<u64>record) >>> PC_SHIFT);
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
      case Op.MOVK32:
        writeX(base, d.rd, <u64>(((<u32>readX(base, d.rn)) & ~((<u32>0xffff) << d.extra)) | (<u32>d.immediate)));
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
      case Op.EOR_IMMEDIATE64:
        writeX(base, d.rd, readX(base, d.rn) ^ (<u64>d.immediate));
        break;
      case Op.EOR_IMMEDIATE32:
        writeX(base, d.rd, <u64>((<u32>readX(base, d.rn)) ^ (<u32>d.immediate)));
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
      case Op.BFM64: {
        const mask = <u64>d.immediate;
        writeX(base, d.rd, (readX(base, d.ra) & ~mask) | (rotr<u64>(readX(base, d.rn), <u64>d.extra) & mask));
        break;
      }
      case Op.BFM32: {
        const mask = <u32>d.immediate;
        const field = rotr<u32>(<u32>readX(base, d.rn), d.extra) & mask;
        writeX(base, d.rd, <u64>(((<u32>readX(base, d.ra)) & ~mask) | field));
        break;
      }
      case Op.EXTR64: {
        const high = d.extra == 0 ? 0 : readX(base, d.rn) << (64 - <u64>d.extra);
        writeX(base, d.rd, (readX(base, d.rm) >>> (<u64>d.extra)) | high);
        break;
      }
      case Op.EXTR32: {
        const high: u32 = d.extra == 0 ? 0 : (<u32>readX(base, d.rn)) << (32 - d.extra);
        writeX(base, d.rd, <u64>(((<u32>readX(base, d.rm)) >>> d.extra) | high));
        break;
      }

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
      case Op.BIC_REGISTER64:
        writeX(base, d.rd, readX(base, d.rn) & ~readX(base, d.rm));
        break;
      case Op.BIC_REGISTER32:
        writeX(base, d.rd, <u64>((<u32>readX(base, d.rn)) & ~(<u32>readX(base, d.rm))));
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
      case Op.CSINV64:
        writeX(base, d.rd, conditionHolds(base, d.extra) ? readX(base, d.rn) : ~readX(base, d.rm));
        break;
      case Op.CSINV32:
        writeX(base, d.rd, (conditionHolds(base, d.extra) ? readX(base, d.rn) : ~readX(base, d.rm)) & 0xffff_ffff);
        break;
      case Op.CSNEG64:
        writeX(base, d.rd, conditionHolds(base, d.extra) ? readX(base, d.rn) : 0 - readX(base, d.rm));
        break;
      case Op.CSNEG32:
        writeX(base, d.rd, (conditionHolds(base, d.extra) ? readX(base, d.rn) : 0 - readX(base, d.rm)) & 0xffff_ffff);
        break;
      case Op.MADD64:
        writeX(base, d.rd, readX(base, d.ra) + readX(base, d.rn) * readX(base, d.rm));
        break;
      case Op.MADD32:
        writeX(base, d.rd, (readX(base, d.ra) + readX(base, d.rn) * readX(base, d.rm)) & 0xffff_ffff);
        break;
      case Op.MSUB64:
        writeX(base, d.rd, readX(base, d.ra) - readX(base, d.rn) * readX(base, d.rm));
        break;
      case Op.MSUB32:
        writeX(base, d.rd, (readX(base, d.ra) - readX(base, d.rn) * readX(base, d.rm)) & 0xffff_ffff);
        break;

      // --- branches
      case Op.BL:
        writeX(base, 30, pcAt(record, pcBase) + 4);
        target = pcAt(record, pcBase) + <u64>d.immediate;
        next = targetOf(d, record, target);
        break;
      case Op.B:
        target = pcAt(record, pcBase) + <u64>d.immediate;
        next = targetOf(d, record, target);
        break;
      case Op.B_CONDITION:
        if (conditionHolds(base, d.extra)) {
          target = pcAt(record, pcBase) + <u64>d.immediate;
          next = targetOf(d, record, target);
        }
        break;
      case Op.CBZ64:
        if (readX(base, d.rn) == 0) {
          target = pcAt(record, pcBase) + <u64>d.immediate;
          next = targetOf(d, record, target);
        }
        break;
      case Op.CBZ32:
        if (<u32>readX(base, d.rn) == 0) {
          target = pcAt(record, pcBase) + <u64>d.immediate;
          next = targetOf(d, record, target);
        }
        break;
      case Op.CBNZ64:
        if (readX(base, d.rn) != 0) {
          target = pcAt(record, pcBase) + <u64>d.immediate;
          next = targetOf(d, record, target);
        }
        break;
      case Op.CBNZ32:
        if (<u32>readX(base, d.rn) != 0) {
          target = pcAt(record, pcBase) + <u64>d.immediate;
          next = targetOf(d, record, target);
        }
        break;
      case Op.TBZ:
        if (((readX(base, d.rn) >>> (<u64>d.extra)) & 1) == 0) {
          target = pcAt(record, pcBase) + <u64>d.immediate;
          next = targetOf(d, record, target);
        }
        break;
      case Op.TBNZ:
        if (((readX(base, d.rn) >>> (<u64>d.extra)) & 1) != 0) {
          target = pcAt(record, pcBase) + <u64>d.immediate;
          next = targetOf(d, record, target);
        }
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
      case Op.LOAD64: {
        const host = readable(base, readX(base, d.rn) + <u64>d.immediate, 8);
        if (host == 0) {
          kind = Op.LOAD;
          continue;
        }
        writeX(base, d.rd, load<u64>(host));
        break;
      }
      case Op.LOAD32: {
        const host = readable(base, readX(base, d.rn) + <u64>d.immediate, 4);
        if (host == 0) {
          kind = Op.LOAD;
          continue;
        }
        writeX(base, d.rd, <u64>load<u32>(host));
        break;
      }
      case Op.LOAD16: {
        const host = readable(base, readX(base, d.rn) + <u64>d.immediate, 2);
        if (host == 0) {
          kind = Op.LOAD;
          continue;
        }
        writeX(base, d.rd, <u64>load<u16>(host));
        break;
      }
      case Op.LOAD8: {
        const host = readable(base, readX(base, d.rn) + <u64>d.immediate, 1);
        if (host == 0) {
          kind = Op.LOAD;
          continue;
        }
        writeX(base, d.rd, <u64>load<u8>(host));
        break;
      }
      case Op.STORE64: {
        const host = writable(base, readX(base, d.rn) + <u64>d.immediate, 8);
        if (host == 0) {
          kind = Op.STORE;
          continue;
        }
        store<u64>(host, readX(base, d.rd));
        break;
      }
      case Op.STORE32: {
        const host = writable(base, readX(base, d.rn) + <u64>d.immediate, 4);
        if (host == 0) {
          kind = Op.STORE;
          continue;
        }
        store<u32>(host, <u32>readX(base, d.rd));
        break;
      }
      case Op.STORE16: {
        const host = writable(base, readX(base, d.rn) + <u64>d.immediate, 2);
        if (host == 0) {
          kind = Op.STORE;
          continue;
        }
        store<u16>(host, <u16>readX(base, d.rd));
        break;
      }
      case Op.STORE8: {
        const host = writable(base, readX(base, d.rn) + <u64>d.immediate, 1);
        if (host == 0) {
          kind = Op.STORE;
          continue;
        }
        store<u8>(host, <u8>readX(base, d.rd));
        break;
      }
      case Op.LOAD_PAIR64: {
        const bottom = readX(base, d.rn);
        const mode = modeOf(d);
        const host = readable(base, mode == AddressMode.POST_INDEX ? bottom : bottom + <u64>d.immediate, 16);
        if (host == 0) {
          kind = Op.LOAD_PAIR;
          continue;
        }
        writeX(base, d.rd, load<u64>(host));
        writeX(base, d.ra, load<u64>(host, 8));
        if (mode != AddressMode.OFFSET) writeX(base, d.rn, bottom + <u64>d.immediate);
        break;
      }
      case Op.STORE_PAIR64: {
        const bottom = readX(base, d.rn);
        const mode = modeOf(d);
        const host = writable(base, mode == AddressMode.POST_INDEX ? bottom : bottom + <u64>d.immediate, 16);
        if (host == 0) {
          kind = Op.STORE_PAIR;
          continue;
        }
        store<u64>(host, readX(base, d.rd));
        store<u64>(host, readX(base, d.ra), 8);
        if (mode != AddressMode.OFFSET) writeX(base, d.rn, bottom + <u64>d.immediate);
        break;
      }

      case Op.READ_STATE:
        writeX(base, d.rd, load<u64>(base + d.extra));
        break;
      case Op.NOP:
      case Op.YIELD:
        break;

      default: {
        save(cpu, pcAt(record, pcBase), clock, retired);
        const step = executeRare(cpu, d, kind);
        if (step != Step.NEXT) return leaveBehind(cpu, d, step);
        clock = cpu.clock;
        break;
      }
    }

    // The instruction is complete.
    clock += d.cost;
    retired++;
    limit = hitLimit; // an access may have woken a sibling, and thereby moved it
    if (next <= record) {
      // A branch has left the page or gone back.
      if (target <= pcAt(record, pcBase) && loopEdge(cpu, target)) {
        save(cpu, target, clock, retired);
        const leave = comeRound(cpu);
        if (leave != Leave.NONE) return leave;
        next = 0; // it may have had to forget decoded code
      }
      if (next == 0) {
        next = recordAt(target);
        if (next == 0) {
          save(cpu, target, clock, retired);
          return leaveForAbort(cpu);
        }
        pcBase = target - ((<u64>next) >>> PC_SHIFT);
      }
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

/** Leaves the executor after an operation of executeRare() that is not simply done. */
function leaveBehind(cpu: Cpu, d: A64, step: Step): Leave {
  switch (step) {
    case Step.RECHECK:
      save(cpu, cpu.pc + 4, cpu.clock + d.cost, cpu.retired + 1);
      return Leave.RECHECK;
    case Step.JUMP:
      save(cpu, cpu.pc, cpu.clock + d.cost, cpu.retired + 1);
      return Leave.RECHECK;
    case Step.WAIT:
      save(cpu, cpu.pc + 4, cpu.clock + d.cost, cpu.retired + 1);
      return Leave.WAITING;
    case Step.EXCEPTION:
      return afterException(cpu);
    case Step.LIMIT:
      cpu.resumed = 1;
      return Leave.LIMIT;
    case Step.REFUSED:
      return Leave.REFUSED;
    default:
      return leaveFor(cpu, isReadModifyWrite(<i32>d.operation));
  }
}

/** Record of a direct branch's target, kept in the branch when both lie in one page; 0 when it must be looked up. */
// @ts-ignore: decorator
@inline
function targetOf(d: A64, record: usize, target: u64): usize {
  return d.target != 0 ? <usize>d.target : findTarget(d, record, target);
}

function findTarget(d: A64, record: usize, target: u64): usize {
  if (target >>> PAGE_SHIFT != (target - <u64>d.immediate) >>> PAGE_SHIFT) return 0;
  const found = record + <usize>(d.immediate >> 2) * A64_BYTES;
  d.target = <u32>found;
  return found;
}

if (CPU_REGISTERS % 8 != 0) ERROR("registers must be aligned");
