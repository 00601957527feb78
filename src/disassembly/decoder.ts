// The text of machine instructions: Capstone's, compiled to WebAssembly. The package is optional, and loaded when it is first needed.

import { SYSTEM_REGISTER_NAMES, systemRegister } from "../asm/arm64/system-registers.ts";
import { AllstopError } from "../errors.ts";
import type { Architecture } from "../topology/index.ts";

/** An instruction as text: Intel syntax on x86-64, Arm's on arm64. */
export interface DecodedInstruction {
  readonly address: number;
  readonly bytes: Uint8Array;
  /** ".byte" or ".inst" for what is no instruction. */
  readonly mnemonic: string;
  readonly operands: string;
}

/** Decodes whole stretches of code. */
export interface InstructionDecoder {
  readonly architecture: Architecture;
  /** All of the bytes; what can't be decoded is one byte each, or one word. */
  decode(bytes: Uint8Array, address: number): DecodedInstruction[];
}

/** The package that is needed. */
export const DECODER_PACKAGE = "@alexaltea/capstone-js@5.0.9";

/** Of Capstone what is used here. */
interface Capstone {
  readonly ARCH_ARM64: number;
  readonly ARCH_X86: number;
  readonly MODE_LITTLE_ENDIAN: number;
  readonly MODE_64: number;
  readonly Capstone: new (architecture: number, mode: number) => CapstoneHandle;
}

interface CapstoneHandle {
  disasm(bytes: Uint8Array, address: number): readonly CapstoneInstruction[];
}

interface CapstoneInstruction {
  readonly size: number;
  readonly mnemonic: string;
  readonly op_str: string;
}

let capstone: Promise<Capstone> | undefined;
const decoders = new Map<Architecture, Promise<InstructionDecoder>>();

/** The decoder of an architecture: loaded once. @throws PACKAGE_MISSING */
export function loadDecoder(architecture: Architecture): Promise<InstructionDecoder> {
  const known = decoders.get(architecture);
  if (known !== undefined) return known;
  const made = (capstone ??= loadCapstone()).then((library) => new CapstoneDecoder(library, architecture));
  decoders.set(architecture, made);
  return made;
}

async function loadCapstone(): Promise<Capstone> {
  // Not a literal: an optional package has no types, and a bundler must not insist on it.
  const name: string = DECODER_PACKAGE.replace(/@[^@]*$/, "");
  const loaded = (await import(name).catch((cause: unknown) => {
    throw new AllstopError("PACKAGE_MISSING", "the text of instructions needs an optional package", {
      value: name,
      allowed: `npm install ${DECODER_PACKAGE}`,
      cause,
    });
  })) as { default: () => Promise<Capstone> };
  return loaded.default();
}

class CapstoneDecoder implements InstructionDecoder {
  readonly architecture: Architecture;
  readonly #handle: CapstoneHandle;
  /** Bytes of what is no instruction. */
  readonly #unit: number;

  constructor(library: Capstone, architecture: Architecture) {
    this.architecture = architecture;
    this.#unit = architecture === "arm64" ? 4 : 1;
    this.#handle =
      architecture === "arm64"
        ? new library.Capstone(library.ARCH_ARM64, library.MODE_LITTLE_ENDIAN)
        : new library.Capstone(library.ARCH_X86, library.MODE_64);
  }

  decode(bytes: Uint8Array, address: number): DecodedInstruction[] {
    const decoded: DecodedInstruction[] = [];
    let at = 0;
    while (at < bytes.length) {
      for (const { size, mnemonic, op_str: operands } of this.#decodable(bytes.subarray(at), address + at)) {
        const own = bytes.slice(at, at + size);
        const text = this.architecture === "arm64" ? corrected(operands.trim()) : operands.trim();
        decoded.push({ address: address + at, bytes: own, mnemonic: mnemonic.trim(), operands: text });
        at += size;
      }
      if (at < bytes.length) {
        const own = bytes.slice(at, at + this.#unit);
        decoded.push({ address: address + at, bytes: own, ...undecodable(own, this.#unit) });
        at += own.length;
      }
    }
    return decoded;
  }

  /** Instructions up to the first that isn't one. Capstone throws when it is the very first. */
  #decodable(bytes: Uint8Array, address: number): readonly CapstoneInstruction[] {
    try {
      return this.#handle.disasm(bytes, address);
    } catch {
      return [];
    }
  }
}

function undecodable(bytes: Uint8Array, unit: number): { readonly mnemonic: string; readonly operands: string } {
  const digits = [...bytes].reverse().map((byte) => byte.toString(16).padStart(2, "0"));
  return { mnemonic: unit === 4 && bytes.length === 4 ? ".inst" : ".byte", operands: `0x${digits.join("")}` };
}

const registersByCode = new Map(SYSTEM_REGISTER_NAMES.map((name) => [systemRegister(name).join(" "), name]));

/**
 * What Capstone prints otherwise than others: it doesn't know the registers of FEAT_NMI, nor the field ALLINT of PSTATE, and gives the
 * least immediate of 32 bits a sign too many.
 */
function corrected(operands: string): string {
  if (operands === "s0_1_c4_c0_0, xzr" || operands === "s0_1_c4_c1_0, xzr") return `allint, #${operands[9] ?? ""}`;
  return operands
    .replace(/#-0xffffffff80000000$/, "#-0x80000000")
    .replace(
      /\bs(\d)_(\d)_c(\d+)_c(\d+)_(\d)\b/,
      (generic, ...code: string[]) => registersByCode.get(code.slice(0, 5).join(" ")) ?? generic,
    );
}
