// What of an AArch64 PE enters the state digest, beside its general-purpose registers.

import { Cpu } from "../cpu.ts";
import { mix } from "../digest.ts";
import { Arm64State, arm64, readNzcv } from "./cpu.ts";

export function arm64Digest(cpu: Cpu): void {
  mix(readNzcv(changetype<usize>(cpu)));
  const state = changetype<usize>(arm64(cpu));
  for (let offset: usize = 0; offset < offsetof<Arm64State>(); offset += 8) mix(load<u64>(state + offset));
}

if (offsetof<Arm64State>() % 8 != 0) ERROR("Arm64State must be whole words");
