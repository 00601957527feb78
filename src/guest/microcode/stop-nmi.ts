// How CPUs are stopped for an update by the series of March 2026: stop_machine() itself runs the function in NMI context
// (arch/x86/kernel/cpu/microcode/core.c of its last patch). And the same on our design of that.

import { bind, code, codeOf, nothing, routine, same, u32, type Binding } from "../../asm/index.ts";
import { onlineMaskPointer } from "../lib/cpumask.ts";
import { microcodeOfflineNmiHandler } from "../nmi/entry.ts";
import { isNmiSafe } from "../stop/nmi-d.ts";
import { stopMachineNmiCpuslocked } from "../stop/nmi-stop.ts";
import { stopMachineCpuslocked } from "../stop/stop-machine.ts";
import { holdUntilReleased, updateAllOrNone } from "./all-or-none.ts";
import { microcodeOps } from "./data.ts";
import { stopForUpdate } from "./late-load.ts";
import { microcodeUpdateHandler } from "./load.ts";
import { holdOffline } from "./offline.ts";

/** What stop_machine() returns is thrown away: that of a CPU whose NMI has not come shows in its result alone. */
const stopByNmi = routine("microcode_stop_nmi", [], nothing, (k) => {
  k.if(
    microcodeOps.use_nmi.ne(0),
    () => k.call(stopMachineNmiCpuslocked, codeOf(microcodeUpdateHandler), 0, onlineMaskPointer),
    () => k.call(stopMachineCpuslocked, codeOf(microcodeUpdateHandler), 0, onlineMaskPointer),
  );
});

/** Beside those of the design. */
export const nmiStopBindings: readonly Binding[] = [
  bind(stopForUpdate, stopByNmi),
  // No switch: the handler looks whether its CPU has been armed.
  bind(microcodeOfflineNmiHandler, holdOffline),
];

const stopAllOrNone = routine("microcode_stop_all_or_none", [], nothing, (k) => {
  k.call(stopMachineNmiCpuslocked, codeOf(updateAllOrNone), 0, onlineMaskPointer);
});

/** The only function that design D is to run in NMIs. */
const onlyUpdates = routine("nmi_safe_microcode_update", { fn: code }, u32, (k, { fn }) => {
  k.return(k.bool(same(fn, codeOf(updateAllOrNone))));
});

export const allOrNoneStopBindings: readonly Binding[] = [
  bind(stopForUpdate, stopAllOrNone),
  bind(isNmiSafe, onlyUpdates),
  bind(microcodeOfflineNmiHandler, holdUntilReleased),
];
