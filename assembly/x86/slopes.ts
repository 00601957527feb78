import { Cpu } from "../cpu.ts";
export function x86Slopes(cpu: Cpu): bool {
  return false;
}
