// The kernel that boots by itself does on QEMU what it does here: the same code, other interrupt controllers and firmware.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildSelfBootingKernel } from "../../src/guest/self-boot/image.ts";
import { perCpuOffsets } from "../../src/guest/kernel.ts";
import { SCENARIO_FORMAT } from "../../src/index.ts";
import { executeScenario } from "../../src/entries/machine.ts";

const ROUNDS = 3;
const MOST_MS = 60_000;

interface Board {
  readonly command: string;
  readonly options: (cpus: number) => readonly string[];
  /** isa-debug-exit ends QEMU with twice the value written, plus one. */
  readonly status: number;
}

const common = ["-accel", "tcg,thread=single", "-cpu", "max", "-m", "512", "-display", "none", "-monitor", "none"];
const boards: Record<"arm64" | "x86-64", Board> = {
  arm64: {
    command: "qemu-system-aarch64",
    options: (cpus) => ["-M", "virt,gic-version=3", "-smp", String(cpus), "-serial", "stdio", ...common],
    status: 0,
  },
  "x86-64": {
    command: "qemu-system-x86_64",
    options: (cpus) => [
      ...["-M", "q35", "-smp", String(cpus), "-debugcon", "stdio", "-no-reboot", ...common],
      ...["-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
    ],
    status: 1,
  },
};

function isInstalled({ command }: Board): boolean {
  return spawnSync(command, ["--version"]).error === undefined;
}

/** What the image prints on QEMU before it switches the board off. */
function lineOnQemu(architecture: "arm64" | "x86-64", cpus: number): string {
  const { command, options, status } = boards[architecture];
  const folder = mkdtempSync(join(tmpdir(), "allstop-"));
  try {
    const file = join(folder, "kernel.elf");
    writeFileSync(file, buildSelfBootingKernel({ architecture, cpus, parameters: { rounds: ROUNDS } }).elf);
    const ran = spawnSync(command, [...options(cpus), "-kernel", file], { timeout: MOST_MS, encoding: "utf8" });
    expect(ran.status, ran.stderr).toBe(status);
    return ran.stdout.trim();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What the same calls leave in memory here. */
async function lineHere(architecture: "arm64" | "x86-64", cpus: number): Promise<string> {
  const { machine, end } = await executeScenario({
    format: SCENARIO_FORMAT,
    machine: { architecture, cpus },
    policy: { rounds: ROUNDS },
  });
  expect(end.kind).toBe("probe");
  const word32 = (address: number): number =>
    new DataView(machine.readMemory(address, 4).slice().buffer).getUint32(0, true);
  const outcome = machine.address("request_outcome");
  let callers = 0;
  for (let cpu = 0; cpu < cpus; cpu++) {
    const block = machine.image.perCpuStart + cpu * machine.image.perCpuStride;
    if (word32(block + perCpuOffsets.calls) > 0) callers++;
  }
  const calls = word32(machine.address("request_calls"));
  return `stop_machine: cpus=${cpus} rounds=${word32(outcome)} returned=${word32(outcome + 4)} calls=${calls} callers=${callers}`;
}

describe.each(["arm64", "x86-64"] as const)("the %s kernel", (architecture) => {
  it("ends as recorded from QEMU 7.2", async () => {
    expect(await lineHere(architecture, 8)).toBe("stop_machine: cpus=8 rounds=3 returned=0 calls=3 callers=1");
  });

  it.skipIf(!isInstalled(boards[architecture])).each([1, 8, 64])(
    `ends the same way on ${boards[architecture].command} with %i CPUs (needs it installed)`,
    async (cpus) => {
      expect(lineOnQemu(architecture, cpus)).toBe(await lineHere(architecture, cpus));
    },
  );
});

describe.each(["arm64", "x86-64"] as const)("the %s kernel file", (architecture) => {
  const readelf = "readelf";
  const installed = spawnSync(readelf, ["--version"]).error === undefined;
  it.skipIf(!installed)("is one that readelf accepts (needs it installed)", () => {
    const folder = mkdtempSync(join(tmpdir(), "allstop-"));
    try {
      const file = join(folder, "kernel.elf");
      writeFileSync(file, buildSelfBootingKernel({ architecture, cpus: 8 }).elf);
      const { stdout, stderr } = spawnSync(readelf, ["-a", "-W", file], { encoding: "utf8", maxBuffer: 2 ** 26 });
      expect(stdout).toContain(architecture === "arm64" ? "AArch64" : "X86-64");
      // Names of symbols may hold the word "error".
      expect(stderr + stdout).not.toMatch(/readelf: (warning|error)/i);
      expect(stdout).toContain("multi_cpu_stop");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
