// Reads Perfetto's protobuf with protobufjs: field numbers and types as in protos/perfetto/trace/ of github.com/google/perfetto
// (trace.proto, trace_packet.proto, track_event/track_descriptor.proto, track_event.proto, debug_annotation.proto).

import protobuf from "protobufjs";

const schema = `
  syntax = "proto2";
  package perfetto.protos;
  message Trace { repeated TracePacket packet = 1; }
  message TracePacket {
    optional uint64 timestamp = 8;
    optional uint32 trusted_packet_sequence_id = 10;
    optional TrackEvent track_event = 11;
    optional TrackDescriptor track_descriptor = 60;
  }
  message TrackDescriptor {
    enum ChildTracksOrdering { UNKNOWN = 0; LEXICOGRAPHIC = 1; CHRONOLOGICAL = 2; EXPLICIT = 3; }
    optional uint64 uuid = 1;
    optional string name = 2;
    optional uint64 parent_uuid = 5;
    optional ChildTracksOrdering child_ordering = 11;
    optional int32 sibling_order_rank = 12;
  }
  message TrackEvent {
    enum Type { TYPE_UNSPECIFIED = 0; TYPE_SLICE_BEGIN = 1; TYPE_SLICE_END = 2; TYPE_INSTANT = 3; TYPE_COUNTER = 4; }
    repeated DebugAnnotation debug_annotations = 4;
    optional Type type = 9;
    optional uint64 track_uuid = 11;
    repeated string categories = 22;
    optional string name = 23;
    repeated fixed64 flow_ids = 47 [packed = false];
    repeated fixed64 terminating_flow_ids = 48 [packed = false];
  }
  message DebugAnnotation { optional int64 int_value = 4; optional string string_value = 6; optional string name = 10; }
`;
const Trace = protobuf.parse(schema, { keepCase: true }).root.lookupType("perfetto.protos.Trace");

interface Packet {
  readonly timestamp?: number;
  readonly trusted_packet_sequence_id: number;
  readonly track_descriptor?: {
    readonly uuid: number;
    readonly name: string;
    readonly parent_uuid?: number;
    readonly sibling_order_rank?: number;
  };
  readonly track_event?: {
    readonly type: "TYPE_SLICE_BEGIN" | "TYPE_SLICE_END" | "TYPE_INSTANT";
    readonly track_uuid: number;
    readonly name?: string;
    readonly categories?: readonly string[];
    readonly debug_annotations?: readonly {
      readonly name: string;
      readonly int_value?: number;
      readonly string_value?: string;
    }[];
    readonly flow_ids?: readonly number[];
    readonly terminating_flow_ids?: readonly number[];
  };
}

export function decodePackets(bytes: Uint8Array): readonly Packet[] {
  const decoded = Trace.toObject(Trace.decode(bytes), { longs: Number, enums: String }) as { packet: Packet[] };
  return decoded.packet;
}

/** Bytes of what the schema knows of a trace: all of them, if the trace has no other fields. */
export function knownBytes(bytes: Uint8Array): number {
  return Trace.encode(Trace.decode(bytes)).finish().length;
}

export interface Slice {
  /** Such as "CPU 3", or "CPU 3 execution". */
  readonly track: string;
  readonly name: string;
  readonly category: string;
  readonly startNs: number;
  /** Equal to the start of an instant. */
  endNs: number;
  readonly isInstant: boolean;
  /** Number of slices around it. */
  readonly depth: number;
  readonly values: Readonly<Record<string, number | string>>;
  readonly flows: readonly number[];
  readonly endingFlows: readonly number[];
}

export interface Decoded {
  /** Names by uuid; a child's begin with its parent's. */
  readonly tracks: ReadonlyMap<number, string>;
  /** In the order in which they begin in the file. */
  readonly slices: readonly Slice[];
}

/** @throws if slices don't nest, an event has no track, or time goes backwards */
export function decodeTrace(bytes: Uint8Array): Decoded {
  const tracks = new Map<number, string>();
  const open = new Map<number, Slice[]>();
  const slices: Slice[] = [];
  let now = 0;
  for (const { timestamp, track_descriptor: descriptor, track_event: event } of decodePackets(bytes)) {
    if (descriptor !== undefined) {
      const parent = tracks.get(descriptor.parent_uuid ?? -1);
      const isCpu = /^CPU \d+$/.test(descriptor.name);
      tracks.set(descriptor.uuid, parent === undefined || isCpu ? descriptor.name : `${parent} ${descriptor.name}`);
    }
    if (event === undefined) continue;
    const track = tracks.get(event.track_uuid);
    if (track === undefined || timestamp === undefined) throw new Error("an event without a track or a time");
    if (timestamp < now) throw new Error("time goes backwards");
    now = timestamp;
    const stack = open.get(event.track_uuid) ?? [];
    open.set(event.track_uuid, stack);
    if (event.type === "TYPE_SLICE_END") {
      const slice = stack.pop();
      if (slice === undefined) throw new Error(`an end without a begin on ${track}`);
      slice.endNs = timestamp;
      continue;
    }
    const isInstant = event.type === "TYPE_INSTANT";
    const annotations = event.debug_annotations ?? [];
    const slice: Slice = {
      track,
      name: event.name ?? "",
      category: event.categories?.[0] ?? "",
      startNs: timestamp,
      endNs: timestamp,
      isInstant,
      depth: stack.length,
      values: Object.fromEntries(annotations.map((one) => [one.name, one.int_value ?? one.string_value ?? ""])),
      flows: event.flow_ids ?? [],
      endingFlows: event.terminating_flow_ids ?? [],
    };
    slices.push(slice);
    if (!isInstant) stack.push(slice);
  }
  const left = [...open.values()].flat();
  if (left.length > 0)
    throw new Error(`slices that don't end: ${left.map(({ track, name }) => `${track} ${name}`).join(", ")}`);
  return { tracks, slices };
}
