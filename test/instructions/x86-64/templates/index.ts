// What the random programs are drawn from: one template per group of instructions, written from the encoding tables of the
// manual (Intel SDM volume 2), with the flags that each leaves undefined.

import { arithmetic, highBytes } from "./arithmetic.ts";
import { atomics } from "./atomics.ts";
import { bits } from "./bits.ts";
import { control } from "./control.ts";
import { exceptions } from "./exceptions.ts";
import { moves } from "./moves.ts";
import { shifts } from "./shifts.ts";
import { stack } from "./stack.ts";
import { strings } from "./strings.ts";
import { system } from "./system.ts";
import type { Template } from "./template.ts";
import { userMode } from "./userMode.ts";

export const templates: readonly Template[] = [
  ...arithmetic,
  highBytes,
  ...shifts,
  ...moves,
  ...bits,
  ...atomics,
  ...stack,
  ...control,
  ...strings,
  ...system,
  ...exceptions,
  userMode,
];
