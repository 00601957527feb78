// The NUMA distance matrices of hwloc files: `distances` inside an object in schema 1.x, `distances2` at the end since.

import { AllstopError } from "../../errors.ts";
import { excerpt, hwlocLimits, limitError } from "./limits.ts";

/** Bits of `kind` in `distances2`: hwloc include/hwloc/distances.h. */
const kindFromOs = 1 << 0;
const kindLatency = 1 << 2;

/** Square, in the order of `nodes`, or in the order of listing where `nodes` is undefined (schema 1.x). */
export interface ListedDistances {
  readonly indexing: "os" | "gp" | "listing";
  readonly nodes: readonly number[];
  readonly values: readonly number[];
  readonly at: string;
}

type Attributes = Readonly<Record<string, string>>;

/** Gathers one matrix while its element is open. */
export class DistancesReader {
  readonly #latencyBase: number;
  readonly #count: number;
  readonly #at: string;
  readonly #indexing: "os" | "gp" | "listing";
  readonly #nodes: number[] = [];
  readonly #values: number[] = [];

  /** Undefined for a matrix that isn't the operating system's latencies between NUMA nodes. */
  static open(element: string, attributes: Attributes, at: string): DistancesReader | undefined {
    if (element === "distances") return new DistancesReader(attributes, "listing", at);
    const kind = Number(attributes["kind"] ?? 0);
    const isLatency = (kind & kindFromOs) !== 0 && (kind & kindLatency) !== 0;
    if (element !== "distances2" || attributes["type"] !== "NUMANode" || !isLatency) return undefined;
    return new DistancesReader(attributes, attributes["indexing"] === "gp" ? "gp" : "os", at);
  }

  private constructor(attributes: Attributes, indexing: "os" | "gp" | "listing", at: string) {
    this.#at = at;
    this.#indexing = indexing;
    this.#count = wholeNumber(attributes["nbobjs"] ?? "", at);
    this.#latencyBase = Number(attributes["latency_base"] ?? 1);
    if (this.#count > hwlocLimits.nodes) throw limitError("nodes", this.#count, at);
  }

  /** One `latency` element of schema 1.x: a fraction of `latency_base`. */
  addLatency(attributes: Attributes, at: string): void {
    this.#push(this.#values, Math.round(Number(attributes["value"]) * this.#latencyBase), this.#count ** 2, at);
  }

  addIndexes(text: string, at: string): void {
    for (const [word] of text.matchAll(/\S+/g)) this.#push(this.#nodes, wholeNumber(word, at), this.#count, at);
  }

  addValues(text: string, at: string): void {
    for (const [word] of text.matchAll(/\S+/g)) this.#push(this.#values, wholeNumber(word, at), this.#count ** 2, at);
  }

  #push(list: number[], value: number, most: number, at: string): void {
    if (!Number.isSafeInteger(value)) throw new AllstopError("XML_INVALID", "not a distance", { at, value });
    if (list.push(value) > most) {
      throw new AllstopError("XML_INVALID", "more distances than nbobjs says", { at, allowed: `${most}` });
    }
  }

  close(): ListedDistances {
    const indexesMissing = this.#indexing !== "listing" && this.#nodes.length !== this.#count;
    if (indexesMissing || this.#values.length !== this.#count ** 2) {
      const value = this.#values.length;
      throw new AllstopError("XML_INVALID", "an incomplete distance matrix", {
        at: this.#at,
        value,
        allowed: `${this.#count} nodes and ${this.#count ** 2} values`,
      });
    }
    return { indexing: this.#indexing, nodes: this.#nodes, values: this.#values, at: this.#at };
  }
}

function wholeNumber(text: string, at: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new AllstopError("XML_INVALID", "not a whole number", { at, value: excerpt(text) });
}

/** How a file names one of its NUMA nodes, in order of listing. */
export interface NodeNames {
  readonly number: number;
  readonly gpIndex: number | undefined;
}

/** The matrix in order of listing of the nodes, or undefined if it doesn't cover each node once. */
export function matrixOf(listed: ListedDistances, nodes: readonly NodeNames[]): number[][] | undefined {
  const { indexing, values } = listed;
  const count = nodes.length;
  if (values.length !== count ** 2) return undefined;
  const rankOf = new Map<number, number>();
  for (const [rank, name] of listed.nodes.entries()) rankOf.set(name, rank);
  const ranks = nodes.map((node, index) =>
    indexing === "listing" ? index : rankOf.get((indexing === "gp" ? node.gpIndex : node.number) ?? -1),
  );
  const known = ranks.filter((rank) => rank !== undefined);
  if (known.length !== count) return undefined;
  return known.map((from) => known.map((to) => values[from * count + to] ?? 0));
}
