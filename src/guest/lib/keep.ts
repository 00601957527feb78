// Keeping a value where a mark can tell it.

import type { AnyPointer, Builder, Value } from "../../asm/index.ts";

/** Keeps a value in a register up to here, for a mark above that tells it. No instruction. */
export function keep(k: Builder, value: Value | AnyPointer): void {
  k.arch({ x64: () => undefined, arm64: () => undefined }, { uses: { value } });
}
