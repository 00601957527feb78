// Reads hwloc XML of schemas 1.x, 2.x and 3.x in one pass and keeps what a topology needs: where each CPU was listed,
// which CPUs exist without being listed, NUMA nodes and their distances, and a few facts about the machine.
// Format: hwloc's hwloc.dtd, hwloc2.dtd and hwloc/topology-xml.c.

import { SaxesParser } from "saxes";
import { AllstopError } from "../../errors.ts";
import { nowhere } from "../topology.ts";
import { CpuSet } from "./cpuset.ts";
import { DistancesReader, type ListedDistances } from "./distances.ts";
import { excerpt, hwlocLimits, limitError } from "./limits.ts";

/** The objects that enclose a CPU, as numbered in this document; {@link nowhere} if there is none of the kind. */
export interface Spot {
  readonly package: number;
  readonly die: number;
  /** The outermost data or unified cache within the package. */
  readonly cache: number;
  readonly core: number;
}

export interface ListedCache {
  readonly level: number;
  /** How many cores it was seen to serve. */
  cores: number;
}

export interface ListedNode {
  readonly number: number;
  readonly gpIndex: number | undefined;
  /** The package whose object encloses the node's. */
  readonly package: number;
}

export interface HwlocDocument {
  readonly schema: string;
  readonly objects: Record<string, number>;
  /** The first value of each of {@link wantedInfos}, anywhere in the file. */
  readonly infos: ReadonlyMap<string, string>;
  /** Listed CPUs in order of listing. */
  readonly listed: ReadonlyMap<number, Spot>;
  /** By CPU, what is known of those that are not listed: the innermost object whose complete set holds them. */
  readonly hinted: readonly (Spot | undefined)[];
  readonly complete: CpuSet;
  /** Schema 1.x only. */
  readonly online: CpuSet | undefined;
  readonly allowed: CpuSet | undefined;
  readonly caches: readonly ListedCache[];
  readonly nodes: readonly ListedNode[];
  /** By CPU: the index in `nodes` of its node, if one has it. */
  readonly nodeOf: readonly (number | undefined)[];
  readonly distances: ListedDistances | undefined;
}

type Attributes = Readonly<Record<string, string>>;

/** Throws XML_INVALID or XML_LIMIT, with line and column. */
export function readHwlocDocument(text: string): HwlocDocument {
  if (text.length > hwlocLimits.characters) throw limitError("characters", text.length, "document");
  const reader = new Reader();
  const parser = new SaxesParser();
  const here = () => `${parser.line}:${parser.column}`;
  let depth = 0;
  let attributeCount = 0;
  parser.on("error", (error) => {
    // saxes puts the position before its message.
    throw new AllstopError("XML_INVALID", error.message.replace(/^\d+:\d+: /, ""), { at: here() });
  });
  parser.on("doctype", (doctype) => {
    if (doctype.includes("["))
      throw new AllstopError("XML_INVALID", "a document type with declarations", { at: here() });
  });
  parser.on("opentagstart", ({ name }) => {
    attributeCount = 0;
    if (++depth > hwlocLimits.depth) throw limitError("depth", depth, here());
    if (depth > 1 || name === "topology") return;
    throw new AllstopError("XML_INVALID", "not an hwloc topology", {
      at: here(),
      value: excerpt(name),
      allowed: "topology",
    });
  });
  parser.on("attribute", () => {
    if (++attributeCount > hwlocLimits.attributesPerElement) {
      throw limitError("attributesPerElement", attributeCount, here());
    }
  });
  parser.on("opentag", ({ name, attributes }) => reader.open(name, attributes, here()));
  parser.on("text", (content) => reader.text(content, here()));
  parser.on("closetag", ({ name }) => {
    depth--;
    reader.close(name);
  });
  parser.write(text).close();
  return reader.finish();
}

/** The facts that tell a machine's name and architecture. */
const wantedInfos = new Set([
  "Architecture",
  "Backend",
  "CPUImplementer",
  "CPUModel",
  "CPUVendor",
  "DMIProductName",
  "PlatformModel",
]);

