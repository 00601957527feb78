// A machine as boxes in boxes: packages, NUMA nodes, LLC domains, cores, threads; as large as the picture is wide.

import type { Cpu, Topology } from "../../topology/index.ts";

export type BoxLevel = "machine" | "package" | "node" | "llc" | "core" | "thread";

/** Pixels from the left and the top of the machine. */
export interface Box {
  readonly level: BoxLevel;
  /** Machine-wide; of a thread the CPU's number, of a node the operating system's. */
  readonly index: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Room for a name at the top. */
  readonly header: number;
}

export interface Boxes {
  /** Outer ones before those that they hold. */
  readonly boxes: readonly Box[];
  readonly width: number;
  readonly height: number;
  /** Edge of a thread's box. */
  readonly cell: number;
}

/** Groups of one level, down to threads. */
interface Group {
  readonly level: BoxLevel;
  readonly index: number;
  readonly members: readonly Group[];
  /** Groups of one shape are as large: most of a machine's are. */
  readonly shape: number;
}

/** Between the members of a box, and from them to its edge, for threads that are large, small and tiny. */
const GAPS: Readonly<Record<BoxLevel, readonly [large: number, small: number, tiny: number]>> = {
  machine: [10, 5, 3],
  package: [8, 4, 1],
  node: [6, 3, 1],
  llc: [3, 1, 0],
  core: [1, 0, 0],
  thread: [0, 0, 0],
};
const LARGE_CELL = 10;
const SMALL_CELL = 3;
const HEADER = 14;
/** Names of domains are left out where threads are smaller. */
const NAMED_DOMAINS_CELL = 6;

/** Edges of a thread's box, of which the largest is taken that fits. */
const CELLS = [52, 46, 40, 34, 28, 24, 20, 17, 14, 12, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1.5, 1] as const;

/** @param nameWidth pixels of a name, at the size of letters that is meant for names; there are none where threads are tiny */
export function layBoxes(
  topology: Topology,
  { width, height }: { readonly width: number; readonly height: number },
  nameWidth: (text: string) => number,
): Boxes {
  const machine = groupsOf(topology);
  let layout = new Layout(CELLS[0], width, nameWidth);
  for (const cell of CELLS) {
    layout = new Layout(cell, width, nameWidth);
    const size = layout.sizeOf(machine);
    if (size.width <= width && size.height <= height) break;
  }
  return layout.boxesOf(machine);
}

/** Levels at which a machine has but one box per outer box are left out. */
function groupsOf({ cpus, nodes, counts }: Topology): Group {
  const shapes = new Map<string, number>();
  const group = (level: BoxLevel, index: number, members: readonly Group[]): Group => {
    // A name takes room, too.
    const key = `${level} ${String(index).length} ${members.map(({ shape }) => shape).join(" ")}`;
    const shape = shapes.get(key) ?? shapes.size;
    shapes.set(key, shape);
    return { level, index, members, shape };
  };
  type Divide = (some: readonly Cpu[]) => Group[];
  const divide =
    (level: BoxLevel, key: (cpu: Cpu) => number, members: Divide, name = (index: number) => index): Divide =>
    (some) =>
      membersBy(some, key).map(([index, own]) => group(level, name(index), members(own)));
  const threads: Divide = (some) => some.map(({ number }) => group("thread", number, []));
  const cores = divide("core", (cpu) => cpu.core, threads);
  const domains = counts.llcs > counts.packages ? divide("llc", (cpu) => cpu.llc, cores) : cores;
  const numberOf = (index: number): number => nodes[index]?.number ?? index;
  const parts = counts.nodes > counts.packages ? divide("node", (cpu) => cpu.node, domains, numberOf) : domains;
  const packages = divide("package", (cpu) => cpu.package, parts);
  return group("machine", 0, packages(cpus.filter(({ state }) => state !== "absent")));
}

/** In the order of the keys. */
function membersBy(cpus: readonly Cpu[], key: (cpu: Cpu) => number): [number, Cpu[]][] {
  const groups = new Map<number, Cpu[]>();
  for (const cpu of cpus) {
    const group = groups.get(key(cpu));
    if (group === undefined) groups.set(key(cpu), [cpu]);
    else group.push(cpu);
  }
  return [...groups].sort(([a], [b]) => a - b);
}

/** Boxes are a little wider than high, as pages are. */
const ASPECT = 1.4;

interface Size {
  readonly width: number;
  readonly height: number;
}

