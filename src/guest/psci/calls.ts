// Calls of the firmware: how they are made (SMCCC, Arm DEN 0028), and PSCI's (Arm DEN 0022; drivers/firmware/psci/psci.c).

import { imageOption, inRegister, u32, u64, type Builder, type Operand, type Value } from "../../asm/index.ts";

/** 1: by HVC, as on a board without a secure monitor; 0: by SMC. */
export const firmwareByHvc = imageOption("firmwareByHvc", u32, 0);

const CPU_SUSPEND = 0xc400_0001;
const CPU_OFF = 0x8400_0002;
const CPU_ON = 0xc400_0003;
const AFFINITY_INFO = 0xc400_0004;

/** A call with up to five arguments; the result is X0's. X1 to X17 come back as they were. */
export function firmwareCall(k: Builder, id: number, ...values: readonly Operand<"u64">[]): Value<"u64"> {
  const placed = [id, ...values].map((value, index) => {
    const argument = k.let(`x${index}_`, value, u64);
    return [`a${index}`, inRegister(argument, { arm64: `x${index}` })] as const;
  });
  const uses: Readonly<Record<string, ReturnType<typeof inRegister>>> = Object.fromEntries(placed);
  const result = k.let("firmware", 0, u64);
  const call = (conduit: "smc" | "hvc"): void =>
    k.set(
      result,
      k.arch(
        { arm64: (a) => void a[conduit]() },
        { uses, result: u64, resultIn: { arm64: "x0" }, clobbers: { arm64: ["x0"] } },
      ),
    );
  k.if(
    firmwareByHvc.eq(0),
    () => call("smc"),
    () => call("hvc"),
  );
  return result;
}

/** Standby of the calling CPU: its power_state is 0, and nothing is lost. Comes back when an interrupt is signalled, masked or not. */
export function psciCpuSuspend(k: Builder): void {
  firmwareCall(k, CPU_SUSPEND, 0, 0, 0);
}

/** Returns on failure only. */
export function psciCpuOff(k: Builder): void {
  firmwareCall(k, CPU_OFF);
}

/** @returns 0, -4 ALREADY_ON, -5 ON_PENDING, or another error */
export function psciCpuOn(
  k: Builder,
  mpidr: Operand<"u64">,
  entry: Operand<"u64">,
  context: Operand<"u64">,
): Value<"u64"> {
  return firmwareCall(k, CPU_ON, mpidr, entry, context);
}

/** @returns 0 ON, 1 OFF, 2 ON_PENDING */
export function psciAffinityInfo(k: Builder, mpidr: Operand<"u64">): Value<"u64"> {
  return firmwareCall(k, AFFINITY_INFO, mpidr, 0);
}
