// allstop step from outside: scripts on stdin, and a terminal of script(1).

import { execFileSync, spawn } from "node:child_process";
import { describe, expect, it } from "vitest";
import { allstop, start } from "./command.ts";

/** Runs `allstop step` with commands on stdin. */
async function step(
  args: readonly string[],
  commands: readonly string[],
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = start(["step", ...args], {}, "pipe");
  let [stdout, stderr] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdin?.on("error", () => undefined).end(commands.map((command) => `${command}\n`).join(""));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject).on("close", resolve);
  });
  return { code, stdout, stderr };
}

const MACHINE = ["--machine-cpus", "4", "--cpus", "0,3"];

describe.concurrent("allstop step with commands on stdin", () => {
  it("steps instructions, events and to places, and tells where the CPU stands", async () => {
    const { code, stdout, stderr } = await step(
      [...MACHINE, "--at", "multi_cpu_stop:enter"],
      ["step 2", "event", "until multi_cpu_stop:ack 3", "cpus", "back", "quit", "step"],
    );
    expect([code, stderr]).toEqual([0, ""]);
    const [first = "", ...rest] = stdout.split(/^> /m);
    expect(first).toMatch(
      /^CPU 0 {2}cycle [\d,]+ {2}[\d.]+ us {2}running {2}multi_cpu_stop\+0x11\n {2}=> xor +ebp, ebp {2}src\/guest\/stop\/multi-stop\.ts:\d+\n/,
    );
    expect(rest.map((part) => part.split("\n")[0])).toEqual([
      "step 2",
      "event",
      "until multi_cpu_stop:ack 3",
      "cpus",
      "back",
      "quit",
    ]);
    expect(rest[0]).toMatch(/multi_cpu_stop\+0x16\n {2}=> pushfq/);
    expect(rest[1]).toMatch(/CPU 0 {2}at multi_cpu_stop:ack\n/);
    expect(rest[2]).toMatch(/CPU 3 {2}at multi_cpu_stop:ack\nCPU 3 {2}cycle [^\n]*multi_cpu_stop\+0x95\n/);
    expect(rest[3]).toMatch(/^cpus\n {2}CPU 0 +running +multi_cpu_stop\S*\n\* CPU 3 +running +multi_cpu_stop\+0x95\n$/);
    // Back to where `until` began.
    expect(rest[4]?.split("\n")[1]).toBe(rest[1]?.split("\n")[2]);
  });

  it("shows registers, interrupts and lines", async () => {
    const commands = [
      "show",
      "registers",
      "interrupts",
      "lines stop_cpus_mutex",
      "memory stop_cpus_mutex 32",
      "code 3",
      "digest",
    ];
    const { code, stdout } = await step([...MACHINE, "--arch", "arm64", "--at", "multi_cpu_stop:enter"], commands);
    expect(code).toBe(0);
    const [, show = "", registers = "", interrupts = "", lines = "", memory = "", listing = "", digest = ""] =
      stdout.split(/^> /m);
    expect(show).toMatch(/\n=>4008[0-9a-f]{4} .*src\/guest\/stop\/multi-stop\.ts/);
    expect(registers.match(/^ *x\d+ +[0-9a-f]{16}/gm)).toHaveLength(8);
    expect(registers).toMatch(/ sp +[0-9a-f]{16}/);
    expect(registers).toMatch(/^nzcv [nN][zZ][cC][vV] {2}tpidr_el1 4008[0-9a-f]{4}/m);
    expect(interrupts).toMatch(
      /^pending \S+ {2}active \S+ {2}enabled 0-15\nPMR 0xf0 {2}RPR 0xff {2}signalled \S+ {2}masked DA\n/m,
    );
    expect(lines).toMatch(/^[ISM] {2}line 0x[0-9a-f]+ {2}.*stop_cpus_mutex\.owner$/m);
    expect(memory.split("\n").slice(1, -1)).toHaveLength(2);
    expect(listing.split("\n").slice(1, -1)).toHaveLength(7);
    expect(digest).toMatch(/^digest\n[0-9a-f]{16}\n$/);
  });

  it("runs to breakpoints and to the end, and is the same run as one that nobody steps", async () => {
    const commands = ["break ack_state 3", "break", "continue", "delete ack_state", "continue", "digest"];
    const [stepped, whole] = await Promise.all([step(MACHINE, commands), step(MACHINE, ["continue", "digest"])]);
    expect(stepped.code).toBe(0);
    expect(stepped.stdout).toMatch(/^> break\nack_state on CPU 3\n/m);
    expect(stepped.stdout).toMatch(/CPU 3 {2}at ack_state\n/);
    expect(stepped.stdout).toMatch(/CPU 0 {2}at requester:done\n/);
    expect(stepped.stdout.split("\n").at(-2)).toMatch(/^[0-9a-f]{16}$/);
    expect(stepped.stdout.split("\n").at(-2)).toBe(whole.stdout.split("\n").at(-2));
  });

  it("steps bare-metal images", async () => {
    const { code, stdout } = await step(["examples/bare-metal/hello.elf"], ["until main", "step 2", "continue"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/CPU 0 {2}at main\nCPU 0 .* running {2}main\n/);
    expect(stdout).toMatch(/the machine has stopped: SYSTEM_OFF on CPU 0/);
  });

  it("has cache lines as events, if asked", async () => {
    const args = [...MACHINE, "--cpus", "1", "--at", "multi_cpu_stop:enter", "--lines"];
    const { stdout } = await step(args, ["event 10"]);
    expect(stdout).toMatch(/CPU 1 {2}asks for line \S.* to (read|write)\n/);
    expect((await step(args.slice(0, -1), ["event 10"])).stdout).not.toContain("asks for line");
  });

  it("takes help from stdin, and quotes nothing in colour", async () => {
    const { stdout } = await step(MACHINE, ["help"]);
    for (const word of ["step", "event", "until", "back", "interrupts"])
      expect(stdout).toMatch(new RegExp(`^ {2}${word}, `, "m"));
    expect(stdout).not.toMatch(/\x1b/);
  });

  it.each<[string[], string[], RegExp]>([
    [MACHINE, ["stpe", "step"], /no such command.*stpe.*step/],
    [["--machine-cpus", "4", "--cpus", "4"], [], /--cpus: .*4.*0-3/],
    [["--machine-cpus", "0"], [], /--machine-cpus/],
    [["--at", "nowhere"], [], /--at: .*nowhere/],
    [["none.elf"], [], /can't be read \(ENOENT\)/],
  ])("mistakes end it with what is allowed: %j %j", async (args, commands, message) => {
    const { code, stderr, stdout } = await step(args, commands);
    expect([code, stdout.includes("> step\n")]).toEqual([2, false]);
    expect(stderr).toMatch(message);
  });

  it("tells of itself", async () => {
    const { stdout } = await allstop(["step", "--help"]);
    expect(stdout).toMatch(/Examples:\n {2}allstop step /);
  });
});

describe.skipIf(!hasScript())("on a terminal", () => {
  it("draws the screen anew for keys and typed commands, and leaves the terminal as it was", async () => {
    const main = new URL("../../dist/cli/main.js", import.meta.url).pathname;
    const command = `stty rows 40 cols 120; exec "${process.execPath}" "${main}" step ${MACHINE.join(" ")} --at multi_cpu_stop:enter`;
    const child = spawn("script", ["-qefc", command, "/dev/null"], {
      env: { ...process.env, TERM: "xterm", NO_COLOR: "1" },
      stdio: ["pipe", "pipe", "ignore"],
    });
    let output = "";
    const seen = (pattern: RegExp): Promise<void> =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!pattern.test(output)) return;
          child.stdout.off("data", look);
          resolve();
        };
        child.stdout.on("data", look);
        look();
      });
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    await seen(/allstop> /);
    expect(output).toContain("\x1b[?1049h");
    const [screen = ""] = output.split("allstop> ");
    expect(screen).toMatch(/CPU 0 {2}cycle /);
    expect(screen).toMatch(/registers[^]*interrupts[^]*CPUs/);
    expect(screen.split("\r\n").length).toBe(40);
    for (const line of screen.split("\r\n")) expect(plain(line).length).toBeLessThanOrEqual(120);
    child.stdin.write(" ");
    await seen(/\+ 1 instruction .*multi_cpu_stop\+0x13/);
    child.stdin.write("until multi_cpu_stop:ack 3\r");
    await seen(/CPU 3 {2}cycle [^\r]*multi_cpu_stop\+0x95/);
    child.stdin.write("nonsense\r");
    await seen(/no such command; found "nonsense"/);
    child.stdin.write("\x03");
    const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
    expect(code).toBe(0);
    expect(output.endsWith("\x1b[?25h\x1b[?1049l")).toBe(true);
  });
});

function plain(text: string): string {
  return text.replaceAll(/\x1b\[[?\d;]*[A-Za-z]|\r/g, "");
}

function hasScript(): boolean {
  try {
    return execFileSync("script", ["--version"], { encoding: "utf8" }).includes("util-linux");
  } catch {
    return false;
  }
}
