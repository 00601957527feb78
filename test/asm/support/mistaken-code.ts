// What the tests of an author's mistakes are made of: a routine with a body that is wrong, recorded, lowered or built into an
// image; and the declarations that they share.

import {
  array,
  buildImage,
  i32,
  nothing,
  ptr,
  routine,
  slot,
  struct,
  u16,
  u32,
  u64,
  u8,
} from "../../../src/asm/index.ts";
import type { ImageOptions, ImageRoot, Local, Pointer, Recorder, ResultType } from "../../../src/asm/index.ts";
import { SourceFile } from "./refusal.ts";

/** Mistakes in a routine as a whole name the line that declares it: here. */
export const declaring = { source: new SourceFile(import.meta.url), line: 'return routine("r"' };
/** Mistakes of an image as a whole name the line that builds it: here. */
export const building = { source: declaring.source, line: 'buildImage({ architecture: "x86-64"' };

export const Cell = struct("errors_cell", {
  value: u32,
  wide: u64,
  small: u8,
  list: array(u16, 4),
  next: ptr(u64),
  bits: u64,
});

export type Body = (k: Recorder, p: Pointer<typeof Cell>, n: Local<"u32">) => void;

function routineOf(body: Body, result: ResultType = nothing) {
  return routine("r", [{ p: ptr(Cell) }, { n: u32 }] as const, result, (k, { p, n }) => {
    body(k, p, n);
  });
}

/** Runs a routine's body, as building an image would. */
export function record(body: Body, result: ResultType = nothing): void {
  void routineOf(body, result).recording;
}

/** An image for both architectures of a routine with that body. */
export function lower(body: Body): void {
  const lowered = routineOf(body);
  for (const architecture of ["arm64", "x86-64"] as const) buildImage({ architecture, roots: [lowered] });
}

export function build(root: ImageRoot, options: Partial<ImageOptions> = {}): void {
  buildImage({ architecture: "x86-64", roots: [root], ...options });
}

/** A slot, and a routine that calls what is bound to it. */
export const hook = slot("errors_hook", { a: u32 }, i32);
export const hooked = routine("errors_hooked", {}, i32, (k) => k.return(k.call(hook, 1)));
