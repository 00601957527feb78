// What tests look at inside the decoder. No part of the core.

import { PAGE_EXECUTE, PAGE_RAM, PAGE_READ } from "../../src/abi.ts";
import { decodeA64 } from "./decode.ts";
import { A64, A64_BYTES } from "./operations.ts";

// @ts-ignore: AssemblyScript reserves the bytes at compile time
const RECORD: usize = memory.data(32, 8);

if (A64_BYTES > 32) ERROR("RECORD is too short");

/** What an A64 word is decoded into: an `Op` of arm64/operations.ts. */
export function decodedOperation(word: u32): u32 {
  const decoded = changetype<A64>(RECORD);
  decodeA64(decoded, word, 0, PAGE_READ | PAGE_EXECUTE | PAGE_RAM);
  return decoded.operation;
}
