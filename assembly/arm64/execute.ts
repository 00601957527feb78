// The A64 interpreter: steps one PE through decoded instructions until a limit is reached or something else needs
// attention. Operations that are common in kernels are done here; executeRare() does the others.

import { CPU_REGISTERS, PAGE_SHIFT, PAGE_BYTES } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { machine } from "../machine.ts";
import { Access, locate, outcome, readSlow, writeSlow } from "../memory/access.ts";
import {
  DecodedFlag,
  SpecialKind,
  codePageAt,
  kindBehindProbe,
  mayExecute,
  openCodePage,
} from "../memory/code.ts";
import { readable, writable } from "../memory/copies.ts";
import { pageAt, ramAt } from "../memory/map.ts";
import { Leave } from "../time/leave.ts";
import { hitLimit, otherLimit } from "../time/bounds.ts";
import { comeRound, loopEdge } from "../time/spin.ts";
import { probeHit } from "../trace/probe.ts";
import { readX, writeX } from "./cpu.ts";
import { decodeA64 } from "./decode.ts";
import { dataAbort, instructionAbort } from "./exception.ts";
import { beyondHits } from "./beyond.ts";
import { addFlags32, addFlags64, conditionHolds, logicFlags32, logicFlags64 } from "./flags.ts";
import { subtractFlags32, subtractFlags64 } from "./flags.ts";
import { A64, A64_BYTES, AddressMode, Op } from "./operations.ts";
import { executeRare } from "./rare.ts";
import { Step } from "./step.ts";

/** Decoded records of one page, and the marker behind the last. */
const CODE_PAGE_BYTES: usize = (<usize>PAGE_BYTES / 4 + 1) * A64_BYTES;

/** Record of the instruction at an address, decoded or not; null when nothing can be executed there. */
function recordAt(pc: u64): usize {
  let page = codePageAt(pc);
  if (page == 0) {
    if (!mayExecute(pageAt(pc))) return 0;
    page = openCodePage(pc, CODE_PAGE_BYTES);
    if (page == 0) return 0;
    changetype<A64>(page + CODE_PAGE_BYTES - A64_BYTES).kind = <u16>SpecialKind.PAGE_END;
  }
  return page + ((<usize>pc & (PAGE_BYTES - 1)) >>> 2) * A64_BYTES;
}

/** The decoded instruction at an address, for looking at it; null when nothing can be executed there. */
export function decodedAt(pc: u64): A64 {
  const d = changetype<A64>((pc & 3) != 0 ? <usize>0 : recordAt(pc));
  if (changetype<usize>(d) != 0 && d.kind == <u16>SpecialKind.UNDECODED) {
    decodeA64(d, load<u32>(ramAt(pc)), pc, pageAt(pc));
  }
  return d;
}

// @ts-ignore: decorator
@inline
function save(cpu: Cpu, pc: u64, clock: u64, retired: u64): void {
  cpu.pc = pc;
  cpu.clock = clock;
  cpu.retired = retired;
}

/** What a slow access that was not done means for the executor. */
function leaveFor(cpu: Cpu): Leave {
  if (changetype<usize>(cpu) == machine().shadow) return Leave.REFUSED;
  switch (outcome()) {
    case Access.BLOCKED:
      return Leave.BLOCKED;
    case Access.SIBLING:
      return Leave.SIBLING;
    case Access.REFUSED:
      return Leave.REFUSED;
    default:
      dataAbort(cpu);
      return Leave.RECHECK;
  }
}

/**
 * Executes from cpu.pc at cpu.clock.
 * @param must execute the first instruction whatever the limits say
 */
