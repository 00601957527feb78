// Design D of stop_machine() in NMI context: ours. Each CPU arms itself, waits for what it has raised, and takes back what has not come.
//
//   S1   The result is read when the function has run: RUN waits for `done`, and sends again when an NMI is lost.
//   S2   Nobody acknowledges RUN while its function may still be called. The handler reads a copy of its own CPU, never the requester's
//        block: an NMI that is late finds nothing armed, and touches nothing.
//   S3   No masks: who runs the function is decided once, by multi_cpu_stop(), which knows what NULL means (S7).
//   S4   Not armed is the state at first, and between calls: an NMI then isn't ours.
//   S5   An NMI that comes while the CPU is armed runs the function, whoever raised it, and all other handlers are asked, too: they may have
//        been meant as well. The self-NMI that follows, when it was not that one, is expected: nobody calls it unknown.
//   S6   The first error stays (keepFirstError): one that a function returned.
//   S8   CPUs that are offline are outside, as in C: who needs them quiet holds them, as microcode's kick does.
//   S9   No switch: both entries are the same but for the lock.
//   S10  What gives up disarms first, and only if that finds the CPU armed: then the function won't run any more.
//   S11  Functions have to be known as safe in NMIs; others are refused before anybody is stopped.
//   S12  An exception inside the function returns without IRET (entry/x64.ts), so that NMIs stay blocked until it is over.
//   S34  Arming is one store, the last one: before it nothing is armed, behind it everything is.

import {
  addressOf,
  code,
  codeOf,
  i32,
  perCpu,
  ptr,
  routine,
  same,
  slot,
  struct,
  u32,
  u64,
  x64,
  type Builder,
  type Pointer,
  type Value,
} from "../../asm/index.ts";
import { X86Vector } from "../../abi.ts";
import { X64Regs } from "../entry/regs.ts";
import { sendIpi } from "../irqchip/controller.ts";
import { ticksPerMicrosecond, waitUpTo } from "../lib/delay.ts";
import { EINVAL, ETIMEDOUT } from "../lib/errno.ts";
import { stoppedFunction } from "../load/function.ts";
import { nmi } from "../nmi/data.ts";
import { NmiClaim } from "../nmi/entry.ts";
import { observed } from "../observe.ts";
import { local } from "../percpu.ts";
import { CpuStopFunction } from "./multi-stop.ts";
import { MultiStopData } from "./data.ts";
import { DELIVERY, markRaise, nmiMultiStop, nmiStopRoutines, selfNmiIterations } from "./nmi-stop.ts";

const NmiStop = struct(
  "nmi_stop_d",
  {
    /** What the next NMI runs, if `armed`. */
    fn: code,
    data: u64,
    armed: u32,
    done: u32,
    ret: i32,
    /** Self-NMIs that have been sent and not been seen; none is waited for beyond this time. */
    expected: u32,
    expected_until: u64,
    /** Whether the last call has given up on its self-NMIs, which will come late, however late; and the first of them has come. */
    given_up: u32,
  },
  { size: 48 },
);
export const nmiStopD = perCpu("nmi_stop_d", NmiStop, { offset: 0x880 });
type Mine = Pointer<typeof NmiStop>;

const GIVEN_UP = 1;
const GIVEN_UP_AND_CAME = 2;

/** A self-NMI that has not come in time is sent again, so often: together as long as the kernel waits for backtraces. */
export const SENDINGS = 10;

/** Functions that may run in an NMI: 1 for one that may. */
export const isNmiSafe = slot("nmi_safe_function", { fn: code }, u32);

/** The function under test may. */
export const onlyStoppedFunction = routine("nmi_safe_stopped_function", { fn: code }, u32, (k, { fn }) => {
  k.return(k.bool(same(fn, codeOf(stoppedFunction))));
});

function readTsc(k: Builder): Value<"u64"> {
  return k.arch(
    { x64: (a) => void a.rdtsc().shl(x64.rdx, 32).or(x64.rax, x64.rdx) },
    { uses: {}, result: u64, resultIn: { x64: "rax" }, clobbers: { x64: ["rax", "rdx"] } },
  );
}

/** Notes that an NMI is on its way, then sends it. */
function sendExpected(k: Builder, mine: Mine): void {
  const until = readTsc(k).add(ticksPerMicrosecond.to(u64).mul(selfNmiIterations.to(u64)).mul(SENDINGS));
  k.set(mine.expected_until, until);
  k.atomicInc(mine.expected);
  k.call(sendIpi, local.here.cpu, X86Vector.NMI);
}

export const runD = nmiMultiStop("d", (k, msdata) => {
  const mine = k.let("mine", addressOf(nmiStopD.here));
  k.set(mine.done, 0);
  k.set(mine.given_up, 0);
  k.set(mine.fn, msdata.fn);
  k.set(mine.data, msdata.data);
  markRaise(k);
  k.writeOnce(mine.armed, 1);
  k.mark("armed");
  const result = k.let("nmi_result", -ETIMEDOUT, i32);
  k.for("sending", 0, SENDINGS, () => {
    // A foreign NMI may have run it already, and then this one would be for nothing.
    k.if(k.readOnce(mine.done).ne(0), () => k.break());
    k.mark("send");
    sendExpected(k, mine);
    waitUpTo(k, "self_nmi", DELIVERY, () => k.readOnce(mine.done).ne(0));
  });
  const wasArmed = k.let("was_armed", k.xchg(mine.armed, 0));
  k.if(
    wasArmed.ne(0),
    () => k.set(mine.given_up, GIVEN_UP),
    () => k.set(result, mine.ret),
  );
  return result;
});

/** Runs the function, if there is one to run; others are asked in any case. */
export const handlerD = routine("stop_machine_nmi_handler_d", { regs: ptr(X64Regs) }, u32, (k) => {
  const mine = k.let("mine", addressOf(nmiStopD.here));
  k.if(mine.armed.eq(0), () => k.return(NmiClaim.None));
  k.set(mine.armed, 0);
  k.set(nmi.here.stay_blocked, 1);
  k.set(mine.ret, k.callPointer(mine.fn, CpuStopFunction, mine.data));
  k.set(nmi.here.stay_blocked, 0);
  k.mark(observed("handle", { which: "stop" }));
  k.writeOnce(mine.done, 1);
  k.return(NmiClaim.Continue);
});

/** An NMI that nobody else has claimed: one that was expected, or none of ours. */
export const accountD = routine("stop_machine_nmi_account_d", { regs: ptr(X64Regs) }, u32, (k) => {
  const mine = k.let("mine", addressOf(nmiStopD.here));
  k.if(mine.expected.eq(0), () => k.return(0));
  k.if(mine.given_up.eq(0).and(readTsc(k).gt(mine.expected_until)), () => {
    k.set(mine.expected, 0);
    k.return(0);
  });
  k.atomicDec(mine.expected);
  k.if(mine.given_up.eq(GIVEN_UP), () => {
    k.mark(observed("handle", { which: "stop" }));
    k.set(mine.given_up, GIVEN_UP_AND_CAME);
  });
  k.return(1);
});

export const designD = nmiStopRoutines({
  name: "d",
  type: MultiStopData,
  multiStop: runD,
  check: (k, fn, refuse) => k.if(k.call(isNmiSafe, fn).eq(0), () => refuse(-EINVAL)),
});
