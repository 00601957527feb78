// The GICv3 redistributor's registers (Arm IHI 0069H 12.10, 12.11): SGIs and PPIs of one PE. What is reserved, what belongs to
// LPIs, which are not there, and what is accessed in a size that the manual doesn't allow, reads as zero and ignores writes.

import { GICR_FIRST_WINDOW_CPUS } from "../../../src/abi.ts";
import { arm64 } from "../../arm64/cpu.ts";
import { Cpu } from "../../cpu.ts";
import { maskNext } from "../../cpumask.ts";
import { redistributorOffset } from "../../devices/transaction.ts";
import { machine } from "../../machine.ts";
import { gatherEdges, spreadEdges } from "./distributor.ts";
import { Gic, gicOf, priorityOf, privatePending, setPriority } from "./gic.ts";
import { FIRST_ID, IIDR, PIDR0_REDISTRIBUTOR, identification } from "./identification.ts";
import { SGIS } from "./intids.ts";
import { gicUpdate } from "./priority.ts";
import { tellStatus } from "./stream.ts";

const GICR_IIDR: u32 = 0x0004;
const GICR_TYPER: u32 = 0x0008;
const GICR_WAKER: u32 = 0x0014;
const SGI_BASE: u32 = 0x10000;
const GICR_IGROUPR0: u32 = SGI_BASE + 0x080;
const GICR_ISENABLER0: u32 = SGI_BASE + 0x100;
const GICR_ICENABLER0: u32 = SGI_BASE + 0x180;
const GICR_ISPENDR0: u32 = SGI_BASE + 0x200;
const GICR_ICPENDR0: u32 = SGI_BASE + 0x280;
const GICR_ISACTIVER0: u32 = SGI_BASE + 0x300;
const GICR_ICACTIVER0: u32 = SGI_BASE + 0x380;
const GICR_IPRIORITYR: u32 = SGI_BASE + 0x400;
const GICR_IPRIORITYR_END: u32 = SGI_BASE + 0x420;
const GICR_ICFGR0: u32 = SGI_BASE + 0xc00;
const GICR_ICFGR1: u32 = SGI_BASE + 0xc04;
const GICR_INMIR0: u32 = SGI_BASE + 0xf80;
const TYPER_LAST: u64 = 0x10;
const WAKER_PROCESSOR_SLEEP: u32 = 2;
const WAKER_CHILDREN_ASLEEP: u32 = 4;

/** Does the requester's access on the redistributor of `cpu`, in `cycle`. */
export function serveRedistributor(cpu: Cpu, requester: Cpu, cycle: u64): void {
  const offset = redistributorOffset(requester.deviceAddress);
  const size = requester.deviceSize;
  const write = requester.deviceWrite != 0;
  let value: u64 = 0;
  if ((offset & (size - 1)) != 0) {
    // Not aligned: reserved.
  } else if (offset >= GICR_IPRIORITYR && offset < GICR_IPRIORITYR_END) {
    if (size == 1 || size == 4) value = accessPriorities(cpu, requester, offset - GICR_IPRIORITYR);
  } else if (offset == GICR_TYPER && size == 8) {
    value = typer(cpu);
  } else if (size == 4) {
    if (write) writeWord(cpu, offset, <u32>requester.deviceValue, cycle);
    else value = readWord(cpu, offset);
  }
  if (!write) requester.deviceValue = value;
  gicUpdate(cpu);
}

/** Bytes of the priority registers. */
function accessPriorities(cpu: Cpu, requester: Cpu, first: u32): u64 {
  const gic = gicOf(cpu);
  let value: u64 = 0;
  for (let i: u32 = 0; i < requester.deviceSize; i++) {
    const shift = (<u64>i) << 3;
    if (((gic.secure >>> (first + i)) & 1) != 0) continue;
    if (requester.deviceWrite != 0) setPriority(gic, first + i, (<u32>(requester.deviceValue >>> shift)) & 0xff);
    else value |= (<u64>priorityOf(gic, first + i)) << shift;
  }
  return value;
}

