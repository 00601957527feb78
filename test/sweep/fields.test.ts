// What --vary and --seeds take, and how a field of a document gets a value.

import { describe, expect, it } from "vitest";
import { AllstopError } from "../../src/errors.ts";
import { withField } from "../../src/scenario/fields.ts";
import { parseSeeds, parseVary } from "../../src/sweep/fields.ts";

function refusal(work: () => unknown): AllstopError {
  try {
    work();
  } catch (error) {
    if (error instanceof AllstopError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("a field and its values", () => {
  it.each([
    ["machine.cpus=64,256,1024", [64, 256, 1024]],
    ["policy.functionUs=0:10:2", [0, 2, 4, 6, 8, 10]],
    ["policy.functionUs=1:3", [1, 2, 3]],
    // 0.1 added up ten times is not 1 in binary fractions.
    ["policy.functionUs=0:1:0.1", [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]],
    ["policy.functionUs=0:5:2", [0, 2, 4]],
    ["machine.cpus=64:4096:x4", [64, 256, 1024, 4096]],
    ["machine.cpus=3:30:x3", [3, 9, 27]],
    ["machine.cpus=1:2,8:10", [1, 2, 8, 9, 10]],
    ["machine.featNmi=true,false", [true, false]],
    ["load.common=idle,idle-deep", ["idle", "idle-deep"]],
    ["machine.topology=2x4x8,epyc-7742", ["2x4x8", "epyc-7742"]],
    ["faults.inject.0.at.mark=multi_cpu_stop:enter", ["multi_cpu_stop:enter"]],
    ['policy.targets=["0,4-7","1"]', ["0,4-7", "1"]],
    ['load.particular=[[],[{"cpus":"3","kind":"irqs-off"}]]', [[], [{ cpus: "3", kind: "irqs-off" }]]],
    ["policy.delayUs=-1.5e-1", [-0.15]],
  ])("%s", (text, values) => {
    expect(parseVary(text)).toEqual({ field: text.slice(0, text.indexOf("=")), values });
  });

  it.each([
    "machine.cpus",
    "machine.cpus=",
    "=3",
    "machine..cpus=3",
    "machine.=3",
    "__proto__.x=3",
    "machine.__proto__=3",
    "machine.cpus=1,,2",
    "machine.cpus=4:2",
    "machine.cpus=4:8:0",
    "machine.cpus=4:8:x1",
    "machine.cpus=0:8:x2",
    "machine.cpus=1:2:3n",
    "machine.cpus=0:100000000",
    "policy.targets=[",
    "policy.targets=[]",
  ])("refuses %j, and says what is allowed", (text) => {
    const { code, message, allowed } = refusal(() => parseVary(text));
    expect(code).toBe("OPTION_INVALID");
    expect(message).toContain("vary");
    expect(allowed).toBeTruthy();
  });
});

describe("seeds", () => {
  it.each([
    ["1-5", [1, 2, 3, 4, 5]],
    ["7", [7]],
    ["1,5,7-9,5", [1, 5, 7, 8, 9]],
    ["4294967295", [4_294_967_295]],
  ])("%s", (text, seeds) => {
    expect(parseSeeds(text, 100)).toEqual(seeds);
  });

  it.each(["", "x", "5-1", "1-101", "4294967296", "-1", "1-", "1.5"])("refuses %j", (text) => {
    expect(refusal(() => parseSeeds(text, 100)).at).toBe("seeds");
  });
});

describe("putting a value into a document", () => {
  it("makes objects on the way, and leaves the document as it was", () => {
    const document = { format: "x", load: { particular: [{ us: 1 }, { us: 2 }] } };
    const before = structuredClone(document);
    expect(withField(document, "load.particular.1.us", 7, "x")).toEqual({
      ...document,
      load: { particular: [{ us: 1 }, { us: 7 }] },
    });
    expect(withField(document, "policy.options.limit", 3, "x")).toEqual({
      ...document,
      policy: { options: { limit: 3 } },
    });
    expect(document).toEqual(before);
  });

  it.each(["load.particular.2.us", "load.particular.us", "faults.inject.0.us", "format.x"])(
    "has no place for %s",
    (field) => {
      const document = { format: "x", load: { particular: [{}, {}] } };
      expect(refusal(() => withField(document, field, 1, "vary.at")).at).toBe("vary.at");
    },
  );
});
