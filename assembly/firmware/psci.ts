// PSCI 1.1 (Arm DEN 0022F.b chapter 5): powering PEs up and down, and the system off.

import { CpuState, PAGE_EXECUTE, PAGE_RAM, StopReason, Timing } from "../../src/abi.ts";
import { openMonitor } from "../arm64/atomic.ts";
import { readX } from "../arm64/cpu.ts";
import { silenceTimers } from "../arm64/timer.ts";
import { Cpu } from "../cpu.ts";
import { gicStop } from "../interrupts/gic/interface.ts";
import { cpuAtPosition, cpuWithId, idAt, positionOfId } from "../interrupts/hardwareIds.ts";
import { Message, send } from "../interrupts/message.ts";
import { machine, stopMachine, timing } from "../machine.ts";
import { pageAt } from "../memory/map.ts";
import {
  Arrival,
  INVALID_PARAMETERS,
  NOT_SUPPORTED,
  NO_RETURN,
  SMC64,
  SUCCESS,
  arriveLater,
  features,
} from "./call.ts";
import { cpuOffBreaks, forgetPe } from "./dispatch.ts";
import { Firmware, FirmwareCpu, firmware, firmwareOf } from "./firmware.ts";
import { acquire } from "./locks.ts";

export const PSCI_FUNCTIONS: u32 = 0x8400_0000;
export const PSCI_NUMBERS: u32 = 0x20;

const VERSION: u32 = 0x8400_0000;
const CPU_SUSPEND: u32 = 0x8400_0001;
const CPU_OFF: u32 = 0x8400_0002;
const CPU_ON: u32 = 0x8400_0003;
const AFFINITY_INFO: u32 = 0x8400_0004;
const MIGRATE_INFO_TYPE: u32 = 0x8400_0006;
const SYSTEM_OFF: u32 = 0x8400_0008;
const SYSTEM_RESET: u32 = 0x8400_0009;
const FEATURES: u32 = 0x8400_000a;
const SYSTEM_RESET2: u32 = 0x8400_0012;

const VERSION_1_1: i64 = 0x1_0001;
const ALREADY_ON: i64 = -4;
const ON_PENDING: i64 = -5;
const INVALID_ADDRESS: i64 = -9;

const AFFINITY_ON: i64 = 0;
const AFFINITY_OFF: i64 = 1;
const AFFINITY_ON_PENDING: i64 = 2;
const MOST_LEVEL: u32 = 3;
/** No Trusted OS, or one that need not be migrated (5.9). */
const NO_MIGRATION: i64 = 2;

/** Affinity fields of an MPIDR; the rest of the argument must be zero (5.1.4). */
const AFFINITY: u64 = 0xff_00ff_ffff;
/** Original format of power_state (5.4.2): power level, StateType, StateID. */
const POWER_DOWN: u32 = 1 << 16;
const STATE_ID: u32 = 0xffff;
/** SYSTEM_RESET2: the one reset that is no vendor's. */
const WARM_RESET: u32 = 0;

/** Whether a function is there, 32 or 64 bits wide. */
export function psciFeatures(id: u32): i64 {
  switch (id) {
    case VERSION:
    case CPU_OFF:
    case MIGRATE_INFO_TYPE:
    case SYSTEM_OFF:
    case SYSTEM_RESET:
    case FEATURES:
      return SUCCESS;
    // Flags of CPU_SUSPEND: the original format, no OS-initiated mode.
    case CPU_SUSPEND:
    case CPU_SUSPEND | SMC64:
    case CPU_ON:
    case CPU_ON | SMC64:
    case AFFINITY_INFO:
    case AFFINITY_INFO | SMC64:
    case SYSTEM_RESET2:
    case SYSTEM_RESET2 | SMC64:
      return SUCCESS;
    default:
      return NOT_SUPPORTED;
  }
}

/**
 * The lock that a call needs, or 0. CPU_OFF takes those of all levels above the PE, of which the outermost decides; CPU_ON
 * that of its target.
 */
export function psciLock(cpu: Cpu, id: u32): usize {
  if (id == CPU_OFF) {
    return cpuOffBreaks(cpu) ? 0 : changetype<usize>(firmware()) + offsetof<Firmware>("powerLock");
  }
  if ((id & ~SMC64) != CPU_ON) return 0;
  const target = cpuWithId(parameter(cpu, id, 1));
  return changetype<usize>(target) == 0 ? 0 : changetype<usize>(firmwareOf(target)) + offsetof<FirmwareCpu>("onLock");
}

/** A parameter: of 32-bit functions the upper half is ignored (DEN 0028 3.1). */
function parameter(cpu: Cpu, id: u32, register: u32): u64 {
  const value = readX(changetype<usize>(cpu), register);
  return (id & SMC64) != 0 ? value : value & 0xffff_ffff;
}

