// Golden listings: one text file per architecture, reviewed like source, with the bytes that the assembler must produce.

import type { Architecture, Image } from "../../../src/asm/index.ts";
import { buildImage } from "../../../src/asm/index.ts";
import { stopBindings, stopRoutines } from "../fixtures/stop-routines.ts";

export function goldenFile(architecture: Architecture): URL {
  return new URL(`../recorded/stop-routines-${architecture}.txt`, import.meta.url);
}

export function stopImage(architecture: Architecture): Image {
  return buildImage({ architecture, roots: stopRoutines, bindings: stopBindings, cpus: 4 });
}

export const stopNames = stopRoutines.map(({ name }) => name);

/** A routine's head line and its instruction bytes, from a golden file. */
export interface GoldenRoutine {
  readonly name: string;
  readonly address: number;
  readonly bytes: string;
  readonly instructions: number;
}

export function parseGolden(text: string): GoldenRoutine[] {
  return text
    .trim()
    .split("\n\n")
    .map((block) => {
      const [head = "", ...lines] = block.split("\n");
      const [name = "", , address = ""] = head.split(/\s+/);
      const instructions = lines.flatMap((line) => {
        const match = /^ {4}[0-9a-f]{8} {2}((?:[0-9a-f]{2} )*[0-9a-f]{2})/.exec(line);
        return match?.[1] === undefined ? [] : [match[1].replaceAll(" ", "")];
      });
      return { name, address: parseInt(address, 16), bytes: instructions.join(""), instructions: instructions.length };
    });
}

export function contentOf(image: Image, name: string): Uint8Array {
  const { address, size } = image.symbol(name);
  const segment = image.segments.find(
    (candidate) => address >= candidate.address && address + size <= candidate.address + candidate.bytes.length,
  );
  if (segment === undefined) throw new Error(`no bytes for ${name}`);
  return segment.bytes.subarray(address - segment.address, address - segment.address + size);
}
