// The bare-metal test images: what there is, what QEMU 7.2 prints for each, and running them there.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const imageNames = [
  "hello",
  "cpus",
  "sgi",
  "spi",
  "priorities",
  "timers",
  "events",
  "exceptions",
  "el0",
  "psci",
  "rendezvous",
  "arithmetic",
] as const;
export type ImageName = (typeof imageNames)[number];

/** With and without a second affinity level, whole and begun ones. */
export const cpuCounts = [1, 2, 3, 8, 16, 17, 64] as const;

/** With and without the atomic instructions of Armv8.1 and all that came later. */
export const qemuCpus = ["max", "cortex-a72"] as const;
export type QemuCpu = (typeof qemuCpus)[number];

const QEMU = "qemu-system-aarch64";
const MOST_MS = 120_000;

export function imageFile(name: ImageName): string {
  return fileURLToPath(new URL(`../../examples/bare-metal/${name}.elf`, import.meta.url));
}

export function imageBytes(name: ImageName): Uint8Array {
  return new Uint8Array(readFileSync(imageFile(name)));
}

export function qemuIsInstalled(): boolean {
  return spawnSync(QEMU, ["--version"]).error === undefined;
}

/** What an image prints on QEMU's virt board before it switches the board off. @throws when it doesn't */
export function outputOnQemu(name: ImageName, cpus: number, model: QemuCpu): string {
  const options = ["-M", "virt,gic-version=3", "-cpu", model, "-smp", String(cpus), "-accel", "tcg,thread=single"];
  const devices = ["-display", "none", "-monitor", "none", "-serial", "stdio", "-kernel", imageFile(name)];
  const ran = spawnSync(QEMU, [...options, ...devices], { timeout: MOST_MS, encoding: "latin1" });
  if (ran.status !== 0) throw new Error(`${name} on ${cpus} CPUs (${model}): ${ran.stdout}${ran.stderr}`);
  return ran.stdout;
}

function recordedFile(name: ImageName): URL {
  return new URL(`recorded/${name}.txt`, import.meta.url);
}

const heading = (cpus: number): string => `=== ${cpus} CPUs ===\n`;

/** Runs everything on QEMU anew. @throws when the two kinds of PE print different things */
export function record(): void {
  for (const name of imageNames) {
    const outputs = cpuCounts.map((cpus) => {
      const [first, ...others] = qemuCpus.map((model) => outputOnQemu(name, cpus, model));
      if (first === undefined || others.some((other) => other !== first))
        throw new Error(`${name} on ${cpus} CPUs: ${qemuCpus.join(" and ")} differ`);
      return heading(cpus) + first;
    });
    writeFileSync(recordedFile(name), outputs.join(""));
  }
}

/** What QEMU 7.2 printed. */
export function recordedOutput(name: ImageName, cpus: number): string {
  const text = readFileSync(recordedFile(name), "latin1");
  const start = text.indexOf(heading(cpus));
  if (start < 0) throw new Error(`${name} on ${cpus} CPUs is not recorded: run with RECORD=1 where QEMU is installed`);
  const from = start + heading(cpus).length;
  const end = text.indexOf("=== ", from);
  return text.slice(from, end < 0 ? undefined : end);
}

/** The compiler that the files were built with, if it is here. */
export function compilerIsHere(): boolean {
  const ran = spawnSync("aarch64-linux-gnu-gcc", ["-dumpfullversion"], { encoding: "utf8" });
  const binutils = spawnSync("aarch64-linux-gnu-ld", ["--version"], { encoding: "utf8" });
  return ran.error === undefined && ran.stdout.trim() === "12.2.0" && binutils.stdout.includes("2.40");
}

/** Builds all images from their sources. */
export function buildImages(): Map<ImageName, Uint8Array> {
  const folder = mkdtempSync(join(tmpdir(), "allstop-"));
  try {
    const script = fileURLToPath(new URL("../../examples/bare-metal/build.sh", import.meta.url));
    const ran = spawnSync("sh", [script, folder], { encoding: "utf8" });
    if (ran.status !== 0) throw new Error(ran.stderr);
    return new Map(imageNames.map((name) => [name, new Uint8Array(readFileSync(join(folder, `${name}.elf`)))]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
