// What of an x86-64 CPU enters the state digest, beside its general-purpose registers.

import { CPU_JOURNAL, Cpu } from "../cpu.ts";
import { mix } from "../digest.ts";
import { FS_BASE, GS_BASE, X86State, readR, x86 } from "./cpu.ts";
import { readStatus } from "./flags.ts";

export function x86Digest(cpu: Cpu): void {
  const base = changetype<usize>(cpu);
  mix(readStatus(base));
  mix(readR(base, FS_BASE));
  mix(readR(base, GS_BASE));
  const state = changetype<usize>(x86(cpu));
  for (let offset: usize = 0; offset < offsetof<X86State>("fetched"); offset += 8) mix(load<u64>(state + offset));
  mix(cpu.delivery);
  // What an instruction or a delivery has done before it had to wait.
  const entries = load<u32>(base + CPU_JOURNAL);
  mix(entries);
  for (let entry: u32 = 0; entry < entries; entry++) mix(load<u64>(base + CPU_JOURNAL + 8 + ((<usize>entry) << 3)));
}
