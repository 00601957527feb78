// What the pictures of one call have in common: what they say of it, how far their time goes, and the moments that are marked.

import type { Topology } from "../../topology/index.ts";
import { causesText, causeTexts, formatCount, formatNs, plural } from "../text.ts";
import { cpuStates, type StretchState, type Rendezvous, type RendezvousCpu } from "../rendezvous.ts";
import { swatch, SMALL_SIZE, type Block, type Frame, type LegendEntry } from "./parts.ts";
import type { Scale } from "./scale.ts";
import { element, textElement, textWidth } from "./svg.ts";
import { areaClass } from "./theme.ts";

/** States in a legend. */
export const stateTexts: Readonly<Record<StretchState, string>> = {
  ...causeTexts,
  stopped: "stopped",
  function: "runs the function",
  released: "released",
  resumed: "back at what it did",
};

/** Entries for the states that occur, in their order. */
export function stateLegend(shown: ReadonlySet<StretchState>): LegendEntry[] {
  return (Object.keys(cpuStates) as StretchState[])
    .filter((state) => shown.has(state))
    .map((state) => ({ text: stateTexts[state], sign: swatch(areaClass.state(state)) }));
}

/** "stop_machine on epyc-9654". */
export function callTitle({ policy, topology, call, calls }: Rendezvous): string {
  const which = calls > 1 ? `, call ${formatCount(call)} of ${formatCount(calls)}` : "";
  return `${policy} on ${machineName(topology)}${which}`;
}

/** A machine that was made for a number of CPUs is named by it. */
export function machineName({ name, counts }: Topology): string {
  return /^\d+ CPUs?$/.test(name) ? plural(counts.complete, "CPU") : name;
}

const MOST_NAMED = 3;

/** How the call went, and whom everybody waited for. */
export function callStory(rendezvous: Rendezvous): string {
  const { stoppedNs, cpus, endNs, requester, stoppedMeans } = rendezvous;
  const why = ({ cpu, causes }: RendezvousCpu): string =>
    causes.length === 0 ? "" : `: ${causesText(causes, cpu === requester)}`;
  if (stoppedNs !== null) {
    const last = lastArrivals(rendezvous)[0];
    const late = last === undefined ? "" : `; the last to arrive, CPU ${last.cpu}${why(last)}`;
    return `${formatNs(stoppedNs)} from the call until ${stoppedMeans}${late}`;
  }
  const missing = cpus.filter((one) => one.stoppedNs === null);
  if (missing.length === 0) return "the call had no CPU to stop";
  const culprits = missing.filter(({ isCulprit }) => isCulprit);
  const named = culprits.slice(0, MOST_NAMED).map((one) => `CPU ${one.cpu} (${one.load})${why(one)}`);
  const more = culprits.length > named.length ? `; and ${formatCount(culprits.length - named.length)} more` : "";
  return `${formatCount(missing.length)} of ${plural(cpus.length, "CPU")} had not stopped ${formatNs(endNs)} from the call; it hung on ${named.join("; ")}${more}`;
}

/** Those that have entered, the last one first. */
export function lastArrivals({ cpus }: Rendezvous): RendezvousCpu[] {
  return cpus
    .filter(({ enteredNs }) => enteredNs !== null)
    .sort((a, b) => (b.enteredNs as number) - (a.enteredNs as number) || a.cpu - b.cpu);
}

/** From here on nothing is worth showing, if nothing happens for this share of the time. */
const IDLE_SHARE = 0.2;

/** Where the time of a picture ends: where the call did; of a call that hung, soon after the last thing that happened. */
export function shownNs({ cpus, endNs, stoppedNs, returnedNs }: Rendezvous): {
  readonly endNs: number;
  readonly isCut: boolean;
} {
  const starts = cpus.map(({ stretches }) => stretches.at(-1)?.fromNs ?? 0);
  const last = starts.reduce((most, ns) => Math.max(most, ns), Math.max(stoppedNs ?? 0, returnedNs ?? 0));
  if (last <= 0 || last >= endNs * (1 - IDLE_SHARE)) return { endNs: Math.max(endNs, 1), isCut: false };
  return { endNs: last * (1 + IDLE_SHARE), isCut: true };
}

