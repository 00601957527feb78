// An access whose start lies beyond the limit of hits: a hit must wait for its turn, but a miss can be found now, since
// nobody but this CPU can turn it into a hit (docs/time.md). Finding it saves the event of coming back.

import { PAGE_WRITE } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { requestAhead } from "../memory/ahead.ts";
import { pageAt } from "../memory/map.ts";
import { Leave } from "../time/leave.ts";
import { addressOf } from "./address.ts";
import { RSP, readR } from "./cpu.ts";
import { Extra, X86, X86Flag } from "./operations.ts";

/** cpu.pc and cpu.clock are those of the access. */
export function beyondHits(cpu: Cpu, d: X86): Leave {
  const flags = <u32>d.flags;
  // Several accesses, or none that is certain to be made. Probes, code in writable pages: something comes before it.
  if ((flags & (X86Flag.READS | X86Flag.WRITES)) == 0 || d.kind != d.operation) return Leave.LIMIT;
  const base = changetype<usize>(cpu);
  const size = <u32>d.size;
  // Stores wait in the store buffer.
  if ((flags & (X86Flag.READS | X86Flag.PUSHES)) != <u32>X86Flag.READS) return Leave.LIMIT;
  if ((flags & X86Flag.POPS) != 0) return requestAhead(cpu, readR(base, RSP), size, false);
  const address = addressOf(base, d, cpu.pc + <u64>d.length);
  if ((flags & X86Flag.WRITES) == 0) return requestAhead(cpu, address, size, false);
  // A load and then a store; that the store is allowed is checked before the load.
  if ((pageAt(address) & PAGE_WRITE) == 0) return Leave.LIMIT;
  return requestAhead(cpu, address, size, (d.extra & (<u16>Extra.LOCK)) != 0);
}
