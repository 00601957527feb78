// The local APIC as a page of memory: xAPIC mode (Intel SDM 3A 11.4.1, rev. 083). The page belongs to the CPU that accesses
// it, so an access is served at once, and takes the CPU its time.
//
// In the other modes there is nothing at the page: it reads as ones and takes writes without a trace. Nor is there for
// accesses that aren't 32 bits, aligned to 16 bytes, whose effect is undefined.

import { Timing } from "../../../src/abi.ts";
import { Cpu } from "../../cpu.ts";
import { timing } from "../../machine.ts";
import { startCycle } from "../../time/bounds.ts";
import { shrinkLimits } from "../../time/limits.ts";
import { ApicError, noteError } from "./errors.ts";
import { COMMAND_DEFINED, COMMAND_DELIVERY_STATUS, Destination, sendCommand } from "./icr.ts";
import { endOfInterrupt } from "./priority.ts";
import { ApicMode } from "./base.ts";
import { Apic, apicMode, apicOf } from "./record.ts";
import { Register, definedBits, isWritable, readRegister, registerValue, writeRegister } from "./registers.ts";

const PAGE_OFFSET: u64 = 0xfff;
/** LDR, and ICR's upper half: a destination in bits 31:24. DFR: the model in bits 31:28, the rest ones. */
const DESTINATION: u32 = 0xff00_0000;
const DESTINATION_SHIFT: u64 = 32;
const FORMAT_ONES: u32 = 0x0fff_ffff;

/** A load or store of the CPU's current instruction. @returns what a load reads */
export function accessXapic(cpu: Cpu, address: u64, size: u32, write: bool, value: u64): u64 {
  const offset = <u32>(address & PAGE_OFFSET);
  const isAccess = apicMode(cpu) == ApicMode.XAPIC && size == 4 && (offset & 15) == 0;
  const apic = apicOf(cpu);
  const register = <i32>(offset >>> 4);
  let result = u64.MAX_VALUE >>> (64 - ((<u64>size) << 3));
  if (isAccess && write) writeXapic(cpu, apic, register, <u32>value);
  else if (isAccess) result = <u64>readXapic(cpu, apic, register);
  const sends = isAccess && write && register == Register.ICR;
  cpu.clock += <u64>timing(sends ? Timing.COST_SEND_INTERRUPT : Timing.COST_APIC_ACCESS);
  // An interrupt that the write has let through is taken behind this instruction.
  if ((cpu.pending & ~cpu.masked) != 0) shrinkLimits(0);
  return result;
}

/** Registers of old processors: neither there, nor an error (SDM 3A table 11-1, note 1). */
function isObsolete(register: i32): bool {
  return register == Register.APR || register == Register.RRD;
}

function readXapic(cpu: Cpu, apic: Apic, register: i32): u32 {
  switch (register) {
    case Register.ID:
      return apic.id << 24;
    case Register.LDR:
      return apic.logicalDestination;
    case Register.DFR:
      return apic.destinationFormat;
    case Register.ICR:
      return <u32>apic.command;
    case Register.ICR_HIGH:
      return <u32>(apic.command >>> DESTINATION_SHIFT);
    case Register.EOI: // write-only
      return 0;
    default:
      if (readRegister(cpu, apic, register)) return registerValue;
      if (!isObsolete(register)) noteError(cpu, apic, ApicError.ILLEGAL_REGISTER, startCycle(cpu));
      return 0;
  }
}

/** Reserved bits are ignored, and so are writes of what is read-only; the ID is, as on all processors with x2APIC. */
function writeXapic(cpu: Cpu, apic: Apic, register: i32, value: u32): void {
  switch (register) {
    case Register.LDR:
      apic.logicalDestination = value & DESTINATION;
      break;
    case Register.DFR:
      apic.destinationFormat = value | FORMAT_ONES;
      break;
    case Register.EOI: // whatever the value
      endOfInterrupt(cpu, apic);
      break;
    case Register.ICR: {
      const command = value & COMMAND_DEFINED & ~COMMAND_DELIVERY_STATUS;
      apic.command = (apic.command & ~(<u64>u32.MAX_VALUE)) | (<u64>command);
      sendCommand(cpu, apic, command, <u32>(apic.command >>> 56), Destination.XAPIC);
      break;
    }
    case Register.ICR_HIGH:
      apic.command = (apic.command & (<u64>u32.MAX_VALUE)) | ((<u64>(value & DESTINATION)) << DESTINATION_SHIFT);
      break;
    default:
      if (isWritable(register)) writeRegister(cpu, apic, register, value & definedBits(register));
      else if (!isReadOnly(cpu, apic, register)) {
        noteError(cpu, apic, ApicError.ILLEGAL_REGISTER, startCycle(cpu));
      }
      break;
  }
}

function isReadOnly(cpu: Cpu, apic: Apic, register: i32): bool {
  return register == Register.ID || isObsolete(register) || readRegister(cpu, apic, register);
}