export function psciCall(cpu: Cpu, id: u32, cycle: u64): i64 {
  if (psciFeatures(id) != SUCCESS) return NOT_SUPPORTED;
  switch (id & ~SMC64) {
    case VERSION:
      return VERSION_1_1;
    case CPU_SUSPEND:
      return cpuSuspend(cpu, <u32>parameter(cpu, id, 1));
    case CPU_OFF:
      return cpuOff(cpu, cycle);
    case CPU_ON:
      return cpuOn(parameter(cpu, id, 1), parameter(cpu, id, 2), parameter(cpu, id, 3), cycle);
    case AFFINITY_INFO:
      return affinityInfo(parameter(cpu, id, 1), <u32>parameter(cpu, id, 2));
    case MIGRATE_INFO_TYPE:
      return NO_MIGRATION;
    case SYSTEM_OFF:
      return leaveSystem(cpu, StopReason.SYSTEM_OFF, cycle);
    case SYSTEM_RESET:
      return leaveSystem(cpu, StopReason.SYSTEM_RESET, cycle);
    case SYSTEM_RESET2:
      if (<u32>parameter(cpu, id, 1) != WARM_RESET) return INVALID_PARAMETERS;
      return leaveSystem(cpu, StopReason.SYSTEM_RESET, cycle);
    default: // FEATURES
      return features(<u32>parameter(cpu, id, 1));
  }
}

/** SYSTEM_OFF and SYSTEM_RESET don't return (5.10, 5.11). The other PEs run until the machine stops. */
function leaveSystem(cpu: Cpu, reason: StopReason, cycle: u64): i64 {
  cpu.state = CpuState.DEAD;
  stopMachine(reason, cpu.index, cpu.pc, cycle, 0);
  return NO_RETURN;
}

/**
 * CPU_SUSPEND (5.4). Standby of the PE alone is a WFI, at which the call's instruction ends (arm64/system.ts); the PE has no
 * power-down state to name.
 */
function cpuSuspend(cpu: Cpu, powerState: u32): i64 {
  if ((powerState & ~STATE_ID) != 0) return INVALID_PARAMETERS;
  cpu.deviceWrite = 1;
  return SUCCESS;
}

// --- up --------------------------------------------------------------------------------------------------------------

/** CPU_ON (5.6): of calls that race for a PE, one succeeds. */
function cpuOn(affinity: u64, entry: u64, context: u64, cycle: u64): i64 {
  const target = cpuWithId(affinity);
  if (changetype<usize>(target) == 0) return INVALID_PARAMETERS;
  if (!isEntryPoint(entry)) return INVALID_ADDRESS;
  if (target.starting != 0) return ON_PENDING;
  if (target.on != 0) return ALREADY_ON;
  target.starting = 1;
  target.on = 1;
  target.startPc = entry;
  target.startStack = 0;
  target.startArgument = context;
  // Nobody has run further ahead than the interrupt latency.
  const latency = max(timing(Timing.CPU_ON_LATENCY), machine().leastInterruptLatency);
  arriveLater(target, Arrival.POWER_ON, cycle + latency);
  return SUCCESS;
}

/** Whether a PE could begin there. */
export function isEntryPoint(address: u64): bool {
  const needed: u32 = PAGE_EXECUTE | PAGE_RAM;
  return (address & 3) == 0 && (pageAt(address) & needed) == needed;
}

/** The PE has power, and comes through the firmware like everybody: one after the other, for the power-domain lock. */
export function powerOn(target: Cpu, cycle: u64): void {
  const lock = changetype<usize>(firmware()) + offsetof<Firmware>("powerLock");
  const occupancy = timing(Timing.PSCI_LOCK);
  send(target, <u64>Message.START, acquire(lock, cycle, occupancy) + occupancy);
}

// --- down ------------------------------------------------------------------------------------------------------------

/** CPU_OFF (5.5): no Trusted OS denies it. */
function cpuOff(cpu: Cpu, cycle: u64): i64 {
  if (!cpuOffBreaks(cpu)) {
    arriveLater(cpu, Arrival.POWER_OFF, cycle + timing(Timing.PSCI_LOCK) + timing(Timing.CPU_OFF_LATENCY));
  }
  return NO_RETURN;
}

/** The PE loses its power, and all state that isn't elsewhere. What its core has cached is still coherent. */
export function powerOff(cpu: Cpu, cycle: u64): void {
  gicStop(cpu, cycle);
  forgetPe(cpu);
  openMonitor(cpu);
  silenceTimers(cpu);
  cpu.state = CpuState.OFFLINE;
  cpu.on = 0;
  cpu.pending = 0;
  cpu.delivery = 0;
  cpu.resumed = 0;
  cpu.claimedLine = 0;
}

// --- about -----------------------------------------------------------------------------------------------------------

/**
 * AFFINITY_INFO (5.7): of a PE, or of all that share the affinity fields from a level on: ON if one is ON, else ON_PENDING if
 * one is. Fields below the level are ignored.
 */
function affinityInfo(affinity: u64, level: u32): i64 {
  if (level > MOST_LEVEL || (affinity & ~AFFINITY) != 0) return INVALID_PARAMETERS;
  const below = fieldsBelow(level);
  const first = affinity & ~below;
  let found = false;
  let info = AFFINITY_OFF;
  for (let at = positionOfId(first); at < machine().hardwareIdCount && idAt(at) <= (first | below); at++) {
    const target = cpuAtPosition(at);
    found = true;
    if (target.starting != 0) info = AFFINITY_ON_PENDING;
    else if (target.on != 0) return AFFINITY_ON;
  }
  return found ? info : INVALID_PARAMETERS;
}

/** Affinity fields Aff0 to Aff(level - 1). */
function fieldsBelow(level: u32): u64 {
  const width = <u64>(8 * level);
  return ((<u64>1) << width) - 1;
}
