// Characters as the kernel's parsers see them: a string ends at its first NUL.

export const NEWLINE = 0x0a;
export const COMMA = 0x2c;

/** Unicode characters beyond ASCII are several bytes in the kernel, none of which it takes for a separator. */
function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}

/** Whether a character separates regions of a list, or chunks of a mask. */
export function isSeparator(code: number): boolean {
  return code === COMMA || isSpace(code);
}

/** Whether the text ends here: past its last character, at a NUL or at a newline. */
export function isEnd(code: number): boolean {
  return Number.isNaN(code) || code === 0 || code === NEWLINE;
}

/** Text that a process wrote, one character for each byte. The kernel's isspace() takes 0xA0 for a blank. */
export function textOf(source: string | Uint8Array): string {
  if (typeof source === "string") return source;
  const parts: string[] = [];
  for (let at = 0; at < source.length; at += 4096) parts.push(String.fromCharCode(...source.subarray(at, at + 4096)));
  return parts.join("").replaceAll("\xa0", " ");
}
