// Pieces of guest programs that deal with the GIC (Arm IHI 0069H).

import { GICR_BASE } from "../../../src/abi.ts";
import { Guest, openInterrupts, park, setVectors, vectors } from "./guest.ts";

/** No interrupt to acknowledge (IHI 0069H 2.2.1). */
export const SPURIOUS = 1023n;
/** Offset of a redistributor's second frame. */
export const SGI_FRAME = 0x10000;

/** A value for ICC_SGI1R_EL1. */
export function sgi(id: number, list: number, { aff3 = 0, aff2 = 0, aff1 = 0, rs = 0, irm = 0 } = {}): bigint {
  const affinity = (BigInt(aff3) << 48n) | (BigInt(aff2) << 32n) | (BigInt(aff1) << 16n);
  return affinity | (BigInt(rs) << 44n) | (BigInt(irm) << 40n) | (BigInt(id) << 24n) | BigInt(list);
}

export function send(value: bigint): string {
  return `li x9, #${value}\n msr icc_sgi1r_el1, x9\n isb\n`;
}

let waits = 0;

/** Lets some thousand cycles pass; changes X9. */
export function wait(turns: number): string {
  const label = `wait_${waits++}`;
  return `mov x9, #${turns}\n ${label}: sub x9, x9, #1\n cbnz x9, ${label}\n`;
}

/** One CPU with everything open and PSTATE masking; SGIs to itself arrive a little later. */
export function alone(text: string, handlers = ""): Guest {
  const guest = new Guest(
    `start: ${setVectors} ${openInterrupts(0)}\n ${text}\n b park\n ${handlers === "" ? vectors({}) : handlers}\n ${park}`,
  );
  guest.start("start").run();
  return guest;
}

/** Sends SGIs to the CPU itself and waits until they are there. */
export const toSelf = (...ids: number[]): string => ids.map((id) => send(sgi(id, 1))).join("") + wait(1000);

/** Of an SGI of CPU 0; changes X9 and X10. */
export const setPriority = (id: number, priority: number): string => `
  li x9, #${GICR_BASE + SGI_FRAME + 0x400 + id}
  mov w10, #${priority}
  strb w10, [x9]
`;
