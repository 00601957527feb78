// What a machine asks of a guest's image: of one that the assembler has linked, or of one that was read from a file.

import type { Image } from "../asm/index.ts";

/** What a machine asks of an image. */
export type MachineImage = Pick<
  Image,
  | "architecture"
  | "cpus"
  | "entry"
  | "hash"
  | "hasSymbol"
  | "marks"
  | "perCpuStart"
  | "perCpuStride"
  | "segments"
  | "symbol"
  | "symbols"
> &
  // What only the assembler knows.
  Partial<Pick<Image, "flavour" | "structs">>;
