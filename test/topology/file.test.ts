// Reading topologies from files.

import { writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readHwlocFile } from "../../src/topology/file.ts";
import { hwlocLimits } from "../../src/topology/index.ts";

const folder = mkdtempSync(join(tmpdir(), "allstop-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("readHwlocFile", () => {
  it("loads a file, with options", async () => {
    const path = new URL("fixtures/schema1-tiles.xml", import.meta.url).pathname;
    expect(await readHwlocFile(path, { name: "tiles" })).toMatchObject({ name: "tiles", counts: { online: 8 } });
  });

  it("refuses what it can't read", async () => {
    await expect(readHwlocFile(join(folder, "missing.xml"))).rejects.toMatchObject({ code: "OPTION_INVALID" });
    await expect(readHwlocFile(folder)).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });

  it("stops at the limit", async () => {
    const path = join(folder, "large.xml");
    writeFileSync(path, "x".repeat(hwlocLimits.characters + 1));
    await expect(readHwlocFile(path)).rejects.toMatchObject({ code: "XML_LIMIT", at: path });
  });

  it("refuses what isn't UTF-8 XML", async () => {
    const path = join(folder, "binary.xml");
    writeFileSync(path, Uint8Array.of(0x1f, 0x8b, 0x08, 0x00, 0xff, 0xfe));
    await expect(readHwlocFile(path)).rejects.toMatchObject({ code: "XML_INVALID" });
  });
});
