// Finds a place for every CPU of an hwloc document: dense indices for those that are listed, plausible places for those
// that are known to exist but aren't, and the LLC domain of each.
//
// LLC domain. The outermost data cache in the package, if it is an L3 or above, or serves several cores (the L2 of a
// Xeon Phi tile or of a Cortex-A72 cluster). Where the file shows no such cache (no caches at all, or private ones only
// because the system cache of a mesh goes unreported), it is the die, else the package, or its part that lies in one
// NUMA node.
//
// CPUs that aren't listed get the first of these places that is known, in order of CPU number:
// 1. the core whose complete set holds them;
// 2. a new core in the LLC domain whose complete set holds them;
// 3. a new core in the LLC domain with fewest CPUs of the package whose complete set holds them;
// 4. a new core in the LLC domain with fewest CPUs of the package with fewest CPUs.
// A new core is filled with as many threads as the largest listed core has before another is begun.

import { absentCpu } from "../assemble.ts";
import type { PlacedCpu } from "../hardware-ids.ts";
import { nowhere, type CpuState } from "../topology.ts";
import type { HwlocDocument, Spot } from "./document.ts";

/** Indices of a CPU, dense over the machine. */
interface Place {
  readonly package: number;
  readonly die: number;
  readonly llc: number;
  readonly core: number;
  readonly node: number;
}

/** Gives dense indices to keys in the order in which they are first seen. */
class Dense {
  readonly #indexOf = new Map<string, number>();

  of(key: string): number {
    const index = this.#indexOf.get(key) ?? this.#indexOf.size;
    this.#indexOf.set(key, index);
    return index;
  }

  find(key: string): number | undefined {
    return this.#indexOf.get(key);
  }
}

/** CPUs by number, holes included. */
export function placeListedCpus(document: HwlocDocument): PlacedCpu[] {
  const placement = new Placement(document);
  for (const [cpu, spot] of document.listed) placement.placeListed(cpu, spot);
  const unlisted: number[] = [];
  document.complete.forEach((cpu) => document.listed.has(cpu) || unlisted.push(cpu));
  placement.placeUnlisted(unlisted);
  return placement.cpus();
}

class Placement {
  readonly #document: HwlocDocument;
  readonly #packages = new Dense();
  readonly #dies = new Dense();
  readonly #llcs = new Dense();
  readonly #cores = new Dense();
  readonly #placeOf = new Map<number, Place>();
  /** By core: the place of its first CPU. */
  readonly #corePlaces: Place[] = [];
  /** CPUs placed so far, by package and by LLC domain. */
  readonly #cpusInPackage: number[] = [];
  readonly #cpusInLlc: number[] = [];
  /** By LLC domain: the place of its first CPU. */
  readonly #llcPlaces: Place[] = [];
  readonly #llcsInPackage: number[][] = [];

  constructor(document: HwlocDocument) {
    this.#document = document;
  }

  /** All threads of a core are where its first is, even if the file puts only one of them in a NUMA node. */
  placeListed(cpu: number, spot: Spot): void {
    const known = this.#corePlaces[this.#cores.find(`${spot.core}`) ?? nowhere];
    this.#put(cpu, known ?? this.#domainOf(cpu, spot), `${spot.core}`);
  }

