// Small images for tests of Machine: routines of a few instructions, with or without vectors of their own.

import { readFile } from "node:fs/promises";
import { asmRoutine, arm64, buildImage, x64, type DirectBodies, type Image } from "../../src/asm/index.ts";
import { Machine, type MachineOptions } from "../../src/machine/machine.ts";
import { genericArm64, genericX86 } from "../../src/timing/generic.ts";
import { buildTopology, type Topology } from "../../src/topology/index.ts";

/** The core with its assertions compiled in. */
export const checkedCore = await WebAssembly.compile(
  await readFile(new URL("../../build/core.checked.wasm", import.meta.url)),
);

export const architectures = ["x86-64", "arm64"] as const;
export type Arch = (typeof architectures)[number];

export const cpus = (count: number, offline = ""): Topology =>
  buildTopology({ packages: 1, coresPerLlc: count, threadsPerCore: 1, offline });

/** An image of one routine "main". */
export function imageOf(architecture: Arch, bodies: DirectBodies, options: { cpus?: number } = {}): Image {
  const main = asmRoutine("main", bodies);
  return buildImage({ architecture, roots: [main], entry: main, cpus: options.cpus ?? 1 });
}

export function machineOf(image: Image, options: Partial<MachineOptions> = {}): Machine {
  return Machine.build(checkedCore, {
    topology: cpus(1),
    timing: image.architecture === "x86-64" ? genericX86 : genericArm64,
    image,
    ...options,
  });
}

/** Counts in the second register for ever: RBX, X1. */
export const counting: DirectBodies = {
  x64: (a) => void a.mov(x64.rbx, 0).label("again").add(x64.rbx, 1).jmp("again"),
  arm64: (a) => void a.movConstant(arm64.x1, 0).label("again").add(arm64.x1, arm64.x1, 1).b("again"),
};
export const counter = { "x86-64": "rbx", arm64: "x1" } as const;
