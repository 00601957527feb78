// An access whose start lies beyond the limit of hits: a hit must wait for its turn, but a miss can be found now, since
// nobody but this CPU can turn it into a hit (docs/time.md). Finding it saves the event of coming back.

import { Cpu } from "../cpu.ts";
import { requestAhead } from "../memory/ahead.ts";
import { Leave } from "../time/leave.ts";
import { readX } from "./cpu.ts";
import { Early, findEarly } from "../memory/early.ts";
import { lineOf } from "../memory/map.ts";
import { issueNextLoads, mayBindNext } from "./early.ts";
import { addressOf, isLoad } from "./memory.ts";
import { A64, Op } from "./operations.ts";

/** cpu.pc and cpu.clock are those of the access. */
export function beyondHits(cpu: Cpu, d: A64): Leave {
  const base = changetype<usize>(cpu);
  // Probes, code in writable pages: something comes before the access.
  if (d.kind != d.operation) return Leave.LIMIT;
  const operation = <i32>d.operation;
  if (isLoad(operation)) {
    const address = addressOf(base, d);
    // What has been issued, while a load before it missed, asks for no line.
    if (findEarly(cpu, address) != Early.NONE || mayBindNext(cpu)) return Leave.LIMIT;
    const leave = requestAhead(cpu, address, 1 << (d.extra & 3), false);
    if (leave == Leave.BLOCKED) issueNextLoads(cpu, lineOf(address));
    return leave;
  }
  switch (operation) {
    case Op.LOAD_PAIR:
    case Op.LOAD_PAIR32:
      return requestAhead(cpu, addressOf(base, d), 8, false);
    case Op.LOAD_PAIR64:
      return requestAhead(cpu, addressOf(base, d), 16, false);
    case Op.LOAD_ACQUIRE:
    case Op.LOAD_EXCLUSIVE:
      return requestAligned(cpu, readX(base, d.rn), <u32>d.immediate, false);
    case Op.ATOMIC:
    case Op.COMPARE_AND_SWAP:
    case Op.COMPARE_AND_SWAP_PAIR:
      return requestAligned(cpu, readX(base, d.rn), <u32>d.immediate, true);
    default:
      // Stores wait in the store buffer; a store-exclusive needs its monitor first, and that may still be taken away.
      return Leave.LIMIT;
  }
}

/** A misaligned ordered access faults instead. */
function requestAligned(cpu: Cpu, address: u64, bytes: u32, write: bool): Leave {
  return (address & (bytes - 1)) != 0 ? Leave.LIMIT : requestAhead(cpu, address, bytes, write);
}
