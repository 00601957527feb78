// What a PE's CPU interface and the distributor tell each other about SPIs, like the packets of the GIC Stream protocol (Arm
// IHI 0069H appendix A). The distributor forwards to each PE the most urgent SPI for it, by a message of class MESSAGE; the PE
// answers, in the order of the devices, when it has activated it, or has had to give it back for another.
//
// An SPI that has been forwarded is the PE's until one of the two answers comes: it goes to nobody else meanwhile.

import { Device, LineChange, Timing } from "../../../src/abi.ts";
import { Cpu, cpuAt } from "../../cpu.ts";
import { machine, timing } from "../../machine.ts";
import { EventClass, schedule } from "../../time/wheel.ts";
import { gicOf } from "./gic.ts";
import { FIRST_SPI, INTID_END } from "./intids.ts";
import { gicUpdate } from "./priority.ts";
import { activateSpi, deactivateSpi, pulseSpi, releaseSpi, setSpiLine, setStatus } from "./spi.ts";

/** Second byte of a DEVICE event's argument behind Device.GIC_STREAM; bits 31:16 are an INTID or a status. */
export enum StreamMessage {
  /** The PE has acknowledged the SPI. */
  ACTIVATE = 0,
  /** The PE gives back the SPI that another, or none, has replaced. */
  RELEASE = 1,
  /** End of interrupt, or ICC_DIR_EL1. */
  DEACTIVATE = 2,
  /** Which interrupts the PE takes: STATUS_*. Bits 63:32 number these messages, so that they are served in order. */
  STATUS = 3,
  /** No message of a PE: a wire that the host drives changes. LINE + a `LineChange`. */
  LINE = 4,
}

/** ICC_IGRPEN0_EL1, ICC_IGRPEN1_EL1; GICR_WAKER.ProcessorSleep is 0. */
export const STATUS_GROUP0: u32 = 1;
export const STATUS_GROUP1: u32 = 2;
export const STATUS_AWAKE: u32 = 4;

/** Sends a message of a PE to the distributor; `cycle` is when it leaves. */
export function tellDistributor(cpu: Cpu, message: StreamMessage, value: u32, cycle: u64): void {
  const argument = <u64>(Device.GIC_STREAM | ((<u32>message) << 8) | (value << 16));
  schedule(cycle + timing(Timing.DEVICE_LATENCY), EventClass.DEVICE, changetype<usize>(cpu), argument);
}

/** Tells the distributor what a PE takes now. */
export function tellStatus(cpu: Cpu, cycle: u64): void {
  const gic = gicOf(cpu);
  let status = gic.asleep != 0 ? 0 : STATUS_AWAKE;
  if (gic.groupEnable0 != 0) status |= STATUS_GROUP0;
  if (gic.groupEnable1 != 0) status |= STATUS_GROUP1;
  const low = <u64>(Device.GIC_STREAM | ((<u32>StreamMessage.STATUS) << 8) | (status << 16));
  const argument = low | ((<u64>++gic.statusSequence) << 32);
  schedule(cycle + timing(Timing.DEVICE_LATENCY), EventClass.DEVICE, changetype<usize>(cpu), argument);
}

/** The distributor's most urgent SPI for this PE arrives, or none: what the PE has held until now goes back. */
export function gicForward(cpu: Cpu, id: u32, attributes: u32, cycle: u64): void {
  const gic = gicOf(cpu);
  if (gic.spi != 0) tellDistributor(cpu, StreamMessage.RELEASE, gic.spi, cycle);
  gic.spi = id;
  gic.spiAttributes = attributes;
  gicUpdate(cpu);
}

/** A message reaches the distributor. */
export function serveStream(cpu: Cpu, argument: u64): void {
  const value = (<u32>argument) >>> 16;
  switch (<StreamMessage>((<i32>(argument >>> 8)) & 0xff)) {
    case StreamMessage.ACTIVATE:
      activateSpi(cpu, value);
      break;
    case StreamMessage.RELEASE:
      releaseSpi(value);
      break;
    case StreamMessage.DEACTIVATE:
      deactivateSpi(value);
      break;
    case StreamMessage.STATUS:
      setStatus(cpu, value);
      break;
    case StreamMessage.LINE + LineChange.PULSE:
      pulseSpi(value);
      break;
    default:
      setSpiLine(value, ((argument >>> 8) & 0xff) == <u64>(StreamMessage.LINE + LineChange.HIGH));
      break;
  }
}

/** The host changes a wire at a cycle that is not before now. @returns false for what is no SPI */
export function driveLine(intid: u32, change: LineChange, cycle: u64): bool {
  if (machine().gics == 0 || intid < FIRST_SPI || intid >= INTID_END) return false;
  const argument = <u64>(Device.GIC_STREAM | ((<u32>(StreamMessage.LINE + change)) << 8) | (intid << 16));
  schedule(cycle, EventClass.DEVICE, changetype<usize>(cpuAt(0)), argument);
  return true;
}
