// The GICv3 redistributor's registers (Arm IHI 0069H 12.10, 12.11): SGIs and PPIs of one PE.

import { GICR_FIRST_WINDOW_CPUS, StopReason } from "../../../src/abi.ts";
import { arm64 } from "../../arm64/cpu.ts";
import { Cpu } from "../../cpu.ts";
import { redistributorOffset } from "../../devices/transaction.ts";
import { machine, stopMachine } from "../../machine.ts";
import { GIC_PIDR2, IIDR, PIDR2_GICV3 } from "./distributor.ts";
import { Gic, gicOf, gicPending, gicUpdate, priorityOf, setPriority } from "./gic.ts";

const GICR_CTLR: u32 = 0x0000;
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
const GICR_IGRPMODR0: u32 = SGI_BASE + 0xd00;
const WAKER_PROCESSOR_SLEEP: u32 = 2;
const WAKER_CHILDREN_ASLEEP: u32 = 4;
/** SGIs are always edge-triggered. */
const ICFGR0_SGIS: u64 = 0xaaaa_aaaa;

/** Does the requester's access on the redistributor of `cpu`. */
export function serveRedistributor(cpu: Cpu, requester: Cpu): void {
  const offset = redistributorOffset(requester.deviceAddress);
  if (offset >= GICR_IPRIORITYR && offset < GICR_IPRIORITYR_END) {
    accessPriorities(cpu, requester, offset - GICR_IPRIORITYR);
  } else if (requester.deviceWrite != 0) {
    write(cpu, requester, offset, <u32>requester.deviceValue);
  } else {
    requester.deviceValue = read(cpu, requester, offset);
  }
  gicUpdate(cpu);
}

/** Bytes of the priority registers, in accesses of 1 to 8 bytes. */
function accessPriorities(cpu: Cpu, requester: Cpu, first: u32): void {
  const gic = gicOf(cpu);
  let value: u64 = 0;
  for (let i: u32 = 0; i < requester.deviceSize && first + i < 32; i++) {
    const shift = (<u64>i) << 3;
    if (requester.deviceWrite != 0) setPriority(gic, first + i, (<u32>(requester.deviceValue >>> shift)) & 0xff);
    else value |= (<u64>priorityOf(gic, first + i)) << shift;
  }
  if (requester.deviceWrite == 0) requester.deviceValue = value;
}

function typer(cpu: Cpu): u64 {
  const affinity = arm64(cpu).mpidr;
  const packed = ((affinity >>> 32) << 24) | (affinity & 0xff_ffff);
  const last = cpu.index == machine().cpus - 1 || cpu.index == GICR_FIRST_WINDOW_CPUS - 1;
  return (packed << 32) | ((<u64>(cpu.index & 0xffff)) << 8) | (last ? 0x10 : 0);
}

function read(cpu: Cpu, requester: Cpu, offset: u32): u64 {
  const gic = gicOf(cpu);
  switch (offset) {
    case GICR_CTLR:
      return 0;
    case GICR_IIDR:
      return IIDR;
    case GICR_TYPER:
      return requester.deviceSize == 8 ? typer(cpu) : typer(cpu) & 0xffff_ffff;
    case GICR_TYPER + 4:
      return typer(cpu) >>> 32;
    case GICR_WAKER:
      return gic.asleep != 0 ? WAKER_PROCESSOR_SLEEP | WAKER_CHILDREN_ASLEEP : 0;
    case GIC_PIDR2:
      return PIDR2_GICV3;
    case GICR_IGROUPR0:
      return gic.group;
    case GICR_ISENABLER0:
    case GICR_ICENABLER0:
      return gic.enabled;
    case GICR_ISPENDR0:
    case GICR_ICPENDR0:
      return gicPending(gic);
    case GICR_ISACTIVER0:
    case GICR_ICACTIVER0:
      return gic.active;
    case GICR_ICFGR0:
      return ICFGR0_SGIS;
    case GICR_ICFGR1:
      return gic.config;
    case GICR_IGRPMODR0:
      return gic.groupModifier;
    default:
      unsupported(requester);
      return 0;
  }
}

function write(cpu: Cpu, requester: Cpu, offset: u32, value: u32): void {
  const gic = gicOf(cpu);
  switch (offset) {
    case GICR_WAKER:
      gic.asleep = (value & WAKER_PROCESSOR_SLEEP) != 0 ? 1 : 0;
      break;
    case GICR_IGROUPR0:
      gic.group = value;
      break;
    case GICR_ICFGR1:
      gic.config = value;
      break;
    case GICR_IGRPMODR0:
      gic.groupModifier = value;
      break;
    case GICR_CTLR:
    case GICR_IIDR:
    case GICR_TYPER:
    case GIC_PIDR2:
    case GICR_ICFGR0:
      break; // read-only here
    default:
      if (!writeBits(gic, offset, value)) unsupported(requester);
      break;
  }
}

/** The set and clear registers: ones act, zeros don't. */
function writeBits(gic: Gic, offset: u32, value: u32): bool {
  switch (offset) {
    case GICR_ISENABLER0:
      gic.enabled |= value;
      return true;
    case GICR_ICENABLER0:
      gic.enabled &= ~value;
      return true;
    case GICR_ISPENDR0:
      gic.pending |= value;
      return true;
    case GICR_ICPENDR0:
      gic.pending &= ~value;
      return true;
    case GICR_ISACTIVER0:
      gic.active |= value;
      return true;
    case GICR_ICACTIVER0:
      gic.active &= ~value;
      return true;
    default:
      return false;
  }
}

function unsupported(requester: Cpu): void {
  stopMachine(StopReason.UNSUPPORTED, requester.index, requester.pc, machine().now, requester.deviceAddress);
}
