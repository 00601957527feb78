// The report's part about contended lines: those that were waited for most, by variable and field.

import type { LineUse } from "../measure/lines.ts";
import { objectText, type ObjectName } from "../measure/object-names.ts";
import type { LineMeasurement, RunResult } from "../scenario/run.ts";
import { nsOf } from "../timing/index.ts";
import type { LineReport, LinesReport, RequestCount } from "./report.ts";

const MOST_LINES = 24;
const MOST_NAMES = 6;

/** What of a LineUse can be summed up. */
type Sum = "blockedCycles" | "downgrades" | "invalidations" | "queueCycles" | "transfers" | "waitCycles" | "writes";

/** Lines that are reported as one: a line, or that line of each CPU's block. */
interface LineGroup {
  readonly name: ObjectName;
  readonly uses: LineUse[];
}

/** Undefined of a run that has not measured lines. */
export function linesOf(result: RunResult): LinesReport | undefined {
  const { lines, expanded } = result;
  if (lines === undefined) return undefined;
  const groups = groupsOf(lines).sort((one, other) => sum(other.uses, "waitCycles") - sum(one.uses, "waitCycles"));
  const all = [...lines.lines.values()];
  return {
    count: all.length,
    transfers: sum(all, "transfers"),
    waitNs: nsOf(expanded.timing, sum(all, "waitCycles")),
    queueNs: nsOf(expanded.timing, sum(all, "queueCycles")),
    most: groups.slice(0, MOST_LINES).map((group) => lineReport(result, lines, group)),
  };
}

function sum(uses: readonly LineUse[], what: Sum): number {
  return uses.reduce((total, use) => total + use[what], 0);
}

/** A line is named after what is asked for in it most often: it may begin with the end of something else. */
function groupsOf({ lines, names }: LineMeasurement): LineGroup[] {
  const groups = new Map<string, LineGroup>();
  for (const use of lines.values()) {
    const busiest = mostFrequent(use.accesses)[0]?.[0] ?? use.address;
    const name = names.nameOf(busiest);
    const isOfEach = name.cpu !== undefined && !name.isOnStack;
    const key = isOfEach ? `${name.symbol} ${name.offset - (busiest - use.address)}` : String(use.address);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { name, uses: [use] });
    else group.uses.push(use);
  }
  return [...groups.values()];
}

function lineReport(result: RunResult, { names }: LineMeasurement, { name, uses }: LineGroup): LineReport {
  const { expanded, machine, timelines } = result;
  const ns = (cycles: number): number => nsOf(expanded.timing, cycles);
  const busiest = uses.reduce((one, other) => (other.waitCycles > one.waitCycles ? other : one));
  const { worst } = uses.reduce((one, other) =>
    (other.worst?.cycles ?? -1) > (one.worst?.cycles ?? -1) ? other : one,
  );
  const fieldOf = (address: number): string => {
    const { symbol, field } = names.nameOf(address);
    return field === "" ? symbol : `${symbol}.${field}`;
  };
  const routineOf = (pc: number): string => machine.describe(pc)?.split("+")[0] ?? `0x${pc.toString(16)}`;
  const whole = { ...name, field: "" };
  return {
    name: uses.length === 1 ? objectText(whole) : `${name.symbol} of ${uses.length} CPUs`,
    address: `0x${busiest.address.toString(16)}`,
    lines: uses.length,
    fields: requestCounts(uses, ({ accesses }) => accesses, fieldOf),
    code: requestCounts(uses, ({ code }) => code, routineOf),
    transfers: sum(uses, "transfers"),
    writes: sum(uses, "writes"),
    invalidations: sum(uses, "invalidations"),
    downgrades: sum(uses, "downgrades"),
    waitNs: ns(sum(uses, "waitCycles")),
    queueNs: ns(sum(uses, "queueCycles")),
    blockedNs: ns(sum(uses, "blockedCycles")),
    worst:
      worst === undefined
        ? null
        : {
            cpu: worst.cpu,
            ns: ns(worst.cycles),
            field: objectText(names.nameOf(worst.address)),
            atNs: ns(worst.cycle - (timelines[0]?.call ?? 0)),
          },
  };
}

/** Counts of several lines by name, the greatest first. */
function requestCounts(
  uses: readonly LineUse[],
  countsOf: (use: LineUse) => ReadonlyMap<number, number>,
  nameOf: (key: number) => string,
): RequestCount[] {
  const byName = new Map<string, number>();
  const known = new Map<number, string>();
  for (const use of uses) {
    for (const [key, requests] of countsOf(use)) {
      const name = known.get(key) ?? nameOf(key);
      known.set(key, name);
      byName.set(name, (byName.get(name) ?? 0) + requests);
    }
  }
  return mostFrequent(byName)
    .slice(0, MOST_NAMES)
    .map(([name, requests]) => ({ name, requests }));
}

function mostFrequent<K>(counts: ReadonlyMap<K, number>): [K, number][] {
  return [...counts].sort(([, one], [, other]) => other - one);
}