  /** Numbers in ascending order. */
  placeUnlisted(numbers: readonly number[]): void {
    const adrift: number[] = [];
    const inPackage: [cpu: number, home: number][] = [];
    const inDomain: [cpu: number, domain: Place][] = [];
    for (const cpu of numbers) {
      const spot = this.#document.hinted[cpu];
      if (spot === undefined) adrift.push(cpu);
      else if (this.#cores.find(`${spot.core}`) !== undefined) this.placeListed(cpu, spot);
      else if (this.#llcs.find(this.#llcKey(cpu, spot)) !== undefined) inDomain.push([cpu, this.#domainOf(cpu, spot)]);
      else if (this.#packages.find(`${spot.package}`) === undefined) inDomain.push([cpu, this.#domainOf(cpu, spot)]);
      else inPackage.push([cpu, this.#packages.of(`${spot.package}`)]);
    }
    const newCores = new NewCores(this.#mostThreads());
    for (const [cpu, domain] of inDomain) this.#put(cpu, domain, newCores.next(domain.llc));
    const emptiestLlc = this.#llcsInPackage.map((llcs) => new LeastFilled(llcs, this.#cpusInLlc));
    const putInPackage = (cpu: number, home: number) => {
      const llc = emptiestLlc[home]?.next() ?? 0;
      const domain = this.#llcPlaces[llc];
      if (domain !== undefined) this.#put(cpu, domain, newCores.next(llc));
    };
    for (const [cpu, home] of inPackage) putInPackage(cpu, home);
    const emptiestPackage = new LeastFilled([...this.#cpusInPackage.keys()], this.#cpusInPackage);
    for (const cpu of adrift) putInPackage(cpu, emptiestPackage.next());
  }

  #mostThreads(): number {
    const threads: number[] = [];
    for (const { core } of this.#placeOf.values()) threads[core] = (threads[core] ?? 0) + 1;
    return threads.reduce((most, count) => Math.max(most, count), 1);
  }

  #llcKey(cpu: number, spot: Spot): string {
    const cache = this.#document.caches[spot.cache];
    if (cache !== undefined && (cache.level >= 3 || cache.cores > 1)) return `cache ${spot.cache}`;
    return `${spot.package} ${spot.die} ${this.#document.nodeOf[cpu] ?? nowhere}`;
  }

  /** The place of a spot as far as its LLC domain; what is new gets the next index. */
  #domainOf(cpu: number, spot: Spot): Place {
    const home = this.#packages.of(`${spot.package}`);
    const die = this.#dies.of(`${spot.package} ${spot.die}`);
    const llc = this.#llcs.of(this.#llcKey(cpu, spot));
    return { package: home, die, llc, core: nowhere, node: nowhere };
  }

  #put(cpu: number, domain: Place, coreKey: string): void {
    const { llc } = domain;
    const node = this.#document.nodeOf[cpu] ?? nowhere;
    const place: Place = { ...domain, core: this.#cores.of(coreKey), node };
    this.#placeOf.set(cpu, place);
    this.#corePlaces[place.core] ??= place;
    if (this.#llcPlaces[llc] === undefined) {
      this.#llcPlaces[llc] = place;
      (this.#llcsInPackage[domain.package] ??= []).push(llc);
    }
    this.#cpusInLlc[llc] = (this.#cpusInLlc[llc] ?? 0) + 1;
    this.#cpusInPackage[domain.package] = (this.#cpusInPackage[domain.package] ?? 0) + 1;
  }

  cpus(): PlacedCpu[] {
    const { listed, online, allowed } = this.#document;
    const highest = [...this.#placeOf.keys()].reduce((most, cpu) => Math.max(most, cpu), 0);
    const nearest = new NearestNode(this.#placeOf.values());
    const threadsIn: number[] = [];
    return Array.from({ length: highest + 1 }, (_, number): PlacedCpu => {
      const place = this.#placeOf.get(number);
      if (place === undefined) return absentCpu(number);
      // Only schema 1.x tells a CPU that is unlisted because it is off from one that is merely outside of the cgroup.
      const state: CpuState = (online ?? listed).has(number) ? "online" : "offline";
      const thread = threadsIn[place.core] ?? 0;
      threadsIn[place.core] = thread + 1;
      const { package: home, die, llc, core } = place;
      const node = nearest.of(place);
      return { number, state, allowed: allowed?.has(number) ?? true, package: home, die, llc, core, thread, node };
    });
  }
}

/**
 * For CPUs in no node's set, their node being off or unknown: that of others in the LLC domain, the package, else node
 * 0.
 */
class NearestNode {
  readonly #ofLlc = new Map<number, number>();
  readonly #ofPackage = new Map<number, number>();

  constructor(places: Iterable<Place>) {
    for (const { package: home, llc, node } of places) {
      if (node === nowhere) continue;
      if (!this.#ofLlc.has(llc)) this.#ofLlc.set(llc, node);
      if (!this.#ofPackage.has(home)) this.#ofPackage.set(home, node);
    }
  }

  of({ package: home, llc, node }: Place): number {
    return node === nowhere ? (this.#ofLlc.get(llc) ?? this.#ofPackage.get(home) ?? 0) : node;
  }
}

/** Names new cores, one for every so many CPUs of an LLC domain. */
class NewCores {
  readonly #threads: number;
  readonly #placedIn: number[] = [];

  constructor(threads: number) {
    this.#threads = threads;
  }

  next(llc: number): string {
    const placed = this.#placedIn[llc] ?? 0;
    this.#placedIn[llc] = placed + 1;
    return `new ${llc} ${Math.floor(placed / this.#threads)}`;
  }
}

/**
 * Yields again and again the member with the smallest count, which is then one larger. A member put back never has a
 * smaller count than one put back before, so two queues do without a heap: O(1) per CPU after sorting.
 */
class LeastFilled {
  readonly #untouched: { member: number; count: number }[];
  readonly #putBack: { member: number; count: number }[] = [];
  #untouchedHead = 0;
  #putBackHead = 0;

  constructor(members: readonly number[], counts: readonly number[]) {
    this.#untouched = members
      .map((member) => ({ member, count: counts[member] ?? 0 }))
      .sort((a, b) => a.count - b.count || a.member - b.member);
  }

  next(): number {
    const fresh = this.#untouched[this.#untouchedHead];
    const used = this.#putBack[this.#putBackHead];
    const least = used === undefined || (fresh !== undefined && fresh.count <= used.count) ? fresh : used;
    if (least === undefined) return 0;
    if (least === fresh) this.#untouchedHead++;
    else this.#putBackHead++;
    this.#putBack.push({ member: least.member, count: least.count + 1 });
    return least.member;
  }
}
