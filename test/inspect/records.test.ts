// Offsets of the core's records that views read, against the classes of assembly/ that define them.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { BUFFER_BYTES, offsets, places } from "../../src/inspect/records.ts";

const FILES: Readonly<Record<keyof typeof offsets, string>> = {
  Machine: "machine.ts",
  Cpu: "cpu.ts",
  Core: "cpu.ts",
  Domain: "cpu.ts",
  X86State: "x86/cpu.ts",
  Arm64State: "arm64/cpu.ts",
  Apic: "interrupts/apic/record.ts",
  Gic: "interrupts/gic/gic.ts",
  Entry: "memory/lines.ts",
  Home: "memory/lines.ts",
  StoreBuffer: "memory/stores.ts",
  Request: "memory/request.ts",
};

const SIZES: Readonly<Record<string, number>> = { u8: 1, u16: 2, u32: 4, i32: 4, usize: 4, u64: 8, i64: 8 };

function source(file: string): string {
  return readFileSync(new URL(`../../assembly/${file}`, import.meta.url), "utf8");
}

/** Fields of an unmanaged class and their offsets, as AssemblyScript lays them out: in order, each aligned to its size. */
function layoutOf(file: string, name: string): Map<string, number> {
  const [, body = ""] = new RegExp(`class ${name} \\{([^]*?)\\n\\}`).exec(source(file)) ?? [];
  const code = body.replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, "");
  const layout = new Map<string, number>();
  let end = 0;
  for (const [, field = "", type = ""] of code.matchAll(/^\s*(\w+): (\w+);/gm)) {
    // Enums and references to other records are 32 bits wide.
    const size = SIZES[type] ?? 4;
    const offset = Math.ceil(end / size) * size;
    layout.set(field, offset);
    end = offset + size;
  }
  return layout;
}

/** A constant of a file. */
function constant(file: string, name: string): string {
  const found = new RegExp(`const ${name}: \\w+ = (.*);`).exec(source(file))?.[1];
  if (found === undefined) throw new Error(`${file} has no ${name}`);
  return found;
}

describe.each(Object.entries(FILES))("%s", (name, file) => {
  const layout = layoutOf(file, name);
  it.each(Object.entries(offsets[name as keyof typeof offsets]))("%s lies at %i", (field, offset) => {
    expect(layout.get(field)).toBe(offset);
  });
});

describe("places that are no fields", () => {
  it.each([
    ["cpu.ts", "CORE_BYTES", places.CORE_BYTES],
    ["interrupts/apic/record.ts", "APIC_BYTES", places.APIC_BYTES],
    ["interrupts/gic/gic.ts", "GIC_BYTES", places.GIC_BYTES],
    ["memory/lines.ts", "ENTRY_FIELDS", places.ENTRY_FIELDS],
    ["memory/stores.ts", "STORES", places.STORES],
    ["memory/stores.ts", "STORE_BYTES", places.STORE_BYTES],
  ])("%s: %s", (file, name, value) => expect(Number(constant(file, name))).toBe(value));

  it("states behind the registers", () => {
    expect(constant("x86/cpu.ts", "X86_STATE_OFFSET")).toBe("CPU_REGISTERS + 24 * 8");
    expect(constant("arm64/cpu.ts", "STATE_OFFSET")).toBe("CPU_REGISTERS + 40 * 8");
    expect([places.X86_STATE_OFFSET, places.STATE_OFFSET]).toEqual([256 + 24 * 8, 256 + 40 * 8]);
  });

  it("store buffers", () => {
    expect(constant("memory/stores.ts", "BUFFER_BYTES")).toBe("(STORES + <usize>MOST_STORES * STORE_BYTES + 63) & ~63");
    expect(BUFFER_BYTES).toBe(832);
  });
});
