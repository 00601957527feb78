// Names of the operations that the core's decoders decode into, read from the source, which only asc can compile.

import { readFileSync } from "node:fs";

function sourceOf(file: string): string {
  return readFileSync(new URL(`../../assembly/${file}`, import.meta.url), "utf8");
}

/** Members of `Op` of assembly/ARCHITECTURE/operations.ts, by number; aliases have none of their own. */
export function operationNames(architecture: "arm64" | "x86"): ReadonlyMap<number, string> {
  const first = Number(/SPECIAL_KINDS: i32 = (\d+)/.exec(sourceOf("memory/code.ts"))?.[1]);
  const body = /export enum Op \{([^}]*)\}/.exec(sourceOf(`${architecture}/operations.ts`))?.[1] ?? "";
  const members = body
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "")
    .split(",")
    .map((member) => member.trim())
    .filter((member) => member !== "");
  const names = new Map<number, string>();
  const numbers = new Map<string, number>([["SPECIAL_KINDS", first]]);
  let number = first;
  for (const member of members) {
    const [name = "", value] = member.split(/\s*=\s*/);
    if (value !== undefined) number = numbers.get(value) ?? number;
    numbers.set(name, number);
    names.set(number++, name);
  }
  return names;
}
