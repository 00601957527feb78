// Bare-metal images print on our virt board what they print on QEMU's, from 1 to 64 CPUs, whatever our timing is.
// Recording anew, from QEMU with two kinds of PE: RECORD=1 npx vitest run --config .config/vitest.config.ts test/board

import { describe, expect, it } from "vitest";
import { execImage, type ExecOptions } from "../../src/board/exec.ts";
import { accelerationNames } from "../../src/machine/accelerations.ts";
import { timingModels } from "../../src/timing/index.ts";
import { buildPreset, topologyFromText } from "../../src/topology/index.ts";
import { checkedCore } from "../support/bare-machine.ts";
import {
  buildImages,
  compilerIsHere,
  cpuCounts,
  imageBytes,
  imageNames,
  outputOnQemu,
  qemuCpus,
  qemuIsInstalled,
  record,
  recordedOutput,
  type ImageName,
} from "./images.ts";

if (process.env["RECORD"] !== undefined) record();

async function run(name: ImageName, options: ExecOptions): Promise<{ outcome: string; output: string }> {
  const { verdict, output } = await execImage(imageBytes(name), { core: checkedCore, ...options });
  return { outcome: verdict.outcome === "off" ? "off" : verdict.message, output };
}

describe.each(imageNames)("the image %s", (name) => {
  it.each(cpuCounts)("prints what it prints on QEMU 7.2, with %i CPUs", async (cpus) => {
    expect(await run(name, { cpus })).toEqual({ outcome: "off", output: recordedOutput(name, cpus) });
  });

  it("prints the same on other machines, and without accelerations", async () => {
    const [three, eight] = [recordedOutput(name, 3), recordedOutput(name, 8)];
    const accelerations = Object.fromEntries(accelerationNames.map((one) => [one, false]));
    expect((await run(name, { cpus: 3, accelerations })).output).toBe(three);
    for (const timing of timingModels.filter(({ architecture }) => architecture === "arm64")) {
      expect((await run(name, { cpus: 8, timing })).output).toBe(eight);
    }
    const topology = topologyFromText("packages=2,cores=2,threads=2,arch=arm64,mpidrs=cluster", "arm64");
    expect((await run(name, { topology })).output).toBe(eight);
  });
});

describe("machines of the list", () => {
  it("run an image on all of their CPUs", async () => {
    const { output } = await run("rendezvous", { topology: buildPreset("graviton2") });
    expect(output).toBe(recordedOutput("rendezvous", 64));
  });
});

// Each image once here; all of them with every number of CPUs when they are recorded.
describe.skipIf(!qemuIsInstalled())("on the QEMU that is installed", () => {
  it.each(imageNames.map((name, index) => [name, cpuCounts[index % cpuCounts.length] ?? 1] as const))(
    "%s prints what was recorded, with %i CPUs",
    (name, cpus) => {
      const model = qemuCpus[cpus % qemuCpus.length] ?? "max";
      expect(outputOnQemu(name, cpus, model)).toBe(recordedOutput(name, cpus));
    },
  );
});

describe.skipIf(!compilerIsHere())("the compiler that built the images", () => {
  it("makes the same files of the sources", () => {
    for (const [name, bytes] of buildImages()) {
      expect({ name, same: Buffer.compare(bytes, imageBytes(name)) }).toEqual({ name, same: 0 });
    }
  });
});
