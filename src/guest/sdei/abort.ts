// The end of an event whose handler doesn't return (arch/arm64/kernel/entry.S: __sdei_handler_abort).

import { arm64, asmRoutine, nothing, signature } from "../../asm/index.ts";
import { SdeiFunction } from "./calls.ts";

/** Ends the innermost open event: what it interrupted is dropped, and the caller goes on. Masks everything. */
export const sdeiAsmAbort = asmRoutine(
  "__sdei_handler_abort",
  {
    arm64: (a) => {
      const { x0, x1 } = arm64;
      a.movConstant(x0, SdeiFunction.EVENT_COMPLETE_AND_RESUME).adr(x1, "aborted");
      a.smc();
      // EL3 brings X0 to X17, ELR and SPSR of the interrupted context; X30 is this routine's.
      a.label("aborted").ret();
    },
  },
  { signature: signature([], nothing) },
);
