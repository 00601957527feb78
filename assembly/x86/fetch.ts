// From an address to the decoded instruction there: the records of a page, and fetching of code that may change.
//
// A decoded page is a table of 4,096 record addresses, by byte offset; records are made when an offset is first executed.
//
// Code in a page that nobody may write is decoded from RAM once. Code in a writable page is fetched like data, one line
// after the other, each when the CPU holds it; the record serves as long as its bytes are the same. What has been fetched
// belongs to the instruction until it is complete: one that waits for data goes on with the bytes that it began with.
// Otherwise two CPUs, each of which stores to the other's code, could take the lines from each other for ever.

import { ADDRESS_LIMIT, PAGE_BYTES, PAGE_SHIFT } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { machine } from "../machine.ts";
import { locate } from "../memory/access.ts";
import {
  DecodedFlag,
  SpecialKind,
  admit,
  codePageAt,
  decodesAreKept,
  isWritableCode,
  mayExecute,
  openCodePage,
  probeAt,
  takeCode,
} from "../memory/code.ts";
import { readable } from "../memory/copies.ts";
import { bytesToLineEnd, lineOf, pageAt, ramAt } from "../memory/map.ts";
import { awaitStores, storesTo } from "../memory/stores.ts";
import { LONGEST } from "./bytes.ts";
import { X86State, x86 } from "./cpu.ts";
import { decodeX86 } from "./decode.ts";
import { Op, RAW_BYTES, X86, X86Flag, X86_BYTES, X86_BYTES_WITH_RAW } from "./operations.ts";
import { raiseOnly } from "./select.ts";

const TABLE_BYTES: usize = PAGE_BYTES * 4;
/** Instructions that begin this close to the end of a page may go on in the next. */
const TAIL: usize = <usize>PAGE_BYTES - <usize>LONGEST;

/** Record of an instruction whose bytes have changed since it began to be executed: for this one execution. */
// @ts-ignore: AssemblyScript reserves the bytes at compile time
const SCRATCH: usize = memory.data(64, 8);

/** Record of the instruction at an address, decoded or not; 0 when nothing can be executed there. */
export function recordAt(pc: u64): usize {
  if (pc >= <u64>ADDRESS_LIMIT) return 0;
  const table = codePageAt(pc);
  if (table != 0) {
    const record = load<u32>(table + (((<usize>pc) & (PAGE_BYTES - 1)) << 2));
    if (record != 0) return <usize>record;
  }
  return makeRecord(pc);
}

function makeRecord(pc: u64): usize {
  const page = pageAt(pc);
  if (!mayExecute(page)) return 0;
  const offset = (<usize>pc) & (PAGE_BYTES - 1);
  const writable = isWritableCode(page);
  let table = codePageAt(pc);
  let record: usize = 0;
  if (table != 0) {
    record = takeCode(writable || offset > TAIL ? X86_BYTES_WITH_RAW : X86_BYTES);
    if (record == 0) return 0;
    table = codePageAt(pc); // gone if all had to be forgotten
  }
  if (table == 0) {
    table = openCodePage(pc, TABLE_BYTES + X86_BYTES_WITH_RAW);
    if (table == 0) return 0;
    record = table + TABLE_BYTES;
  }
  store<u32>(table + (offset << 2), <u32>record);
  if (writable) changetype<X86>(record).flags = <u16>(DecodedFlag.WRITABLE_PAGE | DecodedFlag.MEMORY);
  return record;
}

/** Record behind a complete instruction, entered where it saves looking it up the next time; 0 when there is none. */
export function follow(d: X86, pc: u64, nextPc: u64): usize {
  const behind = pc + <u64>d.length;
  const flushes = machine().codeFlushes;
  const record = recordAt(nextPc);
  if (record == 0 || machine().codeFlushes != flushes || (pc ^ nextPc) >>> PAGE_SHIFT != 0) return record;
  if (nextPc == behind) d.next = <u32>record;
  else if ((d.flags & (<u16>X86Flag.DIRECT)) != 0) d.target = <u32>record;
  return record;
}

/** Gets a record ready that is dispatched as UNDECODED. @returns what to dispatch on */
export function prepare(d: X86, pc: u64): i32 {
  if ((d.flags & (<u16>DecodedFlag.WRITABLE_PAGE)) != 0) {
    // Decoded when it is fetched.
    const probed = machine().probeCount != 0 && probeAt(pc) >= 0;
    const kind: i32 = probed ? SpecialKind.PROBE : SpecialKind.FETCH;
    if (decodesAreKept()) d.kind = <u16>kind;
    return kind;
  }
  const room = <u32>PAGE_BYTES - ((<u32>pc) & (PAGE_BYTES - 1));
  const nextPage = room < LONGEST ? pageAt(pc + room) : 0;
  const available = room < LONGEST && !mayExecute(nextPage) ? room : LONGEST;
  if (!decodeX86(d, ramAt(pc), available)) {
    raiseOnly(d, Op.FETCH_FAULT);
  } else if (<u32>d.length > room && isWritableCode(nextPage)) {
    keepRaw(d, load<u64>(ramAt(pc)), load<u64>(ramAt(pc), 8));
    return admit(d, pc, nextPage);
  }
  return admit(d, pc, pageAt(pc));
}

