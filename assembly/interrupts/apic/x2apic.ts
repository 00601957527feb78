// The local APIC as MSRs: x2APIC mode (Intel SDM 3A 11.12.1, rev. 083).

import { Cpu } from "../../cpu.ts";
import { COMMAND_DEFINED, COMMAND_DELIVERY_STATUS, Destination, sendCommand, sendSelf } from "./icr.ts";
import { endOfInterrupt } from "./priority.ts";
import { ApicMode } from "./base.ts";
import { Apic, apicMode, apicOf } from "./record.ts";
import { Register, definedBits, isWritable, readRegister, registerValue, writeRegister } from "./registers.ts";

const X2APIC_FIRST: u32 = 0x800;
const X2APIC_LAST: u32 = 0x8ff;

export function isX2apicMsr(msr: u32): bool {
  return msr >= X2APIC_FIRST && msr <= X2APIC_LAST;
}

/** Cluster in bits 31:16, one of sixteen bits below (SDM 3A 11.12.10.2). */
function logicalId(id: u32): u32 {
  return (((id >>> 4) & 0xffff) << 16) | ((<u32>1) << (id & 15));
}

/** What the last x2apicRead() has read. */
export let x2apicValue: u64 = 0;

/** RDMSR of 0x800 to 0x8ff. @returns false for #GP */
export function x2apicRead(cpu: Cpu, msr: u32): bool {
  if (apicMode(cpu) != ApicMode.X2APIC) return false;
  const apic = apicOf(cpu);
  const register = <i32>(msr - X2APIC_FIRST);
  switch (register) {
    case Register.ID:
      x2apicValue = <u64>apic.id;
      return true;
    case Register.LDR:
      x2apicValue = <u64>logicalId(apic.id);
      return true;
    case Register.ICR:
      x2apicValue = apic.command;
      return true;
    default:
      if (!readRegister(cpu, apic, register)) return false;
      x2apicValue = <u64>registerValue;
      return true;
  }
}

/** WRMSR of 0x800 to 0x8ff. @returns false for #GP */
export function x2apicWrite(cpu: Cpu, msr: u32, value: u64): bool {
  if (apicMode(cpu) != ApicMode.X2APIC) return false;
  const apic = apicOf(cpu);
  const register = <i32>(msr - X2APIC_FIRST);
  if (register == Register.ICR) return writeCommand(cpu, apic, value);
  if (value >>> 32 != 0) return false;
  switch (register) {
    case Register.EOI:
      if (value != 0) return false;
      endOfInterrupt(cpu, apic);
      return true;
    case Register.SELF_IPI:
      if (value > 0xff) return false;
      sendSelf(cpu, apic, <u32>value);
      return true;
    default:
      if (!isWritable(register) || ((<u32>value) & ~definedBits(register)) != 0) return false;
      writeRegister(cpu, apic, register, <u32>value);
      return true;
  }
}

function writeCommand(cpu: Cpu, apic: Apic, value: u64): bool {
  const command = <u32>value;
  if ((command & ~COMMAND_DEFINED) != 0) return false;
  apic.command = value & ~(<u64>COMMAND_DELIVERY_STATUS);
  sendCommand(cpu, apic, command, <u32>(value >>> 32), Destination.X2APIC);
  return true;
}
