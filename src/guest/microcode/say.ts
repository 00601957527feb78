// Messages of the loader: an event, and a count that stands for the line in the kernel's log.

import { global, u32, type Builder } from "../../asm/index.ts";
import { keep } from "../lib/keep.ts";
import { observed } from "../observe.ts";

export const lines = global("microcode_log_lines", u32, { align: 64 });

type Named = Parameters<typeof keep>[1];

/** Says something with up to two values, which are locals of the names under which they are given. */
export function say(k: Builder, which: string, values: Readonly<Record<string, Named>> = {}): void {
  k.mark(observed("say", { which, locals: Object.keys(values) }));
  for (const value of Object.values(values)) keep(k, value);
  k.set(lines, lines.add(1));
}
