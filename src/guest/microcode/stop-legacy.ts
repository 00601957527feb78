// How CPUs are stopped for an update, up to the series that has stop_machine() run functions in NMI context: by stop_machine(), whose
// function sends an NMI to its own CPU and is done (arch/x86/kernel/cpu/microcode/core.c).

import { bind, codeOf, constant, global, i32, nothing, ptr, routine, u32, u64, type Binding } from "../../asm/index.ts";
import { X86Vector } from "../../abi.ts";
import { X64Regs } from "../entry/regs.ts";
import { sendIpi } from "../irqchip/controller.ts";
import { onlineMaskPointer } from "../lib/cpumask.ts";
import { microcodeNmiHandler, microcodeOfflineNmiHandler } from "../nmi/entry.ts";
import { observed } from "../observe.ts";
import { local } from "../percpu.ts";
import { stopMachineCpuslocked } from "../stop/stop-machine.ts";
import { microcodeOps, ucodeCtrl } from "./data.ts";
import { stopForUpdate } from "./late-load.ts";
import { microcodeUpdateHandler } from "./load.ts";
import { holdOffline } from "./offline.ts";

/** microcode_nmi_handler_enable: a static branch, that is code which is patched; here a word that nobody writes otherwise. */
const nmiHandlerEnable = global("microcode_nmi_handler_enable", u32, { align: 64 });

/** load_cpus_stopped: with the NMI raised, the CPU acknowledges RUN, whether or not the NMI has come. */
const loadCpusStopped = routine("load_cpus_stopped", { data: u64 }, i32, (k, { data }) => {
  k.if(
    microcodeOps.use_nmi.ne(0),
    () => {
      const cpu = k.let("cpu", local.here.cpu);
      k.set(ucodeCtrl.here.nmi_enabled, 1);
      k.mark(observed("raise", { which: "microcode", locals: ["cpu"] }));
      k.call(sendIpi, cpu, X86Vector.NMI);
    },
    () => {
      k.call(microcodeUpdateHandler, data);
    },
  );
  k.return(constant(i32, 0));
});

const stopLegacy = routine("microcode_stop_legacy", [], nothing, (k) => {
  k.if(microcodeOps.use_nmi.ne(0), () => k.writeOnce(nmiHandlerEnable, 1));
  k.call(stopMachineCpuslocked, codeOf(loadCpusStopped), 0, onlineMaskPointer);
  k.if(microcodeOps.use_nmi.ne(0), () => k.writeOnce(nmiHandlerEnable, 0));
});

/** microcode_nmi_handler, behind the switch: 1 for an NMI of its own. */
const claimNmi = routine("microcode_nmi_handler_legacy", { regs: ptr(X64Regs) }, u32, (k) => {
  k.if(k.readOnce(nmiHandlerEnable).eq(0), () => k.return(0));
  k.if(ucodeCtrl.here.nmi_enabled.eq(0), () => k.return(0));
  k.set(ucodeCtrl.here.nmi_enabled, 0);
  k.mark(observed("handle", { which: "microcode" }));
  k.call(microcodeUpdateHandler, constant(u64, 0));
  k.return(1);
});

/** Behind the switch, too. */
const holdOfflineIfEnabled = routine("microcode_offline_nmi_handler_legacy", {}, u32, (k) => {
  k.if(k.readOnce(nmiHandlerEnable).eq(0), () => k.return(0));
  k.return(k.call(holdOffline));
});

export const legacyStopBindings: readonly Binding[] = [
  bind(stopForUpdate, stopLegacy),
  bind(microcodeNmiHandler, claimNmi),
  bind(microcodeOfflineNmiHandler, holdOfflineIfEnabled),
];