/** How the members of a group are placed. */
interface Grid extends Size {
  readonly columns: number;
  /** Of the largest member. */
  readonly cell: Size;
  readonly gap: number;
  /** From the edges to the members. */
  readonly inner: number;
  readonly header: number;
}

class Layout {
  readonly #cell: number;
  readonly #width: number;
  readonly #nameWidth: (text: string) => number;
  /** By shape. */
  readonly #grids = new Map<number, Grid>();

  constructor(cell: number, width: number, nameWidth: (text: string) => number) {
    this.#cell = cell;
    this.#width = width;
    this.#nameWidth = nameWidth;
  }

  sizeOf(group: Group): Size {
    return group.level === "thread" ? { width: this.#cell, height: this.#cell } : this.#gridOf(group);
  }

  boxesOf(machine: Group): Boxes {
    const boxes: Box[] = [];
    this.#place(machine, 0, 0, boxes);
    return { ...this.sizeOf(machine), boxes, cell: this.#cell };
  }

  #place(group: Group, x: number, y: number, boxes: Box[]): void {
    const { level, index, members } = group;
    if (level === "thread") {
      boxes.push({ level, index, x, y, ...this.sizeOf(group), header: 0 });
      return;
    }
    const { width, height, columns, cell, gap, inner, header } = this.#gridOf(group);
    if (level !== "machine") boxes.push({ level, index, x, y, width, height, header });
    members.forEach((member, number) => {
      const right = inner + (number % columns) * (cell.width + gap);
      const down = header + inner + Math.floor(number / columns) * (cell.height + gap);
      this.#place(member, x + right, y + down, boxes);
    });
  }

  #gridOf(group: Group): Grid {
    const known = this.#grids.get(group.shape);
    if (known !== undefined) return known;
    const { level, members } = group;
    const cell = members.reduce<Size>(
      (most, member) => {
        const { width, height } = this.sizeOf(member);
        return { width: Math.max(most.width, width), height: Math.max(most.height, height) };
      },
      { width: 0, height: 0 },
    );
    const gap = GAPS[level][this.#cell >= LARGE_CELL ? 0 : this.#cell >= SMALL_CELL ? 1 : 2];
    const inner = level === "machine" ? 0 : gap;
    const header = this.#headerOf(level);
    const columns = this.#columnsOf(level, members.length, cell, gap);
    const extent = (count: number, size: number): number => count * size + (count - 1) * gap + 2 * inner;
    const named = header === 0 ? 0 : this.#nameWidth(nameOf(group)) + 4;
    const width = Math.max(extent(columns, cell.width), named);
    const height = extent(Math.ceil(members.length / columns), cell.height) + header;
    const grid = { width, height, columns, cell, gap, inner, header };
    this.#grids.set(group.shape, grid);
    return grid;
  }

  #headerOf(level: BoxLevel): number {
    if (level === "package" || level === "node") return this.#cell >= SMALL_CELL ? HEADER : 0;
    return level === "llc" && this.#cell >= NAMED_DOMAINS_CELL ? HEADER - 2 : 0;
  }

  /** For the machine, as many as there is room for; inside, what comes closest to the form that is wanted. */
  #columnsOf(level: BoxLevel, count: number, cell: Size, gap: number): number {
    const [width, height] = [cell.width + gap, cell.height + gap];
    const fitting = Math.max(1, Math.floor((this.#width + gap) / width));
    if (level === "machine") return balanced(count, Math.min(count, fitting));
    if (level === "core") return count <= 2 ? Math.max(1, count) : Math.ceil(Math.sqrt(count));
    const wanted = Math.round(Math.sqrt((count * height * ASPECT) / width));
    const holes = (columns: number): number => Math.ceil(count / columns) * columns - count;
    return [wanted, wanted + 1, wanted - 1]
      .filter((columns) => columns >= 1 && columns <= Math.min(fitting, count))
      .reduce(
        (best, columns) => (holes(columns) < holes(best) ? columns : best),
        balanced(count, Math.max(1, Math.min(wanted, fitting))),
      );
  }
}

/** As few columns as need no more rows. */
function balanced(count: number, columns: number): number {
  return count === 0 ? 1 : Math.ceil(count / Math.ceil(count / columns));
}

export function nameOf({ level, index }: Pick<Box, "level" | "index">): string {
  return level === "llc" ? `LLC ${index}` : `${level} ${index}`;
}
