// Scales: where a value lies on an axis, and which values are marked there.

export interface Tick {
  readonly at: number;
  readonly label: string;
}

export interface Scale {
  /** Pixels for a value. */
  readonly place: (value: number) => number;
  readonly ticks: readonly Tick[];
  readonly logarithmic: boolean;
}

export interface ScaleOptions {
  /** Pixels of the least and of the greatest value; the second may be the smaller one. */
  readonly range: readonly [from: number, to: number];
  readonly format: (value: number) => string;
}

/** Values that differ by at least this factor are shown on a logarithmic scale. */
const WIDE = 8;

/** A scale from a round number to a round number: logarithmic for values that differ much, else linear from 0. */
export function valueScale(values: readonly number[], options: ScaleOptions): Scale {
  const positive = values.filter((value) => value > 0);
  const least = Math.min(...positive, Infinity);
  const most = Math.max(...positive, -Infinity);
  if (positive.length === 0) return linear([0, 1], 1, options);
  if (most / least >= WIDE && positive.length === values.length) return logarithmic(least, most, options);
  const step = roundStep(most / 5);
  return linear([0, Math.ceil(most / step) * step], step, options);
}

/** A linear scale from 0 to exactly `end`, with round ticks as far as there is room for their labels. */
export function timeScale(end: number, { range, format, room }: ScaleOptions & LabelRoom): Scale {
  const place = placing([0, end], range, (value) => value);
  const width = Math.abs(range[1] - range[0]);
  for (let step = roundStep(end / 12); ; step = roundStep(step * 1.5)) {
    const values = Array.from({ length: Math.floor(end / step + 1e-9) + 1 }, (_, index) => roundedTo(index * step));
    const widest = Math.max(...values.map((value) => room(format(value))));
    if (values.length > 2 && (step / end) * width < widest) continue;
    return { place, ticks: values.map((value) => ({ at: place(value), label: format(value) })), logarithmic: false };
  }
}

function roundedTo(value: number): number {
  return Number(value.toPrecision(12));
}

export interface LabelRoom {
  /** Pixels along the axis that a label needs. */
  readonly room: (label: string) => number;
}

/** A scale whose ticks are the values themselves, as far as there is room: of sizes that were chosen. */
export function givenScale(values: readonly number[], options: ScaleOptions & LabelRoom): Scale {
  const sorted = [...new Set(values)].sort((a, b) => a - b);
  const [least = 1, most = 1] = [sorted[0], sorted.at(-1)];
  const isLog = least > 0 && most / least >= 4;
  const position = isLog ? Math.log : (value: number): number => value;
  const place = placing([position(least), position(most)], options.range, position);
  const ticks: Tick[] = [];
  let free = -Infinity;
  for (const value of sorted) {
    const label = options.format(value);
    const half = options.room(label) / 2;
    if (place(value) - half < free) continue;
    ticks.push({ at: place(value), label });
    free = place(value) + half;
  }
  return { place, ticks, logarithmic: isLog };
}

function linear([from, to]: readonly [number, number], step: number, { range, format }: ScaleOptions): Scale {
  const place = placing([from, to], range, (value) => value);
  const count = Math.round((to - from) / step);
  const ticks = Array.from({ length: count + 1 }, (_, index) => {
    const value = roundedTo(from + index * step);
    return { at: place(value), label: format(value) };
  });
  return { place, ticks, logarithmic: false };
}

/** From decade to decade, or from 1, 2 or 5 of one where there are few. */
function logarithmic(least: number, most: number, { range, format }: ScaleOptions): Scale {
  const decades = Math.log10(most / least);
  const digits = decades > 3 ? [1] : decades > 1.5 ? [1, 3] : [1, 2, 5];
  const marks: number[] = [];
  for (let decade = Math.floor(Math.log10(least)) - 1; decade <= Math.ceil(Math.log10(most)) + 1; decade++) {
    for (const digit of digits) marks.push(Number((digit * 10 ** decade).toPrecision(3)));
  }
  const first = marks.findLastIndex((mark) => mark <= least);
  const last = marks.findIndex((mark) => mark >= most);
  const shown = marks.slice(first, last + 1);
  const place = placing([Math.log(shown[0] as number), Math.log(shown.at(-1) as number)], range, Math.log);
  return { place, ticks: shown.map((mark) => ({ at: place(mark), label: format(mark) })), logarithmic: true };
}

function placing(
  [from, to]: readonly [number, number],
  [start, end]: readonly [number, number],
  position: (value: number) => number,
): (value: number) => number {
  if (from === to) return () => (start + end) / 2;
  return (value) => start + ((position(value) - from) / (to - from)) * (end - start);
}

/** 1, 2 or 5 times a power of ten, not below a value. */
function roundStep(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(value));
  const digit = [1, 2, 5, 10].find((one) => one * decade >= value * (1 - 1e-9)) ?? 10;
  return digit * decade;
}
