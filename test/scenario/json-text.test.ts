// Reading JSON: of one mind with JSON.parse, but for fields that are given twice; and where it says that a mistake is.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AllstopError } from "../../src/errors.ts";
import { parseJson } from "../../src/scenario/json-text.ts";

function refusalOf(text: string): AllstopError | undefined {
  try {
    parseJson(text);
    return undefined;
  } catch (error) {
    if (error instanceof AllstopError) return error;
    throw error;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const value = fc.jsonValue({ maxDepth: 4 });
const letters = '{}[]",:0123456789.-+eEtrufalsn\\/ \n\t\u0001\uFEFFxé'.split("");

describe("JSON from text", () => {
  it("is what JSON.parse makes of it, however it is laid out", () => {
    fc.assert(
      fc.property(value, fc.constantFrom("", " ", "\t", "\r\n"), (one, space) => {
        const text = JSON.stringify(one, undefined, space === "" ? undefined : space);
        // JSON.stringify writes no negative zero, and JSON.parse gives __proto__ as a field of its own.
        expect(JSON.stringify(parseJson(text))).toBe(JSON.stringify(JSON.parse(text)));
      }),
    );
  });

  it("is refused if JSON.parse refuses it, whatever has been changed in it; never with another error", () => {
    const edit = fc.record({
      where: fc.nat(),
      drop: fc.nat(2),
      put: fc.array(fc.constantFrom(...letters), { maxLength: 2 }),
    });
    let refused = 0;
    fc.assert(
      fc.property(value, fc.array(edit, { minLength: 1, maxLength: 2 }), (one, edits) => {
        const text = edits.reduce((before, { where, drop, put }) => {
          const at = where % (before.length + 1);
          return before.slice(0, at) + put.join("") + before.slice(at + drop);
        }, JSON.stringify(one));
        const refusal = refusalOf(text);
        if (refusal?.what !== "a field that is given twice") expect(refusal === undefined).toBe(isJson(text));
        if (refusal !== undefined) refused++;
      }),
      { numRuns: 3000 },
    );
    expect(refused).toBeGreaterThan(500);
  });

  it.each([
    ["{", "1:2"],
    ['{"a": 1', "1:8"],
    ['{\r\n\t"a": 1\r\n\t"b": 2\r\n}', "3:2"],
    ["[1, 2,, 3]", "1:7"],
    ["[\n\n\n  tru]", "4:3"],
    ['{"a": NaN}', "1:7"],
    ['{"a": +1}', "1:7"],
    ['{"a": .5}', "1:7"],
    ['{"a": 1.}', "1:8"],
    ['{"a": "\\u12g4"}', "1:8"],
    ['{"a": {"b": 1, "c": 2, "b": 3}}', "1:24"],
    ['{"a": 1, "\\u0061": 2}', "1:10"],
  ])("%j is wrong at %s", (text, at) => {
    expect(refusalOf(text)).toMatchObject({ code: "SCENARIO_INVALID", at });
  });

  it("shows the part of a long line that is wrong", () => {
    const text = `{"title": "${"x".repeat(5000)}", "seed": oops, "limitUs": 5}`;
    const refusal = refusalOf(text);
    expect(refusal?.value).toContain("oops");
    expect(refusal?.message.length).toBeLessThan(250);
  });

  it("takes a long text, and nests no deeper than documents do", () => {
    expect(parseJson(JSON.stringify("y".repeat(2_000_000)))).toHaveLength(2_000_000);
    expect(parseJson("[".repeat(60) + "]".repeat(60))).toHaveLength(1);
    expect(refusalOf("[".repeat(1_000_000))?.allowed).toBe("at most 64 levels");
  });
});
