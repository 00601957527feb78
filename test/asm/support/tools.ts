// Outside programs that tests use where they are installed: found once, run with a time limit.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type Tool =
  | "as"
  | "ld"
  | "aarch64-linux-gnu-ld"
  | "objdump"
  | "readelf"
  | "addr2line"
  | "aarch64-linux-gnu-addr2line"
  | "aarch64-linux-gnu-as"
  | "aarch64-linux-gnu-objdump"
  | "gdb-multiarch"
  | "qemu-aarch64"
  | "qemu-system-aarch64"
  | "qemu-system-x86_64";

const found = new Map<Tool, boolean>();

export function has(tool: Tool): boolean {
  let isThere = found.get(tool);
  if (isThere === undefined) {
    isThere = spawnSync(tool, ["--version"], { stdio: "ignore", timeout: 10_000 }).status === 0;
    found.set(tool, isThere);
  }
  return isThere;
}

/** Title of a test that needs tools, saying so where they are missing. */
export function needing(title: string, ...tools: readonly Tool[]): string {
  const missing = tools.filter((tool) => !has(tool));
  return missing.length === 0 ? title : `${title} (skipped: ${missing.join(", ")} not installed)`;
}

export function hasAll(...tools: readonly Tool[]): boolean {
  return tools.every((tool) => has(tool));
}

/** x86-64 Linux: images can run as processes of the host. */
export const isX64Linux = process.platform === "linux" && process.arch === "x64";

export function run(
  command: string,
  ...parameters: readonly string[]
): { stdout: Buffer; stderr: string; status: number | null } {
  const { stdout, stderr, status, signal, error } = spawnSync(command, parameters, {
    timeout: 60_000,
    maxBuffer: 1 << 28,
  });
  if (error !== undefined) throw error;
  if (signal !== null) throw new Error(`${command} ended by ${signal}`);
  return { stdout, stderr: stderr.toString(), status };
}

/** Runs with files in a folder that goes away afterwards. */
export function withFolder<T>(work: (path: (name: string) => string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "allstop-asm-"));
  try {
    return work((name) => join(folder, name));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export function writeExecutable(path: string, bytes: Uint8Array): void {
  writeFileSync(path, bytes, { mode: 0o755 });
}
