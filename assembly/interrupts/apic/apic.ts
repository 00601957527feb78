// The local APIC in x2APIC mode, as far as interprocessor interrupts need it: ICR, SELF_IPI, IRR, ISR, priorities, EOI
// (Intel SDM 3A chapter 11, rev. 083). Its registers belong to their CPU; others reach them by messages only.

import { CpuState, StopReason } from "../../../src/abi.ts";
import { Cpu, Pending } from "../../cpu.ts";
import { mix } from "../../digest.ts";
import { machine, reserve, stopMachine } from "../../machine.ts";
import { startCycle } from "../../time/bounds.ts";
import { sendToTargets, targetAll, targetCpu, targetId, targetList } from "../targets.ts";

/** ICR delivery modes (SDM 3A 11.6.1). */
export enum DeliveryMode {
  FIXED = 0,
  LOWEST_PRIORITY = 1,
  SMI = 2,
  NMI = 4,
  INIT = 5,
  STARTUP = 6,
}


@unmanaged
class Apic {
  id: u32;
  taskPriority: u32;
  /** Spurious-interrupt vector register; bit 8 enables the APIC. */
  spurious: u32;
  reserved: u32;
  /** 256 bits each, 8 words of 32. */
  requests0: u64;
  requests1: u64;
  requests2: u64;
  requests3: u64;
  inService0: u64;
  inService1: u64;
  inService2: u64;
  inService3: u64;
}

const APIC_BYTES: usize = 128;
const REQUESTS: usize = offsetof<Apic>("requests0");
const IN_SERVICE: usize = offsetof<Apic>("inService0");
const SPURIOUS_ENABLE: u32 = 1 << 8;
const BROADCAST: u32 = 0xffff_ffff;

// x2APIC MSRs (SDM 3A table 11-6).
const MSR_ID: u32 = 0x802;
const MSR_VERSION: u32 = 0x803;
const MSR_TPR: u32 = 0x808;
const MSR_PPR: u32 = 0x80a;
const MSR_EOI: u32 = 0x80b;
const MSR_LDR: u32 = 0x80d;
const MSR_SVR: u32 = 0x80f;
const MSR_ISR0: u32 = 0x810;
const MSR_TMR0: u32 = 0x818;
const MSR_IRR0: u32 = 0x820;
const MSR_ESR: u32 = 0x828;
const MSR_ICR: u32 = 0x830;
const MSR_SELF_IPI: u32 = 0x83f;
/** Version 0x15, seven LVT entries (index 6 is the last), as current processors report. */
const VERSION: u64 = 0x0006_0015;

export function openApics(): bool {
  const m = machine();
  m.apics = reserve(<usize>m.cpus * APIC_BYTES, 64);
  return m.apics != 0;
}

// @ts-ignore: decorator
@inline
function apicOf(cpu: Cpu): Apic {
  return changetype<Apic>(machine().apics + <usize>cpu.index * APIC_BYTES);
}

/** State after reset, in x2APIC mode: software-disabled, spurious vector 0xff (SDM 3A 11.12.5.1). */
export function resetApic(cpu: Cpu, id: u32): void {
  const apic = apicOf(cpu);
  memory.fill(changetype<usize>(apic), 0, APIC_BYTES);
  apic.id = id;
  apic.spurious = 0xff;
}

export function apicId(cpu: Cpu): u32 {
  return apicOf(cpu).id;
}

/** Logical x2APIC id: cluster in bits 31:16, one of sixteen bits below (SDM 3A 11.12.10.2). */
function logicalId(id: u32): u32 {
  return (((id >>> 4) & 0xffff) << 16) | ((<u32>1) << (id & 15));
}

function highestVector(set: usize): i32 {
  for (let word: i32 = 3; word >= 0; word--) {
    const value = load<u64>(set + ((<usize>word) << 3));
    if (value != 0) return (word << 6) + 63 - <i32>clz(value);
  }
  return -1;
}

function setVector(set: usize, vector: u32): void {
  const word = set + (((<usize>vector) >>> 6) << 3);
  store<u64>(word, load<u64>(word) | ((<u64>1) << ((<u64>vector) & 63)));
}

function clearVector(set: usize, vector: u32): void {
  const word = set + (((<usize>vector) >>> 6) << 3);
  store<u64>(word, load<u64>(word) & ~((<u64>1) << ((<u64>vector) & 63)));
}

/** PPR (SDM 3A 11.8.3.1). */
function processorPriority(apic: Apic): u32 {
  const service = highestVector(changetype<usize>(apic) + IN_SERVICE);
  const serviceClass: u32 = service < 0 ? 0 : (<u32>service) & 0xf0;
  const task = apic.taskPriority;
  return (task & 0xf0) >= serviceClass ? task : serviceClass;
}

/** Derives what the CPU sees from what is requested and in service. */
function updatePending(cpu: Cpu, apic: Apic): void {
  const request = highestVector(changetype<usize>(apic) + REQUESTS);
  if (request >= 0 && ((<u32>request) & 0xf0) > (processorPriority(apic) & 0xf0)) cpu.pending |= Pending.IRQ;
  else cpu.pending &= ~Pending.IRQ;
}

/** A message reaches this APIC (SDM 3A 11.8.4; for a software-disabled APIC 11.4.7.2). */
export function apicAccept(cpu: Cpu, vector: u32, mode: u32): void {
  const apic = apicOf(cpu);
  if (cpu.state == CpuState.OFFLINE) return;
  if (mode == DeliveryMode.NMI) {
    cpu.pending |= Pending.NMI;
    return;
  }
  if ((apic.spurious & SPURIOUS_ENABLE) == 0) return;
  setVector(changetype<usize>(apic) + REQUESTS, vector);
  updatePending(cpu, apic);
}

