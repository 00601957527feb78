// Lists of NMI handlers (arch/x86/kernel/nmi.c). All handlers of a type run: several NMIs may have become one.

import {
  addressOf,
  cast,
  code,
  containerOf,
  i32,
  imageOption,
  isNull,
  nothing,
  ptr,
  routine,
  same,
  structAt,
  u32,
  u64,
  x64,
  type Builder,
  type Condition,
  type Pointer,
  type Value,
} from "../../asm/index.ts";
import { X64Regs } from "../entry/regs.ts";
import { forEachCpu, onlineMaskPointer } from "../lib/cpumask.ts";
import { ticksPerMicrosecond } from "../lib/delay.ts";
import { EINVAL } from "../lib/errno.ts";
import { ListHead, initListHead } from "../lib/list.ts";
import { rawSpinLockIrqsave, rawSpinUnlockIrqrestore } from "../lib/spinlock.ts";
import { observed } from "../observe.ts";
import { counters } from "../percpu.ts";
import { NMI_FLAG_FIRST, NmiAction, NmiDesc, NmiHandler, NmiType, ignoreNmis, nmi, nmiDesc } from "./data.ts";

/** nmi_longest_ns, in microseconds: a handler that takes longer is named, once for each new record of its own. */
export const nmiLongestUs = imageOption("nmiLongestUs", u32, 1000);

type Desc = Pointer<typeof NmiDesc>;

function descOf(type: Value<"u32">): Desc {
  return addressOf(structAt(cast(addressOf(nmiDesc), NmiDesc), type));
}

/** sched_clock() */
function readTsc(k: Builder): Value<"u64"> {
  return k.arch(
    { x64: (a) => void a.rdtsc().shl(x64.rdx, 32).or(x64.rax, x64.rdx) },
    { uses: {}, result: u64, resultIn: { x64: "rax" }, clobbers: { x64: ["rax", "rdx"] } },
  );
}

/** Walks a list by its next pointers, as list_for_each_entry_rcu() does. */
function forEachAction(k: Builder, desc: Desc, body: (action: Pointer<typeof NmiAction>) => void): void {
  const head = k.let("head", addressOf(desc.head));
  const entry = k.let("entry", k.readOnce(head.next), ptr(ListHead));
  const isEnd = (): Condition => isNull(entry).or(same(entry, head));
  k.while(isEnd().not(), () => {
    body(k.let("action", containerOf(entry, NmiAction, "list")));
    k.set(entry, k.readOnce(entry.next));
  });
}

/** nmi_handle(): how many sources the handlers of a type have served. An emergency handler takes the place of all of them. */
export const nmiHandle = routine("nmi_handle", [{ type: u32 }, { regs: ptr(X64Regs) }], i32, (k, { type, regs }) => {
  const desc = k.let("desc", descOf(type));
  const emergency = k.let("emergency", k.readOnce(desc.emerg_handler), code);
  k.if(isNull(emergency).not(), () => k.return(k.callPointer(emergency, NmiHandler, type, regs)));
  const handled = k.let("handled", 0, i32);
  forEachAction(k, desc, (action) => {
    const started = k.let("started", readTsc(k));
    k.set(handled, handled.add(k.callPointer(action.handler, NmiHandler, type, regs)));
    const duration = k.let("duration", readTsc(k).sub(started));
    const longest = nmiLongestUs.mul(ticksPerMicrosecond).to(u64);
    k.if(duration.gt(longest).and(duration.gt(action.max_duration)), () => {
      k.mark(observed("say", { which: "nmi_handler_took_too_long", locals: ["duration"] }));
      k.set(action.max_duration, duration);
    });
  });
  k.return(handled);
});

/** list_add_rcu: whoever walks the list meets the entry when it is whole, or not at all. */
function listAddRcu(k: Builder, entry: Pointer<typeof ListHead>, next: Pointer<typeof ListHead>): void {
  const prev = k.let("prev", next.prev);
  k.set(entry.next, next);
  k.set(entry.prev, prev);
  k.storeRelease(prev.next, entry);
  k.set(next.prev, entry);
}

/** list_del_rcu: the entry's own next pointer stays, since a CPU that stands on it has to find its way. */
function listDelRcu(k: Builder, entry: Pointer<typeof ListHead>): void {
  const next = k.let("next", entry.next);
  const prev = k.let("prev", entry.prev);
  k.set(next.prev, prev);
  k.writeOnce(prev.next, next);
}

