// PSCI (Arm DEN 0022F.b) as far as bringing CPUs up and switching off needs it. Firmware state changes only here, in the
// order of (cycle, CPU number), since all PEs share it.

import { CpuState, StopReason, Timing } from "../../src/abi.ts";
import { readX } from "../arm64/cpu.ts";
import { Cpu } from "../cpu.ts";
import { cpuWithId } from "../interrupts/hardwareIds.ts";
import { Message, send } from "../interrupts/message.ts";
import { stopMachine, timing } from "../machine.ts";

const PSCI_VERSION: u32 = 0x8400_0000;
const PSCI_CPU_ON: u32 = 0x8400_0003;
const PSCI_AFFINITY_INFO: u32 = 0x8400_0004;
const PSCI_SYSTEM_OFF: u32 = 0x8400_0008;
const PSCI_SYSTEM_RESET: u32 = 0x8400_0009;
/** The 64-bit variant of a function. */
const SMC64: u32 = 0x4000_0000;
const VERSION_1_1: i64 = 0x1_0001;

const SUCCESS: i64 = 0;
const NOT_SUPPORTED: i64 = -1;
const INVALID_PARAMETERS: i64 = -2;
const ALREADY_ON: i64 = -4;
const ON_PENDING: i64 = -5;

const AFFINITY_ON: i64 = 0;
const AFFINITY_OFF: i64 = 1;
const AFFINITY_ON_PENDING: i64 = 2;

/** Serves the call that a CPU has made; X0 of the caller becomes deviceValue. */
export function serveFirmware(cpu: Cpu, cycle: u64): void {
  const base = changetype<usize>(cpu);
  const id = <u32>readX(base, 0);
  let result = NOT_SUPPORTED;
  switch (id & ~SMC64) {
    case PSCI_VERSION:
      if (id == PSCI_VERSION) result = VERSION_1_1;
      break;
    case PSCI_CPU_ON:
      result = cpuOn(readX(base, 1), readX(base, 2), readX(base, 3), cycle);
      break;
    case PSCI_AFFINITY_INFO:
      result = affinityInfo(readX(base, 1), <u32>readX(base, 2));
      break;
    case PSCI_SYSTEM_OFF:
      leaveSystem(cpu, StopReason.SYSTEM_OFF, cycle);
      break;
    case PSCI_SYSTEM_RESET:
      leaveSystem(cpu, StopReason.SYSTEM_RESET, cycle);
      break;
    default:
      break;
  }
  cpu.deviceValue = <u64>result;
}

/** SYSTEM_OFF and SYSTEM_RESET don't return (5.10, 5.11). */
function leaveSystem(cpu: Cpu, reason: StopReason, cycle: u64): void {
  cpu.state = CpuState.DEAD;
  stopMachine(reason, cpu.index, cpu.pc, cycle, 0);
}

function cpuOn(affinity: u64, entry: u64, context: u64, cycle: u64): i64 {
  const target = cpuWithId(affinity);
  if (changetype<usize>(target) == 0) return INVALID_PARAMETERS;
  if (target.starting != 0) return ON_PENDING;
  if (target.on != 0) return ALREADY_ON;
  target.starting = 1;
  target.on = 1;
  target.startPc = entry;
  target.startStack = 0;
  target.startArgument = context;
  send(target, <u64>Message.START, cycle + timing(Timing.CPU_ON_LATENCY));
  return SUCCESS;
}

function affinityInfo(affinity: u64, level: u32): i64 {
  const target = cpuWithId(affinity);
  if (changetype<usize>(target) == 0 || level != 0) return INVALID_PARAMETERS;
  if (target.starting != 0) return AFFINITY_ON_PENDING;
  return target.on != 0 ? AFFINITY_ON : AFFINITY_OFF;
}
