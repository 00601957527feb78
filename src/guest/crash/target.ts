// CPUs that are shot down: by NMI, or because they look for it in an NMI that they are in already (arch/x86/kernel/reboot.c, crash.c).
// Nobody returns from either, so nobody reports twice.

import {
  asmRoutine,
  cast,
  i32,
  isNull,
  nothing,
  ptr,
  routine,
  signature,
  u32,
  u64,
  type Builder,
} from "../../asm/index.ts";
import { X64Regs } from "../entry/regs.ts";
import { disableInterrupts } from "../hotplug/cpu-down.ts";
import { NmiHandled } from "../nmi/data.ts";
import { observed } from "../observe.ts";
import { x64CrashSaveCpu } from "../panic/crash-note.ts";
import { local } from "../percpu.ts";
import { ShootdownCallback, shootdown } from "./data.ts";

/** halt(), and for the case that something wakes it, cpu_relax() for ever. */
const haltThenRelax = asmRoutine(
  "halt_then_relax",
  {
    x64: (a) => {
      a.hlt().label("again");
      a.pause().jmp("again");
    },
  },
  { signature: signature([], nothing), noReturn: true },
);

/** kdump_nmi_callback(): the registers first. Processor trace and encrypted guests, which come between, have nothing to act on here. */
export const kdumpNmiCallback = routine(
  "kdump_nmi_callback",
  [{ cpu: u32 }, { regs: ptr(X64Regs) }],
  nothing,
  (k, { regs }) => {
    k.call(x64CrashSaveCpu, regs);
    k.call(disableInterrupts);
  },
);

/** crash_nmi_callback(). The CPU that crashes claims what its watchdog sends it. */
export const crashNmiCallback = routine(
  "crash_nmi_callback",
  [{ type: u32 }, { regs: ptr(X64Regs) }],
  i32,
  (k, { regs }) => {
    const cpu = k.let("cpu", local.here.cpu);
    k.if(k.readOnce(shootdown.crashing_cpu).eq(cpu), () => k.return(NmiHandled.Handled));
    k.mark(observed("handle", { which: "crash" }));
    k.irqDisable();
    k.if(isNull(shootdown.callback).not(), () => k.callPointer(shootdown.callback, ShootdownCallback, cpu, regs));
    k.mark(observed("ack"));
    k.atomicDec(shootdown.waiting_for_crash_ipi);
    k.mark(observed("park", { which: "hlt" }));
    k.call(haltThenRelax);
  },
);

function poll(k: Builder, regs: Parameters<typeof cast>[0]): void {
  k.if(k.readOnce(shootdown.crash_ipi_issued).ne(0), () => void k.call(crashNmiCallback, 0, cast(regs, X64Regs)));
}

/** run_crash_ipi_callback(): in the dispatcher, where a CPU waits for the reason port's lock in an NMI. */
export const runCrashIpiCallback = routine("run_crash_ipi_callback", { regs: ptr(X64Regs) }, nothing, (k, { regs }) => {
  k.if(k.readOnce(shootdown.crash_ipi_issued).ne(0), () => void k.call(crashNmiCallback, 0, regs));
});

/** nmi_panic_self_stop() of x86: the other place where a CPU stays in an NMI. */
export const pollingNmiSelfStop = routine(
  "nmi_panic_self_stop_polling",
  { regs: u64 },
  nothing,
  (k, { regs }) => {
    k.mark(observed("park", { which: "spin" }));
    k.cpuRelax();
    k.loop(() => {
      poll(k, regs);
      k.cpuRelax();
    });
  },
  { noReturn: true },
);
