// Calls of SDEI (Arm DEN 0054C chapter 5; drivers/firmware/arm_sdei.c).

import { type Builder, type Operand, type Value } from "../../asm/index.ts";
import { firmwareCall } from "../psci/calls.ts";

export const SdeiFunction = {
  EVENT_REGISTER: 0xc400_0021,
  EVENT_ENABLE: 0xc400_0022,
  EVENT_CONTEXT: 0xc400_0024,
  EVENT_COMPLETE: 0xc400_0025,
  EVENT_COMPLETE_AND_RESUME: 0xc400_0026,
  EVENT_UNREGISTER: 0xc400_0027,
  PE_MASK: 0xc400_002b,
  PE_UNMASK: 0xc400_002c,
  EVENT_SIGNAL: 0xc400_002f,
  PRIVATE_RESET: 0xc400_0031,
  SHARED_RESET: 0xc400_0032,
} as const;

/** The only event that software can signal: private to each PE, of normal priority. */
export const SOFTWARE_EVENT = 0;

/** What EVENT_COMPLETE is told. */
export const SdeiStatus = { Handled: 0, Failed: 1 } as const;

/** EVENT_REGISTER for the calling PE; flags and affinity are those of shared events. */
export function eventRegister(
  k: Builder,
  event: number,
  entry: Operand<"u64">,
  argument: Operand<"u64">,
): Value<"u64"> {
  return firmwareCall(k, SdeiFunction.EVENT_REGISTER, event, entry, argument, 0, 0);
}

export function eventEnable(k: Builder, event: number): Value<"u64"> {
  return firmwareCall(k, SdeiFunction.EVENT_ENABLE, event);
}

export function eventUnregister(k: Builder, event: number): Value<"u64"> {
  return firmwareCall(k, SdeiFunction.EVENT_UNREGISTER, event);
}

/** A register of the interrupted context, 0 to 17; from within a handler only. */
export function eventContext(k: Builder, register: number): Value<"u64"> {
  return firmwareCall(k, SdeiFunction.EVENT_CONTEXT, register);
}

/** The SMC orders nothing: what the target is to see must be visible before (DSB ISHST). */
export function eventSignal(k: Builder, event: number, mpidr: Operand<"u64">): Value<"u64"> {
  return firmwareCall(k, SdeiFunction.EVENT_SIGNAL, event, mpidr);
}

export function peMask(k: Builder): void {
  firmwareCall(k, SdeiFunction.PE_MASK);
}

export function peUnmask(k: Builder): void {
  firmwareCall(k, SdeiFunction.PE_UNMASK);
}

/** sdei_platform_reset(): what a kernel starts with, whoever ran before. */
export function privateReset(k: Builder): Value<"u64"> {
  return firmwareCall(k, SdeiFunction.PRIVATE_RESET);
}

export function sharedReset(k: Builder): Value<"u64"> {
  return firmwareCall(k, SdeiFunction.SHARED_RESET);
}
