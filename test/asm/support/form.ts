// Instruction forms of the encoder tests: one random instance as text for GNU as and as a call of the emitter.

import type { Random } from "./random.ts";

export interface FormCase<A> {
  readonly text: string;
  readonly emit: (assembler: A) => void;
}

export interface Form<A> {
  readonly name: string;
  readonly make: (random: Random) => FormCase<A>;
}

export interface NamedCase<A> extends FormCase<A> {
  readonly form: string;
}

/** `count` cases, going round the forms, so that each occurs about equally often. */
export function makeCases<A>(forms: readonly Form<A>[], random: Random, count: number): NamedCase<A>[] {
  return Array.from({ length: count }, (_, i) => {
    const form = forms[i % forms.length];
    if (form === undefined) throw new Error("no forms");
    return { form: form.name, ...form.make(random) };
  });
}
