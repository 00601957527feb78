// The bytes of a snapshot: an envelope that shows damage, a description in JSON, and the machine's memory.
//
//   0   8  magic
//   8   4  format version
//   12  4  bytes in all, a multiple of 4
//   16  8  checksum of everything behind
//   24  4  bytes of the description
//   28  4  zero
//   32     description; table of page runs (first page, pages; two words each); packed pages; packed trace records.
//          Each is padded with zeros to a multiple of 4. All numbers are little-endian.
//
// The checksum finds damage. It doesn't keep anybody from forging: a snapshot deserves the trust that a program does.

import * as v from "valibot";
import { MAX_CPUS } from "../../abi.ts";
import { AllstopError } from "../../errors.ts";
import { checksum, roundToWords } from "./checksum.ts";

/** Changes whenever the layout above, the description or the packing does. */
export const SNAPSHOT_VERSION = 1;

/** As PNG's: shows when bytes were taken for text. */
const MAGIC = [0x89, 0x41, 0x4c, 0x4c, 0x53, 0x0d, 0x0a, 0x1a];
const VERSION = 8;
const TOTAL = 12;
const CHECKSUM = 16;
const CHECKED = 24;
const DESCRIPTION_BYTES = 24;
const HEADER_BYTES = 32;
/** Bytes of the largest linear memory. */
const MOST_MEMORY = 2 ** 32;

const count = (most: number) => v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(most));

const Description = v.strictObject({
  abi: v.number(),
  core: v.string(),
  architecture: v.string(),
  image: v.string(),
  topology: v.string(),
  timing: v.string(),
  /** Names, for messages only. */
  names: v.strictObject({ topology: v.string(), timing: v.string() }),
  cycle: count(Number.MAX_SAFE_INTEGER),
  memoryBytes: count(MOST_MEMORY),
  runs: count(2 ** 20),
  pages: count(2 ** 20),
  packedPages: count(MOST_MEMORY),
  traceBytes: count(MOST_MEMORY),
  packedTrace: count(MOST_MEMORY),
  console: v.string(),
  /** CPU and cycle. */
  starts: v.array(v.strictTuple([count(MAX_CPUS), count(Number.MAX_SAFE_INTEGER)])),
  probes: v.array(
    v.strictObject({
      name: v.string(),
      number: count(2 ** 16),
      address: count(Number.MAX_SAFE_INTEGER),
      values: v.array(v.string()),
      breaks: v.boolean(),
    }),
  ),
});

/** What a snapshot says of itself. */
export type Description = v.InferOutput<typeof Description>;

export interface SnapshotContent {
  readonly description: Description;
  /** First page and number of pages of each run. */
  readonly runs: Uint32Array;
  readonly packedPages: Uint8Array;
  readonly packedTrace: Uint8Array;
}

export function snapshotError(
  what: string,
  details: { value?: unknown; allowed?: string; cause?: unknown } = {},
): AllstopError {
  return new AllstopError("SNAPSHOT_INVALID", what, details);
}

export function encodeSnapshot({
  description,
  runs,
  packedPages,
  packedTrace,
}: SnapshotContent): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify(description));
  const sections = [text, new Uint8Array(runs.buffer, runs.byteOffset, runs.byteLength), packedPages, packedTrace];
  const total = sections.reduce((sum, { length }) => sum + roundToWords(length), HEADER_BYTES);
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(VERSION, SNAPSHOT_VERSION, true);
  view.setUint32(TOTAL, total, true);
  view.setUint32(DESCRIPTION_BYTES, text.length, true);
  let at = HEADER_BYTES;
  for (const section of sections) {
    bytes.set(section, at);
    at += roundToWords(section.length);
  }
  checksum(bytes.subarray(CHECKED)).forEach((word, index) => view.setUint32(CHECKSUM + 4 * index, word, true));
  return bytes;
}

/** Takes a snapshot apart. @throws SNAPSHOT_INVALID with the reason */
export function decodeSnapshot(given: Uint8Array): SnapshotContent {
  const bytes = checkedBytes(given);
  const textBytes = new DataView(bytes.buffer).getUint32(DESCRIPTION_BYTES, true);
  let at = HEADER_BYTES;
  const section = (length: number): Uint8Array<ArrayBuffer> => {
    if (length > bytes.length - at) throw snapshotError("the snapshot's parts don't fit it", { value: length });
    const start = at;
    at += roundToWords(length);
    return bytes.subarray(start, start + length);
  };
  const description = readDescription(section(textBytes));
  const runs = section(8 * description.runs);
  const packedPages = section(description.packedPages);
  const packedTrace = section(description.packedTrace);
  if (at !== bytes.length) throw snapshotError("the snapshot's parts don't fill it", { value: bytes.length - at });
  return {
    description,
    runs: new Uint32Array(runs.buffer, runs.byteOffset, runs.length / 4),
    packedPages,
    packedTrace,
  };
}

/** An aligned copy, where need be, of bytes that are as they were written. */
function checkedBytes(given: Uint8Array): Uint8Array<ArrayBuffer> {
  if (!(given instanceof Uint8Array)) throw snapshotError("not bytes", { value: typeof given, allowed: "Uint8Array" });
  if (given.length < HEADER_BYTES) {
    throw snapshotError("too short for a snapshot", { value: given.length, allowed: `${HEADER_BYTES} bytes or more` });
  }
  if (MAGIC.some((byte, index) => given[index] !== byte)) throw snapshotError("not a snapshot of allstop");
  const bytes = isAlignedAlone(given) ? given : given.slice();
  const view = new DataView(bytes.buffer);
  const version = view.getUint32(VERSION, true);
  if (version !== SNAPSHOT_VERSION) {
    throw snapshotError("a snapshot of another format version", { value: version, allowed: `${SNAPSHOT_VERSION}` });
  }
  const total = view.getUint32(TOTAL, true);
  if (total !== bytes.length || total % 4 !== 0) {
    throw snapshotError("the snapshot is cut short, or has grown", { value: bytes.length, allowed: `${total} bytes` });
  }
  const [a, b] = checksum(bytes.subarray(CHECKED));
  if (view.getUint32(CHECKSUM, true) !== a || view.getUint32(CHECKSUM + 4, true) !== b) {
    throw snapshotError("the snapshot is damaged: its checksum doesn't match");
  }
  return bytes;
}

function isAlignedAlone(bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer && bytes.byteOffset === 0;
}

function readDescription(text: Uint8Array): Description {
  try {
    return v.parse(Description, JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(text)));
  } catch (cause) {
    throw snapshotError("the snapshot's description can't be read", { cause });
  }
}
