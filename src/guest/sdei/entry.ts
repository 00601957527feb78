// Entry and exit of SDEI handlers (arch/arm64/kernel/entry.S: __sdei_asm_handler). EL3 comes here whatever is masked,
// in the middle of anything: of an exception's first instruction too, so that ELR, SPSR and the stack are left as they are.

import { arm64, asmRoutine } from "../../asm/index.ts";
import { Arm64Regs } from "../entry/regs.ts";
import { SdeiFunction, SdeiStatus } from "./calls.ts";
import { SDEI_STACK_TOP, SdeiPriority, SdeiRegisteredEvent, sdeiActiveCritical, sdeiActiveNormal } from "./event.ts";
import { sdeiHandler } from "./handler.ts";

const fieldOf = (field: string): number => SdeiRegisteredEvent.offsets.get(field) ?? 0;
const PRIORITY = fieldOf("priority");
const PC = Arm64Regs.offsets.get("pc") ?? 0;
const PMR = Arm64Regs.offsets.get("pmr") ?? 0;
const ACTIVE = { normal: sdeiActiveNormal.symbol.offset, critical: sdeiActiveCritical.symbol.offset } as const;

/** X0: event, X1: the argument, which is a struct sdei_registered_event; X2, X3: interrupted PC and PSTATE. */
export const sdeiAsmHandler = asmRoutine("__sdei_asm_handler", {
  arm64: (a) => {
    const { sp, x0, x1, x2, x3, x4, x5, x6, x19, x20, x21, x30, offset } = arm64;
    // Whom the event interrupted: what X0 to X3 held, firmware keeps.
    for (let first = 4; first < 30; first += 2)
      a.stp(arm64.armGpr(first, 64), arm64.armGpr(first + 1, 64), offset(x1, 8 * first));
    a.mov(x4, sp).stp(x30, x4, offset(x1, 240));
    a.stp(x2, x3, offset(x1, PC));
    a.mrs(x4, "icc_pmr_el1").str(x4, offset(x1, PMR));
    a.mov(x19, x1).mov(x21, sp);
    // A stack per priority, for a critical event may interrupt a normal one's handler.
    a.mrs(x5, "tpidr_el1").ldr(arm64.armGpr(6, 32), offset(x1, PRIORITY));
    a.cmp(x6, SdeiPriority.Critical).bcond("eq", "critical");
    a.movConstant(x6, SDEI_STACK_TOP.normal).add(x20, x5, ACTIVE.normal).b("stack");
    a.label("critical");
    a.movConstant(x6, SDEI_STACK_TOP.critical).add(x20, x5, ACTIVE.critical);
    a.label("stack");
    a.add(x6, x6, x5).mov(sp, x6);
    a.str(x19, offset(x20));
    a.mov(x0, x19);
    a.call(sdeiHandler);
    // Back on the interrupted stack, with the registers that firmware doesn't restore.
    a.str(arm64.xzr, offset(x20));
    a.mov(x4, x19).mov(sp, x21);
    for (let first = 18; first < 30; first += 2)
      a.ldp(arm64.armGpr(first, 64), arm64.armGpr(first + 1, 64), offset(x4, 8 * first));
    a.ldr(x30, offset(x4, 240));
    a.mov(x1, x0);
    a.cmp(x0, SdeiStatus.Failed);
    a.movConstant(x2, SdeiFunction.EVENT_COMPLETE).movConstant(x3, SdeiFunction.EVENT_COMPLETE_AND_RESUME);
    a.csel(x0, x2, x3, "ls");
    a.smc().brk();
  },
});
