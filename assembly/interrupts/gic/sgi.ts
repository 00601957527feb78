// Sending SGIs: ICC_SGI1R_EL1, ICC_ASGI1R_EL1, ICC_SGI0R_EL1 (Arm IHI 0069H 4.4.2, 12.2).

import { Cpu } from "../../cpu.ts";
import { sendToTargets, targetAll, targetList } from "../targets.ts";

/** What an SGI is asked for as: the third byte of its message. */
export const SGI_OF_ANY_GROUP: u32 = 0;
export const SGI_OF_GROUP0: u32 = 1;

const IRM: u64 = (<u64>1) << 40;

/**
 * One message to each listed PE, or to all but the writer. With one security state ICC_SGI1R_EL1 generates an SGI in
 * whichever group its target has it, the two others only those of Group 0 (4.4.2, forwarding of SGIs).
 */
export function gicSendSgi(cpu: Cpu, value: u64, group: u32): void {
  const id = (<u32>(value >>> 24)) & 15;
  if ((value & IRM) != 0) {
    targetAll(cpu, false);
  } else {
    const range = (value >>> 44) & 15;
    const affinity = (((value >>> 48) & 0xff) << 32) | (((value >>> 32) & 0xff) << 16) | (((value >>> 16) & 0xff) << 8);
    targetList(affinity | (range << 4), (<u32>value) & 0xffff);
  }
  sendToTargets(cpu, id, group);
}
