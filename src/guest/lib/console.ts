// Printing: characters to the platform's console, PL011 on arm64, the debug port on x86-64.

import { arm64, nothing, ptr, routine, text, u32, u64, u8, x64, type Builder, type Operand } from "../../asm/index.ts";
import { PL011_BASE, X86_PORT_CONSOLE } from "../../abi.ts";

const putCharacter = routine("console_putc", { character: u32 }, nothing, (k, { character }) => {
  k.arch(
    {
      x64: (a, { character: value }) => void a.mov(x64.eax, value).bytes(0xe6, X86_PORT_CONSOLE),
      arm64: (a, { character: value }) =>
        void a.movConstant(arm64.x16, PL011_BASE).strb(value, arm64.offset(arm64.x16)),
    },
    { uses: { character }, clobbers: { x64: ["rax"] } },
  );
});

const printText = routine("console_print", [{ from: ptr(u8) }, { length: u32 }], nothing, (k, { from, length }) => {
  k.for("i", 0, length, (i) => k.call(putCharacter, from.at(i)));
});

const printNumber = routine("console_print_number", { value: u64 }, nothing, (k, { value }) => {
  const divisor = k.let("divisor", 1, u64);
  k.while(value.div(k.unchecked(divisor)).ge(10), () => k.set(divisor, divisor.mul(10)));
  k.while(divisor.gt(0), () => {
    const digit = k.let("digit", value.div(k.unchecked(divisor)).rem(10));
    k.call(putCharacter, digit.to(u32).add(48));
    k.set(divisor, divisor.div(10));
  });
});

/** Prints " name=value". */
export function printField(k: Builder, name: string, value: Operand<"u64">): void {
  print(k, ` ${name}=`);
  k.call(printNumber, value);
}

/** Prints a text on the platform's console: PL011 on arm64, the debug port on x86-64. */
export function print(k: Builder, content: string): void {
  k.call(printText, text(`console:${content.trim()}`, content), content.length);
}
