// Calls of the firmware by SMC and HVC (Arm DEN 0028, SMCCC 1.1 and later): a call travels to EL3 like an access to a device
// and is served there in the order of (cycle, CPU number); it may have to wait for a lock; its result travels back in X0, and
// X1 to X17 come back as they were.
//
// EL3 also serves what is no call: interrupts that it takes, and the powering up of PEs.

import { CpuState, Device, FirmwareConduit, Timing } from "../../src/abi.ts";
import { readX } from "../arm64/cpu.ts";
import { Cpu, NEVER } from "../cpu.ts";
import { Message, send } from "../interrupts/message.ts";
import { timing } from "../machine.ts";
import { EventClass, schedule } from "../time/wheel.ts";
import { serveInterrupt } from "./dispatch.ts";
import { firmware } from "./firmware.ts";
import { acquire } from "./locks.ts";
import { PSCI_FUNCTIONS, PSCI_NUMBERS, powerOff, powerOn, psciCall, psciFeatures, psciLock } from "./psci.ts";
import { SDEI_FUNCTIONS, SDEI_NUMBERS, sdeiCall, sdeiLock } from "./sdei.ts";
import { returnShared, routeShared, triggerShared } from "./shared.ts";

/** What of a CPU reaches the firmware: second byte of a DEVICE event's argument; event indices stand in the third. */
export enum Arrival {
  /** A call, or an interrupt that EL3 takes. */
  CALL = 0,
  INTERRUPT = 1,
  /** A call that had to wait has got its lock. */
  GRANTED = 2,
  /** CPU_OFF is through. */
  POWER_OFF = 3,
  /** CPU_ON: the PE has power. */
  POWER_ON = 4,
  /** A shared event's interrupt; the CPU is the one that the interrupt controller chose. */
  TRIGGER = 5,
  /** The interrupt of a shared event comes back from a PE that is off. */
  RETURN = 6,
}

export const SUCCESS: i64 = 0;
export const NOT_SUPPORTED: i64 = -1;
export const INVALID_PARAMETERS: i64 = -2;
export const DENIED: i64 = -3;

/** No result: the call doesn't return, or is not through. */
export const NO_RETURN: i64 = i64.MIN_VALUE;
/** The PE goes on elsewhere than behind its call. */
export const RESUMED: i64 = i64.MIN_VALUE + 1;

/** The 64-bit variant of a function. */
export const SMC64: u32 = 0x4000_0000;

const SMCCC_VERSION: u32 = 0x8000_0000;
const SMCCC_ARCH_FEATURES: u32 = 0x8000_0001;
const SMCCC_1_2: i64 = 0x1_0002;

/** Whether an instruction reaches EL3; it is UNDEFINED otherwise. */
export function reachesFirmware(conduit: FirmwareConduit): bool {
  const configured = firmware().conduit;
  return configured == FirmwareConduit.BOTH || configured == conduit;
}

/** Lets something reach the firmware at a later cycle. */
export function arriveLater(cpu: Cpu, arrival: Arrival, cycle: u64): void {
  cpu.deviceArrival = cycle;
  schedule(cycle, EventClass.DEVICE, changetype<usize>(cpu), (<u64>Device.FIRMWARE) | ((<u64>arrival) << 8));
}

/** Serves what has reached the firmware. */
export function serveFirmware(cpu: Cpu, argument: u64, cycle: u64): void {
  const arrival = <Arrival>((<i32>(argument >>> 8)) & 0xff);
  if (arrival == Arrival.TRIGGER) {
    triggerShared(cpu, (<u32>(argument >>> 16)) & 0xff, cycle);
    return;
  }
  if (arrival == Arrival.RETURN) {
    returnShared((<u32>(argument >>> 16)) & 0xff);
    routeShared(cpu, cycle);
    return;
  }
  cpu.deviceArrival = NEVER;
  switch (arrival) {
    case Arrival.CALL:
      serveCall(cpu, cycle);
      break;
    case Arrival.GRANTED:
      execute(cpu, cycle);
      break;
    case Arrival.INTERRUPT:
      serveInterrupt(cpu, cycle);
      answer(cpu, RESUMED, cycle);
      break;
    case Arrival.POWER_OFF:
      powerOff(cpu, cycle);
      break;
    default:
      powerOn(cpu, cycle);
      break;
  }
}

function serveCall(cpu: Cpu, cycle: u64): void {
  const id = functionOf(cpu);
  const isSdei = id - SDEI_FUNCTIONS < SDEI_NUMBERS;
  const lock = isSdei ? sdeiLock(cpu, id - SDEI_FUNCTIONS) : psciLock(cpu, id);
  if (lock != 0) {
    const start = acquire(lock, cycle, timing(isSdei ? Timing.SDEI_LOCK : Timing.PSCI_LOCK));
    if (start > cycle) {
      arriveLater(cpu, Arrival.GRANTED, start);
      return;
    }
  }
  execute(cpu, cycle);
}

function execute(cpu: Cpu, cycle: u64): void {
  const id = functionOf(cpu);
  let result = NOT_SUPPORTED;
  if (cpu.deviceSize != 0) result = NOT_SUPPORTED;
  else if (id - SDEI_FUNCTIONS < SDEI_NUMBERS) result = sdeiCall(cpu, id - SDEI_FUNCTIONS, cycle);
  else if ((id & ~SMC64) - PSCI_FUNCTIONS < PSCI_NUMBERS) result = psciCall(cpu, id, cycle);
  else if (id == SMCCC_VERSION) result = SMCCC_1_2;
  else if (id == SMCCC_ARCH_FEATURES) result = architectureFeatures(<u32>readX(changetype<usize>(cpu), 1));
  answer(cpu, result, cycle);
}

/** The function identifier is W0; the call of another immediate than 0 has none (DEN 0028 2.9). */
function functionOf(cpu: Cpu): u32 {
  return cpu.deviceSize == 0 ? <u32>readX(changetype<usize>(cpu), 0) : 0;
}

/** Whether functions of the Arm architecture range are there (DEN 0028 7.3): no workaround is needed here. */
function architectureFeatures(id: u32): i64 {
  return id == SMCCC_VERSION || id == SMCCC_ARCH_FEATURES ? SUCCESS : NOT_SUPPORTED;
}

/** Whether a function is implemented, for PSCI_FEATURES, which knows SMCCC_VERSION too (DEN 0022 5.15). */
export function features(id: u32): i64 {
  return id == SMCCC_VERSION ? SUCCESS : psciFeatures(id);
}

function answer(cpu: Cpu, result: i64, cycle: u64): void {
  if (result == NO_RETURN) return;
  if (result == RESUMED) cpu.delivery = FIRMWARE_RETURN;
  else cpu.deviceValue = <u64>result;
  send(cpu, <u64>Message.ANSWER, cycle + timing(Timing.FIRMWARE_CALL));
}

/** In Cpu.delivery: EL3 returns to what it has put into the registers. */
export const FIRMWARE_RETURN: u32 = 2;

/** Whether a PE is in a state to be sent anything. */
export function isOn(cpu: Cpu): bool {
  return cpu.on != 0 && cpu.starting == 0 && cpu.state != CpuState.DEAD;
}
