// Logical immediates: DecodeBitMasks() of the Arm ARM (DDI 0487, shared/functions/common).

/**
 * The mask that N, imms and immr stand for, replicated to `width` (32 or 64) bits.
 * @returns 0 for reserved values: no valid mask is empty
 */
export function decodeBitMask(n: u32, imms: u32, immr: u32, width: u32): u64 {
  const combined = (n << 6) | (~imms & 0x3f);
  if (combined == 0) return 0;
  const length = 31 - clz(combined);
  if (length == 0) return 0;
  const size: u32 = 1 << length;
  if (size > width) return 0;
  const levels = size - 1;
  const s = imms & levels;
  const r = immr & levels;
  if (s == levels) return 0;
  const element = u64.MAX_VALUE >>> (63 - <u64>s);
  const elementMask = u64.MAX_VALUE >>> (64 - <u64>size);
  const left = <u64>size - <u64>r;
  const rotated = r == 0 ? element : ((element >>> (<u64>r)) | (element << left)) & elementMask;
  let mask = rotated;
  for (let filled = size; filled < 64; filled <<= 1) mask |= mask << (<u64>filled);
  return width == 64 ? mask : mask & 0xffff_ffff;
}