const LANE_HEIGHT = 14;

/** Moments of the whole call: lines through a frame, with their names above it, so that no line crosses a name. */
export function momentMarks(rendezvous: Rendezvous, { place }: Scale, frame: Omit<Frame, "top">, top: number): Block {
  const { stoppedNs, returnedNs } = rendezvous;
  const moments = [
    { at: place(0), name: "call" },
    ...(stoppedNs === null ? [] : [{ at: place(stoppedNs), name: `all stopped ${formatNs(stoppedNs)}` }]),
    ...(returnedNs === null ? [] : [{ at: place(returnedNs), name: `returned ${formatNs(returnedNs)}` }]),
  ];
  const placed = placeNames(moments, frame);
  const bottom = top + (Math.max(...placed.map(({ lane }) => lane)) + 1) * LANE_HEIGHT;
  const elements = placed.flatMap(({ at, isBefore, lane, name }) => [
    element("line", {
      class: "rule",
      "stroke-width": 1,
      "stroke-dasharray": "3 2",
      x1: at,
      x2: at,
      y1: bottom - (lane + 1) * LANE_HEIGHT + 2,
      y2: frame.bottom,
    }),
    textElement(name, {
      class: "ink",
      x: isBefore ? at - NAME_GAP : at + NAME_GAP,
      y: bottom - lane * LANE_HEIGHT - 4,
      "font-size": SMALL_SIZE,
      "text-anchor": isBefore ? "end" : "start",
    }),
  ]);
  return { elements, height: bottom - top };
}

interface Moment {
  readonly at: number;
  readonly name: string;
}

/** A name beside its line, in a lane above the frame: 0 is the lowest. Lines come down from their names' lanes. */
interface PlacedMoment extends Moment {
  readonly isBefore: boolean;
  readonly lane: number;
}

const NAME_GAP = 4;

/** In as few lanes as possible, of all ways in which they can be placed: there are at most three. */
function placeNames(moments: readonly Moment[], frame: Pick<Frame, "left" | "right">): readonly PlacedMoment[] {
  const fits = (one: PlacedMoment): boolean => {
    const { from, until } = extentOf(one);
    return from >= frame.left && until <= frame.right;
  };
  for (let lanes = 1; lanes <= moments.length; lanes++) {
    let ways: (readonly PlacedMoment[])[] = [[]];
    for (const moment of moments) {
      const choices = [true, false].flatMap((isBefore) =>
        Array.from({ length: lanes }, (_, lane) => ({ ...moment, isBefore, lane })).filter(fits),
      );
      ways = ways.flatMap((way) =>
        choices.filter((one) => way.every((other) => !isInTheWay(one, other))).map((one) => [...way, one]),
      );
    }
    const [first] = ways;
    if (first !== undefined) return first;
  }
  return moments.map((moment, lane) => ({ ...moment, isBefore: false, lane }));
}

function extentOf({ at, name, isBefore }: PlacedMoment): { readonly from: number; readonly until: number } {
  const width = textWidth(name, SMALL_SIZE) + NAME_GAP;
  return isBefore ? { from: at - width, until: at } : { from: at, until: at + width };
}

/** Whether names overlap, or the line of one goes through the name of the other. */
function isInTheWay(one: PlacedMoment, other: PlacedMoment): boolean {
  const [a, b] = [extentOf(one), extentOf(other)];
  if (one.lane === other.lane && a.from < b.until && b.from < a.until) return true;
  const crosses = (line: PlacedMoment, name: PlacedMoment): boolean => {
    const { from, until } = extentOf(name);
    return line.lane >= name.lane && line.at > from && line.at < until;
  };
  return crosses(one, other) || crosses(other, one);
}
