// A growing little-endian byte sequence, and the number formats of ELF and DWARF.

export class ByteWriter {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#view.setUint8(this.#length, value);
    this.#length += 1;
    return this;
  }
  u16(value: number): this {
    this.#reserve(2);
    this.#view.setUint16(this.#length, value, true);
    this.#length += 2;
    return this;
  }
  u32(value: number): this {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
    return this;
  }
  u64(value: number): this {
    this.#reserve(8);
    this.#view.setBigUint64(this.#length, BigInt(value), true);
    this.#length += 8;
    return this;
  }
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }
  /** UTF-8, with a terminating zero. */
  text(content: string): this {
    return this.raw(new TextEncoder().encode(content)).u8(0);
  }
  /** DWARF unsigned LEB128 (DWARF 4, section 7.6). */
  uleb(value: number): this {
    let rest = value;
    while (rest >= 0x80) {
      this.u8((rest & 0x7f) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    return this.u8(rest);
  }
  sleb(value: number): this {
    let rest = value;
    while (rest < -0x40 || rest > 0x3f) {
      this.u8((rest & 0x7f) | 0x80);
      rest >>= 7;
    }
    return this.u8(rest & 0x7f);
  }
  alignTo(multiple: number): this {
    while (this.#length % multiple !== 0) this.u8(0);
    return this;
  }
  /** Zeros up to an offset. */
  padTo(offset: number): this {
    const count = offset - this.#length;
    if (count > 0) this.raw(new Uint8Array(count));
    return this;
  }
  patch32(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }
  done(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

/** A string table: offset 0 is the empty string. */
export class StringTable {
  readonly #bytes = new ByteWriter().u8(0);
  readonly #offsets = new Map<string, number>([["", 0]]);

  add(content: string): number {
    let offset = this.#offsets.get(content);
    if (offset === undefined) {
      offset = this.#bytes.length;
      this.#bytes.text(content);
      this.#offsets.set(content, offset);
    }
    return offset;
  }

  done(): Uint8Array {
    return this.#bytes.done();
  }
}
