// Herd's AArch64 dialect: Arm's syntax, but for index registers, whose width herd takes from the extension.

import type { LitmusDialect } from "./dialect.ts";
import { checkStackPointer } from "./stack-pointer.ts";
import { TranslationBuilder } from "./translation.ts";

/** X2 in [X1,X2,SXTW]: the register of 32 bits is meant. */
const WIDE_INDEX = /,\s*([Xx])(?=(?:\d+|[Zz][Rr])\s*,\s*[UuSs][Xx][Tt][Ww])/g;
const STACK_POINTER = /(?<![\w.])w?sp(?![\w.])/i;

export const aarch64: LitmusDialect = {
  architecture: "arm64",
  registers: "X0 to X30, W0 to W30",

  register(name) {
    const found = /^([xw])(\d|[12]\d|30)$/.exec(name.toLowerCase());
    return found === null ? undefined : { whole: `x${found[2]}`, bits: found[1] === "x" ? 64 : 32 };
  },

  memoryNames: () => [],

  translate(cell) {
    checkStackPointer(cell, STACK_POINTER);
    const text = cell.text.replace(WIDE_INDEX, (match, letter: string) => {
      return match.slice(0, -1) + (letter === "X" ? "W" : "w");
    });
    return new TranslationBuilder(cell).copy(text, 0).build();
  },
};
