// A bare-metal image on the virt board, on two machines: its output is the same, the time that it takes is not.
//
//   node examples/exec-image.mjs

import { readFile } from "node:fs/promises";
import { buildPreset } from "allstop/topology";
import { execImage } from "allstop";

const file = await readFile(new URL("bare-metal/rendezvous.elf", import.meta.url));
for (const preset of ["graviton2", "kunpeng-920"]) {
  const { verdict, output } = await execImage(file, { topology: buildPreset(preset) });
  console.log(`${preset}: ${verdict.outcome} after ${(verdict.ns / 1000).toFixed(0)} us`);
  console.log(output.trim());
}