/** The CPU takes the most urgent interrupt. @returns its vector */
export function apicTakeInterrupt(cpu: Cpu): u32 {
  const apic = apicOf(cpu);
  const vector = <u32>highestVector(changetype<usize>(apic) + REQUESTS);
  clearVector(changetype<usize>(apic) + REQUESTS, vector);
  setVector(changetype<usize>(apic) + IN_SERVICE, vector);
  updatePending(cpu, apic);
  return vector;
}

/** MOV to and from CR8: bits 7:4 of TPR (SDM 3A 11.8.6). */
export function apicReadCr8(cpu: Cpu): u64 {
  return <u64>(apicOf(cpu).taskPriority >>> 4);
}

export function apicWriteCr8(cpu: Cpu, value: u32): void {
  const apic = apicOf(cpu);
  apic.taskPriority = value << 4;
  updatePending(cpu, apic);
}

export let apicValue: u64 = 0;

/** RDMSR of 0x800 to 0x8ff; the value is left in `apicValue`. @returns false for #GP */
export function apicRead(cpu: Cpu, msr: u32): bool {
  const apic = apicOf(cpu);
  if (msr >= MSR_ISR0 && msr < MSR_TMR0) return readVectors(apic, IN_SERVICE, msr - MSR_ISR0);
  if (msr >= MSR_IRR0 && msr < MSR_ESR) return readVectors(apic, REQUESTS, msr - MSR_IRR0);
  switch (msr) {
    case MSR_ID:
      apicValue = <u64>apic.id;
      return true;
    case MSR_VERSION:
      apicValue = VERSION;
      return true;
    case MSR_TPR:
      apicValue = <u64>apic.taskPriority;
      return true;
    case MSR_PPR:
      apicValue = <u64>processorPriority(apic);
      return true;
    case MSR_LDR:
      apicValue = <u64>logicalId(apic.id);
      return true;
    case MSR_SVR:
      apicValue = <u64>apic.spurious;
      return true;
    default:
      apicValue = 0;
      return msr >= MSR_TMR0 && msr <= MSR_ESR; // TMR: nothing is level-triggered; ESR: no error is modelled yet
  }
}

function readVectors(apic: Apic, set: usize, word: u32): bool {
  apicValue = <u64>load<u32>(changetype<usize>(apic) + set + ((<usize>word) << 2));
  return true;
}

/** WRMSR of 0x800 to 0x8ff. @returns false for #GP */
export function apicWrite(cpu: Cpu, msr: u32, value: u64): bool {
  const apic = apicOf(cpu);
  if (msr == MSR_ICR) return writeIcr(cpu, value);
  if (value >>> 32 != 0) return false;
  switch (msr) {
    case MSR_TPR:
      if (value > 0xff) return false;
      apic.taskPriority = <u32>value;
      break;
    case MSR_EOI:
      if (value != 0) return false;
      endOfInterrupt(apic);
      break;
    case MSR_SVR:
      if ((value & ~(<u64>0x13ff)) != 0) return false;
      apic.spurious = <u32>value;
      break;
    case MSR_ESR:
      return value == 0;
    case MSR_SELF_IPI:
      if (value > 0xff) return false;
      // An illegal vector sends nothing (SDM 3A 11.12.11, 11.5.2).
      if (value < 16) return true;
      targetCpu(cpu);
      sendToTargets(cpu, <u32>value, DeliveryMode.FIXED);
      return true;
    default:
      return false;
  }
  updatePending(cpu, apic);
  return true;
}

function endOfInterrupt(apic: Apic): void {
  const set = changetype<usize>(apic) + IN_SERVICE;
  const vector = highestVector(set);
  if (vector >= 0) clearVector(set, <u32>vector);
}

/** Bits of ICR that may be set: vector, delivery mode, destination mode, level, trigger, shorthand, destination. */
const ICR_VALID: u64 = 0xffff_ffff_000c_cfff;

function writeIcr(cpu: Cpu, icr: u64): bool {
  // Bit 12 was the delivery status and is ignored (SDM 3A 11.12.9).
  if ((icr & ~(ICR_VALID | 0x1000)) != 0) return false;
  const mode = ((<u32>icr) >>> 8) & 7;
  const vector = mode == DeliveryMode.NMI ? 2 : (<u32>icr) & 0xff;
  if (mode != DeliveryMode.FIXED && mode != DeliveryMode.NMI) {
    stopMachine(StopReason.UNSUPPORTED, cpu.index, cpu.pc, startCycle(cpu), icr);
    return true;
  }
  // An illegal vector sends nothing.
  if (mode == DeliveryMode.FIXED && vector < 16) return true;
  const destination = <u32>(icr >>> 32);
  switch (((<u32>icr) >>> 18) & 3) {
    case 1:
      if (mode == DeliveryMode.FIXED) targetCpu(cpu);
      break;
    case 2:
      targetAll(cpu, mode == DeliveryMode.FIXED);
      break;
    case 3:
      targetAll(cpu, false);
      break;
    default:
      if (destination == BROADCAST) targetAll(cpu, true);
      else if ((icr & 0x800) != 0) targetList((<u64>(destination >>> 16)) << 4, destination & 0xffff);
      else targetId(destination);
      break;
  }
  sendToTargets(cpu, vector, mode);
  return true;
}

export function apicDigest(cpu: Cpu): void {
  const apic = changetype<usize>(apicOf(cpu));
  for (let offset: usize = 0; offset < APIC_BYTES; offset += 8) mix(load<u64>(apic + offset));
}
