// Addresses of memory operands (SDM 1 3.7.5). Segments other than FS and GS have base 0 in 64-bit mode.

import { FS_BASE, GS_BASE, readR } from "./cpu.ts";
import { Address, X86, wide } from "./operations.ts";

/** Address of the memory operand of an instruction that ends at `nextPc`. */
// @ts-ignore: decorator
@inline
export function addressOf(cpu: usize, d: X86, nextPc: u64): u64 {
  if (d.mode == 0) return readR(cpu, d.rm) + <u64>(<i64>d.displacement);
  return composedAddress(cpu, d, nextPc);
}

function composedAddress(cpu: usize, d: X86, nextPc: u64): u64 {
  const mode = <u32>d.mode;
  let address: u64;
  if ((mode & Address.ABSOLUTE) != 0) {
    address = wide(d);
  } else {
    address = readR(cpu, d.rm) + <u64>(<i64>d.displacement);
    const scale = <u64>(mode & Address.SCALE);
    if ((mode & Address.INDEXED) != 0) address += readR(cpu, d.index) << scale;
    if ((mode & Address.RIP) != 0) address += nextPc;
    if ((mode & Address.SHORT) != 0) address &= 0xffff_ffff;
  }
  if ((mode & Address.FS) != 0) address += readR(cpu, FS_BASE);
  if ((mode & Address.GS) != 0) address += readR(cpu, GS_BASE);
  return address;
}

/** Linear address of an offset with the segment and address size of an instruction: string operands, XLAT. */
export function withSegment(cpu: usize, d: X86, offset: u64): u64 {
  const mode = <u32>d.mode;
  let address = (mode & Address.SHORT) != 0 ? offset & 0xffff_ffff : offset;
  if ((mode & Address.FS) != 0) address += readR(cpu, FS_BASE);
  if ((mode & Address.GS) != 0) address += readR(cpu, GS_BASE);
  return address;
}
