// What tests look at inside the decoder: bytes in, operation and length out. No part of the core.

import { LONGEST } from "./bytes.ts";
import { decodeX86 } from "./decode.ts";
import { X86, X86_BYTES } from "./operations.ts";

// @ts-ignore: AssemblyScript reserves the bytes at compile time
const RECORD: usize = memory.data(32, 8);
// @ts-ignore: AssemblyScript reserves the bytes at compile time
const BYTES: usize = memory.data(16, 8);

if (X86_BYTES > 32) ERROR("RECORD is too short");

/** Where the bytes to decode are to be put: up to LONGEST. */
export function bytesAddress(): usize {
  return BYTES;
}

/** Decodes the first `available` of the bytes. @returns the `Op` and, from bit 16 on, the length; 0 when more are needed */
export function decodeBytes(available: u32): u32 {
  const decoded = changetype<X86>(RECORD);
  if (!decodeX86(decoded, BYTES, min(available, LONGEST))) return 0;
  return (<u32>decoded.operation) | ((<u32>decoded.length) << 16);
}
