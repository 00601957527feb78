// Runs the command line as a child process, as a user or a script does.

import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

const LIMIT_MS = 30_000;

export function start(
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
  stdin: "ignore" | "pipe" = "ignore",
): ChildProcess {
  const inherited = { ...process.env };
  delete inherited["NO_COLOR"];
  delete inherited["FORCE_COLOR"];
  return spawn(process.execPath, [main, ...args], {
    env: { ...inherited, ...environment },
    stdio: [stdin, "pipe", "pipe"],
    timeout: LIMIT_MS,
  });
}

export async function allstop(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Finished> {
  const child = start(args, environment);
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.on("error", reject).on("close", (...ended) => resolve(ended));
  });
  return { code, signal, stdout, stderr };
}
