import { Cpu } from "../cpu.ts";
export function x86TakePending(cpu: Cpu): void {}
