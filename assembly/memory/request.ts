// What a CPU asks its last-level cache for: a line to read, or to write. Several can be under way: that of the access which blocks
// the CPU, that of its store buffer, and on arm64 those of loads behind one that waits.

import { Architecture } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { machine } from "../machine.ts";
import { EARLY_LOADS, earlyRequest } from "./early.ts";
import { storeBufferOf } from "./stores.ts";


@unmanaged
export class Request {
  cpu: Cpu;
  line: u32;
  write: u32;
  /** RequestKind */
  kind: u32;
  /** The next in the queue of its entry, and that entry. */
  next: usize;
  entry: usize;
  /** When it reaches the last-level cache, or the device. */
  arrival: u64;
}

export enum RequestKind {
  ACCESS = 0,
  STORES = 1,
  /** The first of EARLY_LOADS. */
  LOADS = 2,
}

export const REQUEST_BYTES: usize = 32;
if (offsetof<Request>() > REQUEST_BYTES) ERROR("Request outgrew its bytes");

/** Of the access that blocks the CPU, be it of memory or of a device. */
// @ts-ignore: decorator
@inline
export function accessRequest(cpu: Cpu): Request {
  return changetype<Request>(changetype<usize>(cpu) + offsetof<Cpu>("request0"));
}

/** Of the CPU's store buffer. */
// @ts-ignore: decorator
@inline
export function storeRequest(cpu: Cpu): Request {
  return changetype<Request>(changetype<usize>(storeBufferOf(cpu)));
}

export function openRequests(cpu: Cpu): void {
  accessRequest(cpu).cpu = cpu;
  accessRequest(cpu).kind = RequestKind.ACCESS;
  storeRequest(cpu).cpu = cpu;
  storeRequest(cpu).kind = RequestKind.STORES;
  if (machine().architecture != Architecture.ARM64) return;
  for (let slot: u32 = 0; slot < EARLY_LOADS; slot++) {
    earlyRequest(cpu, slot).cpu = cpu;
    earlyRequest(cpu, slot).kind = <u32>RequestKind.LOADS + slot;
  }
}
