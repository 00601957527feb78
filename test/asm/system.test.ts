// Images of a small system on QEMU: boot code, privileged instructions and interrupt state do on a machine what they say.

import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { writeElf } from "../../src/asm/index.ts";
import type { Arm64Flavour } from "../../src/asm/index.ts";
import type { SystemImage } from "./fixtures/system.ts";
import { arm64System, EXPECTED, x64System } from "./fixtures/system.ts";
import { hasAll, needing, run, withFolder } from "./support/tools.ts";

/** Text that the machine printed until it switched itself off. */
function boot(
  { image, pvhEntry }: SystemImage,
  command: string,
  machine: readonly string[],
  output: (file: string) => readonly string[],
): string {
  return withFolder((path) => {
    writeFileSync(path("kernel"), writeElf(image, pvhEntry === undefined ? {} : { pvhEntry }));
    writeFileSync(path("output"), "");
    const common = [
      "-display",
      "none",
      "-no-reboot",
      "-nodefaults",
      "-accel",
      "tcg,thread=single",
      "-kernel",
      path("kernel"),
    ];
    run("timeout", "20", command, ...machine, ...common, ...output(path("output")));
    return readFileSync(path("output"), "utf8");
  });
}

describe("a system image", () => {
  it.skipIf(!hasAll("qemu-system-x86_64"))(needing("runs on x86-64", "qemu-system-x86_64"), () => {
    const machine = ["-M", "pc", "-cpu", "max", "-m", "64", "-device", "isa-debug-exit,iobase=0xf4"];
    expect(boot(x64System(), "qemu-system-x86_64", machine, (file) => ["-debugcon", `file:${file}`])).toBe(EXPECTED);
  });

  const flavours: readonly Partial<Arm64Flavour>[] = [
    { interrupts: "daif" },
    { interrupts: "pseudo-nmi" },
    { interrupts: "pseudo-nmi", pmrSync: false, atomics: "llsc" },
  ];
  it.skipIf(!hasAll("qemu-system-aarch64")).for(flavours)(
    needing("runs on AArch64 with %o", "qemu-system-aarch64"),
    (flavour) => {
      const machine = ["-M", "virt,gic-version=3", "-cpu", "max", "-m", "64"];
      expect(boot(arm64System(flavour), "qemu-system-aarch64", machine, (file) => ["-serial", `file:${file}`])).toBe(
        EXPECTED,
      );
    },
  );
});
