// The names that diy gives to litmus tests: a family, which says who communicates with whom, and for each thread of several
// accesses what stands between them. `MP+dmb.sy+addr-po`, `SB+polas`, `IRIW+addrs`.

export type Direction = "R" | "W";
/** Ordering of an access: plain, acquire, acquirePC (LDAPR), release. */
export type Ordering = "p" | "a" | "q" | "l";

/** An access, and how the next one in the cycle follows it. */
export interface Access {
  readonly thread: number;
  readonly direction: Direction;
  readonly ordering: Ordering;
  readonly location: string;
  readonly value: number;
  /** What leads to it from the access before it in its thread. */
  readonly edge: string | undefined;
}

export interface Cycle {
  readonly accesses: readonly Access[];
  readonly threads: number;
  /** Locations with several stores, and the value of the last. */
  readonly finals: ReadonlyMap<string, number>;
}

/** Threads as their first and last accesses, each followed by its communication with the next: rf, co or fr. */
const FAMILIES: Readonly<Record<string, string>> = {
  SB: "WR fre WR fre", MP: "WW rfe RR fre", LB: "RW rfe RW rfe", S: "WW rfe RW coe", R: "WW coe WR fre", "2+2W": "WW coe WW coe",
  "3.SB": "WR fre WR fre WR fre", "3.LB": "RW rfe RW rfe RW rfe", "3.2W": "WW coe WW coe WW coe",
  WRC: "W rfe RW rfe RR fre", RWC: "W rfe RR fre WR fre", WWC: "W rfe RW rfe RW coe", "WRW+2W": "W rfe RW coe WW coe",
  "WRR+2W": "W rfe RR fre WW coe", "WRW+WR": "W rfe RW coe WR fre", ISA2: "WW rfe RW rfe RR fre", "W+RWC": "WW rfe RR fre WR fre",
  "Z6.0": "WW rfe RW coe WR fre", "Z6.1": "WW coe WW rfe RW coe", "Z6.2": "WW rfe RW rfe RW coe", "Z6.3": "WW coe WW rfe RR fre",
  "Z6.4": "WW coe WR fre WR fre", "Z6.5": "WW coe WW coe WR fre",
  IRIW: "W rfe RR fre W rfe RR fre", IRRWIW: "W rfe RR fre W rfe RW coe", IRWIW: "W rfe RW coe W rfe RW coe",
}; // prettier-ignore

/** Edges within a thread: what they need before and behind them, and whether they stay at one location. */
interface Edge {
  readonly from?: Direction;
  readonly to?: Direction;
  readonly isLocal?: boolean;
}
const EDGES: Readonly<Record<string, Edge>> = {
  po: {}, addr: { from: "R" }, data: { from: "R", to: "W" }, ctrl: { from: "R" }, ctrlisb: { from: "R" }, isb: {},
  pos: { from: "R", to: "R", isLocal: true }, rfi: { from: "W", to: "R", isLocal: true }, fri: { from: "R", to: "W", isLocal: true },
  wsi: { from: "W", to: "W", isLocal: true },
  "[fr-rf]": { from: "R", to: "R", isLocal: true }, "[ws-rf]": { from: "W", to: "R", isLocal: true },
  mfence: {}, sfence: {}, lfence: {},
}; // prettier-ignore

const PART = /^(po|pos|addr|data|ctrl|ctrlisb|isb|rfi|fri|wsi|\[fr-rf\]|\[ws-rf\]|[msl]fence|d[ms]b\.(?:sy|ish|osh|nsh|st|ld|ishst|ishld|oshst|oshld|nshst|nshld))([palq]{2})?$/; // prettier-ignore

function fail(what: string): never {
  throw new Error(`litmus cycle: ${what}`);
}

interface Part extends Edge {
  readonly name: string;
  readonly orderings: string | undefined;
}

function parseChain(chain: string): Part[] {
  return (chain.match(/\[\w+-\w+\]|[^-]+/g) ?? []).map((text) => {
    const [, name = "", orderings] = PART.exec(text) ?? fail(`no edge: ${text}`);
    return { name, orderings, ...EDGES[name] };
  });
}

