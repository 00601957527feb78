// Fuzz target: snapshots that are damaged, cut, mixed with others, forged, or of another machine.

import { Machine, type RestoreOptions } from "../../src/machine/machine.ts";
import { checksum } from "../../src/machine/snapshot/checksum.ts";
import { SCENARIO_FORMAT, parseScenario } from "../../src/scenario/document.ts";
import { expandScenario } from "../../src/scenario/expand.ts";
import { prepareMachine } from "../../src/scenario/run.ts";
import type { Architecture } from "../support/random-machine.ts";
import type { Random } from "../support/random.ts";
import { ACCEPTED, BrokenProperty, expectSame, type Subject, type Target } from "./target.ts";
import { hex, randomBytes } from "./text.ts";

/** A change to bytes; places are modulo their length. */
interface Change {
  readonly kind: "bit" | "bytes" | "cut" | "append" | "move" | "zero" | "tail" | "foreign";
  readonly at: number;
  readonly end: number;
  /** Another snapshot. */
  readonly other: number;
  readonly bytes: Uint8Array;
}

interface SnapshotInput {
  readonly base: number;
  /** Whose parts it is restored with. */
  readonly parts: number;
  readonly changes: readonly Change[];
  /** The checksum is made right again. */
  readonly forged: boolean;
}

interface Original {
  readonly bytes: Uint8Array;
  readonly parts: Omit<RestoreOptions, "core">;
  readonly digest: string;
}

const HEADER_BYTES = 32;

export const snapshotTarget: Target<SnapshotInput> = {
  name: "snapshots",
  what: "snapshots, damaged in all ways",
  share: 100_000,
  refusals: ["SNAPSHOT_INVALID", "CAPACITY_EXCEEDED"],
  async open(core) {
    const arm64 = await takeSnapshots("arm64", core);
    const x86 = await takeSnapshots("x86-64", core);
    return openSnapshots([...arm64, ...x86], core);
  },
};

/** Of one machine, before its first cycle and in the middle of a rendezvous. */
async function takeSnapshots(architecture: Architecture, core: WebAssembly.Module): Promise<Original[]> {
  const machine = { architecture, cpus: 3 };
  const expanded = expandScenario(parseScenario({ format: SCENARIO_FORMAT, machine, load: { common: "mixed" } }));
  const built = await prepareMachine(expanded, { core });
  const parts = { topology: built.topology, timing: built.timing, image: built.image };
  return [0, 30_000].map((cycle): Original => {
    built.run(cycle);
    return { bytes: built.snapshot(), parts, digest: built.digest() };
  });
}

function openSnapshots(originals: readonly Original[], core: WebAssembly.Module): Subject<SnapshotInput> {
  return {
    draw: (random) => drawInput(random, originals.length),
    attempt(input) {
      const { parts } = originals[input.parts] as Original;
      const bytes = applyChanges(input, originals);
      const machine = Machine.restoreOn(core, bytes, parts);
      // Who forges gets what was forged: a snapshot deserves the trust that a program does.
      if (input.forged) return "FORGED";
      const original = originals.find((one) => one.parts === parts && Buffer.compare(one.bytes, bytes) === 0);
      if (original === undefined) throw new BrokenProperty("a snapshot was taken that nobody has made");
      expectSame("the digest of a restored machine", machine.digest(), original.digest);
      return ACCEPTED;
    },
    show: ({ changes, ...rest }) =>
      JSON.stringify({ ...rest, changes: changes.map(({ bytes, ...change }) => ({ ...change, bytes: hex(bytes) })) }),
  };
}

// --- drawing -----------------------------------------------------------------------------------------------------------------

const kinds = ["bit", "bit", "bit", "bytes", "bytes", "cut", "append", "move", "zero", "tail", "foreign"] as const;

function drawInput(random: Random, originals: number): SnapshotInput {
  const base = random.between(0, originals - 1);
  const parts = random.chance(95) ? base : random.between(0, originals - 1);
  // What is taken, or nearly, costs as much as a machine.
  const forged = random.next() % 128 === 0;
  if (!forged && random.next() % 512 === 0) return { base, parts, changes: [], forged };
  const changes = Array.from({ length: random.pick([1, 1, 1, 2, 3]) }, () => drawChange(random, originals));
  return { base, parts, changes, forged };
}

function drawChange(random: Random, originals: number): Change {
  const kind = random.pick(kinds);
  const at = random.chance(70) ? random.next() : random.between(0, 2047);
  const end = at + (random.chance(50) ? random.between(1, 64) : random.next());
  const bytes = randomBytes(random, kind === "foreign" ? random.between(0, 200) : random.between(1, 40));
  return { kind, at, end, other: random.between(0, originals - 1), bytes };
}

// --- changing ----------------------------------------------------------------------------------------------------------------

function applyChanges({ base, changes, forged }: SnapshotInput, originals: readonly Original[]): Uint8Array {
  let bytes = new Uint8Array(originals[base]?.bytes ?? []);
  for (const change of changes) bytes = applyChange(bytes, change, originals);
  return forged ? sealed(bytes) : bytes;
}

function applyChange(
  bytes: Uint8Array<ArrayBuffer>,
  { kind, at, end, other, bytes: more }: Change,
  originals: readonly Original[],
): Uint8Array<ArrayBuffer> {
  if (bytes.length === 0) return bytes;
  const from = at % bytes.length;
  const to = Math.min(bytes.length, from + ((end - at) % bytes.length));
  switch (kind) {
    case "bit":
      bytes[from]! ^= 1 << (end & 7);
      return bytes;
    case "bytes":
      bytes.set(more.subarray(0, bytes.length - from), from);
      return bytes;
    case "cut":
      return bytes.slice(0, from);
    case "append":
      return joined(bytes, more);
    case "move":
      return bytes.copyWithin(end % bytes.length, from, to);
    case "zero":
      return bytes.fill(0, from, to);
    case "tail": {
      const { bytes: donor } = originals[other] as Original;
      return joined(bytes.subarray(0, from), donor.subarray(from % donor.length));
    }
    case "foreign":
      return joined(bytes.subarray(0, end % HEADER_BYTES), more);
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** With a length and a checksum that are right. */
function sealed(given: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const bytes = given.slice(0, given.length & ~3);
  if (bytes.length < HEADER_BYTES) return bytes;
  const view = new DataView(bytes.buffer);
  view.setUint32(12, bytes.length, true);
  checksum(bytes.subarray(24)).forEach((word, index) => view.setUint32(16 + 4 * index, word, true));
  return bytes;
}
