// Finding and compiling the core: once per process, from the file beside the JavaScript or from what the caller gives.

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

async function compile(source: CoreSource): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return source;
  try {
    if (source instanceof Response) return await WebAssembly.compileStreaming(source);
    return await WebAssembly.compile(source);
  } catch (cause) {
    throw new AllstopError("CORE_MISMATCH", "the core does not compile", { cause });
  }
}
