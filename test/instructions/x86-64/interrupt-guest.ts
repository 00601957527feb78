// What programs for tests of interrupts and NMIs are made of.

import { type Code, le, RAX, RBX, RCX, RDX } from "./code.ts";
import {
  countWord,
  DATA,
  enableApic,
  type Gate,
  Guest,
  type GuestOptions,
  halt,
  iretq,
  loadTables,
  writeMsr,
  X2APIC,
} from "./guest.ts";

export const FIXED = 0;
export const NMI = 4;
export const TO_ALL = 2;
export const TO_OTHERS = 3;
const LOGICAL = 0x800;
export const NMI_VECTOR = 2;

export function icr(vector: number, { mode = FIXED, shorthand = 0, logical = false, destination = 0 } = {}): bigint {
  const low = vector | (mode << 8) | (logical ? LOGICAL : 0) | 0x4000 | (shorthand << 18);
  return BigInt(low) | (BigInt(destination) << 32n);
}

export const send = (code: Code, value: bigint): void => writeMsr(code, X2APIC.icr, value);
/** To the CPU itself; fixed interrupts are there when some time has passed. */
export const sendSelf = (code: Code, vector: number): void => writeMsr(code, X2APIC.selfIpi, vector);
export const endOfInterrupt = (code: Code): void => writeMsr(code, X2APIC.eoi, 0);
export const nmiTo = (destination: number): bigint => icr(0, { mode: NMI, destination });

/**
 * One CPU with tables and APIC set, IF clear. Handlers are written by vector; each ends with IRETQ unless it halts.
 * They keep RAX, RCX and RDX.
 */
export function alone(
  emit: (code: Code) => void,
  handlers: Record<number, (code: Code) => void> = {},
  options: GuestOptions = {},
): Guest {
  const gates: Record<number, Gate> = {};
  for (const vector of Object.keys(handlers))
    gates[Number(vector)] = { label: `handler${vector}`, ...options.gates?.[Number(vector)] };
  const guest = new Guest(
    (code) => {
      code.label("start");
      loadTables(code);
      enableApic(code);
      emit(code);
      halt(code);
      for (const [vector, handler] of Object.entries(handlers)) {
        code.label(`handler${vector}`).push(RAX).push(RCX).push(RDX);
        handler(code);
        code.pop(RDX).pop(RCX).pop(RAX);
        iretq(code);
      }
    },
    { ...options, gates: { ...options.gates, ...gates } },
  );
  guest.start("start").run();
  return guest;
}

/** Notes an order: DATA[0] counts, and DATA[count] becomes `number`; changes RBX. */
export function note(code: Code, number: number): void {
  countWord(code, 0);
  code.mov(RBX, { displacement: DATA });
  code.put({ opcode: [0xc7], rm: { index: RBX, scale: 8, displacement: DATA }, wide: true, immediate: le(number, 4) });
}

export const noted = (guest: Guest): bigint[] =>
  Array.from({ length: Number(guest.data(0)) }, (_, index) => guest.data(index + 1));
