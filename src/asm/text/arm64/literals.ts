// Literals of `ldr register, =value`: collected until .ltorg or the end, four bytes before eight, each value once, as GNU as does.

import type { Label } from "../../code-buffer.ts";
import type { Arm64Assembler } from "../../arm64/assembler.ts";
import type { TextExpression } from "../expression.ts";
import type { Scope } from "../scope.ts";

interface Literal {
  readonly label: Label;
  readonly expression: TextExpression;
}

export class LiteralPool {
  readonly #a: Arm64Assembler;
  readonly #scope: Scope;
  readonly #literals = { 4: new Map<string, Literal>(), 8: new Map<string, Literal>() };

  constructor(a: Arm64Assembler, scope: Scope) {
    this.#a = a;
    this.#scope = scope;
  }

  label(bytes: 4 | 8, expression: TextExpression): Label {
    const folded = this.#scope.fold(expression);
    const key =
      folded.kind === "constant"
        ? `${BigInt.asUintN(8 * bytes, folded.value)}`
        : folded.kind === "place"
          ? `${folded.name}+${folded.distance}`
          : expression.token.text;
    const known = this.#literals[bytes].get(key);
    if (known !== undefined) return known.label;
    const literal = { label: this.#a.newLabel(), expression };
    this.#literals[bytes].set(key, literal);
    return literal.label;
  }

  write(): void {
    for (const bytes of [4, 8] as const) {
      for (const { label, expression } of this.#literals[bytes].values()) {
        this.#a.alignData(bytes).place(label);
        const value = this.#scope.constant(expression);
        if (bytes === 8) this.#a.data64(value ?? 0n);
        else this.#a.data32(Number(BigInt.asUintN(32, value ?? 0n)));
        if (value === undefined) this.#a.holds(bytes === 8 ? "abs64" : "abs32", this.#scope.deferred(expression));
      }
      this.#literals[bytes].clear();
    }
  }
}