/** The types that are counted: hwloc 2's, by its names. */
const countedType =
  /^(Machine|Package|Die|Group|NUMANode|Core|PU|MemCache|L[1-5]Cache|L[1-3]iCache|Bridge|PCIDev|OSDev|Misc)$/;

/** Schema 1.x names, some of them older still, as schema 2 has them. */
const modernType: Readonly<Record<string, string>> = { Socket: "Package", Node: "NUMANode" };

function typeOf(attributes: Attributes): string {
  const type = attributes["type"] ?? "";
  if (type !== "Cache") return Object.hasOwn(modernType, type) ? (modernType[type] ?? type) : type;
  return `L${attributes["depth"] ?? ""}${attributes["cache_type"] === "2" ? "i" : ""}Cache`;
}

const outside: Spot = { package: nowhere, die: nowhere, cache: nowhere, core: nowhere };

/** The state of reading; one method for each event. */
class Reader {
  #schema = "";
  #objectCount = 0;
  readonly #objects = new Map<string, number>();
  readonly #infos = new Map<string, string>();
  readonly #listed = new Map<number, Spot>();
  readonly #hinted: (Spot | undefined)[] = [];
  #complete = CpuSet.empty;
  #online: CpuSet | undefined;
  #allowed: CpuSet | undefined;
  readonly #caches: ListedCache[] = [];
  readonly #nodes: ListedNode[] = [];
  readonly #nodeOf: (number | undefined)[] = [];
  #distances: ListedDistances | undefined;
  #openDistances: DistancesReader | undefined;
  #openElement = "";
  /** Spots of the open objects; the first is outside of all. */
  readonly #spots: Spot[] = [outside];
  #packages = 0;
  #dies = 0;
  #cores = 0;

  open(element: string, attributes: Attributes, at: string): void {
    this.#openElement = element;
    if (element === "topology") this.#schema = schemaOf(attributes["version"], at);
    else if (element === "object") this.#openObject(attributes, at);
    else if (element === "info") this.#addInfo(attributes);
    else if (element === "latency") this.#openDistances?.addLatency(attributes, at);
    else if (element === "distances" || element === "distances2") {
      this.#openDistances = DistancesReader.open(element, attributes, at);
    }
  }

