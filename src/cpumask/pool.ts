// Where masks come from: a pool, with the engine that works on its masks.

import { MAX_CPUS } from "../abi.ts";
import { Core } from "../core/core.ts";
import { loadCore, type CoreSource } from "../core/load.ts";
import { AllstopError } from "../errors.ts";
import { CpuMask } from "./mask.ts";
import { MaskMemory, type MaskEngine } from "./memory.ts";
import { PlainEngine } from "./plain-engine.ts";

/** The widest mask, bits. */
export const maxCpuMaskBits = MAX_CPUS;

/**
 * Makes masks. Those of one pool share its memory, which grows to the most that is in use at a time: masks that are
 * disposed of, or forgotten, make room for new ones.
 */
export class CpuMaskPool {
  /** What works on the masks: the vector code of the WebAssembly core, or plain TypeScript with the same results. */
  readonly engine: "simd" | "plain";
  readonly #memory: MaskMemory;

  private constructor(engine: "simd" | "plain", memory: MaskEngine) {
    this.engine = engine;
    this.#memory = new MaskMemory(memory);
  }

  /**
   * A pool whose masks the WebAssembly core works on, in an instance of its own.
   * @param options.core where to take the core from; by default the file that ships with the package
   * @throws CORE_MISMATCH when it can't be found or compiled
   */
  static async create(options: { readonly core?: CoreSource } = {}): Promise<CpuMaskPool> {
    return new CpuMaskPool("simd", new Core(await loadCore(options.core)));
  }

  /** A pool in plain TypeScript, at once and without WebAssembly; slow above some hundred CPUs. */
  static plain(): CpuMaskPool {
    return new CpuMaskPool("plain", new PlainEngine());
  }

  /**
   * A mask, empty or with the given CPUs.
   * @param bits the width, 1 to `maxCpuMaskBits`
   * @throws OPTION_INVALID for a width or a CPU out of range
   * @throws CAPACITY_EXCEEDED when memory is exhausted
   */
  mask(bits: number, cpus: Iterable<number> = []): CpuMask {
    if (!Number.isInteger(bits) || bits < 1 || bits > maxCpuMaskBits) {
      const allowed = `1 to ${maxCpuMaskBits}`;
      throw new AllstopError("OPTION_INVALID", "not the width of a mask", { value: bits, allowed });
    }
    return filled(new CpuMask(this.#memory, bits), (mask) => {
      for (const cpu of cpus) mask.setCpu(cpu);
    });
  }

  /** The mask that hex digits mean, see `CpuMask.parse`. @throws CpuMaskError EINVAL or EOVERFLOW */
  parse(text: string | Uint8Array, bits: number): CpuMask {
    return filled(this.mask(bits), (mask) => mask.parse(text));
  }

  /** The mask that a list means, see `CpuMask.parseList`. @throws CpuMaskError EINVAL, EOVERFLOW or ERANGE */
  parseList(text: string | Uint8Array, bits: number): CpuMask {
    return filled(this.mask(bits), (mask) => mask.parseList(text));
  }
}

/** A mask that nobody has yet is disposed of when filling it fails. */
function filled(mask: CpuMask, fill: (mask: CpuMask) => void): CpuMask {
  try {
    fill(mask);
    return mask;
  } catch (error) {
    mask.dispose();
    throw error;
  }
}
