// The boundary to the core: what it exports and imports is exactly what src/core/core.ts declares, and another version of the
// layout is refused.

import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { ABI_VERSION, Config, InitializeStatus, PAGE_BYTES, PAGE_RAM, PAGE_READ, PAGE_WRITE } from "../../src/abi.ts";
import { Core } from "../../src/core/core.ts";
import { loadCore } from "../../src/core/load.ts";
import { AllstopError } from "../../src/errors.ts";
import { configurationBlock } from "../../src/machine/configuration.ts";
import { personalityOf } from "../../src/firmware/index.ts";
import { genericX86 } from "../../src/timing/generic.ts";
import { topologyForCpus } from "../../src/topology/index.ts";
import { BareMachine } from "../support/bare-machine.ts";

const file = (path: string) => readFile(new URL(`../../${path}`, import.meta.url));
const shipped = await WebAssembly.compile(await file("dist/core.wasm"));
const checked = await WebAssembly.compile(await file("build/core.checked.wasm"));

/** Names that the types of the core's exports declare, with the number of parameters of the functions. */
async function declared(): Promise<Map<string, number | "memory">> {
  const members = new Map<string, number | "memory">();
  for (const [path, type] of [
    ["src/core/core.ts", "CoreExports"],
    ["src/core/mask-operations.ts", "MaskOperations"],
  ] as const) {
    const source = await file(path).then(String, () => "");
    const [, body = ""] = new RegExp(`type ${type} = \\{([^]*?)\n\\}`).exec(source) ?? [];
    const code = body.replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, "").replaceAll(/\s+/g, " ");
    for (const member of code.split(";").map((text) => text.trim())) {
      const [, name, parameters] = /^(\w+)(?:: )?\(([^()]*)\)(?::| =>) \w+$/.exec(member) ?? [];
      const count = (parameters ?? "").split(",").filter((text) => text.trim() !== "").length;
      if (name !== undefined) members.set(name, count);
      else if (member === "memory: WebAssembly.Memory") members.set("memory", "memory");
      else if (member !== "") throw new Error(`a member that this test does not understand: ${member}`);
    }
  }
  return members;
}

describe("the core that ships", () => {
  it("exports what the host declares, with as many parameters, and nothing else", async () => {
    const expected = await declared();
    expect(expected.size).toBeGreaterThan(20);
    const instance = new WebAssembly.Instance(shipped, { env: { abort: () => undefined } });
    const exported = new Map(
      WebAssembly.Module.exports(shipped).map(({ name, kind }) => {
        const value = instance.exports[name];
        return [name, kind === "memory" ? "memory" : typeof value === "function" ? value.length : kind] as const;
      }),
    );
    expect(Object.fromEntries([...exported].sort())).toEqual(Object.fromEntries([...expected].sort()));
  });

  it("imports nothing: no clock, no random numbers, no abort", () => {
    expect(WebAssembly.Module.imports(shipped)).toEqual([]);
  });

  it("is what loadCore() finds, compiled once", async () => {
    const [one, two] = await Promise.all([loadCore(), loadCore()]);
    expect(one).toBe(two);
    expect(WebAssembly.Module.exports(one)).toEqual(WebAssembly.Module.exports(shipped));
  });
});

describe("the checked core", () => {
  it("exports at least as much, and imports at most abort", () => {
    const names = new Set(WebAssembly.Module.exports(checked).map(({ name }) => name));
    for (const { name } of WebAssembly.Module.exports(shipped)) expect(names).toContain(name);
    expect(WebAssembly.Module.imports(checked).map(({ module, name }) => `${module}.${name}`)).toEqual(["env.abort"]);
  });
});

/** A module that exports a memory and abiVersion() = `version`, below 64. */
function foreignCore(version: number): WebAssembly.Module {
  const name = (text: string): number[] => [text.length, ...Buffer.from(text)];
  const section = (id: number, content: readonly number[]): number[] => [id, content.length, ...content];
  return new WebAssembly.Module(
    Uint8Array.from([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, [1, 0x60, 0, 1, 0x7f]),
      ...section(3, [1, 0]),
      ...section(5, [1, 0, 1]),
      ...section(7, [2, ...name("memory"), 2, 0, ...name("abiVersion"), 0, 0]),
      ...section(10, [1, 4, 0, 0x41, version, 0x0b]),
    ]),
  );
}

