// Saves a machine as bytes, and makes a machine of them again: core memory and what the host keeps beside it.

import { ABI_VERSION, PAGE_BYTES, TRACE_RECORD_BYTES } from "../../abi.ts";
import type { MachineImage } from "../guest-image.ts";
import { Core, type PageRun } from "../../core/core.ts";
import { coreIdentity } from "../../core/load.ts";
import { AllstopError } from "../../errors.ts";
import type { TimingModel } from "../../timing/index.ts";
import type { Topology } from "../../topology/index.ts";
import type { ProbeHandle } from "../views.ts";
import { TraceLog } from "../trace-log.ts";
import { roundToWords } from "./checksum.ts";
import { decodeSnapshot, encodeSnapshot, snapshotError, type Description, type SnapshotContent } from "./format.ts";
import { timingIdentity, topologyIdentity } from "./identity.ts";
import { PackedDamage, packWords, unpackWords } from "./pack.ts";

/** What a machine is built from. */
export interface MachineParts {
  readonly topology: Topology;
  readonly timing: TimingModel;
  readonly image: MachineImage;
}

/** What the host keeps of a machine beside the core's memory. */
export interface HostState {
  readonly console: string;
  readonly probes: readonly ProbeHandle[];
  /** Cycles at which CPUs start by the host's wish. */
  readonly starts: ReadonlyMap<number, number>;
  readonly trace: TraceLog;
}

const WORDS_PER_PAGE = PAGE_BYTES / 4;

/** O(memory in use). @throws CORE_MISMATCH where the core's build is unknown */
export function saveMachine(core: Core, parts: MachineParts, host: HostState & { readonly cycle: number }): Uint8Array {
  const runs = core.pagesInUse();
  const table = new Uint32Array(runs.flatMap(({ start, end }) => [start / PAGE_BYTES, (end - start) / PAGE_BYTES]));
  const words = gather(new Uint8Array(core.buffer), runs);
  const packedPages = packWords(words);
  const trace = host.trace.bytes;
  const packedTrace = packWords(new Uint32Array(trace.slice().buffer));
  return encodeSnapshot({
    description: {
      abi: ABI_VERSION,
      core: coreIdentity(core.module),
      ...identities(parts),
      names: { topology: parts.topology.name, timing: parts.timing.name },
      cycle: host.cycle,
      memoryBytes: core.memoryBytes,
      runs: runs.length,
      pages: words.length / WORDS_PER_PAGE,
      packedPages: packedPages.length,
      traceBytes: trace.length,
      packedTrace: packedTrace.length,
      console: host.console,
      starts: [...host.starts],
      probes: host.probes.map((probe) => ({ ...probe, values: [...probe.values] })),
    },
    runs: table,
    packedPages,
    packedTrace,
  });
}

function identities({ topology, timing, image }: MachineParts) {
  return {
    architecture: image.architecture,
    image: image.hash,
    topology: topologyIdentity(topology),
    timing: timingIdentity(timing),
  };
}

/** The pages of all runs, one behind the other. */
function gather(memory: Uint8Array, runs: readonly PageRun[]): Uint32Array {
  const bytes = new Uint8Array(runs.reduce((sum, { start, end }) => sum + end - start, 0));
  let at = 0;
  for (const { start, end } of runs) {
    bytes.set(memory.subarray(start, end), at);
    at += end - start;
  }
  return new Uint32Array(bytes.buffer);
}

/**
 * Makes a core of a snapshot, which must be of a machine of these parts.
 * @throws SNAPSHOT_INVALID with the reason; CORE_MISMATCH where the core's build is unknown; CAPACITY_EXCEEDED
 */
export function loadMachine(
  module: WebAssembly.Module,
  bytes: Uint8Array,
  parts: MachineParts,
): { core: Core; host: HostState } {
  const content = decodeSnapshot(bytes);
  checkIdentity(content.description, coreIdentity(module), parts);
  const { description } = content;
  const runs = checkedRuns(content);
  const pages = new Uint8Array(unpack(content.packedPages, description.pages * WORDS_PER_PAGE).buffer);
  const trace = traceOf(content);
  const core = adopted(module, description.memoryBytes, (memory) => {
    let at = 0;
    for (const { start, end } of runs) {
      memory.set(pages.subarray(at, at + end - start), start);
      at += end - start;
    }
  });
  const { console, probes, starts } = description;
  return { core, host: { console, probes, starts: new Map(starts), trace } };
}

/** Everything that must be the same for the machine to go on as it would have. */
function checkIdentity(description: Description, core: string, parts: MachineParts): void {
  const { abi, names } = description;
  if (abi !== ABI_VERSION) {
    throw snapshotError("a snapshot of a core with another ABI", { value: abi, allowed: `${ABI_VERSION}` });
  }
  const expected = identities(parts);
  const same = (value: string, allowed: string, what: string): void => {
    if (value !== allowed) throw snapshotError(what, { value, allowed });
  };
  same(description.core, core, "a snapshot of another build of the core");
  same(description.architecture, expected.architecture, "a snapshot of another architecture");
  same(description.topology, expected.topology, `a snapshot of another topology (${names.topology})`);
  same(description.timing, expected.timing, `a snapshot of another timing model (${names.timing})`);
  same(description.image, expected.image, "a snapshot of another image");
}

/** A core with the memory of a snapshot, which somebody may have forged. */
function adopted(module: WebAssembly.Module, bytes: number, fill: (memory: Uint8Array) => void): Core {
  const core = new Core(module);
  try {
    core.adopt(bytes, fill);
  } catch (cause) {
    if (!(cause instanceof AllstopError) || cause.code !== "CORE_TRAPPED") throw cause;
    throw snapshotError("the snapshot's memory is no machine", { cause });
  }
  return core;
}

/** Runs by ascending address, within memory. */
function checkedRuns({ description, runs }: SnapshotContent): PageRun[] {
  const most = Math.ceil(description.memoryBytes / PAGE_BYTES);
  let behind = 0;
  let pages = 0;
  const checked: PageRun[] = [];
  for (let index = 0; index < runs.length; index += 2) {
    const first = runs[index] as number;
    const count = runs[index + 1] as number;
    if (first < behind || count === 0 || first + count > most) {
      throw snapshotError("the snapshot's pages don't fit memory", { value: first });
    }
    checked.push({ start: first * PAGE_BYTES, end: (first + count) * PAGE_BYTES });
    behind = first + count;
    pages += count;
  }
  if (pages !== description.pages) throw snapshotError("the snapshot's pages are not all there", { value: pages });
  return checked;
}

function traceOf({ description, packedTrace }: SnapshotContent): TraceLog {
  const { traceBytes } = description;
  if (traceBytes % TRACE_RECORD_BYTES !== 0 || roundToWords(traceBytes) !== traceBytes) {
    throw snapshotError("the snapshot has a part of a trace record", { value: traceBytes });
  }
  const trace = new TraceLog();
  trace.append(new Uint8Array(unpack(packedTrace, traceBytes / 4).buffer));
  return trace;
}

function unpack(packed: Uint8Array, words: number): Uint32Array<ArrayBuffer> {
  try {
    return unpackWords(packed, words);
  } catch (cause) {
    if (cause instanceof PackedDamage) throw snapshotError(`the snapshot can't be unpacked: ${cause.message}`);
    throw snapshotError("the snapshot is too large for this host", { value: words * 4, cause });
  }
}
