// The package's entry points, as TypeScript sees them in what is built: what each exports is explained there and in the reference, and a name
// has one home.

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const { exports, browser } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as {
  exports: Record<string, string | { types: string; default: string }>;
  browser: Record<string, string>;
};
const entries = Object.entries(exports).flatMap(([path, target]) =>
  typeof target === "string" ? [] : [{ name: path.replace(".", "allstop"), ...target }],
);

const program = ts.createProgram(
  entries.map(({ types }) => root + types),
  {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    skipLibCheck: true,
    types: ["node"],
    lib: ["lib.es2023.d.ts", "lib.dom.d.ts"],
  },
);
const checker = program.getTypeChecker();

interface Exported {
  readonly name: string;
  readonly isValue: boolean;
  /** Where it is declared. */
  readonly symbol: ts.Symbol;
  readonly comment: string;
}

function exportsOf(file: string): Exported[] {
  const source = program.getSourceFile(root + file);
  const module = source === undefined ? undefined : checker.getSymbolAtLocation(source);
  if (module === undefined) throw new Error(`${file} is no module`);
  return checker.getExportsOfModule(module).map((given) => {
    const isAlias = (given.flags & ts.SymbolFlags.Alias) !== 0;
    const symbol = isAlias ? checker.getAliasedSymbol(given) : given;
    const own = ts.displayPartsToString(given.getDocumentationComment(checker));
    const comment = own === "" ? ts.displayPartsToString(symbol.getDocumentationComment(checker)) : own;
    const tags = symbol.getJsDocTags(checker).map(({ name, text }) => `@${name} ${ts.displayPartsToString(text)}`);
    return {
      name: given.name,
      isValue: (symbol.flags & ts.SymbolFlags.Value) !== 0,
      symbol,
      comment: [comment, ...tags].join(" ").trim(),
    };
  });
}

const exported = new Map(entries.map(({ name, types }) => [name, exportsOf(types)]));

const pages = new Map(
  entries.map(({ name }) => {
    const short = name.replace("allstop/", "");
    const page = short === "asm" ? "asm/README.md" : `${short}.md`;
    return [name, readFileSync(`${root}docs/api/${page}`, "utf8")];
  }),
);

describe.each(entries)("$name", ({ name, types, default: module }) => {
  const own = exported.get(name) ?? [];

  it("is there, with its types, and exports what they say", async () => {
    expect(existsSync(root + types)).toBe(true);
    const values = Object.keys((await import(`${root}${module}`)) as object);
    expect(values.sort()).toEqual(
      own
        .filter(({ isValue }) => isValue)
        .map(({ name: value }) => value)
        .sort(),
    );
  });

  it("explains every name", () => {
    expect(own.length).toBeGreaterThan(0);
    // A namespace's comment is where it is made.
    const silent = own.filter(
      ({ comment, symbol }) => comment === "" && (symbol.flags & ts.SymbolFlags.ValueModule) === 0,
    );
    expect(silent.map((one) => one.name)).toEqual([]);
  });

  it("is in the reference, name by name (npm run docs)", () => {
    const page = pages.get(name) ?? "";
    const headings = new Set(
      [...page.matchAll(/^#{2,3} (?:`abstract` )?([\w\\]+)(?:\(\))?/gm)].map(([, heading = ""]) =>
        heading.replaceAll("\\", ""),
      ),
    );
    const linked = new Set([...page.matchAll(/^- \[(\w+)\]/gm)].map(([, link = ""]) => link));
    const missing = own.filter((one) => !headings.has(one.name) && !linked.has(one.name));
    expect(missing.map((one) => one.name)).toEqual([]);
  });
});

function isSameType(one: Exported, other: Exported): boolean {
  const [first, second] = [one, other].map(({ symbol }) => checker.getDeclaredTypeOfSymbol(symbol)) as [
    ts.Type,
    ts.Type,
  ];
  return checker.isTypeAssignableTo(first, second) && checker.isTypeAssignableTo(second, first);
}

it("exports no name from two entry points, unless it is the same type", () => {
  const homes = new Map<string, [string, Exported]>();
  const twice: string[] = [];
  for (const [entry, names] of exported) {
    for (const one of names) {
      const home = homes.get(one.name);
      if (home === undefined) homes.set(one.name, [entry, one]);
      else if (one.isValue || !isSameType(one, home[1])) twice.push(`${one.name}: ${home[0]} and ${entry}`);
    }
  }
  expect(twice).toEqual([]);
});

it("gives browsers files that are there, for files that are there", () => {
  for (const file of Object.entries(browser).flat()) expect(existsSync(root + file)).toBe(true);
});

it("makes the same machine whichever entry point is loaded first", async () => {
  const { execFile } = await import("node:child_process");
  const { promisify } = await import("node:util");
  const program = `
    for (const entry of process.argv.slice(1)) await import(entry);
    const { simulate } = await import("allstop");
    console.log((await simulate({ machine: { architecture: "arm64", cpus: 8 }, load: { common: "mixed" } })).digest);`;
  const digests = new Set<string>();
  for (const first of ["allstop", "allstop/guest", "allstop/machine", "allstop/litmus"]) {
    const args = ["--input-type=module", "--eval", program, first];
    digests.add((await promisify(execFile)(process.execPath, args, { cwd: root })).stdout);
  }
  expect([...digests]).toEqual([expect.stringMatching(/^[0-9a-f]{16}\n$/)]);
});
