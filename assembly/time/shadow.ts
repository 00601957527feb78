// stub
import { Cpu } from "../cpu.ts";
export function shadowHost(cpu: Cpu, address: u64, write: bool): usize {
  return 0;
}
