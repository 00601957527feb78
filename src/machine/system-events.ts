// What a host sends to the CPUs of an x86-64 machine past their instructions, and how its platform takes shutdown: checked here.

import { DeliveryMode, SYSTEM_CONTROL_IOCHK, SYSTEM_CONTROL_SERR } from "../abi.ts";
import { AllstopError } from "../errors.ts";
import { checkWhole } from "./checks.ts";

/**
 * What becomes of a CPU that shuts down (triple fault): `stop` ends the run, as a PC's chipset resets the machine; `wait` leaves
 * the CPU in the shutdown state, until an NMI, SMI or INIT (Intel SDM 3A 6.15, interrupt 8).
 */
export type ShutdownMode = "stop" | "wait";

/** A message to a local APIC (Intel SDM 3A 11.6.1). */
export type InterruptMessage =
  | { readonly kind: "fixed"; readonly vector: number }
  | { readonly kind: "nmi" }
  | { readonly kind: "smi" }
  | { readonly kind: "init" }
  /** `page`: address over 4096 at which real mode would begin. It isn't modelled: the entry finds the page in RSI. */
  | { readonly kind: "startup"; readonly page?: number }
  /** arm64: an SGI or PPI becomes pending, INTID 0 to 31, as if somebody had sent it. */
  | { readonly kind: "private"; readonly intid: number };

/** An instruction of a CPU: the one at a symbol, mark or address when the CPU next comes there, or so many executed from there on. */
export interface InstructionPlace {
  readonly place: string | number;
  /** Instructions that the CPU executes from there on, those of handlers included; 0 if not given. */
  readonly instructions?: number;
}

/** When something of the host reaches a CPU. */
export interface Arrival {
  /** The next cycle if not given. */
  readonly cycle?: number;
  /**
   * From that cycle on it waits until the CPU is about to execute an instruction: exact also where several of them start in one cycle.
   * Up to four can wait for one CPU.
   */
  readonly at?: InstructionPlace;
}

/** Sources of the platform's NMI that port 0x61 tells of. */
export type SystemNmiReason = "serr" | "iochk";

/** Where a CPU begins by INIT or start-up IPI. */
export interface StartupEntry {
  /** Symbol or address; 64-bit mode, CPL 0, as at a start by the host. */
  readonly pc: string | number;
  /** RSP, by CPU number. */
  readonly stackOf?: (cpu: number) => number;
  /** RDI, by CPU number; its number if not given. */
  readonly argumentOf?: (cpu: number) => bigint;
}

const MOST_CYCLES = 2 ** 32 - 1;
const MOST_UPDATE_CYCLES = 2 ** 48;

/** @throws OPTION_INVALID */
export function checkShutdown(mode: ShutdownMode): ShutdownMode {
  if (["stop", "wait"].includes(mode)) return mode;
  throw new AllstopError("OPTION_INVALID", "what shutdown does", { value: mode, allowed: "stop or wait" });
}

/** Vector and delivery mode of a message. @throws OPTION_INVALID */
export function messageOf(message: InterruptMessage): { readonly vector: number; readonly mode: DeliveryMode } {
  switch (message.kind) {
    case "fixed":
      checkWhole("vector", message.vector, 0, 255);
      return { vector: message.vector, mode: DeliveryMode.FIXED };
    case "nmi":
      return { vector: 2, mode: DeliveryMode.NMI };
    case "smi":
      return { vector: 0, mode: DeliveryMode.SMI };
    case "init":
      return { vector: 0, mode: DeliveryMode.INIT };
    case "startup": {
      const { page = 0 } = message;
      checkWhole("page of the start-up IPI", page, 0, 255);
      return { vector: page, mode: DeliveryMode.STARTUP };
    }
    case "private":
      checkWhole("INTID of an SGI or PPI", message.intid, 0, 31);
      return { vector: message.intid, mode: DeliveryMode.FIXED };
    default:
      throw new AllstopError("OPTION_INVALID", "no such message", {
        value: (message as { readonly kind: unknown }).kind,
        allowed: "fixed, nmi, smi, init, startup, private",
      });
  }
}

/** Cycles in system-management mode, 0 for those of the timing model. @throws OPTION_INVALID */
export function smmCycles(durationCycles: number | undefined): number {
  if (durationCycles === undefined) return 0;
  checkWhole("cycles in system-management mode", durationCycles, 1, MOST_CYCLES);
  return durationCycles;
}

/** What a microcode update by a CPU does. */
export interface MicrocodeUpdate {
  readonly durationCycles?: number;
  readonly refused?: boolean;
}

/** Cycles that a microcode update takes, 0 for those of the timing model. @throws OPTION_INVALID */
export function microcodeCycles(durationCycles: number | undefined): bigint {
  if (durationCycles === undefined) return 0n;
  checkWhole("cycles of a microcode update", durationCycles, 1, MOST_UPDATE_CYCLES);
  return BigInt(durationCycles);
}

/** Bit of port 0x61. @throws OPTION_INVALID */
export function systemNmiSource(reason: SystemNmiReason): number {
  const sources = { serr: SYSTEM_CONTROL_SERR, iochk: SYSTEM_CONTROL_IOCHK };
  if (Object.hasOwn(sources, reason)) return sources[reason];
  throw new AllstopError("OPTION_INVALID", "no such reason of an NMI", {
    value: reason,
    allowed: Object.keys(sources).join(", "),
  });
}
