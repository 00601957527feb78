// What a program at a privilege level other than 0 is refused, and what becomes of its registers when it gets there (SDM 3A
// 5.5, 5.9, 1 19.5.2; volume 2, by mnemonic). The current level, CPL, is the RPL of CS. Pages have no U/S bit: there is no
// paging, and a program may access all that is mapped.

import { Cpu } from "../cpu.ts";
import { Access, checkRights, closeJournal, journaledRead, openJournal, outcome } from "../memory/access.ts";
import {
  CR0_AM,
  CR4_TSD,
  RDX,
  RFLAGS_AC,
  RFLAGS_IF,
  RFLAGS_IOPL,
  RFLAGS_LOADED,
  USER_LEVEL,
  X86State,
  levelOfCode,
  readR,
  x86,
} from "./cpu.ts";
import { generalProtection, refuseSystemAccess, undefinedOpcode } from "./exception.ts";
import { Extra, Op, X86 } from "./operations.ts";
import { Step } from "./step.ts";

const IOPL_SHIFT: u32 = 12;
/** Of a 64-bit TSS: where its I/O permission bitmap begins (SDM 3A 8.7). */
const TSS_IO_MAP_BASE: u64 = 102;
const TSS_BYTES: u32 = 104;

function ioLevel(state: X86State): u32 {
  return (state.rflags & RFLAGS_IOPL) >>> IOPL_SHIFT;
}

/** The flags, beside the status flags, that POPF and IRET load at the current level (SDM 2B POPF, table 4-21). */
export function loadableFlags(cpu: Cpu, size: u32): u32 {
  const state = x86(cpu);
  const level = levelOfCode(cpu);
  let loaded = size == 2 ? RFLAGS_LOADED & 0xffff : RFLAGS_LOADED;
  if (level != 0) loaded &= ~RFLAGS_IOPL;
  if (level > ioLevel(state)) loaded &= ~RFLAGS_IF;
  return loaded;
}

/** Whether accesses of user code would be checked for alignment with these flags: not modelled. */
export function wouldCheckAlignment(cpu: Cpu, level: u32, rflags: u32): bool {
  return level == USER_LEVEL && (rflags & RFLAGS_AC) != 0 && (x86(cpu).cr0 & CR0_AM) != 0;
}

/** Step.NEXT if the current level, which is not 0, may execute a system instruction. */
export function checkPrivilege(cpu: Cpu, d: X86, operation: i32): Step {
  switch (operation) {
    case Op.HLT:
    case Op.RDMSR:
    case Op.WRMSR:
    case Op.SWAPGS:
    case Op.INVLPG:
    case Op.INVPCID:
    case Op.WBINVD:
    case Op.MOV_FROM_CR:
    case Op.MOV_TO_CR:
    case Op.MOV_FROM_DR:
    case Op.MOV_TO_DR:
    case Op.LMSW:
    case Op.CLTS:
    case Op.LGDT:
    case Op.LIDT:
    case Op.LLDT:
    case Op.LTR:
      return generalProtection(cpu);
    case Op.MONITOR:
    case Op.MWAIT:
    case Op.ACCESS_CHECK:
      return undefinedOpcode(cpu);
    case Op.CLI:
    case Op.STI:
      return levelOfCode(cpu) > ioLevel(x86(cpu)) ? generalProtection(cpu) : Step.NEXT;
    case Op.RDTSC:
    case Op.RDTSCP:
    case Op.TPAUSE:
    case Op.UMWAIT:
      return (x86(cpu).cr4 & CR4_TSD) != 0 ? generalProtection(cpu) : Step.NEXT;
    case Op.IN:
    case Op.OUT:
      return checkPort(cpu, d);
    default:
      return Step.NEXT;
  }
}

export function portOf(cpu: Cpu, d: X86): u64 {
  if ((d.extra & (<u16>Extra.IMMEDIATE)) != 0) return <u64>d.immediate;
  return readR(changetype<usize>(cpu), RDX) & 0xffff;
}

/** Beyond IOPL, the I/O permission bitmap of the TSS decides, of which two bytes are read for every port (SDM 1 19.5.2). */
function checkPort(cpu: Cpu, d: X86): Step {
  const state = x86(cpu);
  // The device has answered: it has been allowed.
  if (levelOfCode(cpu) <= ioLevel(state) || cpu.deviceAnswered != 0) return Step.NEXT;
  if (state.trLimit < TSS_BYTES - 1) return generalProtection(cpu);
  const port = <u32>portOf(cpu, d);
  openJournal();
  if (!mayRead(state.trBase + TSS_IO_MAP_BASE)) return Step.ACCESS;
  const offset = <u32>journaledRead(cpu, state.trBase + TSS_IO_MAP_BASE, 2) + (port >>> 3);
  if (outcome() != Access.DONE) return Step.ACCESS;
  if (offset + 1 > state.trLimit) return generalProtection(cpu);
  if (!mayRead(state.trBase + <u64>offset)) return Step.ACCESS;
  const denied = <u32>journaledRead(cpu, state.trBase + <u64>offset, 2);
  if (outcome() != Access.DONE) return Step.ACCESS;
  closeJournal(cpu);
  const ports = (((<u32>1) << (<u32>d.size)) - 1) << (port & 7);
  return (denied & ports) != 0 ? generalProtection(cpu) : Step.NEXT;
}

function mayRead(address: u64): bool {
  if (checkRights(address, 2, false)) return true;
  refuseSystemAccess();
  return false;
}
