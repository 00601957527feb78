// Finding and compiling the core: once per process, from the file beside the JavaScript or from what the caller gives.

import { Sha256 } from "../asm/image/sha256.ts";
import { AllstopError } from "../errors.ts";

/** The core as bytes, as a compiled module, or as a response to be compiled while it arrives. */
export type CoreSource = WebAssembly.Module | BufferSource | Response;

let shipped: Promise<WebAssembly.Module> | undefined;

/**
 * The compiled core.
 * @param source where to take it from; by default the file that ships with the package, compiled once
 * @throws CORE_MISMATCH when it can't be found or compiled
 */
export async function loadCore(source?: CoreSource): Promise<WebAssembly.Module> {
  if (source !== undefined) return compile(source);
  shipped ??= compileShipped();
  return shipped;
}

async function compileShipped(): Promise<WebAssembly.Module> {
  const url = new URL("../../dist/core.wasm", import.meta.url);
  if (url.protocol === "file:") {
    const { readFile } = await import("node:fs/promises");
    const bytes = await readFile(url).catch((cause: unknown) => {
      throw new AllstopError("CORE_MISMATCH", "the core is not there; npm run build makes it", { cause });
    });
    return compile(bytes);
  }
  return compile(await fetch(url));
}

/** What modules were compiled from; a module by itself doesn't tell. */
const compiledFrom = new WeakMap<WebAssembly.Module, Uint8Array>();

/**
 * SHA-256 of the core's bytes, in hexadecimal: tells one build from every other.
 * @throws CORE_MISMATCH for a module that loadCore() was given already compiled
 */
export function coreIdentity(module: WebAssembly.Module): string {
  const bytes = compiledFrom.get(module);
  if (bytes !== undefined) return new Sha256().update(bytes).hex();
  throw new AllstopError("CORE_MISMATCH", "a compiled module doesn't tell which build of the core it is", {
    allowed: "a core that loadCore() has compiled",
  });
}

async function compile(source: CoreSource): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return source;
  try {
    const bytes = source instanceof Response ? await source.arrayBuffer() : source;
    const module = await WebAssembly.compile(bytes);
    compiledFrom.set(module, bytesOf(bytes).slice());
    return module;
  } catch (cause) {
    throw new AllstopError("CORE_MISMATCH", "the core does not compile", { cause });
  }
}

function bytesOf(source: BufferSource): Uint8Array {
  if (!ArrayBuffer.isView(source)) return new Uint8Array(source);
  return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
}
