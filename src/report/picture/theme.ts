// Colours of pictures, for light and for dark surroundings, told apart also without colour: every series has its marker and dashes.

import { element } from "./svg.ts";

interface Theme {
  readonly paper: string;
  readonly ink: string;
  readonly faint: string;
  readonly grid: string;
  readonly series: readonly string[];
}

/** After Okabe and Ito's palette (Color Universal Design, 2008), its light colours in forms that stand out from white by 3 : 1. */
export const lightTheme: Theme = {
  paper: "#ffffff",
  ink: "#1b1f24",
  faint: "#59636e",
  grid: "#d8dee4",
  series: ["#0072b2", "#d55e00", "#00886a", "#a8487f", "#1b1f24", "#870ff0"],
};

/** Their light forms. */
export const darkTheme: Theme = {
  paper: "#0d1117",
  ink: "#e6edf3",
  faint: "#9198a1",
  grid: "#30363d",
  series: ["#56b4e9", "#ff8c42", "#2fc99a", "#e29bc6", "#f0f0f0", "#f0e442"],
};

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

function rules({ paper, ink, faint, grid, series }: Theme): string {
  const colours = series.map((colour, index) => `.s${index}{stroke:${colour};fill:${colour}}`);
  return `.paper{fill:${paper}}.ink{fill:${ink}}.faint{fill:${faint}}.grid{stroke:${grid}}.axis{stroke:${faint}}${colours.join("")}`;
}

/** The style sheet that a picture carries. No custom properties: converters such as librsvg don't know them. */
export function styleElement(): string {
  const fonts = "text{font-family:system-ui,'DejaVu Sans',Arial,sans-serif;stroke:none}";
  const dark = `@media (prefers-color-scheme:dark){${rules(darkTheme)}}`;
  // Last, since a series' class fills its markers.
  return element("style", {}, `${fonts}${rules(lightTheme)}${dark}.line{fill:none}`);
}
