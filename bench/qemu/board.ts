// QEMU as a contender: single-threaded, without timing, started with an image that boots by itself.

import { spawn, spawnSync, type ChildProcessByStdio } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Architecture } from "allstop/topology";
import { NotAvailable, expectEqual } from "../case.ts";
import { now, type Instant } from "../clock.ts";

interface Board {
  readonly command: string;
  readonly options: readonly string[];
  /** isa-debug-exit ends QEMU with twice the value written, plus one. */
  readonly status: number;
}

/** No run takes so long. */
const MOST_MS = 300_000;

const common = ["-accel", "tcg,thread=single", "-cpu", "max", "-m", "512", "-display", "none", "-monitor", "none"];
const boards: Record<Architecture, Board> = {
  arm64: {
    command: "qemu-system-aarch64",
    options: ["-M", "virt,gic-version=3", "-serial", "stdio", ...common],
    status: 0,
  },
  "x86-64": {
    command: "qemu-system-x86_64",
    options: [
      "-M",
      "q35",
      "-debugcon",
      "stdio",
      "-no-reboot",
      "-device",
      "isa-debug-exit,iobase=0xf4,iosize=4",
      ...common,
    ],
    status: 1,
  },
};

export interface QemuRun {
  /** Everything that the guest wrote. */
  readonly console: string;
  /** When each dot arrived. */
  readonly dots: readonly Instant[];
}

/** First line of what it says of itself; undefined where it isn't installed. */
function versionOf({ command }: Board): string | undefined {
  const said = spawnSync(command, ["--version"], { encoding: "utf8" });
  return said.error === undefined ? said.stdout.split("\n", 1)[0] : undefined;
}

/** Versions of those that are installed, by command. */
export function qemuVersions(): Record<string, string> {
  return Object.fromEntries(
    Object.values(boards).flatMap((board) => {
      const version = versionOf(board);
      return version === undefined ? [] : [[board.command, version]];
    }),
  );
}

/** Runs an image to its end. @throws NotAvailable; Error when QEMU doesn't end as the image ends it */
export async function runOnQemu(architecture: Architecture, cpus: number, elf: Uint8Array): Promise<QemuRun> {
  const board = boards[architecture];
  if (versionOf(board) === undefined) throw new NotAvailable(`${board.command} is not installed`);
  const folder = mkdtempSync(join(tmpdir(), "allstop-bench-"));
  try {
    const file = join(folder, "kernel.elf");
    writeFileSync(file, elf);
    const command = [...board.options, "-smp", String(cpus), "-kernel", file];
    const qemu = spawn(board.command, command, { stdio: ["ignore", "pipe", "pipe"], timeout: MOST_MS });
    return await watch(qemu, board);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The console is not buffered on its way, so a character comes when the guest writes it. */
function watch(qemu: ChildProcessByStdio<null, Readable, Readable>, { command, status }: Board): Promise<QemuRun> {
  const dots: Instant[] = [];
  let console = "";
  let complaint = "";
  qemu.stdout.setEncoding("utf8").on("data", (text: string) => {
    const instant = now(qemu.pid);
    console += text;
    for (const character of text) if (character === ".") dots.push(instant);
  });
  qemu.stderr.setEncoding("utf8").on("data", (text: string) => (complaint += text));
  return new Promise<number | null>((resolve, reject) => {
    qemu.on("error", reject).on("close", resolve);
  }).then((code) => {
    expectEqual(code, status, `the status of ${command}${complaint === "" ? "" : ` (${complaint.trim()})`}`);
    return { console: console.trim(), dots };
  });
}
