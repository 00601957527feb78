// Commands of a stepping session: every one is in the help, and mistakes say what is allowed.

import { describe, expect, it } from "vitest";
import { Stepper, StepSession, screenLines, stepCommands } from "../../src/entries/code.ts";
import { clipped } from "../../src/stepping/screen.ts";

const same = (text: string): string => text;
const PLAIN = { good: same, bad: same, strong: same, faint: same };

async function session(): Promise<StepSession> {
  const document = { format: "allstop.scenario/1", machine: { cpus: 4 }, limitUs: 300 } as const;
  return StepSession.of(await Stepper.ofScenario(document), PLAIN);
}

describe("commands", () => {
  it("have short forms that are not taken twice", () => {
    const words = stepCommands.flatMap(([name, short]) => [name, short]);
    expect(new Set(words).size).toBe(words.length);
  });

  it("are all understood, in full, short, or begun", async () => {
    const one = await session();
    const moving = new Set<string>(["until", "break", "delete", "back", "cpu", "memory", "quit"]);
    for (const [name, short] of stepCommands) {
      if (moving.has(name)) continue;
      expect(one.execute(name).lines.length).toBeGreaterThan(0);
      expect(one.execute(short).lines.length).toBeGreaterThan(0);
    }
    expect(one.execute("quit")).toEqual({ lines: [], quit: true });
    expect(one.execute("ste 2").moved).toBe(true);
    expect(one.execute("").lines).toEqual([]);
    expect(one.execute("# what comes now").lines).toEqual([]);
  });

  it("go to times and cycles, and back to them", async () => {
    const one = await session();
    one.execute("until @1234");
    expect(one.stepper.position.cycle).toBe(1234);
    one.execute("until 2.5us");
    expect(one.stepper.position.cycle).toBe(6250);
    one.execute("back @1234");
    expect(one.stepper.position.cycle).toBe(1234);
    one.execute("back");
    expect(one.stepper.position.cycle).toBe(6250);
    one.execute("back 2");
    expect(one.stepper.position.cycle).toBe(0);
  });

  it("mark what has changed", async () => {
    const one = await session();
    one.execute("until multi_cpu_stop:enter 1");
    const before = one.stepper.machine.readRegister(1, "rbp");
    const { lines } = one.execute("step");
    expect(before).not.toBe(0n);
    expect(lines.at(-1)).toContain(`rbp ${before.toString(16)} -> 0`);
    expect(
      one
        .execute("registers")
        .lines.join("\n")
        .match(/\w+ +[0-9a-f]{16}\*/g),
    ).toEqual([`rbp  ${"0".repeat(16)}*`]);
  });

  it("name structs on stacks once somebody has come by with a pointer to them", async () => {
    const one = await session();
    one.execute("until multi_cpu_stop:ack 1");
    const msdata = one.stepper.machine.readRegister(1, "rbx");
    expect(one.execute(`lines 0x${(msdata + 0x20n).toString(16)}`).lines[0]).toMatch(
      /multi_stop_data\.state on CPU 0's stack$/,
    );
  });

  it("make no sense in many ways", async () => {
    const one = await session();
    for (const [command, message] of [
      ["stpe", /no such command.*"stpe".*step/],
      ["step x", /a number.*"x".*from 1 on/],
      ["step 0", /a number/],
      ["until", /until needs to be told more/],
      ["until nowhere", /no such symbol or mark.*nowhere/],
      ["until @x", /a cycle.*@x/],
      ["until multi_cpu_stop:ack x", /the number of a CPU.*"x"/],
      ["back 99", /no stop so far back; found 99/],
      ["back @99999999", /no cycle that has been passed/],
      ["cpu", /the number of a CPU/],
      ["cpu 9", /no such CPU.*9/],
      ["memory", /memory needs to be told more/],
      ["memory 0xffffffffff 8", /address outside memory/],
      ["lines 0xffffffffff", /address outside memory/],
      ["delete", /delete needs/],
      ["delete x", /no breakpoint there.*"x"/],
      ["break nowhere", /nowhere/],
    ] as const) {
      const { cycle } = one.stepper.position;
      expect(() => one.execute(command)).toThrow(message);
      expect(one.stepper.position.cycle).toBe(cycle);
    }
    expect(one.stepper.stops.length).toBe(0);
  });
});

describe("the screen", () => {
  it.each([
    [80, 24],
    [120, 40],
    [200, 60],
    [40, 8],
  ])("fits %i columns and %i rows", async (columns, rows) => {
    const one = await session();
    const { lines } = one.execute("until multi_cpu_stop:enter 1");
    const screen = screenLines(one, lines, { columns, rows }, PLAIN);
    expect(screen.length).toBe(rows - 1);
    for (const line of screen) expect(line.length).toBeLessThanOrEqual(columns);
    expect(screen[0]).toMatch(/^CPU 1 {2}cycle /);
    if (rows >= 24) expect(screen.filter((line) => line.startsWith("=>"))).toHaveLength(1);
  });

  it("cuts text by what is to be seen of it", () => {
    expect(clipped("\x1b[1mstrong\x1b[22m and more", 8)).toBe("\x1b[1mstrong\x1b[22m a");
    expect(clipped("µ→x", 2)).toBe("µ→");
  });
});
