// What the operands of instructions mean: targets of branches by symbol, addresses of data by variable and field, the fields of this
// CPU's own block. Reads the text of the decoder; follows registers as far as straight-line code tells.

import type { MachineImage } from "../machine/guest-image.ts";
import { ObjectNames, objectText } from "../measure/object-names.ts";
import type { DecodedInstruction } from "./decoder.ts";

/** What an image tells of addresses. */
export type NamedImage = Pick<
  MachineImage,
  "architecture" | "cpus" | "perCpuStart" | "perCpuStride" | "symbols" | "structs"
>;

/** Names of addresses in an image. */
export class AddressNames {
  readonly image: NamedImage;
  readonly #objects: ObjectNames;
  /** By address. */
  readonly #functions: NamedImage["symbols"];

  constructor(image: NamedImage) {
    this.image = image;
    this.#objects = new ObjectNames(image as MachineImage);
    this.#functions = image.symbols
      .filter(({ kind }) => kind === "function")
      .sort((one, other) => one.address - other.address);
  }

  /** "routine+0x1c", or undefined outside of code. O(log n). */
  code(address: number): string | undefined {
    const found = lastBefore(this.#functions, address);
    if (found === undefined || address >= found.address + Math.max(1, found.size)) return undefined;
    return address === found.address ? found.name : `${found.name}+0x${(address - found.address).toString(16)}`;
  }

  /** "multi_stop_data.state", or undefined where nothing has a name. */
  data(address: number): string | undefined {
    const named = this.#objects.nameOf(address);
    if (named.symbol.startsWith("0x")) return undefined;
    return objectText(named);
  }

  /** What lies at an offset of each CPU's block. */
  perCpu(offset: number): string | undefined {
    const { perCpuStart, perCpuStride } = this.image;
    if (perCpuStart === 0 || offset < 0 || offset >= perCpuStride) return undefined;
    return this.data(perCpuStart + offset)?.replace(/ of CPU 0$/, " of this CPU");
  }

  either(address: number): string | undefined {
    return this.code(address) ?? this.data(address);
  }
}

function lastBefore<T extends { readonly address: number }>(sorted: readonly T[], address: number): T | undefined {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle]?.address ?? 0) <= address) low = middle + 1;
    else high = middle;
  }
  return sorted[low - 1];
}

/** Follows the code of a routine, instruction by instruction, and says what each one's operands mean. */
export class Annotator {
  readonly #names: AddressNames;
  readonly #targets: ReadonlySet<number>;
  /** arm64: what is known of registers: an address, or an offset of this CPU's block. */
  readonly #known = new Map<string, Known>();

  /** @param code all instructions that will be given to next(), in this order */
  constructor(names: AddressNames, code: readonly DecodedInstruction[]) {
    this.#names = names;
    this.#targets = new Set(code.flatMap((one) => branchTarget(one) ?? []));
  }

  /** What there is to say, such as "cpu_stopper.lock of this CPU"; empty: nothing. */
  next(instruction: DecodedInstruction): string {
    // Whoever comes from elsewhere has other registers.
    if (this.#targets.has(instruction.address)) this.#known.clear();
    const target = branchTarget(instruction);
    if (target !== undefined) {
      if (isCall(instruction)) this.#known.clear();
      return this.#names.either(target) ?? "";
    }
    return this.#names.image.architecture === "arm64" ? this.#arm64(instruction) : this.#x64(instruction);
  }

  #x64({ address, bytes, operands, mnemonic }: DecodedInstruction): string {
    const relative = /\[rip ([+-]) (0x[0-9a-f]+|\d+)\]/.exec(operands);
    if (relative !== null) {
      const offset = Number(relative[2]) * (relative[1] === "-" ? -1 : 1);
      return this.#names.either(address + bytes.length + offset) ?? "";
    }
    const own = /\bgs:\[(0x[0-9a-f]+|\d+)\]/.exec(operands);
    if (own !== null) return this.#names.perCpu(Number(own[1])) ?? "";
    // A displacement that is an address: that of the first CPU's block, or of a table.
    const base = /\[[a-z0-9*]+(?: \+ [a-z0-9*]+)? \+ (0x[0-9a-f]{5,})\]/.exec(operands);
    if (base !== null) return this.#names.either(Number(base[1])) ?? "";
    const constant = mnemonic.startsWith("mov") ? /, (0x[0-9a-f]{5,})$/.exec(operands) : null;
    return constant === null ? "" : this.#exactly(Number(constant[1]));
  }

