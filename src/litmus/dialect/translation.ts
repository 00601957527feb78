// A cell of a test in the assembler's syntax, with the column of the file that each character came from.

import type { Cell } from "../test.ts";

export interface Translation {
  /** One line of assembly text. */
  readonly text: string;
  /** Column in the file, from 1, of each character; one more for what stands behind it. */
  readonly columns: readonly number[];
  readonly cell: Cell;
}

export class TranslationBuilder {
  readonly #cell: Cell;
  #text = "";
  readonly #columns: number[] = [];

  constructor(cell: Cell) {
    this.#cell = cell;
  }

  /** Text that stands in the cell from an offset on. */
  copy(text: string, offset: number): this {
    for (let i = 0; i < text.length; i++) this.#columns.push(this.#cell.place.column + offset + i);
    this.#text += text;
    return this;
  }

  /** Text that stands for what is at an offset of the cell. */
  put(text: string, offset: number): this {
    for (let i = 0; i < text.length; i++) this.#columns.push(this.#cell.place.column + offset);
    this.#text += text;
    return this;
  }

  build(): Translation {
    const end = this.#cell.place.column + this.#cell.text.length;
    return { text: this.#text, columns: [...this.#columns, end], cell: this.#cell };
  }
}
