// The loader against input that is broken or means harm: each must end in the documented error, with its position.

import { describe, expect, it } from "vitest";
import { hwlocLimits, parseHwlocXml } from "../../src/topology/index.ts";
import { thrownBy } from "./errors.ts";

const pu = '<object type="PU" os_index="0"/>';

/** A version 2 document around some objects and whatever comes after them. */
function machine(objects: string, after = "", sets = 'cpuset="0x1"'): string {
  return `<topology version="2.0"><object type="Machine" ${sets}>${objects}</object>${after}</topology>`;
}

function distances(attributes: string, content: string): string {
  return machine(
    `<object type="NUMANode" os_index="0" cpuset="0x1"/>${pu}`,
    `<distances2 type="NUMANode" kind="5" ${attributes}>${content}</distances2>`,
  );
}

const fullSet = Array<string>(2048).fill("0xffffffff").join(",");

const refused: readonly [what: string, xml: string, code: string, message: RegExp][] = [
  ["nothing", "", "XML_INVALID", /must contain a root element/],
  ["no XML", "hello", "XML_INVALID", /text data outside of root/],
  ["binary", "\u0000\u0001\u0002", "XML_INVALID", /disallowed character/],
  ["another root", "<html></html>", "XML_INVALID", /not an hwloc topology; found "html"; allowed: topology/],
  ["truncated text", machine(pu).slice(0, -20), "XML_INVALID", /unclosed tag|not closed|unexpected end/],
  ["crossed tags", "<topology><object></topology></object>", "XML_INVALID", /unexpected close tag|unmatched/],
  ["a repeated attribute", '<topology a="" a=""/>', "XML_INVALID", /duplicate attribute/],
  ["two roots", `${machine(pu)}<topology/>`, "XML_INVALID", /documents may contain only one root/],
  ["an unknown entity", "<topology>&lol;</topology>", "XML_INVALID", /undefined entity/],
  [
    "an entity bomb",
    `<!DOCTYPE topology [<!ENTITY a "${"a".repeat(99)}"><!ENTITY b "&a;&a;&a;">]><topology>&b;</topology>`,
    "XML_INVALID",
    /document type with declarations/,
  ],
  ["schema 4", '<topology version="4.0"/>', "XML_INVALID", /unknown schema version; found "4.0"/],
  ["a version that is none", '<topology version="new"/>', "XML_INVALID", /unknown schema version/],
  ["no PU", machine(""), "XML_INVALID", /no PU object/],
  ["a PU without a number", machine('<object type="PU"/>'), "XML_INVALID", /a PU without a number/],
  ["a negative PU", machine('<object type="PU" os_index="-1"/>'), "XML_INVALID", /a PU without a number/],
  ["a PU twice", machine(pu + pu), "XML_INVALID", /a PU listed twice; found 0/],
  ["a node without a number", machine(`<object type="NUMANode"/>${pu}`), "XML_INVALID", /a NUMANode without a number/],
  ["CPU 65536", machine('<object type="PU" os_index="65536"/>'), "XML_LIMIT", /"highestCpuNumber"; found 65536/],
  [
    "CPU 65536 in a set",
    machine(pu, "", `cpuset="0x1${",".repeat(2048)}"`),
    "XML_LIMIT",
    /"highestCpuNumber"; found 65536/,
  ],
  ["a set in decimal", machine(pu, "", 'cpuset="1-3"'), "XML_INVALID", /not a set of CPUs; found "1-3"/],
  ["a word of 36 bits", machine(pu, "", 'cpuset="0x111111111"'), "XML_INVALID", /not a set of CPUs/],
  ["an infinite set", machine(pu, "", 'cpuset="0xf...f"'), "XML_INVALID", /an infinite set of CPUs/],
  ["a set of a megabyte", machine(pu, "", `cpuset="0x${"f".repeat(2 ** 20)}"`), "XML_LIMIT", /"cpusetCharacters"/],
  ["deep nesting", `<topology>${'<object type="Group">'.repeat(100_000)}`, "XML_LIMIT", /"depth"; found 65/],
  ["100 million characters", " ".repeat(100_000_000), "XML_LIMIT", /"characters"; found 100000000/],
  [
    "many attributes",
    `<topology ${Array.from({ length: 100_000 }, (_, n) => `a${n}=""`).join(" ")}>`,
    "XML_LIMIT",
    /"attributesPerElement"; found 65/,
  ],
  ["many objects", machine('<object type="Misc"/>'.repeat(2 ** 20) + pu), "XML_LIMIT", /"objects"; found 1048577/],
  [
    "many nodes",
    machine('<object type="NUMANode" os_index="0"/>'.repeat(1025) + pu),
    "XML_LIMIT",
    /"nodes"; found 1025; allowed: at most 1024/,
  ],
  ["a huge matrix", distances('nbobjs="2000000"', ""), "XML_LIMIT", /"nodes"; found 2000000/],
  ["a matrix of words", distances('nbobjs="1"', "<u64values>ten</u64values>"), "XML_INVALID", /not a whole number/],
  ["a matrix without size", distances("", "<u64values>10</u64values>"), "XML_INVALID", /not a whole number; found ""/],
  ["too small a matrix", distances('nbobjs="1"', "<indexes>0</indexes>"), "XML_INVALID", /incomplete distance matrix/],
  [
    "a matrix without nodes",
    distances('nbobjs="1"', "<u64values>10</u64values>"),
    "XML_INVALID",
    /incomplete distance/,
  ],
  [
    "too large a matrix",
    distances('nbobjs="1"', "<u64values>10 10</u64values>"),
    "XML_INVALID",
    /more distances than nbobjs/,
  ],
  [
    "distances of nothing to itself",
    distances('nbobjs="1"', "<indexes>0</indexes><u64values>11</u64values>"),
    "TOPOLOGY_INVALID",
    /not a distance; found 11; allowed: 10/,
  ],
  [
    "all CPUs offline",
    `<topology><object type="Machine" online_cpuset="0x0">${pu}</object></topology>`,
    "TOPOLOGY_INVALID",
    /no CPU is online/,
  ],
];

