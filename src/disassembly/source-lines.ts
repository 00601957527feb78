// The lines of source that code comes from: of the TypeScript files, where they or their source maps are at hand: in Node.

import type { SourcePosition } from "../asm/source.ts";
import { platform } from "../platform/node.ts";

/** A place in source, and the text of its line where that is at hand. */
export interface SourceLine extends SourcePosition {
  readonly text?: string;
}

/** Of a file: where its lines come from, and what they say. */
interface SourceFile {
  line(position: SourcePosition): SourceLine;
}

/** Files whose positions can be told, read once. */
const files = new Map<string, Promise<SourceFile>>();

/**
 * Reads what is needed to tell the source lines of positions in the library's own files: of compiled ones those of their sources.
 * A position in a file that can't be read is left as it is, without text.
 */
export async function readSourceLines(
  positions: Iterable<SourcePosition>,
): Promise<(position: SourcePosition) => SourceLine> {
  const wanted = new Set([...positions].map(({ file }) => file));
  const known = new Map<string, SourceFile>();
  for (const name of wanted) {
    const file = files.get(name) ?? readSourceFile(name).catch(() => UNKNOWN);
    files.set(name, file);
    known.set(name, await file);
  }
  return (position) => (known.get(position.file) ?? UNKNOWN).line(position);
}

const UNKNOWN: SourceFile = { line: (position) => position };

async function readSourceFile(name: string): Promise<SourceFile> {
  const { readFile } = await platform.files();
  const root = new URL("../../", import.meta.url);
  const url = new URL(name, root);
  const map = name.endsWith(".js")
    ? await readFile(new URL(`${url.href}.map`), "utf8").catch(() => undefined)
    : undefined;
  if (map !== undefined) return mapped(map, url, root);
  const lines = (await readFile(url, "utf8")).split("\n");
  return { line: (position) => withText(position, lines) };
}

/** A compiled file: its map names the source. */
async function mapped(text: string, url: URL, root: URL): Promise<SourceFile> {
  const { readFile } = await platform.files();
  const { SourceMap } = await platform.modules();
  const payload = JSON.parse(text) as ConstructorParameters<typeof SourceMap>[0];
  const map = new SourceMap(payload);
  const source = new URL(payload.sources[0] ?? "", url);
  const name = source.href.startsWith(root.href) ? source.href.slice(root.href.length) : source.href;
  const lines = await readFile(source, "utf8").then(
    (content) => content.split("\n"),
    () => [],
  );
  return {
    line: (position) => {
      // Entries count from 0.
      const entry = map.findEntry(position.line - 1, position.column - 1);
      if (!("originalLine" in entry)) return position;
      return withText({ file: name, line: entry.originalLine + 1, column: entry.originalColumn + 1 }, lines);
    },
  };
}

function withText({ file, line, column }: SourcePosition, lines: readonly string[]): SourceLine {
  const text = lines[line - 1]?.trim();
  return text === undefined ? { file, line, column } : { file, line, column, text };
}
