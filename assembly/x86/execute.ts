import { Cpu } from "../cpu.ts";
import { Leave } from "../time/leave.ts";
export function x86Execute(cpu: Cpu, must: bool): Leave { return Leave.LIMIT; }
