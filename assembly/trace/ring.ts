// The trace ring: fixed-size records of what happened, drained by the host. With run-ahead they come out of order; the
// host sorts by (cycle, CPU), and records of one CPU are in order.

import {
  TRACE_CPU,
  TRACE_CYCLE,
  TRACE_KIND,
  TRACE_PEER,
  TRACE_RECORD_BYTES,
  TRACE_SUBJECT,
  TRACE_VALUE,
  TRACE_VALUE2,
  TraceKind,
} from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { machine, reserve } from "../machine.ts";

export function openTrace(records: u32): bool {
  const m = machine();
  m.traceRing = reserve(<usize>records * TRACE_RECORD_BYTES, 64);
  m.traceCapacity = records;
  return m.traceRing != 0;
}

/** Appends a record if its kind is wanted. A record that finds the ring full is counted as lost, never dropped silently. */
export function trace(kind: TraceKind, cpu: Cpu, cycle: u64, subject: u32, peer: u32, value: u64, value2: u64): void {
  const m = machine();
  // What the shadow does hasn't happened.
  if (changetype<usize>(cpu) == m.shadow) return;
  if ((m.traceMask & ((<u32>1) << (<u32>kind))) == 0) return;
  if (m.traceCount >= m.traceCapacity) {
    m.traceLost++;
    return;
  }
  const record = m.traceRing + <usize>m.traceCount * TRACE_RECORD_BYTES;
  m.traceCount++;
  store<u64>(record, cycle, TRACE_CYCLE);
  store<u32>(record, cpu.index, TRACE_CPU);
  store<u32>(record, kind, TRACE_KIND);
  store<u32>(record, subject, TRACE_SUBJECT);
  store<u32>(record, peer, TRACE_PEER);
  store<u64>(record, value, TRACE_VALUE);
  store<u64>(record, value2, TRACE_VALUE2);
}

/** Whether records of a kind are wanted: for what takes some work to tell. */
// @ts-ignore: decorator
@inline
export function isTraced(kind: TraceKind): bool {
  return (machine().traceMask & ((<u32>1) << (<u32>kind))) != 0;
}

/** Whether the host should drain the ring before more happens. */
export function traceWantsDraining(): bool {
  const m = machine();
  return m.traceCount > m.traceCapacity - (m.traceCapacity >>> 2);
}