function keepRaw(d: X86, low: u64, high: u64): void {
  store<u64>(changetype<usize>(d), low, RAW_BYTES);
  store<u64>(changetype<usize>(d), high, RAW_BYTES + 8);
}

/** Whether bytes begin with the instruction that a record holds. */
// @ts-ignore: decorator
@inline
function matches(d: X86, low: u64, high: u64): bool {
  const bits = (<u64>d.length) << 3;
  const first = low ^ load<u64>(changetype<usize>(d), RAW_BYTES);
  if (bits <= 64) return bits != 0 && first << (64 - bits) == 0;
  return first == 0 && (high ^ load<u64>(changetype<usize>(d), RAW_BYTES + 8)) << (128 - bits) == 0;
}

/**
 * Fetches the instruction at cpu.pc, whose record is `d`, through the lines that hold it.
 * @param resumed it was begun before
 * @returns the record to execute; 0 when an access is not done
 */
export function fetchInstruction(cpu: Cpu, d: X86, resumed: bool): usize {
  const pc = cpu.pc;
  if (!resumed && decodesAreKept()) {
    const host = readable(changetype<usize>(cpu), pc, <u64>max<u32>(d.length, 1));
    if (host != 0 && matches(d, load<u64>(host), load<u64>(host, 8))) {
      remember(x86(cpu), host);
      return changetype<usize>(d);
    }
  }
  return fetchLines(cpu, d, resumed);
}

function remember(state: X86State, host: usize): void {
  state.fetchLow = load<u64>(host);
  state.fetchHigh = load<u64>(host, 8);
  state.fetched = LONGEST;
}

function fetchLines(cpu: Cpu, d: X86, resumed: bool): usize {
  const state = x86(cpu);
  const pc = cpu.pc;
  const here = min(bytesToLineEnd(pc), LONGEST);
  if (!resumed) state.fetched = 0;
  if (state.fetched == 0) {
    const host = locateCode(cpu, pc);
    if (host == 0) return 0;
    state.fetchLow = load<u64>(host);
    state.fetchHigh = load<u64>(host, 8);
    state.fetched = here;
  }
  const buffer = changetype<usize>(state) + offsetof<X86State>("fetchLow");
  if (state.fetched < LONGEST && !decodeX86(changetype<X86>(SCRATCH), buffer, state.fetched)) {
    const line = pc + here;
    if (!mayExecute(pageAt(line))) {
      raiseOnly(changetype<X86>(SCRATCH), Op.FETCH_FAULT);
      return SCRATCH;
    }
    const host = locateCode(cpu, line);
    if (host == 0) return 0;
    memory.copy(buffer + here, host, LONGEST - here);
    state.fetched = LONGEST;
  }
  return decodeFetched(d, state, pc, resumed);
}

/** What the CPU itself has stored is executed, even before others see it (SDM 3A 9.1.3): the store drains first. */
function locateCode(cpu: Cpu, address: u64): usize {
  if (!storesTo(cpu, lineOf(address))) return locate(cpu, address, false);
  awaitStores(cpu);
  return 0;
}

/** The record for bytes that have all been fetched: `d` if it is theirs, or can be made theirs. */
function decodeFetched(d: X86, state: X86State, pc: u64, resumed: bool): usize {
  if (decodesAreKept() && matches(d, state.fetchLow, state.fetchHigh)) return changetype<usize>(d);
  const buffer = changetype<usize>(state) + offsetof<X86State>("fetchLow");
  const into = resumed ? changetype<X86>(SCRATCH) : d;
  decodeX86(into, buffer, state.fetched);
  if (resumed) return SCRATCH;
  keepRaw(d, state.fetchLow, state.fetchHigh);
  admitWritable(d, pc);
  return changetype<usize>(d);
}

/** As admit(), of an instruction of which at least a part lies in a writable page. */
function admitWritable(d: X86, pc: u64): void {
  d.flags |= <u16>(DecodedFlag.WRITABLE_PAGE | DecodedFlag.MEMORY);
  const probed = machine().probeCount != 0 && probeAt(pc) >= 0;
  const kind: i32 = probed ? SpecialKind.PROBE : SpecialKind.FETCH;
  d.kind = <u16>(decodesAreKept() ? kind : SpecialKind.UNDECODED);
}