function thrown(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

describe("another core", () => {
  it("of another version is refused with both numbers", () => {
    expect(() => new Core(foreignCore(ABI_VERSION))).not.toThrow();
    const error = thrown(() => new Core(foreignCore(ABI_VERSION + 1)));
    expect(error).toBeInstanceOf(AllstopError);
    expect(error).toMatchObject({ code: "CORE_MISMATCH", value: ABI_VERSION + 1, allowed: `${ABI_VERSION}` });
  });

  it("that is no core at all is refused the same way", () => {
    const empty = new WebAssembly.Module(Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
    const importing = new WebAssembly.Module(
      Uint8Array.from([
        ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0],
        ...[2, 7, 1, 1, 0x61, 1, 0x62, 0, 0],
      ]),
    );
    for (const module of [empty, importing]) {
      const error = thrown(() => new Core(module));
      expect(error).toBeInstanceOf(AllstopError);
      expect(error).toMatchObject({ code: "CORE_MISMATCH" });
    }
  });

  it.each([
    ["nothing", new Uint8Array(0)],
    ["text", new TextEncoder().encode("not a module")],
  ])("that does not compile is refused: %s", async (_, bytes) => {
    const error = await loadCore(bytes).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "CORE_MISMATCH" });
  });

  it("an instance that has trapped says so from then on", () => {
    const core = new Core(foreignCore(ABI_VERSION));
    const first = thrown(() => core.digest());
    expect(first).toMatchObject({ code: "CORE_TRAPPED" });
    expect(thrown(() => core.run(1n))).toBe(first);
  });
});

describe("the configuration block", () => {
  const sizes = { ramBase: 0, ramBytes: 2 ** 20, traceRecords: 16 };
  const initialize = (change: (block: Uint32Array) => void): InitializeStatus => {
    const core = new Core(checked);
    const block = configurationBlock(topologyForCpus(4, "x86-64"), genericX86, sizes, {}, personalityOf());
    change(block);
    const address = core.allocate(block.byteLength);
    new Uint32Array(core.buffer, address, block.length).set(block);
    return core.initialize(address);
  };

  it("as the host writes it is accepted", () => expect(initialize(() => undefined)).toBe(InitializeStatus.OK));

  it("of another version is refused", () =>
    expect(initialize((block) => (block[Config.ABI] = ABI_VERSION + 1))).toBe(InitializeStatus.ABI_MISMATCH));

  it.each<[string, Config, number]>([
    ["no CPUs", Config.CPUS, 0],
    ["too many CPUs", Config.CPUS, 65_537],
    ["no cores", Config.CORES, 0],
    ["more cores than CPUs", Config.CORES, 5],
    ["no domains", Config.DOMAINS, 0],
    ["no nodes", Config.NODES, 0],
    ["no clock", Config.CLOCK_MHZ, 0],
    ["no memory", Config.RAM_BYTES, 0],
  ])("that no machine can have is refused: %s", (_, field, value) =>
    expect(initialize((block) => (block[field] = value))).toBe(InitializeStatus.BAD_CONFIGURATION),
  );
});

describe("mapping pages", () => {
  const RAM = PAGE_READ | PAGE_WRITE | PAGE_RAM;
  const machine = () => new BareMachine({ architecture: "arm64", ramBytes: 2 ** 20 });
  const base = 0x4000_0000n;
  const page = BigInt(PAGE_BYTES);

  it("takes whole pages in RAM", () => {
    expect(machine().core.mapPages(base, page, RAM)).toBe(true);
    expect(machine().core.mapPages(base, 2n ** 20n, RAM)).toBe(true);
    expect(machine().core.mapPages(base, 0n, RAM)).toBe(true);
  });

  it.each<[string, bigint, bigint]>([
    ["an address inside a page", base + 8n, page],
    ["part of a page", base, page - 8n],
    ["below RAM", base - page, page],
    ["behind RAM", base + 2n ** 20n, page],
    ["across the end of RAM", base + 2n ** 20n - page, 2n * page],
    ["behind all addresses", 2n ** 32n, page],
    ["around the end of 64 bits", 2n ** 64n - page, 2n * page],
    ["more than all", 0n, 2n ** 64n - page],
  ])("refuses %s", (_, address, bytes) => expect(machine().core.mapPages(address, bytes, RAM)).toBe(false));
});
