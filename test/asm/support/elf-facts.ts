// What an ELF file says of its sections, symbols and source lines, as text: by the image that was written, and by GNU's readers.

import type { Architecture, Image } from "../../../src/asm/index.ts";
import type { Tool } from "./tools.ts";
import { run, withFolder, writeExecutable } from "./tools.ts";

export const ADDR2LINE: Readonly<Record<Architecture, Tool>> = {
  "x86-64": "addr2line",
  arm64: "aarch64-linux-gnu-addr2line",
};

export function factsFile(architecture: Architecture): URL {
  return new URL(`../recorded/elf-${architecture}.txt`, import.meta.url);
}

function hex(value: number): string {
  return value.toString(16);
}

/** `address symbol file:line` of each address at which a source line begins. */
function place(address: number, symbol: string, file: string, line: number | string): string {
  return `place ${hex(address)} ${symbol} ${file}:${line}`;
}

/** What the image knows, in the words of the readers. */
export function factsOf(image: Image): string {
  const sections = image.sections.map(({ name, address, size, align, hasBytes, writable, executable }) => {
    const flags = `${writable ? "W" : ""}A${executable ? "X" : ""}`;
    return `section ${name} ${hasBytes ? "PROGBITS" : "NOBITS"} ${hex(address)} ${size} ${align} ${flags}`;
  });
  const symbols = image.symbols.map(
    ({ name, kind, address, size, section }) =>
      `symbol ${name} ${kind === "function" ? "FUNC" : "OBJECT"} ${hex(address)} ${size} ${section}`,
  );
  const rows = image.lines.map(({ file, line, address }) => `row ${hex(address)} ${file}:${line}`);
  const last = new Map(image.lines.map((line) => [line.address, line]));
  const places = [...last.values()].map(({ address, routine, file, line }) => place(address, routine, file, line));
  return [...sections, ...symbols.sort(), ...rows, ...places, ""].join("\n");
}

function readelf(path: string, ...options: readonly string[]): string {
  const { stdout, stderr, status } = run("readelf", "-W", ...options, path);
  if (status !== 0 || stderr !== "") throw new Error(`readelf ${options.join(" ")}: ${stderr}`);
  return stdout.toString();
}

function matches(text: string, pattern: RegExp): string[][] {
  return [...text.matchAll(pattern)].map((match) => match.slice(1));
}

/** What readelf and addr2line find in the file. */
export function factsByTools(architecture: Architecture, file: Uint8Array): string {
  return withFolder((path) => {
    const elf = path("image");
    writeExecutable(elf, file);
    const allSections = matches(
      readelf(elf, "-S"),
      /^ *\[ *(\d+)\] (\S+) +(\S+) +([0-9a-f]{16}) [0-9a-f]+ ([0-9a-f]+) \S+ +([WAX]*) +\d+ +\d+ +(\d+)$/gm,
    );
    const names = new Map(allSections.map(([number = "", name = ""]) => [number, name]));
    const sections = allSections
      .filter(([, , , , , flags = ""]) => flags.includes("A"))
      .map(([, name, type, address = "", size = "", flags, align]) =>
        ["section", name, type, hex(parseInt(address, 16)), parseInt(size, 16), align, flags].join(" "),
      );
    const symbols = matches(
      readelf(elf, "-s"),
      /^ *\d+: ([0-9a-f]+) +(\S+) (FUNC|OBJECT) +GLOBAL DEFAULT +(\d+) (\S+)$/gm,
    ).map(([address = "", size, type, section = "", name]) =>
      ["symbol", name, type, hex(parseInt(address, 16)), Number(size), names.get(section)].join(" "),
    );
    const rows = matches(readelf(elf, "--debug-dump=decodedline"), /^(\S+) +(\d+) +0x([0-9a-f]+)/gm).map(
      ([name, line, address]) => ({ address: parseInt(address ?? "", 16), where: `${name}:${line}` }),
    );
    const addresses = [...new Set(rows.map(({ address }) => address))];
    const { stdout } = run(ADDR2LINE[architecture], "-f", "-e", elf, ...addresses.map(hex));
    const lines = stdout.toString().trim().split("\n");
    const places = addresses.map((address, i) => {
      const [file = "", line = ""] = (lines[2 * i + 1] ?? "").replace(/^\.\//, "").split(":");
      return place(address, lines[2 * i] ?? "", file, line);
    });
    const rowTexts = rows.map(({ address, where }) => `row ${hex(address)} ${where}`);
    return [...sections, ...symbols.sort(), ...rowTexts, ...places, ""].join("\n");
  });
}
