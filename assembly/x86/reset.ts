import { Cpu } from "../cpu.ts";
export function x86Reset(cpu: Cpu): void {}
