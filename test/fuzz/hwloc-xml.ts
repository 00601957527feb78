// Fuzz target: hwloc files. Small ones are drawn, real ones are changed: element by element, and as text.

import { readFile } from "node:fs/promises";
import { parseHwlocXml } from "../../src/topology/index.ts";
import type { Random } from "../support/random.ts";
import { ACCEPTED, type Subject, type Target } from "./target.ts";
import { muchChangedText, someNumber } from "./text.ts";
import { buildMachine, checkAccepted } from "./topologies.ts";

const fixtures = [
  "schema1-tiles",
  "schema1-two-sockets",
  "schema2-dies",
  "schema2-offline",
  "schema3-hybrid",
  "schema3-private-caches",
] as const;

/** One accepted file in so many becomes a machine. */
const BUILT = 256;

export const hwlocTarget: Target<string> = {
  name: "hwloc-xml",
  what: "hwloc files of all schemas",
  share: 1_200_000,
  refusals: ["XML_INVALID", "XML_LIMIT", "TOPOLOGY_INVALID"],
  async open(core) {
    const folder = new URL("../topology/fixtures/", import.meta.url);
    const texts = await Promise.all(fixtures.map((name) => readFile(new URL(`${name}.xml`, folder), "utf8")));
    return openFiles(texts.map(tokensOf), core);
  },
};

function openFiles(files: readonly (readonly string[])[], core: WebAssembly.Module): Subject<string> {
  return {
    draw: (random) => someFile(random, files),
    attempt(text, number) {
      const topology = parseHwlocXml(text);
      checkAccepted(topology);
      if (number % BUILT === 0) buildMachine(topology, core);
      return ACCEPTED;
    },
    show: (text) => JSON.stringify(text),
  };
}

/** Tags, and what is between them. */
function tokensOf(text: string): string[] {
  return text.match(/<[^>]*>|[^<]+/g) ?? [];
}

function someFile(random: Random, files: readonly (readonly string[])[]): string {
  const tokens = random.chance(10) ? [...random.pick(files)] : drawFile(random);
  for (let left = random.between(0, 4); left > 0; left--) changeToken(random, tokens);
  const text = tokens.join("");
  return random.chance(70) ? text : muchChangedText(random, text, 3);
}

/** One element or piece of text is taken away, doubled, moved, or has another attribute. */
function changeToken(random: Random, tokens: string[]): void {
  const at = random.between(0, tokens.length - 1);
  const token = tokens[at] ?? "";
  switch (random.between(0, 9)) {
    case 0:
      tokens.splice(at, 1);
      break;
    case 1:
      tokens.splice(at, 0, token);
      break;
    case 2:
      tokens.splice(random.between(0, tokens.length), 0, ...tokens.splice(at, random.between(1, 4)));
      break;
    case 3:
      tokens.splice(at, 0, random.pick(strangeTokens));
      break;
    case 4:
      tokens[at] = token.replace(/ (\w+)="[^"]*"/, "");
      break;
    case 5:
      tokens[at] = token.replace(/>$/, ` ${random.pick(attributes)}="${someAttribute(random)}">`);
      break;
    default:
      tokens[at] = changedAttribute(random, token);
  }
}

const strangeTokens = [
  "<!-- -->",
  "<![CDATA[<object>]]>",
  '<!DOCTYPE topology [<!ENTITY a "b">]>',
  "<?pi?>",
  "&amp;&lt;&#65;",
  "&a;",
  "<object>",
  "</object>",
  "<object/>",
  "<object type='PU'/>",
  "<topology>",
  "<topology/>",
  '<info name="CPUModel" value="&#27;[2J"/>',
  '<distances2 type="NUMANode" nbobjs="1" kind="5" indexing="os"><indexes>0</indexes><u64values>10</u64values></distances2>',
  '<distances nbobjs="1" latency_base="1e300"><latency value="NaN"/></distances>',
  "<u64values>10 20 20 10</u64values>",
] as const;

const attributes = [
  "type",
  "os_index",
  "gp_index",
  "cpuset",
  "complete_cpuset",
  "online_cpuset",
  "allowed_cpuset",
  "nodeset",
  "depth",
  "cache_type",
  "version",
  "nbobjs",
  "kind",
  "latency_base",
  "__proto__",
] as const;

