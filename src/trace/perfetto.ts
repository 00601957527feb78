// Perfetto's protobuf: one packet per track and event, as protos/perfetto/trace/ of github.com/google/perfetto defines them. Names are
// written out, without interning, so that any part of the file can be read by itself.

import { PbfWriter } from "pbf";
import { CHUNK_BYTES, type TraceEncoder, type TraceSubject } from "./encoder.ts";
import { trackKinds, type SliceEnd, type TraceEvent, type TrackKind } from "./event.ts";

/** Field numbers, by message. */
const Trace = { packet: 1 } as const;
const TracePacket = { timestamp: 8, trustedPacketSequenceId: 10, trackEvent: 11, trackDescriptor: 60 } as const;
const TrackDescriptor = { uuid: 1, name: 2, parentUuid: 5, childOrdering: 11, siblingOrderRank: 12 } as const;
const TrackEvent = {
  debugAnnotations: 4,
  type: 9,
  trackUuid: 11,
  categories: 22,
  name: 23,
  flowIds: 47,
  terminatingFlowIds: 48,
} as const;
const DebugAnnotation = { intValue: 4, stringValue: 6, name: 10 } as const;

/** TrackEvent.Type */
const TYPES = { begin: 1, end: 2, instant: 3 } as const;
/** TrackDescriptor.ChildTracksOrdering: by sibling_order_rank. */
const ORDERING_EXPLICIT = 3;
const SEQUENCE = 1;
const ROOT_UUID = 1;

/** A CPU's own track is that of its phases; the others are its children. */
const CHILD_NAMES: Partial<Record<TrackKind, string>> = {
  execution: "execution",
  calls: "calls",
  stolen: "stolen time",
};

export function trackUuid(cpu: number, kind: TrackKind): number {
  return (cpu + 1) * trackKinds.length + trackKinds.indexOf(kind);
}

interface Track {
  readonly uuid: number;
  readonly name: string;
  readonly parent?: number;
  readonly rank?: number;
}

export class PerfettoEncoder implements TraceEncoder {
  readonly #nsOf: (cycle: number) => number;
  readonly #described = new Set<number>();
  #writer = new PbfWriter();

  constructor({ title, cpus, nsOf }: TraceSubject) {
    this.#nsOf = nsOf;
    this.#describe({ uuid: ROOT_UUID, name: title });
    for (const cpu of cpus) {
      this.#describe({ uuid: trackUuid(cpu, "phases"), name: `CPU ${cpu}`, parent: ROOT_UUID, rank: cpu });
      this.#describeChild(cpu, "execution");
    }
  }

  readonly write = (event: TraceEvent): void => {
    if (event.track !== "phases") this.#describeChild(event.cpu, event.track);
    this.#writer.writeMessage(Trace.packet, this.#writeEvent, event);
  };

  readonly take = (isAll = false): Uint8Array | undefined => {
    if (this.#writer.pos < (isAll ? 1 : CHUNK_BYTES)) return undefined;
    const bytes = this.#writer.finish();
    this.#writer = new PbfWriter();
    return bytes;
  };

  #describeChild(cpu: number, kind: TrackKind): void {
    const uuid = trackUuid(cpu, kind);
    if (this.#described.has(uuid)) return;
    const parent = trackUuid(cpu, "phases");
    this.#describe({ uuid, name: CHILD_NAMES[kind] ?? kind, parent, rank: trackKinds.indexOf(kind) });
  }

  #describe(track: Track): void {
    this.#described.add(track.uuid);
    this.#writer.writeMessage(Trace.packet, writeDescriptorPacket, track);
  }

  readonly #writeEvent = (event: TraceEvent, pbf?: PbfWriter): void => {
    pbf?.writeVarintField(TracePacket.timestamp, this.#nsOf(event.cycle));
    pbf?.writeVarintField(TracePacket.trustedPacketSequenceId, SEQUENCE);
    pbf?.writeMessage(TracePacket.trackEvent, writeTrackEvent, event);
  };
}

function writeDescriptorPacket(track: Track, pbf: PbfWriter): void {
  pbf.writeVarintField(TracePacket.trustedPacketSequenceId, SEQUENCE);
  pbf.writeMessage(TracePacket.trackDescriptor, writeDescriptor, track);
}

function writeDescriptor({ uuid, name, parent, rank }: Track, pbf: PbfWriter): void {
  pbf.writeVarintField(TrackDescriptor.uuid, uuid);
  pbf.writeStringField(TrackDescriptor.name, name);
  if (parent !== undefined) pbf.writeVarintField(TrackDescriptor.parentUuid, parent);
  pbf.writeVarintField(TrackDescriptor.childOrdering, ORDERING_EXPLICIT);
  if (rank !== undefined) pbf.writeVarintField(TrackDescriptor.siblingOrderRank, rank);
}

function writeTrackEvent(event: TraceEvent, pbf: PbfWriter): void {
  pbf.writeVarintField(TrackEvent.type, TYPES[event.type]);
  pbf.writeVarintField(TrackEvent.trackUuid, trackUuid(event.cpu, event.track));
  if (event.type !== "end") writeDetails(event, pbf);
}

function writeDetails(event: Exclude<TraceEvent, SliceEnd>, pbf: PbfWriter): void {
  const { name, category, values = {}, flows = [], endingFlows = [] } = event;
  pbf.writeStringField(TrackEvent.categories, category);
  pbf.writeStringField(TrackEvent.name, name);
  for (const annotation of Object.entries(values))
    pbf.writeMessage(TrackEvent.debugAnnotations, writeAnnotation, annotation);
  for (const flow of flows) pbf.writeFixed64Field(TrackEvent.flowIds, flow);
  for (const flow of endingFlows) pbf.writeFixed64Field(TrackEvent.terminatingFlowIds, flow);
}

function writeAnnotation([name, value]: readonly [string, string | number], pbf: PbfWriter): void {
  if (typeof value === "number") pbf.writeVarintField(DebugAnnotation.intValue, value);
  else pbf.writeStringField(DebugAnnotation.stringValue, value);
  pbf.writeStringField(DebugAnnotation.name, name);
}
