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
import { Cpu, cpuAt } from "../cpu.ts";
import { serveFirmware } from "../firmware/psci.ts";
import { serveDistributor } from "../interrupts/gic/distributor.ts";
import { Message, redistributorLatency, send } from "../interrupts/message.ts";
import { machine, stopMachine, timing } from "../machine.ts";
import { ticksOf } from "../time/bounds.ts";
import { EventClass, EventNode, release, schedule, sortBySubject, take } from "../time/wheel.ts";
import { servePl011 } from "./pl011.ts";
import { servePort } from "./port.ts";

/** Starts a transaction of a CPU that is being blocked. */
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
  cpu.requestLine = cpu.requestWrite = 0;
  cpu.requestArrival = cycle;
  if (device == Device.GIC_REDISTRIBUTOR) {
    // A redistributor belongs to its PE: the access is served there, like any other message to it.
    const target = cpuAt(redistributorFrame(address));
    const arrival = cycle + redistributorLatency(cpu, target);
    send(target, (<u64>Message.REDISTRIBUTOR) | ((<u64>cpu.index) << 32), arrival);
  } else {
    schedule(cycle + latencyOf(device), EventClass.DEVICE, changetype<usize>(cpu), device);
  }
}

/** One way between a CPU and a device. */
function latencyOf(device: Device): u64 {
  return device == Device.FIRMWARE ? timing(Timing.FIRMWARE_CALL) : timing(Timing.DEVICE_LATENCY);
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

/** Serves all that reaches devices in a cycle, in order of CPU number. */
export function deviceArrivals(cycle: u64): void {
  let list = sortBySubject(take(cycle, EventClass.DEVICE));
  while (changetype<usize>(list) != 0) {
    const node = list;
    list = changetype<EventNode>(node.next);
    machine().events++;
    const cpu = changetype<Cpu>(node.subject);
    const device = <Device>(<i32>node.argument);
    release(node);
    serve(cpu, device, cycle);
    // Who switched the machine off gets no answer.
    if (cpu.state != CpuState.DEAD) send(cpu, <u64>Message.ANSWER, cycle + latencyOf(device));
  }
}

function serve(cpu: Cpu, device: Device, cycle: u64): void {
  switch (device) {
    case Device.PL011:
      servePl011(cpu, cycle);
      break;
    case Device.GIC_DISTRIBUTOR:
      serveDistributor(cpu, cycle);
      break;
    case Device.FIRMWARE:
      serveFirmware(cpu, cycle);
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
