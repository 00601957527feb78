// Which CPUs a heat map has in which row: by package and LLC domain, several of a domain in one where the picture has fewer rows than CPUs.

import type { Cpu, Topology } from "../../topology/index.ts";

/** CPUs that are drawn as one. Pixels from the top of the map. */
export interface Row {
  readonly cpus: readonly number[];
  readonly top: number;
  readonly height: number;
}

/** Rows that lie in one package or LLC domain. */
export interface Band {
  readonly index: number;
  readonly top: number;
  readonly bottom: number;
}

export interface Rows {
  readonly rows: readonly Row[];
  /** Empty where packages share rows. */
  readonly packages: readonly Band[];
  /** Empty where domains share rows. */
  readonly domains: readonly Band[];
  readonly height: number;
  /** The most CPUs of a row. */
  readonly most: number;
}

const MOST_HEIGHT = 820;
const MOST_ROW_HEIGHT = 18;
/** Between packages, and between domains, as long as there are not too many of them. */
const PACKAGE_GAP = 4;
const DOMAIN_GAP = 1;
const MOST_GAPS = 64;

/** All CPUs that the machine has; in a domain the first threads of all cores, then the second ones: mostly they are signalled in that order. */
export function layRows({ cpus }: Topology): Rows {
  const order = cpus.filter(({ state }) => state !== "absent").sort(byPlace);
  const byDomain = grouped(order, ({ llc }) => llc);
  const byPackage = grouped(order, (cpu) => cpu.package);
  for (const groups of [byDomain, byPackage, [order]]) {
    const gaps = gapsOf(groups);
    const room = MOST_HEIGHT - gaps.reduce((sum, gap) => sum + gap, 0);
    const size = Math.max(...groups.map(({ length }) => length));
    for (let most = 1; most <= size; most++) {
      const count = groups.reduce((sum, { length }) => sum + Math.ceil(length / most), 0);
      if (count > room) continue;
      const height = Math.min(MOST_ROW_HEIGHT, Math.floor(room / count));
      const level = groups === byDomain ? "domain" : groups === byPackage ? "package" : "machine";
      return placed(groups, gaps, { most, height, level });
    }
  }
  return { rows: [], packages: [], domains: [], height: 0, most: 0 };
}

function byPlace(a: Cpu, b: Cpu): number {
  return a.package - b.package || a.llc - b.llc || a.thread - b.thread || a.core - b.core;
}

function grouped(cpus: readonly Cpu[], key: (cpu: Cpu) => number): Cpu[][] {
  const groups: Cpu[][] = [];
  for (const cpu of cpus) {
    const [last] = groups.at(-1) ?? [];
    if (last !== undefined && key(last) === key(cpu)) groups.at(-1)?.push(cpu);
    else groups.push([cpu]);
  }
  return groups;
}

/** Above each group. */
function gapsOf(groups: readonly (readonly Cpu[])[]): number[] {
  const packages = new Set(groups.map(([first]) => first?.package)).size;
  return groups.map(([first], index) => {
    const before = groups[index - 1]?.[0];
    if (before === undefined) return 0;
    if (before.package !== first?.package) return packages <= MOST_GAPS ? PACKAGE_GAP : 0;
    return groups.length <= MOST_GAPS ? DOMAIN_GAP : 0;
  });
}

/** Domains of one size have rows of the same sizes. */
function placed(
  groups: readonly (readonly Cpu[])[],
  gaps: readonly number[],
  { most, height, level }: { most: number; height: number; level: "domain" | "package" | "machine" },
): Rows {
  const rows: Row[] = [];
  const packages: Band[] = [];
  const domains: Band[] = [];
  let top = 0;
  groups.forEach((group, index) => {
    top += gaps[index] ?? 0;
    const start = top;
    const count = Math.ceil(group.length / most);
    for (let row = 0; row < count; row++) {
      const share = (part: number): number => Math.round((part * group.length) / count);
      const members = group.slice(share(row), share(row + 1));
      rows.push({ cpus: members.map(({ number }) => number), top, height });
      top += height;
    }
    const [first] = group;
    if (first === undefined) return;
    if (level === "machine") return;
    if (level === "domain") domains.push({ index: first.llc, top: start, bottom: top });
    const last = packages.at(-1);
    if (last?.index === first.package) packages[packages.length - 1] = { ...last, bottom: top };
    else packages.push({ index: first.package, top: start, bottom: top });
  });
  return { rows, packages, domains, height: top, most: Math.max(0, ...rows.map(({ cpus }) => cpus.length)) };
}
