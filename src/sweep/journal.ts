// The record of a sweep on disk: JSON Lines, one row per run, written as the run ends. Reading it back is how a sweep is resumed.

import type { FileHandle } from "node:fs/promises";
import { AllstopError } from "../errors.ts";
import { platform } from "../platform/node.ts";
import type { SweepRow } from "./row.ts";

/** How every line begins. */
const START = '{"key":"';
const LINE_FEED = 10;
const CHUNK_BYTES = 1 << 16;

export class SweepJournal {
  readonly #file: FileHandle;
  readonly #path: string;
  /** Writes happen one after the other: a row is a whole line. */
  #written: Promise<void> = Promise.resolve();

  private constructor(file: FileHandle, path: string) {
    this.#file = file;
    this.#path = path;
  }

  /** @throws OPTION_INVALID for a file that can't be written; PLATFORM_LACKS */
  static async open(path: string): Promise<SweepJournal> {
    const { open } = await platform.files();
    try {
      return new SweepJournal(await open(path, "a+"), path);
    } catch (cause) {
      const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
      throw new AllstopError("OPTION_INVALID", `a file that can't be written (${reason})`, { value: path, cause });
    }
  }

  /**
   * The rows that are there, in the order in which they were written. A last line that is torn, as by the end of the process, is cut
   * off. To be read to its end before anything is appended.
   * @throws OPTION_INVALID for a file of something else, which stays as it is
   */
  async *rows(): AsyncGenerator<SweepRow> {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    let rest: Buffer = Buffer.alloc(0);
    let restAt = 0;
    let line = 1;
    while (true) {
      const { bytesRead } = await this.#file.read(chunk, 0, CHUNK_BYTES, restAt + rest.length);
      if (bytesRead === 0) break;
      const bytes = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
      let start = 0;
      for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, start)) {
        yield this.#rowOf(bytes.toString("utf8", start, end), line++);
        start = end + 1;
      }
      rest = bytes.subarray(start);
      restAt += start;
      if (line === 1) this.#checkStart(rest);
    }
    if (rest.length === 0) return;
    this.#checkStart(rest);
    await this.#file.truncate(restAt);
  }

  /** Resolves when the row has been handed to the operating system. */
  append(row: SweepRow): Promise<void> {
    this.#written = this.#written.then(() => this.#file.appendFile(`${JSON.stringify(row)}\n`));
    return this.#written;
  }

  async close(): Promise<void> {
    await this.#written.catch(() => undefined);
    await this.#file.close();
  }

  #rowOf(text: string, line: number): SweepRow {
    try {
      const row = JSON.parse(text) as SweepRow | null;
      if (typeof row?.key === "string" && typeof row.point === "object" && typeof row.verdict === "string") return row;
    } catch {
      // The same as any other line that is none of ours.
    }
    throw this.#foreign(line, text);
  }

  /** A torn line is the start of one. */
  #checkStart(bytes: Buffer): void {
    const text = bytes.toString("utf8", 0, START.length);
    if (!START.startsWith(text)) throw this.#foreign(undefined, bytes.toString("utf8", 0, 80));
  }

  #foreign(line: number | undefined, value: string): AllstopError {
    return new AllstopError("OPTION_INVALID", "not a row of a sweep", {
      at: line === undefined ? this.#path : `${this.#path}:${line}`,
      value,
      allowed: "a new file, or one that a sweep has written",
    });
  }
}