  /** A constant is an address only if something begins there. */
  #exactly(value: number): string {
    return this.#names.image.symbols.find(({ address, size }) => address === value && size > 0)?.name ?? "";
  }

  #arm64({ mnemonic, operands }: DecodedInstruction): string {
    const parts = operands.split(/, (?![^[]*\])/);
    const [target = "", second = "", third = ""] = parts;
    if (mnemonic === "adrp" || mnemonic === "adr") {
      const value = immediate(second);
      this.#set(target, value === undefined ? undefined : { value, isOwn: false });
      return mnemonic === "adr" && value !== undefined ? (this.#names.either(value) ?? "") : "";
    }
    if (mnemonic === "mrs") {
      this.#set(target, second.toLowerCase() === "tpidr_el1" ? { value: 0, isOwn: true } : undefined);
      return "";
    }
    if (mnemonic === "add" && parts.length === 3) {
      const before = this.#known.get(xName(second));
      const offset = immediate(third);
      const known =
        before === undefined || offset === undefined ? undefined : { ...before, value: before.value + offset };
      this.#set(target, known);
      return known === undefined ? "" : this.#textOf(known);
    }
    const access = /\[(\w+)(?:, #(-?(?:0x[0-9a-f]+|\d+)))?\]/.exec(operands);
    const base = access === null ? undefined : this.#known.get(xName(access[1] ?? ""));
    for (const part of writesOf(mnemonic, parts)) this.#set(part, undefined);
    if (base === undefined) return "";
    return this.#textOf({ ...base, value: base.value + Number(access?.[2] ?? 0) });
  }

  #textOf({ value, isOwn }: Known): string {
    return (isOwn ? this.#names.perCpu(value) : this.#names.either(value)) ?? "";
  }

  #set(register: string, known: Known | undefined): void {
    if (known === undefined) this.#known.delete(xName(register));
    else this.#known.set(xName(register), known);
  }
}

interface Known {
  readonly value: number;
  /** An offset of this CPU's block. */
  readonly isOwn: boolean;
}

/** Of W and X registers the one name. */
function xName(register: string): string {
  return register.replace(/^w(?=\d)/, "x");
}

function immediate(text: string): number | undefined {
  const found = /^#(-?(?:0x[0-9a-f]+|\d+))$/.exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** Operands that an A64 instruction may write: better one too many. */
function writesOf(mnemonic: string, parts: readonly string[]): readonly string[] {
  if (/^(str|stur|stp|stlr|cmp|cmn|tst|msr|dmb|dsb)/.test(mnemonic)) return [];
  return /^(ldp|ldaxp|ldxp|swp|cas|ldadd|ldset|ldclr|ldeor)/.test(mnemonic) ? parts.slice(0, 2) : parts.slice(0, 1);
}

const BRANCH = /^(j\w+|call|loop\w*|b|bl|b\.\w+|cbn?z|tbn?z)$/;

/** Where a direct branch or call leads. */
export function branchTarget({ mnemonic, operands }: DecodedInstruction): number | undefined {
  if (!BRANCH.test(mnemonic)) return undefined;
  const target = /(?:^|, )#?(0x[0-9a-f]+)$/.exec(operands)?.[1];
  return target === undefined ? undefined : Number(target);
}

function isCall({ mnemonic }: DecodedInstruction): boolean {
  return mnemonic === "call" || mnemonic === "bl";
}
