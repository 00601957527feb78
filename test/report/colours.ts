// How colours are seen: contrast, and differences, also by dichromats.

/** Channels of an sRGB colour, linear, 0 to 1. */
function linearRgb(colour: string): number[] {
  const channels = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255);
  return channels.map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
}

/** WCAG 2.2, relative luminance and contrast ratio. */
function luminance(colour: string): number {
  const [red, green, blue] = linearRgb(colour);
  return 0.2126 * (red ?? 0) + 0.7152 * (green ?? 0) + 0.0722 * (blue ?? 0);
}

export function contrast(a: string, b: string): number {
  const [one, other] = [luminance(a), luminance(b)];
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}

/** What dichromats see of linear RGB: Machado, Oliveira and Fernandes, IEEE TVCG 15 (2009), severity 1. */
export const deficiencies = {
  none: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
  tritanopia: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
} as const;

/** CIELAB of a colour as it is seen (CIE 15, D65). */
export function labOf(colour: string, matrix: readonly number[]): number[] {
  const linear = linearRgb(colour);
  const seen = [0, 3, 6].map((row) => {
    const value = linear.reduce((sum, channel, index) => sum + channel * (matrix[row + index] ?? 0), 0);
    return Math.min(1, Math.max(0, value));
  });
  const [r = 0, g = 0, b = 0] = seen;
  const scaled = (t: number): number => (t > 216 / 24389 ? Math.cbrt(t) : ((24389 / 27) * t + 16) / 116);
  const x = scaled((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047);
  const y = scaled(0.2126 * r + 0.7152 * g + 0.0722 * b);
  const z = scaled((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/** The least distance in CIELAB of any two colours, to such eyes. */
export function leastDistance(colours: readonly string[], matrix: readonly number[]): number {
  const seen = colours.map((colour) => labOf(colour, matrix));
  let least = Infinity;
  for (const [index, one] of seen.entries()) {
    for (const other of seen.slice(index + 1)) {
      least = Math.min(least, Math.hypot(...one.map((value, axis) => value - (other[axis] ?? 0))));
    }
  }
  return least;
}
