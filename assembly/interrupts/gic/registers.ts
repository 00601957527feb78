// The registers of the GIC's CPU interface at EL1, ICC_*_EL1 (Arm IHI 0069H 12.2): which there are, and what reading and
// writing them does. With five priority bits, AP0R0 and AP1R0 are the only ones of their kind.

import { Cpu } from "../../cpu.ts";
import { machine } from "../../machine.ts";
import { Gic, LEAST_BPR0, LEAST_BPR1, PRIORITY_MASK, gicOf } from "./gic.ts";
import {
  gicAcknowledge,
  gicAcknowledgeNmi,
  gicDeactivate,
  gicEndOfInterrupt,
  gicHighestPending,
  readRunningPriority,
} from "./interface.ts";
import { gicUpdate } from "./priority.ts";
import { SGI_OF_ANY_GROUP, SGI_OF_GROUP0, gicSendSgi } from "./sgi.ts";
import { tellStatus } from "./stream.ts";

export enum InterfaceRegister {
  /** Not one of these. */
  NONE = 0,
  PMR,
  BPR0,
  BPR1,
  AP0R0,
  AP1R0,
  CTLR,
  IGRPEN0,
  IGRPEN1,
  // to be read only
  IAR0,
  IAR1,
  NMIAR1,
  HPPIR0,
  HPPIR1,
  RPR,
  // to be written only
  EOIR0,
  EOIR1,
  DIR,
  SGI1R,
  ASGI1R,
  SGI0R,
}

/** ICC_CTLR_EL1: PRIbits 4 (five priority bits), A3V, RSS. PMHE is RAZ/WI: PMR is no hint for 1-of-N distribution here. */
const CTLR_FIXED: u32 = (4 << 8) | (1 << 15) | (1 << 18);
const CTLR_CBPR: u32 = 1;
/** CBPR, EOImode */
const CTLR_WRITABLE: u32 = 3;
const MOST_BPR: u32 = 7;
const INTID: u32 = 0xff_ffff;
/** ICC_AP1R0_EL1.NMI */
const AP1R0_NMI: u64 = (<u64>1) << 63;

/** The register with an encoding op0:op1:CRn:CRm:op2, as it can be accessed on this machine. */
export function interfaceRegister(encoding: u32): InterfaceRegister {
  switch (encoding) {
    case 0xc230:
      return InterfaceRegister.PMR;
    case 0xc640:
      return InterfaceRegister.IAR0;
    case 0xc641:
      return InterfaceRegister.EOIR0;
    case 0xc642:
      return InterfaceRegister.HPPIR0;
    case 0xc643:
      return InterfaceRegister.BPR0;
    case 0xc644:
      return InterfaceRegister.AP0R0;
    case 0xc648:
      return InterfaceRegister.AP1R0;
    case 0xc64d:
      return machine().featNmi != 0 ? InterfaceRegister.NMIAR1 : InterfaceRegister.NONE;
    case 0xc659:
      return InterfaceRegister.DIR;
    case 0xc65b:
      return InterfaceRegister.RPR;
    case 0xc65d:
      return InterfaceRegister.SGI1R;
    case 0xc65e:
      return InterfaceRegister.ASGI1R;
    case 0xc65f:
      return InterfaceRegister.SGI0R;
    case 0xc660:
      return InterfaceRegister.IAR1;
    case 0xc661:
      return InterfaceRegister.EOIR1;
    case 0xc662:
      return InterfaceRegister.HPPIR1;
    case 0xc663:
      return InterfaceRegister.BPR1;
    case 0xc664:
      return InterfaceRegister.CTLR;
    case 0xc666:
      return InterfaceRegister.IGRPEN0;
    case 0xc667:
      return InterfaceRegister.IGRPEN1;
    default:
      return InterfaceRegister.NONE;
  }
}

export function interfaceIsReadable(register: InterfaceRegister): bool {
  return register != InterfaceRegister.NONE && register < InterfaceRegister.EOIR0;
}

export function interfaceIsWritable(register: InterfaceRegister): bool {
  return (
    register != InterfaceRegister.NONE && (register < InterfaceRegister.IAR0 || register >= InterfaceRegister.EOIR0)
  );
}

export function interfaceSends(register: InterfaceRegister): bool {
  return register >= InterfaceRegister.SGI1R;
}