  text(content: string, at: string): void {
    if (this.#openElement === "indexes") this.#openDistances?.addIndexes(content, at);
    if (this.#openElement === "u64values") this.#openDistances?.addValues(content, at);
  }

  close(element: string): void {
    this.#openElement = "";
    if (element === "object") this.#spots.pop();
    if (element === "distances" || element === "distances2") {
      this.#distances ??= this.#openDistances?.close();
      this.#openDistances = undefined;
    }
  }

  #addInfo({ name, value }: Attributes): void {
    if (name === undefined || value === undefined || this.#infos.has(name)) return;
    if (wantedInfos.has(name)) this.#infos.set(name, value);
  }

  #openObject(attributes: Attributes, at: string): void {
    if (++this.#objectCount > hwlocLimits.objects) throw limitError("objects", this.#objectCount, at);
    const type = typeOf(attributes);
    if (countedType.test(type)) this.#objects.set(type, (this.#objects.get(type) ?? 0) + 1);
    const outer = this.#spots.at(-1) ?? outside;
    if (this.#spots.length === 1) this.#addMachineSets(attributes, at);
    const spot = this.#enter(type, outer);
    this.#spots.push(spot);
    if (type === "PU") this.#addCpu(attributes, spot, at);
    else if (type === "NUMANode") this.#addNode(attributes, spot, at);
    else if (spot !== outer) this.#addHints(attributes, spot, at);
  }

  /** The spot inside an object; that of the enclosing object if the type doesn't matter. */
  #enter(type: string, outer: Spot): Spot {
    // A cache around packages is no domain of one package: only those inside count.
    if (type === "Package") return { ...outside, package: this.#packages++ };
    if (type === "Die") return { ...outer, die: this.#dies++ };
    if (type === "Core" || (type === "PU" && outer.core === nowhere)) {
      const cache = this.#caches[outer.cache];
      if (cache !== undefined) cache.cores++;
      return { ...outer, core: this.#cores++ };
    }
    const level = /^L([1-5])d?Cache$/.exec(type)?.[1];
    if (level === undefined || outer.cache !== nowhere) return outer;
    return { ...outer, cache: this.#caches.push({ level: Number(level), cores: 0 }) - 1 };
  }

  /** The outermost object's sets are the machine's. */
  #addMachineSets(attributes: Attributes, at: string): void {
    const complete = attributes["complete_cpuset"] ?? attributes["cpuset"];
    if (complete !== undefined) this.#complete = CpuSet.parse(complete, at);
    if (attributes["online_cpuset"] !== undefined) this.#online = CpuSet.parse(attributes["online_cpuset"], at);
    if (attributes["allowed_cpuset"] !== undefined) this.#allowed = CpuSet.parse(attributes["allowed_cpuset"], at);
  }

  #addCpu(attributes: Attributes, spot: Spot, at: string): void {
    const number = osIndex(attributes, at);
    if (number > hwlocLimits.highestCpuNumber) throw limitError("highestCpuNumber", number, at);
    if (this.#listed.has(number)) throw new AllstopError("XML_INVALID", "a PU listed twice", { at, value: number });
    this.#listed.set(number, spot);
  }

  /** Of several nodes with the same CPUs the first is theirs: hwloc lists DRAM before high-bandwidth memory. */
  #addNode(attributes: Attributes, spot: Spot, at: string): void {
    const index = this.#nodes.length;
    if (index >= hwlocLimits.nodes) throw limitError("nodes", index + 1, at);
    const gpIndex = attributes["gp_index"] === undefined ? undefined : Number(attributes["gp_index"]);
    this.#nodes.push({ number: osIndex(attributes, at), gpIndex, package: spot.package });
    CpuSet.parse(attributes["complete_cpuset"] ?? attributes["cpuset"] ?? "", at).forEach((cpu) => {
      this.#nodeOf[cpu] ??= index;
    });
  }

  /**
   * CPUs in an object's complete set only are in the object, though not listed. Inner objects come later and know more.
   */
  #addHints({ cpuset, complete_cpuset: complete }: Attributes, spot: Spot, at: string): void {
    if (complete === undefined || complete === cpuset) return;
    const unlisted = CpuSet.parse(complete, at).without(CpuSet.parse(cpuset ?? "", at));
    unlisted.forEach((cpu) => (this.#hinted[cpu] = spot));
  }

  finish(): HwlocDocument {
    if (this.#listed.size === 0) throw new AllstopError("XML_INVALID", "no PU object", { at: "document" });
    return {
      schema: this.#schema,
      objects: Object.fromEntries(this.#objects),
      infos: this.#infos,
      listed: this.#listed,
      hinted: this.#hinted,
      complete: this.#complete,
      online: this.#online,
      allowed: this.#allowed,
      caches: this.#caches,
      nodes: this.#nodes,
      nodeOf: this.#nodeOf,
      distances: this.#distances,
    };
  }
}

/** Schema 1 has no version in its root element, or one below 2. */
function schemaOf(version: string | undefined, at: string): string {
  const major = version === undefined ? 1 : Number(/^(\d+)\.\d+$/.exec(version)?.[1] ?? 0);
  if (major === 1) return "1.x";
  if (major === 2 || major === 3) return version ?? "";
  throw new AllstopError("XML_INVALID", "unknown schema version", {
    at,
    value: excerpt(version ?? ""),
    allowed: "none, 1.x, 2.x, 3.x",
  });
}

function osIndex(attributes: Attributes, at: string): number {
  const text = attributes["os_index"] ?? "";
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new AllstopError("XML_INVALID", `a ${attributes["type"]} without a number`, {
    at,
    value: excerpt(text),
    allowed: "os_index",
  });
}
