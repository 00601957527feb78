// Data of the NMI entry (arch/x86/kernel/nmi.c).

import {
  array,
  code,
  global,
  i32,
  imageOption,
  offsetOf,
  perCpu,
  ptr,
  signature,
  struct,
  u32,
  u64,
  x64,
} from "../../asm/index.ts";
import { X64Regs } from "../entry/regs.ts";
import { ListHead } from "../lib/list.ts";

/** enum nmi_states */
export const NmiState = { NotRunning: 0, Executing: 1, Latched: 2 } as const;

/** NMI_LOCAL and its like: what a handler is asked about. */
export const NmiType = { Local: 0, Unknown: 1, Serr: 2, IoCheck: 3 } as const;
export const NMI_TYPES = 4;

/** What a handler returns: how many sources it has served; more than one lets the next unclaimed NMI be swallowed. */
export const NmiHandled = { Done: 0, Handled: 1 } as const;

/** NMI_FLAG_FIRST: the handler comes at the head of its list. */
export const NMI_FLAG_FIRST = 1;

/** nmi_handler_t */
export const NmiHandler = signature([{ type: u32 }, { regs: ptr(X64Regs) }], i32);

/** struct nmiaction */
export const NmiAction = struct("nmiaction", { list: ListHead, handler: code, max_duration: u64, flags: u64 });

/** struct nmi_desc: a list's head without neighbours is null until the first handler is registered. */
export const NmiDesc = struct(
  "nmi_desc",
  { emerg_handler: code, lock: u32, head: ListHead },
  { size: 32, at: { lock: 8, head: 16 } },
);
export const nmiDesc = global("nmi_desc", array(NmiDesc, NMI_TYPES), { align: 64 });

/** What each CPU keeps: nmi_state, nmi_cr2, nmi_dr7; last_nmi_rip, swallow_nmi; struct nmi_stats, and what tells a stalled handler. */
export const NmiLocal = struct("nmi_local", {
  state: u32,
  swallow_nmi: u32,
  cr2: u64,
  dr7: u64,
  last_nmi_rip: u64,
  normal: u32,
  unknown: u32,
  external: u32,
  swallow: u32,
  /** Calls of the handler's entry; counted even where nothing else is. */
  idt_calls: u64,
  /** Odd while the handler runs, respectively while its dispatcher does. */
  idt_seq: u64,
  idt_nmi_seq: u64,
  idt_ignored: u64,
  /** While it isn't 0, exceptions return without IRET, which would let NMIs in again (entry/x64.ts). */
  stay_blocked: u32,
});
export const nmi = perCpu("nmi_state", NmiLocal, { offset: 0x800 });

function here(field: "last_nmi_rip" | "stay_blocked", width: 32 | 64) {
  return x64.memory(width, { segment: "gs", displacement: nmi.symbol.offset + offsetOf(NmiLocal, field) });
}

/** Fields of the calling CPU as operands, for code in instructions. */
export const LAST_NMI_RIP = here("last_nmi_rip", 64);
export const STAY_BLOCKED = here("stay_blocked", 32);

/** 0: the NMI handler runs for a CPU that is offline as for any other, as before Linux 5.4. */
export const nmiOfflineCheck = imageOption("nmiOfflineCheck", u32, 1);

/** ignore_nmis: while it isn't 0, NMIs are counted and that's all. */
export const ignoreNmis = global("ignore_nmis", u32, { align: 64 });