function typer(cpu: Cpu): u64 {
  const affinity = arm64(cpu).mpidr;
  const packed = ((affinity >>> 32) << 24) | (affinity & 0xff_ffff);
  return (packed << 32) | ((<u64>(cpu.index & 0xffff)) << 8) | (isLast(cpu) ? TYPER_LAST : 0);
}

/** Whether the frames are the last ones of their window. */
function isLast(cpu: Cpu): bool {
  const m = machine();
  const end = cpu.index < <u32>GICR_FIRST_WINDOW_CPUS ? min(m.cpus, <u32>GICR_FIRST_WINDOW_CPUS) : m.cpus;
  return maskNext(m.presentMask, end, cpu.index + 1) >= end;
}

/** What is EL3's reads as zero. */
function readWord(cpu: Cpu, offset: u32): u32 {
  const gic = gicOf(cpu);
  const own = ~gic.secure;
  switch (offset) {
    case GICR_IIDR:
      return IIDR;
    case GICR_TYPER:
      return <u32>typer(cpu);
    case GICR_TYPER + 4:
      return <u32>(typer(cpu) >>> 32);
    case GICR_WAKER:
      return gic.asleep != 0 ? WAKER_PROCESSOR_SLEEP | WAKER_CHILDREN_ASLEEP : 0;
    case GICR_IGROUPR0:
      return gic.group & own;
    case GICR_ISENABLER0:
    case GICR_ICENABLER0:
      return gic.enabled & own;
    case GICR_ISPENDR0:
    case GICR_ICPENDR0:
      return privatePending(gic) & own;
    case GICR_ISACTIVER0:
    case GICR_ICACTIVER0:
      return gic.active & own;
    case GICR_ICFGR0:
      return spreadEdges(SGIS);
    case GICR_ICFGR1:
      return spreadEdges((gic.edge & own) >>> 16);
    case GICR_INMIR0:
      return gic.nonMaskable & own;
    default:
      // CTLR: no LPIs, and a write has its effect at once. IGRPMODR0 and NSACR are RES0 with one security state.
      return offset >= FIRST_ID && offset < SGI_BASE ? identification(offset, PIDR0_REDISTRIBUTOR) : 0;
  }
}

/** What is EL3's stays as it is. */
function writeWord(cpu: Cpu, offset: u32, value: u32, cycle: u64): void {
  const gic = gicOf(cpu);
  const own = ~gic.secure;
  switch (offset) {
    case GICR_WAKER:
      writeWaker(cpu, (value & WAKER_PROCESSOR_SLEEP) != 0 ? 1 : 0, cycle);
      break;
    case GICR_IGROUPR0:
      gic.group = (gic.group & ~own) | (value & own);
      break;
    case GICR_ICFGR1:
      gic.edge = SGIS | (gic.edge & ~own) | ((gatherEdges(value) << 16) & own);
      break;
    case GICR_INMIR0:
      if (machine().featNmi != 0) gic.nonMaskable = (gic.nonMaskable & ~own) | (value & own);
      break;
    default:
      writeBits(gic, offset, value & own);
      break;
  }
}

/** The interface is quiescent at once, so that ChildrenAsleep follows ProcessorSleep. */
function writeWaker(cpu: Cpu, asleep: u32, cycle: u64): void {
  const gic = gicOf(cpu);
  if (gic.asleep == asleep) return;
  gic.asleep = asleep;
  tellStatus(cpu, cycle);
}

/** The set and clear registers: ones act, zeros don't. */
function writeBits(gic: Gic, offset: u32, value: u32): void {
  switch (offset) {
    case GICR_ISENABLER0:
      gic.enabled |= value;
      break;
    case GICR_ICENABLER0:
      gic.enabled &= ~value;
      break;
    case GICR_ISPENDR0:
      gic.pending |= value;
      break;
    case GICR_ICPENDR0:
      gic.pending &= ~value;
      break;
    case GICR_ISACTIVER0:
      gic.active |= value;
      break;
    case GICR_ICACTIVER0:
      gic.active &= ~value;
      break;
    default:
      break;
  }
}
