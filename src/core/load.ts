// Finding and compiling the core: once per process, from the file beside the JavaScript or from what the caller gives.

import { Sha256 } from "../asm/image/sha256.ts";
import { AllstopError } from "../errors.ts";
import { platform } from "../platform/node.ts";

/**
 * Where the core is taken from: its address (`http:`, `https:`, `file:`), its bytes, a response of `fetch()` or what becomes one, or a
 * compiled module.
 */
export type CoreSource =
  WebAssembly.Module | BufferSource | Response | URL | Promise<WebAssembly.Module | BufferSource | Response>;

let shipped: Promise<WebAssembly.Module> | undefined;

/**
 * Says where the core is, for everything that is not given one itself: in a browser whose bundle does not bring it along. Takes effect for
 * what is run from then on; a source that turns out to be none is an error of the first run.
 */
export function useCore(source: CoreSource): void {
  shipped = loadCore(source);
  // Whoever runs something hears of it.
  shipped.catch(() => undefined);
}

/**
 * The compiled core, a WebAssembly module that any number of machines and threads share.
 * @param source where to take it from; by default what useCore() has said, else the file `core.wasm` that ships with the package, compiled once
 * @throws CORE_MISMATCH when it can't be found or compiled
 */
export async function loadCore(source?: CoreSource): Promise<WebAssembly.Module> {
  if (source !== undefined) return compile(source instanceof URL ? await bytesAt(source) : await source);
  shipped ??= compileShipped();
  return shipped;
}

async function compileShipped(): Promise<WebAssembly.Module> {
  try {
    return await compile(await bytesAt(shippedFile()));
  } catch (error) {
    // What was not there may be there next time.
    shipped = undefined;
    throw error;
  }
}

/** In this form bundlers see that the file belongs to what they make. */
function shippedFile(): URL {
  try {
    return new URL("../../dist/core.wasm", import.meta.url);
  } catch (cause) {
    // A bundle that is no module has no address.
    throw new AllstopError("CORE_MISMATCH", "this bundle doesn't know where the core is", {
      allowed: "useCore() with its address, its bytes or a response of fetch()",
      cause,
    });
  }
}

async function bytesAt(url: URL): Promise<BufferSource | Response> {
  const missing = (cause: unknown): AllstopError =>
    new AllstopError("CORE_MISMATCH", "the core is not there", {
      value: url.href,
      allowed:
        "core.wasm of the package, which npm run build makes; a bundle may have to be told where it is: useCore()",
      cause,
    });
  if (url.protocol === "file:") {
    const { readFile } = await platform.files();
    return readFile(url).catch((cause: unknown) => {
      throw missing(cause);
    });
  }
  const response = await fetch(url).catch((cause: unknown) => {
    throw missing(cause);
  });
  if (!response.ok) throw missing(new Error(`HTTP status ${response.status}`));
  return response;
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

async function compile(source: WebAssembly.Module | BufferSource | Response): Promise<WebAssembly.Module> {
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