/** Splits a name into its family and a chain of edges for each thread with several accesses. */
function splitName(name: string): { pairs: readonly string[]; chains: readonly string[] } {
  const family = Object.keys(FAMILIES).filter((known) => name === known || name.startsWith(`${known}+`)).sort((one, other) => other.length - one.length)[0]; // prettier-ignore
  const pairs = FAMILIES[family ?? fail(`no family: ${name}`)]?.split(" ") ?? [];
  const wanted = pairs.filter((pair) => /^[RW]{2}$/.test(pair)).length;
  const given = name === family ? [] : name.slice((family ?? "").length + 1).split("+");
  if (given.length === 0) return { pairs, chains: new Array<string>(wanted).fill("po") };
  if (given.length === wanted) return { pairs, chains: given };
  const [only = ""] = given;
  if (given.length !== 1 || !only.endsWith("s")) fail(`another number of threads: ${name}`);
  return { pairs, chains: new Array<string>(wanted).fill(only.slice(0, -1)) };
}

interface Draft {
  thread: number;
  direction: Direction | undefined;
  ordering: Ordering;
  /** What leads to it, from whichever thread, and whether that stays at the location. */
  edge: string;
  isLocal: boolean;
}

/** The accesses of one thread, and those of threads that a chain leaves to and comes back from. */
function draftsOf(thread: number, pair: string, parts: readonly Part[], extra: () => number): Draft[] {
  const first = pair[0] as Direction;
  const drafts: Draft[] = [{ thread, direction: first, ordering: "p", edge: "", isLocal: true }];
  parts.forEach((part, at) => {
    const before = drafts.at(-1) ?? fail("no access");
    if (part.from !== undefined && part.from !== before.direction) fail(`${part.name} behind ${before.direction}`);
    if (part.orderings !== undefined) before.ordering = part.orderings[0] as Ordering;
    if (part.name.startsWith("["))
      drafts.push({ thread: extra(), direction: "W", ordering: "p", edge: "", isLocal: true });
    const next = at + 1 === parts.length ? (pair[1] as Direction) : (parts[at + 1]?.from ?? part.to ?? "R");
    if (part.to !== undefined && part.to !== next) fail(`${next} behind ${part.name}`);
    const ordering = (part.orderings?.[1] ?? "p") as Ordering;
    drafts.push({ thread, direction: next, ordering, edge: part.name, isLocal: part.isLocal === true });
  });
  return drafts;
}

function place(drafts: readonly Draft[], threads: number): Cycle {
  const moves = drafts.filter(({ isLocal }) => !isLocal).length;
  const names = ["x", "y", "z", "a", "b", "c", "d"];
  let location = 0;
  const places = drafts.map(
    ({ isLocal }) => names[(location += isLocal ? 0 : 1) % moves] ?? fail("too many locations"),
  );
  // The walk along x begins with the accesses that the last move leads to.
  const back = drafts.findLastIndex(({ isLocal }) => !isLocal);
  const last = new Map<string, number>();
  const stores = new Map<string, number>();
  const values = new Map<Draft, number>();
  [...drafts.keys()]
    .map((at) => (at + back) % drafts.length)
    .forEach((at) => {
      const draft = drafts[at] ?? fail("no access");
      const at_ = places[at] ?? "";
      if (draft.direction === "W") {
        last.set(at_, (last.get(at_) ?? 0) + 1);
        stores.set(at_, (stores.get(at_) ?? 0) + 1);
      }
      values.set(draft, last.get(at_) ?? 0);
    });
  return {
    threads,
    finals: new Map([...stores].filter(([, count]) => count > 1)),
    accesses: drafts.map((draft, at) => ({
      thread: draft.thread,
      direction: draft.direction ?? "R",
      ordering: draft.ordering,
      location: places[at] ?? "",
      value: values.get(draft) ?? 0,
      edge: draft.edge === "" ? undefined : draft.edge,
    })),
  };
}

/** The cycle that a name stands for. */
export function cycleOf(name: string): Cycle {
  const { pairs, chains } = splitName(name);
  const own = pairs.filter((pair) => /^[RW]+$/.test(pair));
  let threads = own.length;
  let used = 0;
  const drafts = own.flatMap((pair, thread) =>
    draftsOf(thread, pair, pair.length === 2 ? parseChain(chains[used++] ?? "") : [], () => threads++),
  );
  return place(drafts, threads);
}