/** WARN_ON() */
function warn(k: Builder): void {
  k.set(counters.here.warnings, counters.here.warnings.add(1));
}

/**
 * __register_nmi_handler(). The lock is an ordinary one: who registers in an NMI that has interrupted its holder spins for ever (S18).
 * @returns -EINVAL for an action that is on a list already
 */
export const registerNmiHandler = routine(
  "__register_nmi_handler",
  [{ type: u32 }, { action: ptr(NmiAction) }],
  i32,
  (k, { type, action }) => {
    k.if(isNull(action.handler).or(isNull(action.list.next).not()), () => {
      warn(k);
      k.return(-EINVAL);
    });
    const desc = k.let("desc", descOf(type));
    const flags = rawSpinLockIrqsave(k, addressOf(desc.lock));
    const head = k.let("head", addressOf(desc.head));
    k.if(isNull(head.next), () => initListHead(k, head));
    // One handler each for what the chipset reports.
    const isSingle = type.eq(NmiType.Serr).or(type.eq(NmiType.IoCheck));
    k.if(isSingle.and(same(head.next, head).not()), () => warn(k));
    // Before the head, that is at the end; or before the one that was first.
    const next = k.let("next", head, ptr(ListHead));
    k.if(action.flags.and(NMI_FLAG_FIRST).ne(0), () => k.set(next, head.next));
    listAddRcu(k, addressOf(action.list), next);
    rawSpinUnlockIrqrestore(k, addressOf(desc.lock), flags);
    k.return(0);
  },
);

/**
 * What stands for synchronize_rcu(): nobody is in an NMI handler any more that was in one before. A caller with NMIs off, or in one, waits
 * for itself.
 */
const waitForNmiHandlers = routine("nmi_synchronize", [], nothing, (k) => {
  forEachCpu(k, onlineMaskPointer, (cpu) => {
    const seq = k.let("seq", k.readOnce(nmi.of(cpu).idt_seq));
    k.if(seq.and(1).ne(0), () =>
      k.while(
        () => k.readOnce(nmi.of(cpu).idt_seq).eq(seq),
        () => k.cpuRelax(),
      ),
    );
  });
});

/** unregister_nmi_handler(), by the action itself instead of its name. */
export const unregisterNmiHandler = routine(
  "unregister_nmi_handler",
  [{ type: u32 }, { action: ptr(NmiAction) }],
  nothing,
  (k, { type, action }) => {
    const desc = k.let("desc", descOf(type));
    const flags = rawSpinLockIrqsave(k, addressOf(desc.lock));
    const isListed = k.let("is_listed", k.bool(isNull(action.list.next).not()));
    k.if(isListed.ne(0), () => listDelRcu(k, addressOf(action.list)));
    rawSpinUnlockIrqrestore(k, addressOf(desc.lock), flags);
    k.if(isListed.ne(0), () => {
      k.call(waitForNmiHandlers);
      k.writeOnce(action.list.next, null);
    });
  },
);

/**
 * set_emergency_nmi_handler(): from now on only this one is called for the type; null ends that. One store, so that it may be done in an
 * NMI.
 */
export const setEmergencyNmiHandler = routine(
  "set_emergency_nmi_handler",
  [{ type: u32 }, { handler: code }],
  nothing,
  (k, { type, handler }) => {
    const desc = k.let("desc", descOf(type));
    k.if(same(desc.emerg_handler, handler), () => {
      warn(k);
      k.return();
    });
    k.writeOnce(desc.emerg_handler, handler);
    k.smpWmb("set_emergency_nmi_handler");
  },
);

/** local_touch_nmi(): the next NMI won't count as back to back. */
export const localTouchNmi = routine("local_touch_nmi", [], nothing, (k) => {
  k.set(nmi.here.last_nmi_rip, 0);
});

/** stop_nmi(), restart_nmi(): while the machine's state is such that a handler could do harm. */
export const stopNmi = routine("stop_nmi", [], nothing, (k) => k.atomicInc(ignoreNmis));
export const restartNmi = routine("restart_nmi", [], nothing, (k) => k.atomicDec(ignoreNmis));
