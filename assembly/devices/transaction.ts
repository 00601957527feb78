// Device transactions: an access to a device blocks its CPU, travels to the device, is served there in the order of
// (cycle, CPU number), and its answer travels back. What a device does to other CPUs travels as messages.

import {
  CpuState,
  Device,
  GICR_BASE,
  GICR_FIRST_WINDOW_CPUS,
  GICR_SECOND_BASE,
  GICR_STRIDE,
  StopReason,
  Timing,
} from "../../src/abi.ts";
import { Cpu, NEVER, cpuAt } from "../cpu.ts";
import { Arrival, arriveLater, serveFirmware } from "../firmware/call.ts";
import { serveDistributor } from "../interrupts/gic/distributor.ts";
import { settleDistributor } from "../interrupts/gic/forward.ts";
import { serveRedistributor } from "../interrupts/gic/redistributor.ts";
import { serveStream } from "../interrupts/gic/stream.ts";
import { Message, announce, land, redistributorLatency, send, settlePending } from "../interrupts/message.ts";
import { machine, stopMachine, timing } from "../machine.ts";
import { ticksOf } from "../time/limits.ts";
import { continueLater } from "../time/run.ts";
import { accessRequest } from "../memory/request.ts";
import { EventClass, EventNode, release, schedule, sortBySubject, take } from "../time/wheel.ts";
import { servePl011 } from "./pl011.ts";
import { servePort } from "./port.ts";

/** Starts a transaction of a CPU that is being blocked; the address of one with the firmware is an `Arrival`. */
export function requestDevice(
  cpu: Cpu,
  device: Device,
  address: u64,
  size: u32,
  write: bool,
  value: u64,
  cycle: u64,
): void {
  cpu.deviceAddress = address;
  cpu.deviceSize = size;
  cpu.deviceWrite = write ? 1 : 0;
  cpu.deviceValue = value;
  cpu.deviceAnswered = 0;
  // It waits for no line.
  const request = accessRequest(cpu);
  request.line = request.write = 0;
  request.arrival = cycle;
  if (device == Device.FIRMWARE) {
    arriveLater(cpu, <Arrival>(<i32>address), cycle + timing(Timing.FIRMWARE_CALL));
    return;
  }
  let arrival = cycle + timing(Timing.DEVICE_LATENCY);
  if (device == Device.GIC_REDISTRIBUTOR) {
    // A redistributor belongs to its PE: the access is on its way there, like a message.
    const target = cpuAt(redistributorFrame(address));
    if (isPresent(target)) {
      arrival = cycle + redistributorLatency(cpu, target);
      announce(target, arrival);
    }
  }
  cpu.deviceArrival = arrival;
  schedule(arrival, EventClass.DEVICE, changetype<usize>(cpu), device);
}

function isPresent(cpu: Cpu): bool {
  return changetype<usize>(cpu.core) != 0;
}

/** Number of the redistributor, hence of the PE, whose frames hold an address. */
function redistributorFrame(address: u64): u32 {
  if (address >= <u64>GICR_SECOND_BASE) {
    return <u32>((address - <u64>GICR_SECOND_BASE) / GICR_STRIDE) + GICR_FIRST_WINDOW_CPUS;
  }
  return <u32>((address - GICR_BASE) / GICR_STRIDE);
}

/** Offset of an address within the two frames of its redistributor. */
export function redistributorOffset(address: u64): u32 {
  const base = address >= <u64>GICR_SECOND_BASE ? <u64>GICR_SECOND_BASE : <u64>GICR_BASE;
  return <u32>((address - base) % GICR_STRIDE);
}

/**
 * Serves all that reaches devices in a cycle, in order of CPU number; of one CPU, accesses before what its GIC tells. The
 * firmware answers when it is through.
 */
export function deviceArrivals(cycle: u64): void {
  let list = sortBySubject(take(cycle, EventClass.DEVICE));
  if (changetype<usize>(list) == 0) return;
  while (changetype<usize>(list) != 0) {
    const node = list;
    list = changetype<EventNode>(node.next);
    machine().events++;
    const cpu = changetype<Cpu>(node.subject);
    const argument = node.argument;
    release(node);
    const device = <Device>((<i32>argument) & 0xff);
    if (device == Device.FIRMWARE) serveFirmware(cpu, argument, cycle);
    else if (device == Device.GIC_STREAM) serveStream(cpu, argument);
    else if (device == Device.GIC_REDISTRIBUTOR) serveAtCpu(cpu, cycle);
    else serveAccess(cpu, device, cycle);
  }
  if (machine().distributor != 0) settleDistributor(cycle);
}

function serveAccess(cpu: Cpu, device: Device, cycle: u64): void {
  cpu.deviceArrival = NEVER;
  serve(cpu, device, cycle);
  // Who switched the machine off gets no answer.
  if (cpu.state != CpuState.DEAD) send(cpu, <u64>Message.ANSWER, cycle + timing(Timing.DEVICE_LATENCY));
}

/**
 * An access to a redistributor, which may change what is pending for its PE. Where the number of a CPU stands for none, there
 * is none either: reads give zero.
 */
function serveAtCpu(cpu: Cpu, cycle: u64): void {
  const target = cpuAt(redistributorFrame(cpu.deviceAddress));
  cpu.deviceArrival = NEVER;
  if (!isPresent(target)) {
    cpu.deviceValue = 0;
    send(cpu, <u64>Message.ANSWER, cycle + timing(Timing.DEVICE_LATENCY));
    return;
  }
  land(target);
  serveRedistributor(target, cpu, cycle);
  settlePending(target, cycle);
  send(cpu, <u64>Message.ANSWER, cycle + redistributorLatency(target, cpu));
  // Others of this cycle are still to be served: what has been woken goes on in class RUN.
  continueLater(target.core, cycle);
}

function serve(cpu: Cpu, device: Device, cycle: u64): void {
  switch (device) {
    case Device.PL011:
      servePl011(cpu, cycle);
      break;
    case Device.GIC_DISTRIBUTOR:
      serveDistributor(cpu, cycle);
      break;
    case Device.UNMODELLED:
      stopMachine(StopReason.UNSUPPORTED, cpu.index, cpu.pc, cycle, cpu.deviceAddress);
      break;
    default:
      servePort(cpu, cycle);
      break;
  }
}

/** The answer is back: the access can be completed. */
export function answerDevice(cpu: Cpu, cycle: u64): void {
  cpu.deviceAnswered = 1;
  cpu.state = CpuState.RUNNING;
  cpu.clock = ticksOf(cycle);
}