export function arm64Execute(cpu: Cpu, must: bool): Leave {
  const base = changetype<usize>(cpu);
  let pc = cpu.pc;
  let clock = cpu.clock;
  let retired = cpu.retired;
  let resumed = cpu.resumed != 0;
  cpu.resumed = 0;

  if ((pc & 3) != 0) return instructionAbort(cpu, true);
  let record = recordAt(pc);
  if (record == 0) return instructionAbort(cpu, false);
  if (!must && clock >= hitLimit && (changetype<A64>(record).flags & <u16>DecodedFlag.MEMORY) != 0) {
    return beyondHits(cpu, changetype<A64>(record));
  }
  let kind = <i32>changetype<A64>(record).kind;

  while (true) {
    const d = changetype<A64>(record);
    let next = record + A64_BYTES;
    let nextPc = pc + 4;
    switch (kind) {
      case SpecialKind.UNDECODED: {
        kind = decodeA64(d, load<u32>(ramAt(pc)), pc, pageAt(pc));
        if (!must && clock >= hitLimit && (d.flags & <u16>DecodedFlag.MEMORY) != 0) {
          save(cpu, pc, clock, retired);
          return beyondHits(cpu, d);
        }
        continue;
      }
      case SpecialKind.FETCH: {
        save(cpu, pc, clock, retired);
        const host = locate(cpu, pc, false);
        if (host == 0) return leaveFor(cpu);
        if (load<u32>(host) != d.raw) decodeA64(d, load<u32>(host), pc, pageAt(pc));
        kind = d.operation;
        continue;
      }
      case SpecialKind.PROBE: {
        if (base == machine().shadow) return Leave.REFUSED;
        if (!resumed) {
          save(cpu, pc, clock, retired);
          probeHit(cpu);
        }
        kind = kindBehindProbe(d);
        continue;
      }
      case SpecialKind.PAGE_END: {
        record = recordAt(pc);
        if (record == 0) {
          save(cpu, pc, clock, retired);
          return instructionAbort(cpu, false);
        }
        kind = changetype<A64>(record).kind;
        if (!must && clock >= hitLimit && (changetype<A64>(record).flags & <u16>DecodedFlag.MEMORY) != 0) {
          save(cpu, pc, clock, retired);
          return beyondHits(cpu, changetype<A64>(record));
        }
        continue;
      }

      // --- data processing, immediate
      case Op.MOVE_IMMEDIATE:
        writeX(base, d.rd, <u64>d.immediate);
        break;
      case Op.ADR:
        writeX(base, d.rd, pc + <u64>d.immediate);
        break;
      case Op.ADRP:
        writeX(base, d.rd, (pc & ~<u64>0xfff) + <u64>d.immediate);
        break;
      case Op.MOVK64:
        writeX(base, d.rd, (readX(base, d.rn) & ~(<u64>0xffff << <u64>d.extra)) | <u64>d.immediate);
        break;
      case Op.MOVK32:
        writeX(base, d.rd, <u64>((<u32>readX(base, d.rn) & ~(<u32>0xffff << d.extra)) | <u32>d.immediate));
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
        writeX(base, d.rd, readX(base, d.rn) & <u64>d.immediate);
        break;
      case Op.ORR_IMMEDIATE64:
        writeX(base, d.rd, readX(base, d.rn) | <u64>d.immediate);
        break;
      case Op.ORR_IMMEDIATE32:
        writeX(base, d.rd, <u64>(<u32>readX(base, d.rn) | <u32>d.immediate));
        break;
      case Op.EOR_IMMEDIATE64:
        writeX(base, d.rd, readX(base, d.rn) ^ <u64>d.immediate);
        break;
      case Op.EOR_IMMEDIATE32:
        writeX(base, d.rd, <u64>(<u32>readX(base, d.rn) ^ <u32>d.immediate));
        break;
      case Op.ANDS_IMMEDIATE64:
        writeX(base, d.rd, logicFlags64(base, readX(base, d.rn) & <u64>d.immediate));
        break;
      case Op.ANDS_IMMEDIATE32:
        writeX(base, d.rd, logicFlags32(base, <u32>readX(base, d.rn) & <u32>d.immediate));
        break;
      case Op.UBFX:
        writeX(base, d.rd, (readX(base, d.rn) >>> <u64>d.extra) & <u64>d.immediate);
        break;
      case Op.UBFIZ:
        writeX(base, d.rd, (readX(base, d.rn) & <u64>d.immediate) << <u64>d.extra);
        break;
      case Op.SBFX64:
        writeX(base, d.rd, <u64>((<i64>readX(base, d.rn) << d.immediate) >> <i64>d.extra));
        break;
      case Op.SBFX32:
        writeX(base, d.rd, <u64>(<u32>((<i32>readX(base, d.rn) << <i32>d.immediate) >> <i32>d.extra)));
        break;
      case Op.BFM64: {
        const mask = <u64>d.immediate;
        writeX(base, d.rd, (readX(base, d.ra) & ~mask) | (rotr<u64>(readX(base, d.rn), <u64>d.extra) & mask));
        break;
      }
      case Op.BFM32: {
        const mask = <u32>d.immediate;
        const field = rotr<u32>(<u32>readX(base, d.rn), d.extra) & mask;
        writeX(base, d.rd, <u64>((<u32>readX(base, d.ra) & ~mask) | field));
        break;
      }
      case Op.EXTR64: {
        const high = d.extra == 0 ? 0 : readX(base, d.rn) << <u64>(64 - d.extra);
        writeX(base, d.rd, (readX(base, d.rm) >>> <u64>d.extra) | high);
        break;
      }
      case Op.EXTR32: {
        const high: u32 = d.extra == 0 ? 0 : <u32>readX(base, d.rn) << (32 - d.extra);
        writeX(base, d.rd, <u64>((<u32>readX(base, d.rm) >>> d.extra) | high));
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
        writeX(base, d.rd, <u64>(<u32>readX(base, d.rn) & <u32>readX(base, d.rm)));
        break;
      case Op.ORR_REGISTER64:
        writeX(base, d.rd, readX(base, d.rn) | readX(base, d.rm));
        break;
      case Op.ORR_REGISTER32:
        writeX(base, d.rd, <u64>(<u32>readX(base, d.rn) | <u32>readX(base, d.rm)));
        break;
      case Op.EOR_REGISTER64:
        writeX(base, d.rd, readX(base, d.rn) ^ readX(base, d.rm));
        break;
      case Op.EOR_REGISTER32:
        writeX(base, d.rd, <u64>(<u32>readX(base, d.rn) ^ <u32>readX(base, d.rm)));
        break;
      case Op.ANDS_REGISTER64:
        writeX(base, d.rd, logicFlags64(base, readX(base, d.rn) & readX(base, d.rm)));
        break;
      case Op.ANDS_REGISTER32:
        writeX(base, d.rd, logicFlags32(base, <u32>readX(base, d.rn) & <u32>readX(base, d.rm)));
        break;
      case Op.BIC_REGISTER64:
        writeX(base, d.rd, readX(base, d.rn) & ~readX(base, d.rm));
        break;
      case Op.BIC_REGISTER32:
        writeX(base, d.rd, <u64>(<u32>readX(base, d.rn) & ~<u32>readX(base, d.rm)));
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
        writeX(base, 30, pc + 4);
        next = targetOf(d, pc);
        nextPc = pc + <u64>d.immediate;
        break;
      case Op.B:
        next = targetOf(d, pc);
        nextPc = pc + <u64>d.immediate;
        break;
      case Op.B_CONDITION:
        if (conditionHolds(base, d.extra)) {
          next = targetOf(d, pc);
          nextPc = pc + <u64>d.immediate;
        }
        break;
      case Op.CBZ64:
        if (readX(base, d.rn) == 0) {
          next = targetOf(d, pc);
          nextPc = pc + <u64>d.immediate;
        }
        break;
      case Op.CBZ32:
        if (<u32>readX(base, d.rn) == 0) {
          next = targetOf(d, pc);
          nextPc = pc + <u64>d.immediate;
        }
        break;
      case Op.CBNZ64:
        if (readX(base, d.rn) != 0) {
          next = targetOf(d, pc);
          nextPc = pc + <u64>d.immediate;
        }
        break;
      case Op.CBNZ32:
        if (<u32>readX(base, d.rn) != 0) {
          next = targetOf(d, pc);
          nextPc = pc + <u64>d.immediate;
        }
        break;
      case Op.TBZ:
        if (((readX(base, d.rn) >>> <u64>d.extra) & 1) == 0) {
          next = targetOf(d, pc);
          nextPc = pc + <u64>d.immediate;
        }
        break;
      case Op.TBNZ:
        if (((readX(base, d.rn) >>> <u64>d.extra) & 1) != 0) {
          next = targetOf(d, pc);
          nextPc = pc + <u64>d.immediate;
        }
        break;
      case Op.BR:
        nextPc = readX(base, d.rn);
        next = 0;
        break;
      case Op.BLR:
        nextPc = readX(base, d.rn);
        writeX(base, 30, pc + 4);
        next = 0;
        break;

      // --- loads and stores
      case Op.LOAD64: {
        const address = readX(base, d.rn) + <u64>d.immediate;
        const host = readable(base, address, 8);
        if (host != 0) {
          writeX(base, d.rd, load<u64>(host));
          break;
        }
        save(cpu, pc, clock, retired);
        const value = readSlow(cpu, address, 8);
        if (outcome() != Access.DONE) return leaveFor(cpu);
        writeX(base, d.rd, value);
        break;
      }
      case Op.LOAD32: {
        const address = readX(base, d.rn) + <u64>d.immediate;
        const host = readable(base, address, 4);
        if (host != 0) {
          writeX(base, d.rd, <u64>load<u32>(host));
          break;
        }
        save(cpu, pc, clock, retired);
        const value = readSlow(cpu, address, 4);
        if (outcome() != Access.DONE) return leaveFor(cpu);
        writeX(base, d.rd, value);
        break;
      }
      case Op.LOAD16: {
        const address = readX(base, d.rn) + <u64>d.immediate;
        const host = readable(base, address, 2);
        if (host != 0) {
          writeX(base, d.rd, <u64>load<u16>(host));
          break;
        }
        save(cpu, pc, clock, retired);
        const value = readSlow(cpu, address, 2);
        if (outcome() != Access.DONE) return leaveFor(cpu);
        writeX(base, d.rd, value);
        break;
      }
      case Op.LOAD8: {
        const address = readX(base, d.rn) + <u64>d.immediate;
        const host = readable(base, address, 1);
        if (host != 0) {
          writeX(base, d.rd, <u64>load<u8>(host));
          break;
        }
        save(cpu, pc, clock, retired);
        const value = readSlow(cpu, address, 1);
        if (outcome() != Access.DONE) return leaveFor(cpu);
        writeX(base, d.rd, value);
        break;
      }
      case Op.STORE64: {
        const address = readX(base, d.rn) + <u64>d.immediate;
        const host = writable(base, address, 8);
        if (host != 0) {
          store<u64>(host, readX(base, d.rd));
          break;
        }
        save(cpu, pc, clock, retired);
        writeSlow(cpu, address, 8, readX(base, d.rd));
        if (outcome() != Access.DONE) return leaveFor(cpu);
        break;
      }
      case Op.STORE32: {
        const address = readX(base, d.rn) + <u64>d.immediate;
        const host = writable(base, address, 4);
        if (host != 0) {
          store<u32>(host, <u32>readX(base, d.rd));
          break;
        }
        save(cpu, pc, clock, retired);
        writeSlow(cpu, address, 4, readX(base, d.rd));
        if (outcome() != Access.DONE) return leaveFor(cpu);
        break;
      }
      case Op.STORE16: {
        const address = readX(base, d.rn) + <u64>d.immediate;
        const host = writable(base, address, 2);
        if (host != 0) {
          store<u16>(host, <u16>readX(base, d.rd));
          break;
        }
        save(cpu, pc, clock, retired);
        writeSlow(cpu, address, 2, readX(base, d.rd));
        if (outcome() != Access.DONE) return leaveFor(cpu);
        break;
      }
      case Op.STORE8: {
        const address = readX(base, d.rn) + <u64>d.immediate;
        const host = writable(base, address, 1);
        if (host != 0) {
          store<u8>(host, <u8>readX(base, d.rd));
          break;
        }
        save(cpu, pc, clock, retired);
        writeSlow(cpu, address, 1, readX(base, d.rd));
        if (outcome() != Access.DONE) return leaveFor(cpu);
        break;
      }
      case Op.LOAD_PAIR64: {
        const bottom = readX(base, d.rn);
        const address = d.extra == AddressMode.POST_INDEX ? bottom : bottom + <u64>d.immediate;
        const host = readable(base, address, 16);
        if (host == 0) {
          kind = Op.LOAD_PAIR;
          continue;
        }
        writeX(base, d.rd, load<u64>(host));
        writeX(base, d.ra, load<u64>(host, 8));
        if (d.extra != AddressMode.OFFSET) writeX(base, d.rn, bottom + <u64>d.immediate);
        break;
      }
      case Op.STORE_PAIR64: {
        const bottom = readX(base, d.rn);
        const address = d.extra == AddressMode.POST_INDEX ? bottom : bottom + <u64>d.immediate;
        const host = writable(base, address, 16);
        if (host == 0) {
          kind = Op.STORE_PAIR;
          continue;
        }
        store<u64>(host, readX(base, d.rd));
        store<u64>(host, readX(base, d.ra), 8);
        if (d.extra != AddressMode.OFFSET) writeX(base, d.rn, bottom + <u64>d.immediate);
        break;
      }

      case Op.NOP:
      case Op.YIELD:
        break;

      default: {
        save(cpu, pc, clock, retired);
        switch (executeRare(cpu, d, kind)) {
          case Step.NEXT:
            clock = cpu.clock;
            break;
          case Step.RECHECK:
            save(cpu, pc + 4, cpu.clock + d.cost, retired + 1);
            return Leave.RECHECK;
          case Step.JUMP:
            save(cpu, cpu.pc, cpu.clock + d.cost, retired + 1);
            return Leave.RECHECK;
          case Step.EXCEPTION:
            return Leave.RECHECK;
          case Step.WAIT:
            save(cpu, pc + 4, cpu.clock + d.cost, retired + 1);
            return Leave.WAITING;
          case Step.LIMIT:
            return Leave.LIMIT;
          case Step.REFUSED:
            return Leave.REFUSED;
          default:
            return leaveFor(cpu);
        }
        break;
      }
    }

    // The instruction is complete.
    clock += d.cost;
    retired++;
    must = false;
    resumed = false;
    if (nextPc <= pc && loopEdge(cpu, nextPc)) {
      save(cpu, nextPc, clock, retired);
      const leave = comeRound(cpu);
      if (leave != Leave.NONE) return leave;
    }
    pc = nextPc;
    if (next == 0) {
      save(cpu, pc, clock, retired);
      if ((pc & 3) != 0) return instructionAbort(cpu, true);
      next = recordAt(pc);
      if (next == 0) return instructionAbort(cpu, false);
    }
    record = next;
    if (clock >= hitLimit) {
      if (clock >= otherLimit) {
        save(cpu, pc, clock, retired);
        return Leave.LIMIT;
      }
      if ((changetype<A64>(record).flags & <u16>DecodedFlag.MEMORY) != 0) {
        save(cpu, pc, clock, retired);
        return beyondHits(cpu, changetype<A64>(record));
      }
    }
    kind = <i32>changetype<A64>(record).kind;
  }
}

/** Record of a direct branch's target, kept in the branch when both lie in one page; 0 when it must be looked up. */
// @ts-ignore: decorator
@inline
function targetOf(d: A64, pc: u64): usize {
  return d.target != 0 ? <usize>d.target : findTarget(d, pc);
}

function findTarget(d: A64, pc: u64): usize {
  const to = pc + <u64>d.immediate;
  if (to >>> PAGE_SHIFT != pc >>> PAGE_SHIFT) return 0;
  const record = changetype<usize>(d) + <usize>(d.immediate >> 2) * A64_BYTES;
  d.target = <u32>record;
  return record;
}

if (CPU_REGISTERS % 8 != 0) ERROR("registers must be aligned");