/** MRS of a readable one, by an instruction that starts in `cycle`. */
export function readInterface(cpu: Cpu, register: InterfaceRegister, cycle: u64): u64 {
  const gic = gicOf(cpu);
  switch (register) {
    case InterfaceRegister.PMR:
      return gic.priorityMask;
    case InterfaceRegister.RPR:
      return readRunningPriority(gic);
    case InterfaceRegister.IAR0:
      return gicAcknowledge(cpu, false, cycle);
    case InterfaceRegister.IAR1:
      return gicAcknowledge(cpu, true, cycle);
    case InterfaceRegister.NMIAR1:
      return gicAcknowledgeNmi(cpu, cycle);
    case InterfaceRegister.HPPIR0:
      return gicHighestPending(gic, false);
    case InterfaceRegister.HPPIR1:
      return gicHighestPending(gic, true);
    case InterfaceRegister.BPR0:
      return gic.binaryPoint0;
    case InterfaceRegister.BPR1:
      // With CBPR, the binary point of group 0 serves both groups (12.2.5).
      return (gic.control & CTLR_CBPR) != 0 ? min(gic.binaryPoint0 + 1, MOST_BPR) : gic.binaryPoint1;
    case InterfaceRegister.AP0R0:
      return gic.activePriorities0;
    case InterfaceRegister.AP1R0:
      return (<u64>gic.activePriorities1) | (gic.activeNmi != 0 ? AP1R0_NMI : 0);
    case InterfaceRegister.CTLR:
      return gic.control | CTLR_FIXED;
    case InterfaceRegister.IGRPEN0:
      return gic.groupEnable0;
    default:
      assert(register == InterfaceRegister.IGRPEN1);
      return gic.groupEnable1;
  }
}

/** MSR of a writable one, by an instruction that starts in `cycle`. */
export function writeInterface(cpu: Cpu, register: InterfaceRegister, value: u64, cycle: u64): void {
  const id = (<u32>value) & INTID;
  switch (register) {
    case InterfaceRegister.EOIR0:
      gicEndOfInterrupt(cpu, id, false, cycle);
      break;
    case InterfaceRegister.EOIR1:
      gicEndOfInterrupt(cpu, id, true, cycle);
      break;
    case InterfaceRegister.DIR:
      gicDeactivate(cpu, id, cycle);
      break;
    case InterfaceRegister.SGI1R:
      gicSendSgi(cpu, value, SGI_OF_ANY_GROUP);
      break;
    case InterfaceRegister.ASGI1R:
    case InterfaceRegister.SGI0R:
      gicSendSgi(cpu, value, SGI_OF_GROUP0);
      break;
    case InterfaceRegister.IGRPEN0:
    case InterfaceRegister.IGRPEN1:
      enableGroup(cpu, register == InterfaceRegister.IGRPEN1, (<u32>value) & 1, cycle);
      break;
    default:
      writeState(gicOf(cpu), register, value);
      break;
  }
  gicUpdate(cpu);
}

/** Registers that hold what is written. */
function writeState(gic: Gic, register: InterfaceRegister, value: u64): void {
  const word = <u32>value;
  switch (register) {
    case InterfaceRegister.PMR:
      gic.priorityMask = word & PRIORITY_MASK;
      break;
    case InterfaceRegister.BPR0:
      gic.binaryPoint0 = max(word & MOST_BPR, LEAST_BPR0);
      break;
    case InterfaceRegister.BPR1:
      if ((gic.control & CTLR_CBPR) == 0) gic.binaryPoint1 = max(word & MOST_BPR, LEAST_BPR1);
      break;
    case InterfaceRegister.AP0R0:
      gic.activePriorities0 = word;
      break;
    case InterfaceRegister.AP1R0:
      gic.activePriorities1 = word;
      gic.activeNmi = machine().featNmi != 0 && (value & AP1R0_NMI) != 0 ? 1 : 0;
      break;
    default:
      assert(register == InterfaceRegister.CTLR);
      gic.control = word & CTLR_WRITABLE;
      break;
  }
}

/** The distributor forwards only what the interface has enabled. */
function enableGroup(cpu: Cpu, group1: bool, enable: u32, cycle: u64): void {
  const gic = gicOf(cpu);
  const before = group1 ? gic.groupEnable1 : gic.groupEnable0;
  if (before == enable) return;
  if (group1) gic.groupEnable1 = enable;
  else gic.groupEnable0 = enable;
  tellStatus(cpu, cycle);
}
