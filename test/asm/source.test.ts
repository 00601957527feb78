// Source positions: the frame forms of the engines, and the path of capturing.

import { afterEach, describe, expect, it } from "vitest";
import { here, packageRoot, parseFrame } from "../../src/asm/source.ts";

const root = new URL("../../", import.meta.url).pathname;

describe("frames", () => {
  it.for([
    [`    at Object.build (${root}src/guest/stop.ts:12:34)`, "src/guest/stop.ts", 12, 34],
    [`    at file://${root}src/guest/stop.ts:5:6`, "src/guest/stop.ts", 5, 6],
    [`    at async Object.build (file://${root}src/a.ts:1:2)`, "src/a.ts", 1, 2],
    [`    at async file://${root}src/a.ts:1:2`, "src/a.ts", 1, 2],
    [`build@file://${root}src/a.ts:7:8`, "src/a.ts", 7, 8],
    ["build@https://example.org/lib/bundle.js:7:8", "https://example.org/lib/bundle.js", 7, 8],
    ["    at f (/elsewhere/node_modules/@scope/package (copy)/x.ts:9:1)", "copy)/x.ts", 9, 1],
    ["    at https://example.org/@scope/x.js:3:4", "https://example.org/@scope/x.js", 3, 4],
  ] as const)("%s", ([frame, file, line, column]) => {
    const position = parseFrame(frame);
    expect({ line: position?.line, column: position?.column }).toEqual({ line, column });
    expect(position?.file.endsWith(file)).toBe(true);
  });

  it("keep their full path where the package has no place", () => {
    expect(packageRoot("blob:https://example.org/1234")).toBeUndefined();
    expect(packageRoot("https://example.org/lib/asm/source.js")?.href).toBe("https://example.org/");
  });

  it("without a position are nothing", () => {
    expect(parseFrame("    at native code")).toBeUndefined();
    expect(parseFrame("")).toBeUndefined();
  });
});

/** Stands for a method of the builder. */
function method() {
  return here();
}

describe("capturing", () => {
  const original = Object.getOwnPropertyDescriptor(Error, "captureStackTrace");
  afterEach(() => {
    if (original !== undefined) Object.defineProperty(Error, "captureStackTrace", original);
  });

  it("names the caller of the method, and leaves the stack limit as it was", () => {
    Error.stackTraceLimit = 17;
    const mark = method();
    expect(Error.stackTraceLimit).toBe(17);
    Error.stackTraceLimit = 10;
    const line = Number(new Error().stack?.split("\n")[1]?.match(/:(\d+):\d+\)?$/)?.[1]);
    expect(mark.position).toMatchObject({ file: "test/asm/source.test.ts", line: line - 3 });
  });

  it("works without the engine's own capture", () => {
    Object.defineProperty(Error, "captureStackTrace", { value: undefined, configurable: true, writable: true });
    const mark = method();
    const line = Number(new Error().stack?.split("\n")[1]?.match(/:(\d+):\d+\)?$/)?.[1]);
    expect(mark.position).toMatchObject({ file: "test/asm/source.test.ts", line: line - 1 });
  });
});