const types = [
  ...["Machine", "Package", "Socket", "Die", "NUMANode", "Node", "Group", "Cache", "L1Cache", "L2Cache", "L3Cache"],
  ...["L1iCache", "MemCache", "Core", "PU", "Misc", "toString", ""],
] as const;

function someAttribute(random: Random): string {
  const kind = random.between(0, 3);
  if (kind === 0) return random.pick(types);
  if (kind === 1) return someNumber(random);
  return someSet(random);
}

function someSet(random: Random): string {
  const words = Array.from({ length: random.between(1, random.chance(95) ? 3 : 40) }, () =>
    random.chance(20) ? "" : `0x${(random.next() >>> random.between(0, 31)).toString(16).padStart(8, "0")}`,
  );
  if (random.chance(5)) words[0] = random.pick(["0xf...f", "0x", "0x123456789", "-1", " 0x1"]);
  return words.join(",");
}

function changedAttribute(random: Random, token: string): string {
  const values = [...token.matchAll(/"([^"]*)"/g)];
  if (values.length === 0) return token;
  const { index, 0: quoted } = random.pick(values);
  return `${token.slice(0, index)}"${someAttribute(random)}"${token.slice(index + quoted.length)}`;
}

// --- drawn files -------------------------------------------------------------------------------------------------------------

/** A regular tree of a few levels, as lstopo would write it, of one of the schemas. */
function drawFile(random: Random): string[] {
  const levels = ["Package", "Die", "L3Cache", "L2Cache", "Core", "PU"].filter(
    (level) => level === "PU" || random.chance(60),
  );
  const tree = new Tree(random, levels);
  const version = random.pick(["", ' version="2.0"', ' version="2.0"', ' version="3.0"']);
  return [
    `<topology${version}>`,
    ...tree.machine(),
    ...(random.chance(20) ? drawDistances(random) : []),
    "</topology>",
  ];
}

function drawDistances(random: Random): string[] {
  const count = random.between(1, 3);
  const numbers = (length: number, most: number) => Array.from({ length }, () => random.between(0, most)).join(" ");
  return [
    `<distances2 type="NUMANode" nbobjs="${count}" kind="5" indexing="${random.pick(["os", "gp"])}">`,
    ...["<indexes>", numbers(count, count), "</indexes>", "<u64values>", numbers(count ** 2, 30), "</u64values>"],
    "</distances2>",
  ];
}

class Tree {
  readonly #random: Random;
  readonly #levels: readonly string[];
  #cpus = 0;
  #objects = 0;

  constructor(random: Random, levels: readonly string[]) {
    this.#random = random;
    this.#levels = levels;
  }

  machine(): string[] {
    const inside = this.#level(0);
    const set = (1n << BigInt(this.#cpus + this.#random.pick([0, 0, 0, 1, 3]))) - 1n;
    const sets = `cpuset="${setText((1n << BigInt(this.#cpus)) - 1n)}" complete_cpuset="${setText(set)}"`;
    return [`<object type="Machine" os_index="0" ${sets}>`, ...inside, "</object>"];
  }

  #level(depth: number): string[] {
    const type = this.#levels[depth];
    if (type === undefined) return [];
    const tokens: string[] = [];
    for (let left = this.#random.between(1, depth === 0 ? 3 : 2); left > 0; left--) {
      const first = this.#cpus;
      if (type === "PU") this.#cpus++;
      const inside = this.#level(depth + 1);
      const set = setText(((1n << BigInt(this.#cpus - first)) - 1n) << BigInt(first));
      const node = depth === 0 && this.#random.chance(50) ? [this.#node(set)] : [];
      const numbers = `os_index="${type === "PU" ? first : this.#objects}" gp_index="${++this.#objects}"`;
      tokens.push(`<object type="${type}" ${numbers} cpuset="${set}" complete_cpuset="${set}">`, ...node, ...inside);
      tokens.push("</object>");
    }
    return tokens;
  }

  #node(set: string): string {
    const number = this.#objects++ % 4;
    return `<object type="NUMANode" os_index="${number}" gp_index="${this.#objects}" cpuset="${set}"/>`;
  }
}

/** As hwloc writes a set. */
function setText(set: bigint): string {
  const words: string[] = [];
  for (let rest = set; rest !== 0n || words.length === 0; rest >>= 32n) {
    words.unshift(`0x${(rest & 0xffff_ffffn).toString(16).padStart(8, "0")}`);
  }
  return words.join(",");
}
