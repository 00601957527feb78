// State of a PE when firmware hands it to EL1 (Arm DEN 0022F.b 6.4.3): MMU off, all of DAIF masked, X0 = context.

import { CPU_REGISTERS } from "../../src/abi.ts";
import { Cpu } from "../cpu.ts";
import { forgetEarly } from "../memory/early.ts";
import { Arm64State, CARRY_SLOT, PSTATE_DAIF, SP_SLOT, STATE_WORDS, ZERO_RESULT_SLOT, arm64, writeX } from "./cpu.ts";
import { setDaif } from "./exception.ts";
import { silenceTimers } from "./timer.ts";

/** Reset value of SCTLR_EL1: the RES1 bits (D24.2.118). */
const SCTLR_RESET: u64 = 0x30d0_0800;
const MPIDR_RES1: u64 = 0x8000_0000;

export function arm64Reset(cpu: Cpu): void {
  const base = changetype<usize>(cpu);
  const state = arm64(cpu);
  const mpidr = state.mpidr;
  const cntvoff = state.cntvoff;
  memory.fill(base + CPU_REGISTERS, 0, (<usize>STATE_WORDS) << 3);
  memory.fill(changetype<usize>(state), 0, offsetof<Arm64State>());
  state.mpidr = mpidr | MPIDR_RES1;
  state.cntvoff = cntvoff;
  state.sctlr = SCTLR_RESET;
  state.spsel = 1;
  writeX(base, 0, cpu.startArgument);
  writeX(base, SP_SLOT, cpu.startStack);
  writeX(base, ZERO_RESULT_SLOT, 1);
  writeX(base, CARRY_SLOT, 0);
  setDaif(cpu, PSTATE_DAIF);
  silenceTimers(cpu);
  forgetEarly(cpu);
}