describe("parseHwlocXml refuses", () => {
  it.for(refused)("%s", ([, xml, code, message]) => {
    const thrown = thrownBy(() => parseHwlocXml(xml));
    expect(thrown.code).toBe(code);
    expect(thrown.message).toMatch(message);
    expect(thrown.at).toBeDefined();
    // A hostile value must not flood a terminal.
    expect(thrown.message.length).toBeLessThan(400);
  });

  it("what isn't a text", () => {
    expect(thrownBy(() => parseHwlocXml(undefined as unknown as string)).code).toBe("OPTION_INVALID");
  });

  it("with line and column", () => {
    const xml = `<topology>\n<object type="Machine">\n  ${pu}\n  ${pu}\n</object></topology>`;
    expect(thrownBy(() => parseHwlocXml(xml)).at).toMatch(/^4:\d+$/);
  });
});

describe("parseHwlocXml accepts", () => {
  it("what its limits allow", () => {
    expect(parseHwlocXml(machine('<object type="PU" os_index="65535"/>')).cpus).toHaveLength(65_536);
    expect(fullSet.length).toBeLessThanOrEqual(hwlocLimits.cpusetCharacters);
    const offline = parseHwlocXml(machine(pu, "", `complete_cpuset="${fullSet}" cpuset="0x1"`));
    expect(offline.counts).toMatchObject({ online: 1, complete: 65_536, llcs: 1 });
  });

  it("elements, attributes and types that it doesn't know", () => {
    const odd = machine(`<object type="Tile" __proto__="x"><future a="1">text<b/></future>${pu}</object>`, "<more/>");
    expect(parseHwlocXml(odd).hwloc?.objects).toEqual({ Machine: 1, PU: 1 });
  });

  it("a matrix that isn't of all nodes, without using it", () => {
    const partial = distances('nbobjs="2"', "<indexes>0 7</indexes><u64values>10 20 20 10</u64values>");
    expect(parseHwlocXml(partial).distances).toBeUndefined();
  });

  it("a name with control characters, without them", () => {
    const xml = machine(`<info name="DMIProductName" value="a&#9;&#x85;b${"c".repeat(200)}"/>${pu}`);
    const { name } = parseHwlocXml(xml);
    expect(name).toMatch(/^a bc+$/);
    expect(name).toHaveLength(80);
  });
});
