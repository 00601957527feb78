// Machine code put together by bytes, as the manual's encoding tables have it (Intel SDM volume 2): the tests' own encoder,
// which knows nothing of the decoder under test.

export type Size = 1 | 2 | 4 | 8;

/** A memory operand. Without base and index, `displacement` is an absolute address. */
export interface Memory {
  readonly base?: number;
  readonly index?: number;
  /** 1, 2, 4 or 8 */
  readonly scale?: number;
  readonly displacement?: number;
  /** Relative to the instruction pointer: `displacement` is the address itself. */
  readonly rip?: boolean;
  /** Segment override prefix. */
  readonly segment?: number;
  /** 67 prefix. */
  readonly short?: boolean;
}

export const FS = 0x64;
export const GS = 0x65;

export const [RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
export const [R8, R9, R10, R11, R12, R13, R14, R15] = [8, 9, 10, 11, 12, 13, 14, 15] as const;

export interface Encoding {
  /** Opcode with its escape bytes; a mandatory prefix is given apart. */
  readonly opcode: readonly number[];
  readonly prefixes?: readonly number[];
  readonly wide?: boolean;
  /** A REX prefix even if it says nothing: selects SPL to DIL. */
  readonly rex?: boolean;
  /** ModRM.reg */
  readonly reg?: number;
  readonly rm?: number | Memory;
  /** Register in the low bits of the opcode. */
  readonly low?: number;
  readonly immediate?: readonly number[];
  /** vvvv, for VEX encodings: opcode is then [map, opcode], prefixes the one that pp stands for. */
  readonly vex?: number;
}

export function le(value: number | bigint, bytes: number): number[] {
  let rest = BigInt.asUintN(bytes * 8, BigInt(value));
  return Array.from({ length: bytes }, () => {
    const byte = Number(rest & 0xffn);
    rest >>= 8n;
    return byte;
  });
}

function fitsByte(value: number): boolean {
  return value >= -128 && value <= 127;
}

export class Code {
  readonly bytes: number[] = [];
  /** Address of the first byte. */
  readonly origin: number;
  readonly #labels = new Map<string, number>();
  readonly #fixups: { at: number; bytes: number; label: string }[] = [];

  constructor(origin: number) {
    this.origin = origin;
  }

  get here(): number {
    return this.origin + this.bytes.length;
  }

  raw(...bytes: readonly number[]): this {
    this.bytes.push(...bytes);
    return this;
  }

  align(bytes: number, filler = 0xcc): this {
    while (this.here % bytes !== 0) this.bytes.push(filler);
    return this;
  }

  label(name: string): this {
    if (this.#labels.has(name)) throw new Error(`label ${name} twice`);
    this.#labels.set(name, this.here);
    return this;
  }

  addressOf(name: string): number {
    const address = this.#labels.get(name);
    if (address === undefined) throw new Error(`no label ${name}`);
    return address;
  }

  /** `bytes` of displacement from behind them to a label. */
  relative(label: string, bytes: 1 | 4): this {
    this.#fixups.push({ at: this.bytes.length, bytes, label });
    return this.raw(...le(0, bytes));
  }

  finish(): Uint8Array {
    for (const { at, bytes, label } of this.#fixups) {
      const distance = this.addressOf(label) - (this.origin + at + bytes);
      if (bytes === 1 && !fitsByte(distance)) throw new Error(`${label} is too far`);
      this.bytes.splice(at, bytes, ...le(distance, bytes));
    }
    return Uint8Array.from(this.bytes);
  }

  /** One instruction. */
  put(encoding: Encoding): this {
    const { opcode, prefixes = [], reg = 0, rm, low, immediate = [] } = encoding;
    const memory = typeof rm === "object" ? rm : undefined;
    const legacy = [...prefixes];
    if (memory?.short === true) legacy.push(0x67);
    if (memory?.segment !== undefined) legacy.push(memory.segment);
    const high = (register: number | undefined): number => ((register ?? 0) >> 3) & 1;
    const r = high(reg);
    const x = high(memory?.index);
    const b = high(memory === undefined ? ((rm as number | undefined) ?? low) : memory.base);
    const w = encoding.wide === true ? 1 : 0;
    if (encoding.vex !== undefined) {
      const pp = { 0x66: 1, 0xf3: 2, 0xf2: 3 }[prefixes[0] ?? 0] ?? 0;
      this.raw(...legacy.filter((prefix) => prefix === 0x67 || prefix === memory?.segment));
      this.raw(0xc4, ((r ^ 1) << 7) | ((x ^ 1) << 6) | ((b ^ 1) << 5) | (opcode[0] ?? 0));
      this.raw((w << 7) | ((encoding.vex ^ 15) << 3) | pp, opcode[1] ?? 0);
    } else {
      const rex = 0x40 | (w << 3) | (r << 2) | (x << 1) | b;
      this.raw(...legacy);
      if (rex !== 0x40 || encoding.rex === true) this.raw(rex);
      this.raw(...opcode);
      if (low !== undefined) this.bytes.push((this.bytes.pop() ?? 0) | (low & 7));
    }
    if (rm !== undefined) {
      if (memory === undefined) this.raw(0xc0 | ((reg & 7) << 3) | ((rm as number) & 7));
      else this.#memory((reg & 7) << 3, memory, immediate.length);
    }
    return this.raw(...immediate);
  }

  #memory(reg: number, memory: Memory, immediateBytes: number): void {
    const { base, index, scale = 1, displacement = 0, rip } = memory;
    if (rip === true) {
      this.raw(reg | 5, ...le(displacement - (this.here + 5 + immediateBytes), 4));
      return;
    }
    const scaleBits = Math.log2(scale) << 6;
    if (base === undefined) {
      this.raw(reg | 4, scaleBits | (((index ?? 4) & 7) << 3) | 5, ...le(displacement, 4));
      return;
    }
    const mod = displacement === 0 && (base & 7) !== 5 ? 0 : fitsByte(displacement) ? 1 : 2;
    if (index !== undefined || (base & 7) === 4) {
      this.raw((mod << 6) | reg | 4, scaleBits | (((index ?? 4) & 7) << 3) | (base & 7));
    } else {
      this.raw((mod << 6) | reg | (base & 7));
    }
    if (mod !== 0) this.raw(...le(displacement, mod === 1 ? 1 : 4));
  }

  // --- a few instructions that the tests' own code needs ---------------------------------------------------------------

  movImmediate(register: number, value: number | bigint): this {
    return this.put({ opcode: [0xb8], low: register, wide: true, immediate: le(value, 8) });
  }

  /** A number of up to 32 bits, zero-extended. */
  movShort(register: number, value: number): this {
    return this.put({ opcode: [0xb8], low: register, immediate: le(value, 4) });
  }

  /** 64-bit move between registers, or from or to memory. */
  mov(to: number | Memory, from: number | Memory): this {
    if (typeof from === "object") return this.put({ opcode: [0x8b], reg: to as number, rm: from, wide: true });
    return this.put({ opcode: [0x89], reg: from, rm: to, wide: true });
  }

  /** 64-bit arithmetic between registers or memory and a register. */
  alu(operation: "add" | "or" | "and" | "sub" | "xor" | "cmp", to: number, from: number | Memory): this {
    const code = { add: 0, or: 1, and: 4, sub: 5, xor: 6, cmp: 7 }[operation];
    return this.put({ opcode: [(code << 3) | 3], reg: to, rm: from, wide: true });
  }

  aluImmediate(operation: "add" | "or" | "and" | "sub" | "xor" | "cmp", to: number | Memory, value: number): this {
    const code = { add: 0, or: 1, and: 4, sub: 5, xor: 6, cmp: 7 }[operation];
    return this.put({ opcode: [0x81], reg: code, rm: to, wide: true, immediate: le(value, 4) });
  }

  push(register: number): this {
    return this.put({ opcode: [0x50], low: register });
  }

  pop(register: number): this {
    return this.put({ opcode: [0x58], low: register });
  }

  jump(label: string): this {
    return this.raw(0xe9).relative(label, 4);
  }

  call(label: string): this {
    return this.raw(0xe8).relative(label, 4);
  }

  /** `condition` as encoded: 4 is equal, 5 not equal, 2 below … */
  jumpIf(condition: number, label: string): this {
    return this.raw(0x0f, 0x80 | condition).relative(label, 4);
  }
}
