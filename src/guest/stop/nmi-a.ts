// Design A of stop_machine() in NMI context: the RFC of October 2025 and version 1 of January 2026. A global
// switch, a flag per CPU, and a result that is read at once, whether the NMI has come or not.
//
//   S1  The result is read before a self-NMI that takes its time; `err` is never reset, so the next call returns it.
//   S2  A handler that comes late runs the function through a pointer into a frame that is gone.
//   S5  Any NMI while the CPU is armed counts as ours.
//   S9  The switch belongs to the entry that takes the hotplug lock: without it the function never runs, and the call succeeds.

import { cast, extend, global, i32, perCpu, ptr, routine, struct, u32 } from "../../asm/index.ts";
import { X64Regs } from "../entry/regs.ts";
import { NmiClaim } from "../nmi/entry.ts";
import { observed } from "../observe.ts";
import { MultiStopData } from "./data.ts";
import { CpuStopFunction } from "./multi-stop.ts";
import { markAccess, nmiMultiStop, nmiStopRoutines, sendSelfNmi } from "./nmi-stop.ts";

const MultiStopDataA = extend(MultiStopData, "multi_stop_data_a", { use_nmi: u32 }, { size: 48 });

const NmiStop = struct("nmi_stop_a", { msdata: ptr(MultiStopData), nmi_enabled: u32, err: i32 }, { size: 16 });
export const nmiStopA = perCpu("nmi_stop_a", NmiStop, { offset: 0x880 });

/** The static branch stop_machine_nmi_handler_enable. Patching the code of all CPUs, which switching it takes, is not part of this. */
const handlerEnable = global("stop_machine_nmi_handler_enable", u32, { align: 64 });

export const runA = nmiMultiStop("a", (k, msdata) => {
  k.writeOnce(nmiStopA.here.msdata, msdata);
  k.writeOnce(nmiStopA.here.nmi_enabled, 1);
  sendSelfNmi(k);
  k.mark("read");
  return k.readOnce(nmiStopA.here.err);
});

export const handlerA = routine("stop_machine_nmi_handler_a", { regs: ptr(X64Regs) }, u32, (k) => {
  k.if(handlerEnable.eq(0).or(nmiStopA.here.nmi_enabled.eq(0)), () => k.return(NmiClaim.None));
  k.set(nmiStopA.here.nmi_enabled, 0);
  const msdata = k.let("msdata", cast(nmiStopA.here.msdata, MultiStopData));
  markAccess(k, msdata);
  const err = k.callPointer(msdata.fn, CpuStopFunction, msdata.data);
  k.set(nmiStopA.here.err, err);
  k.mark(observed("handle", { which: "stop" }));
  k.return(NmiClaim.Finish);
});

export const designA = nmiStopRoutines({
  name: "a",
  type: MultiStopDataA,
  multiStop: runA,
  prepare: ({ k, msdata }) => k.set(msdata.use_nmi, 1),
  enable: (k) => {
    k.mark(observed("phase", { which: "text_patching", nth: 1 }));
    k.writeOnce(handlerEnable, 1);
    k.smpMb("enable");
  },
  disable: (k) => {
    k.mark(observed("phase", { which: "text_patching", nth: 2 }));
    k.writeOnce(handlerEnable, 0);
    k.smpMb("disable");
  },
});
