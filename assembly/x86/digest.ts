import { Cpu } from "../cpu.ts";
export function x86Digest(cpu: Cpu): void {}
