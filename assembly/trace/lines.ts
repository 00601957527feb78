// What lines of memory do, as records: requests and what becomes of them, copies that are taken away, and how long CPUs stood still.

import { LineEvent, TraceKind } from "../../src/abi.ts";
import { Core, Cpu, coreInDomain, threadOf } from "../cpu.ts";
import { Entry } from "../memory/lines.ts";
import { addressOfLine } from "../memory/map.ts";
import { Request, RequestKind } from "../memory/request.ts";
import { startCycle } from "../time/bounds.ts";
import { isTraced, trace } from "./ring.ts";

const WRITE: u32 = 1 << 8;
const LATENCY_SHIFT: u32 = 16;

function nameOf(request: Request): u32 {
  return request.kind | (request.write != 0 ? WRITE : 0);
}

/** A request for the line of an address sets out in a cycle. */
// @ts-ignore: decorator
@inline
export function traceRequest(request: Request, address: u64, cycle: u64): void {
  if (!isTraced(TraceKind.LINE)) return;
  const cpu = request.cpu;
  const peer = nameOf(request) | (cpu.core.latency << LATENCY_SHIFT);
  // Stores leave their buffer while the CPU is somewhere else.
  const pc = request.kind == RequestKind.STORES ? 0 : cpu.pc;
  trace(TraceKind.LINE, cpu, cycle, LineEvent.REQUESTED, peer, address, pc);
}

/** Something happens on a request's way. */
// @ts-ignore: decorator
@inline
export function traceStep(event: LineEvent, request: Request, cycle: u64, arrival: u64): void {
  if (!isTraced(TraceKind.LINE)) return;
  trace(TraceKind.LINE, request.cpu, cycle, event, nameOf(request), addressOfLine(request.line), arrival);
}

/** The cores of a word of a directory mask lose their copies. */
// @ts-ignore: decorator
@inline
export function traceInvalidation(entry: Entry, word: u32, victims: u64, cycle: u64): void {
  if (!isTraced(TraceKind.LINE)) return;
  const first = coreInDomain(entry.domain, (word << 6) + <u32>ctz(victims));
  const count = <u32>popcnt(victims);
  trace(TraceKind.LINE, threadOf(first, 0), cycle, LineEvent.INVALIDATED, count, addressOfLine(entry.home.line), 0);
}

// @ts-ignore: decorator
@inline
export function traceDowngrade(entry: Entry, core: Core, cycle: u64): void {
  if (!isTraced(TraceKind.LINE)) return;
  trace(TraceKind.LINE, threadOf(core, 0), cycle, LineEvent.DOWNGRADED, 1, addressOfLine(entry.home.line), 0);
}

/** A CPU that is blocked for a line, since its clock stands, goes on in a cycle. */
// @ts-ignore: decorator
@inline
export function traceWaited(cpu: Cpu, line: u32, cycle: u64): void {
  if (!isTraced(TraceKind.LINE)) return;
  trace(TraceKind.LINE, cpu, cycle, LineEvent.WAITED, 0, addressOfLine(line), startCycle(cpu));
}
