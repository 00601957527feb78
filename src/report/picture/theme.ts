// Colours of pictures, for light and for dark surroundings, told apart also without colour: every series has its marker and dashes.

import type { StretchState } from "../rendezvous.ts";
import { element } from "./svg.ts";

interface Theme {
  readonly paper: string;
  readonly ink: string;
  readonly faint: string;
  readonly grid: string;
  readonly series: readonly string[];
  readonly states: Readonly<Record<StretchState, string>>;
  /** From little to much: the more, the farther from the paper. */
  readonly steps: readonly string[];
  /** What is beyond all steps. */
  readonly beyond: string;
}

/** Viridis (Smith and van der Walt, 2015) in nine steps: its lightness alone tells them apart. */
const viridis = [
  "#440154",
  "#472d7b",
  "#3b528b",
  "#2c728e",
  "#21908c",
  "#27ad81",
  "#5dc863",
  "#aadc32",
  "#fde725",
] as const;

/** After Okabe and Ito's palette (Color Universal Design, 2008), its light colours in forms that stand out from white by 3 : 1. */
export const lightTheme: Theme = {
  paper: "#ffffff",
  ink: "#1b1f24",
  faint: "#59636e",
  grid: "#d8dee4",
  series: ["#0072b2", "#d55e00", "#00886a", "#a8487f", "#1b1f24", "#870ff0"],
  // Chosen by a search for the greatest least distance, to the eyes of dichromats, too: waiting is pale, what makes late is strong.
  states: {
    sender: "#c8c6c9",
    message: "#81c6f2",
    lost: "#1b1f24",
    "irqs-off": "#d65e01",
    "nmi-blocked": "#aa2a85",
    "idle-exit": "#f0c020",
    smm: "#7a3b00",
    descheduled: "#592986",
    line: "#0ea59c",
    kernel: "#0c76b6",
    others: "#d6e7ff",
    stopped: "#588055",
    function: "#da618a",
    released: "#a1d086",
    resumed: "#faf1e9",
  },
  steps: viridis.toReversed(),
  beyond: "#d65e01",
};

/** Their light forms. */
export const darkTheme: Theme = {
  paper: "#0d1117",
  ink: "#e6edf3",
  faint: "#9198a1",
  grid: "#30363d",
  series: ["#56b4e9", "#ff8c42", "#2fc99a", "#e29bc6", "#f0f0f0", "#f0e442"],
  states: {
    sender: "#4d5862",
    message: "#266291",
    lost: "#f9f9fb",
    "irqs-off": "#fd963d",
    "nmi-blocked": "#e07ac6",
    "idle-exit": "#ffe066",
    smm: "#b06a3a",
    descheduled: "#9472cd",
    line: "#52eac8",
    kernel: "#5bbdfa",
    others: "#3f3354",
    stopped: "#3b8e67",
    function: "#ff6f91",
    released: "#86c06a",
    resumed: "#162029",
  },
  steps: viridis,
  beyond: "#fd963d",
};

export const stepCount = viridis.length;

const dashes = ["", "7 4", "2 3", "10 3 2 3"] as const;

/** Paths of about 8 pixels around the origin. */
const markers = [
  "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
  "M-3.6 -3.6h7.2v7.2h-7.2z",
  "M0 -5.2L5.2 0L0 5.2L-5.2 0z",
  "M0 -4.8L4.8 3.8H-4.8z",
  "M0 4.8L4.8 -3.8H-4.8z",
  "M-4.5 -1.5h3v-3h3v3h3v3h-3v3h-3v-3h-3z",
] as const;

export interface SeriesStyle {
  /** CSS class. */
  readonly name: string;
  readonly marker: string;
  readonly dashes: string;
}

/** Six colours and six markers; dashes change when these come round. */
export function seriesStyle(index: number): SeriesStyle {
  const colour = index % lightTheme.series.length;
  const round = Math.floor(index / lightTheme.series.length);
  return {
    name: `s${colour}`,
    marker: markers[(index + round) % markers.length] as string,
    dashes: dashes[round % dashes.length] as string,
  };
}

/** CSS classes of areas: a state, a step of a scale, and text on the latter. */
export const areaClass = {
  state: (state: StretchState): string => `state-${state}`,
  step: (step: number): string => `step${step}`,
  onStep: (step: number): string => `on${step}`,
} as const;

function rules({ paper, ink, faint, grid, series, states, steps, beyond }: Theme): string {
  const fills: readonly (readonly [className: string, colour: string])[] = [
    ...Object.entries(states).map(([state, colour]) => [areaClass.state(state as StretchState), colour] as const),
    ...steps.map((colour, step) => [areaClass.step(step), colour] as const),
    ...steps.map((colour, step) => [areaClass.onStep(step), textOn(colour)] as const),
    ["paper", paper],
    ["ink", ink],
    ["faint", faint],
    ["beyond", beyond],
    ["onbeyond", textOn(beyond)],
  ];
  const lines = [
    ["grid", grid],
    ["axis", faint],
    ["rule", ink],
    ["halo", paper],
  ] as const;
  return [
    ...fills.map(([name, colour]) => `.${name}{fill:${colour}}`),
    ...lines.map(([name, colour]) => `.${name}{stroke:${colour}}`),
    ...series.map((colour, index) => `.s${index}{stroke:${colour};fill:${colour}}`),
  ].join("");
}

const [BLACK, WHITE] = ["#000000", "#ffffff"];

/** Black or white, whichever stands out more. */
function textOn(colour: string): string {
  return luminance(colour) > Math.sqrt(1.05 * 0.05) - 0.05 ? BLACK : WHITE;
}

/** WCAG 2.2, relative luminance of an sRGB colour. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** The style sheet that a picture carries. No custom properties: converters such as librsvg don't know them. What is printed is light. */
export function styleElement(): string {
  const fonts = "text{font-family:system-ui,'DejaVu Sans',Arial,sans-serif;stroke:none}";
  const dark = `@media screen and (prefers-color-scheme:dark){${rules(darkTheme)}}`;
  // Last, since a series' class fills its markers.
  return element("style", {}, `${fonts}${rules(lightTheme)}${dark}.line{fill:none}`);
}
