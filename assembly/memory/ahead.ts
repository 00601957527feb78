// Requests for lines that a CPU is going to miss, sent before global time has reached the access.

import { PAGE_RAM, PAGE_READ, PAGE_WRITE } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { machine } from "../machine.ts";
import { Leave } from "../time/leave.ts";
import { startCycle } from "../time/bounds.ts";
import { markBlocked } from "./access.ts";
import { readable, writable } from "./copies.ts";
import { requestLine } from "./directory.ts";
import { Permission, permissionOf } from "./lines.ts";
import { accessRequest } from "./request.ts";
import { bytesToLineEnd, lineOf, pageAt } from "./map.ts";

/**
 * The CPU's next instruction is one plain access of `size` bytes (any size up to the true one that stays in its line
 * serves), at a start beyond the limit of hits. Sends its request when it is certain to miss.
 */
export function requestAhead(cpu: Cpu, address: u64, size: u32, write: bool): Leave {
  // What a waiting store does with the line is known when it has drained.
  if (cpu.storing != 0) return Leave.LIMIT;
  // The line may come yet.
  if (cpu.asksEarly != 0) return Leave.LIMIT;
  if (cpu.core.threadCount != 1 || changetype<usize>(cpu) == machine().shadow) return Leave.LIMIT;
  if (size > bytesToLineEnd(address)) return Leave.LIMIT;
  const base = changetype<usize>(cpu);
  if ((write ? writable(base, address, size) : readable(base, address, size)) != 0) return Leave.LIMIT;
  const page = pageAt(address);
  if ((page & (write ? PAGE_WRITE : PAGE_READ)) == 0 || (page & PAGE_RAM) == 0) return Leave.LIMIT;
  const line = lineOf(address);
  if (permissionOf(cpu.core, line) >= (write ? Permission.WRITE : Permission.READ)) return Leave.LIMIT;
  markBlocked(cpu);
  requestLine(accessRequest(cpu), address, write, startCycle(cpu));
  return Leave.BLOCKED;
}
