// What marks need of the code around them: a value in a register, an address of their own.

import type { AnyPointer, Builder, Value } from "../../asm/index.ts";

/** Keeps a value in a register up to here, for a mark above that tells it. No instruction. */
export function keep(k: Builder, value: Value | AnyPointer): void {
  k.arch({ x64: () => undefined, arm64: () => undefined }, { uses: { value } });
}

/** An instruction for a mark that would otherwise stand where other paths come by, too. */
export function ownPlace(k: Builder): void {
  k.arch({ x64: (a) => void a.nop(), arm64: (a) => void a.nop() });
}
