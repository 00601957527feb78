// NMIs of the chipset: port 0x61 says whether SERR# or IOCHK# is behind one (arch/x86/kernel/nmi.c).

import { global, nothing, ptr, routine, u32, x64, type Builder, type Pointer, type Value } from "../../asm/index.ts";
import {
  SYSTEM_CONTROL_IOCHK,
  SYSTEM_CONTROL_IOCHK_DISABLE,
  SYSTEM_CONTROL_SERR,
  SYSTEM_CONTROL_SERR_DISABLE,
  X86_PORT_SYSTEM_CONTROL,
} from "../../abi.ts";
import { X64Regs } from "../entry/regs.ts";
import { udelay } from "../lib/delay.ts";
import { observed } from "../observe.ts";
import { NmiType } from "./data.ts";
import { nmiHandle } from "./handlers.ts";
import { nmiPanic, panicOnIoNmi, panicOnUnrecoveredNmi } from "./panic.ts";

/** nmi_reason_lock: the port is the machine's, not the CPU's. */
export const nmiReasonLock = global("nmi_reason_lock", u32, { align: 64 });

export const NMI_REASON_MASK = SYSTEM_CONTROL_SERR | SYSTEM_CONTROL_IOCHK;
const NMI_REASON_CLEAR_MASK = 0x0f;
/** Steps of 100 us for which the IOCHK line stays disabled. */
const IOCHK_PAUSES = 20_000;
const IOCHK_PAUSE_US = 100;

/** default_get_nmi_reason() */
export function getNmiReason(k: Builder): Value<"u32"> {
  return k.arch(
    { x64: (a) => void a.xor(x64.eax, x64.eax).inPort(8, X86_PORT_SYSTEM_CONTROL) },
    { uses: {}, result: u32, resultIn: { x64: "rax" }, clobbers: { x64: ["rax"] } },
  );
}

function writeReason(k: Builder, value: Value<"u32">): void {
  k.arch(
    { x64: (a, { value: byte }) => void a.mov(x64.eax, byte).outPort(8, X86_PORT_SYSTEM_CONTROL) },
    { uses: { value }, clobbers: { x64: ["rax"] } },
  );
}

/** pci_serr_error(): without a handler the line is disabled for good. */
const pciSerrError = routine(
  "pci_serr_error",
  [{ reason: u32 }, { regs: ptr(X64Regs) }],
  nothing,
  (k, { reason, regs }) => {
    k.mark(observed("handle", { which: "serr" }));
    k.if(k.call(nmiHandle, NmiType.Serr, regs).ne(0), () => k.return());
    k.if(panicOnUnrecoveredNmi.ne(0), () => k.call(nmiPanic, regs));
    k.mark(observed("say", { which: "dazed_and_confused_serr", locals: ["reason"] }));
    k.set(reason, reason.and(NMI_REASON_CLEAR_MASK).or(SYSTEM_CONTROL_SERR_DISABLE));
    writeReason(k, reason);
  },
);

/** io_check_error(): without a handler the line is disabled for two seconds, which this CPU spends here, and then enabled again. */
const ioCheckError = routine(
  "io_check_error",
  [{ reason: u32 }, { regs: ptr(X64Regs) }],
  nothing,
  (k, { reason, regs }) => {
    k.mark(observed("handle", { which: "iochk" }));
    k.if(k.call(nmiHandle, NmiType.IoCheck, regs).ne(0), () => k.return());
    k.if(panicOnIoNmi.ne(0), () => k.call(nmiPanic, regs));
    k.mark(observed("say", { which: "iock_error", locals: ["reason"] }));
    k.set(reason, reason.and(NMI_REASON_CLEAR_MASK).or(SYSTEM_CONTROL_IOCHK_DISABLE));
    writeReason(k, reason);
    k.for("pause", 1, IOCHK_PAUSES, () => k.call(udelay, IOCHK_PAUSE_US));
    k.set(reason, reason.and(NMI_REASON_CLEAR_MASK & ~SYSTEM_CONTROL_IOCHK_DISABLE));
    writeReason(k, reason);
  },
);

/** The handlers of what the port names, or what comes in their place. SERR# is looked at first, and then alone. */
export function serveReason(k: Builder, reason: Value<"u32">, regs: Pointer<typeof X64Regs>): void {
  k.if(
    reason.and(SYSTEM_CONTROL_SERR).ne(0),
    () => k.call(pciSerrError, reason, regs),
    () => k.call(ioCheckError, reason, regs),
  );
}
