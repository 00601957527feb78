// What the CPU that crashes and those that it shoots down share (arch/x86/kernel/reboot.c).

import { code, global, i32, imageOption, ptr, signature, struct, u32, nothing } from "../../asm/index.ts";
import { X64Regs } from "../entry/regs.ts";

/** Statics of one file: they share a line. */
const Shootdown = struct("nmi_shootdown", {
  /** nmi_shootdown_cb: what each CPU runs before it reports. */
  callback: code,
  crashing_cpu: u32,
  /** Reports that are to come. Below zero if more come than were counted. */
  waiting_for_crash_ipi: i32,
  /** 1 once the NMIs are on their way: for CPUs that can't take one. */
  crash_ipi_issued: u32,
});

export const NOBODY = 0xffff_ffff;
export const shootdown = global("nmi_shootdown", Shootdown, { initial: { crashing_cpu: NOBODY }, align: 64 });

export const ShootdownCallback = signature([{ cpu: u32 }, { regs: ptr(X64Regs) }], nothing);

/** 1: the NMI that a request panics in comes while its CPU holds the lock of the handler list (S18). */
export const panicInListLock = imageOption("panicInListLock", u32, 0);
