// Routines lie in an image in the order in which they are declared, which is that in which modules are loaded. So whatever module a
// program begins with, the kernel's must be the first of the guest's that is come to: it names all others, always in the same order.

import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const source = fileURLToPath(new URL("../../src/", import.meta.url));
const modules = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));

/** Modules that one loads before it runs itself, in order; types are gone by then. */
function importsOf(module: string): string[] {
  const text = readFileSync(join(source, module), "utf8");
  const statements = text.matchAll(/^(?:import|export)\s(?!type\b)(?:([^;'"]*?)\sfrom\s)?"(\.[^"]*)";/gm);
  return [...statements]
    .filter(([, names]) => names === undefined || !/^\{(\s*type\s[^,}]*,?)*\s*\}$/.test(names.trim()))
    .map(([, , path = ""]) => relative(source, join(source, dirname(module), path)));
}

/** The first module of the guest that is come to from a module, depth first as modules are loaded. */
function firstOfGuest(module: string, seen = new Set<string>()): string | undefined {
  if (module.startsWith("guest/")) return module;
  if (seen.has(module)) return undefined;
  seen.add(module);
  for (const imported of importsOf(module)) {
    const first = firstOfGuest(imported, seen);
    if (first !== undefined) return first;
  }
  return undefined;
}

/** What programs begin with: the package's entry points, the commands, a sweep's threads. */
const isBeginning = (module: string): boolean => /^(index|entries\/.*|cli\/.*|sweep\/worker)\.ts$/.test(module);

it("the kernel is the first guest module that is loaded, whatever a program begins with", () => {
  const firsts = modules.filter(isBeginning).map((module) => [module, firstOfGuest(module)] as const);
  expect(firsts.filter(([, first]) => first === "guest/kernel.ts").length).toBeGreaterThan(10);
  expect(firsts.filter(([, first]) => first !== undefined && first !== "guest/kernel.ts")).toEqual([]);
});
