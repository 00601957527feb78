// The command line from outside: exit codes, what goes to which stream, the JSON report, and every way to use it wrongly.

import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PL011_BASE } from "../../src/abi.ts";
import { arm64, asmRoutine, buildImage, writeElf } from "../../src/asm/index.ts";
import { loadKinds } from "../../src/faults/load.ts";
import { personalities } from "../../src/firmware/index.ts";
import { policies } from "../../src/policies/index.ts";
import type { Report } from "../../src/report/report.ts";
import { timingModels } from "../../src/timing/index.ts";
import { presets } from "../../src/topology/index.ts";
import { imageFile, recordedOutput } from "../board/images.ts";
import { allstop, start } from "./command.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "allstop-cli-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, content: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

const escape = "\u001b";

/** A report in JSON without the part that differs from run to run. */
function withoutHost(json: string): object {
  return { ...(JSON.parse(json) as Report), host: undefined };
}

/** Prints ID_AA64PFR1_EL1.NMI (DDI 0487 D24.2.68) as a digit, and switches the board off. */
function nmiFieldImage(): Uint8Array {
  const { x0, x1 } = arm64;
  const main = asmRoutine("main", {
    arm64: (a) => {
      a.mrs(x0, "id_aa64pfr1_el1").lsr(x0, x0, 36).and(x0, x0, 15).add(x0, x0, "0".charCodeAt(0));
      a.movConstant(x1, PL011_BASE).strb(x0, arm64.offset(x1));
      a.movConstant(x0, 0x8400_0008).hvc().label("park").wfi().b("park");
    },
    x64: (a) => void a.hlt(),
  });
  return writeElf(buildImage({ architecture: "arm64", roots: [main], entry: main, cpus: 1 }));
}

const anyNumber: unknown = expect.any(Number);
const anyDigest: unknown = expect.stringMatching(/^[0-9a-f]{16}$/);

describe.concurrent("help", () => {
  it.each([
    [["--help"], ["run", "list", "topology", "Exit codes"]],
    [
      ["run", "--help"],
      ["--cpus", "--topology", "--feat-nmi", "--limit-ms", "milliseconds", "default"],
    ],
    [
      ["trace", "--help"],
      ["--out", "--cpus", "--from-us", "--to-us", "--stragglers", "--variant", "Perfetto", "ftrace"],
    ],
    [
      ["list", "--help"],
      ["topologies", "--verbose"],
    ],
    [
      ["topology", "--help"],
      ["--arch", "x86-64"],
    ],
    [["help", "run"], ["--wedge"]],
    [
      ["exec", "--help"],
      ["--board", "--feat-nmi", "--cycles", "Exit codes", "SYSTEM_RESET"],
    ],
  ])("%j answers on stdout and exits with 0", async (args, words) => {
    const { code, stdout, stderr } = await allstop(args);
    expect(code).toBe(0);
    expect(stderr).toBe("");
    for (const word of words) expect(stdout).toContain(word);
  });
});

describe.concurrent("allstop exec", () => {
  const rendezvous = imageFile("rendezvous");

  it("shows the image's output on stdout and how it ended on stderr", async () => {
    const { code, stdout, stderr } = await allstop(["exec", rendezvous, "--cpus", "8"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: recordedOutput("rendezvous", 8) });
    expect(stderr).toMatch(
      /switched the board off \(PSCI SYSTEM_OFF\)\n {2}[\d,]+ cycles \(.+\), [\d,]+ instructions, 8 CPUs started/,
    );
  });

  it("prints one JSON document with --json, the same in every run", async () => {
    const args = ["exec", rendezvous, "--topology", "2x2x2", "--json"];
    const [one, other] = await Promise.all([allstop(args), allstop([...args, "--without", "runAhead"])]);
    expect(JSON.parse(one.stdout)).toMatchObject({
      format: "allstop.exec/1",
      board: "virt",
      cpus: 8,
      exitCode: 0,
      outcome: "off",
      started: 8,
      output: recordedOutput("rendezvous", 8),
    });
    expect(other.stdout).toBe(one.stdout);
    expect(one.stderr).toBe("");
  });

  it("gives the machine FEAT_NMI with --feat-nmi", async () => {
    const path = join(folder, "nmi.elf");
    await writeFile(path, nmiFieldImage());
    const fieldOf = async (...more: string[]): Promise<string> => (await allstop(["exec", path, ...more])).stdout;
    expect([await fieldOf(), await fieldOf("--feat-nmi")]).toEqual(["0", "1"]);
  });

  it("exits with 5 at the cycle limit, and says where CPUs are", async () => {
    const { code, stderr } = await allstop(["exec", rendezvous, "--cpus", "4", "--cycles", "50000"]);
    expect(code).toBe(5);
    expect(stderr).toMatch(/the cycle limit is reached\n {2}50,000 cycles/);
    expect(stderr).toMatch(/CPU 0: [\w ]+ at 0x4008[0-9a-f]+ \(\w+\+0x[0-9a-f]+\)/);
  });

  it.each([
    [["nowhere.elf"], "ENOENT"],
    [[rendezvous, "--cpus", "0"], "number of CPUs"],
    [[rendezvous, "--board", "pc"], "Allowed choices are virt"],
    [[rendezvous, "--topology", "2x2x2", "--cpus", "7"], "another number of CPUs"],
    [[rendezvous, "--timing", "abacus"], "--timing: no such timing model"],
    [[rendezvous, "--timing", "zen3"], "different architectures"],
    [[rendezvous, "--ram-mib", "1"], "outside RAM"],
    [[], "missing required argument 'image'"],
  ])("refuses %j", async (args, message) => {
    const { code, stdout, stderr } = await allstop(["exec", ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(message);
  });
});

describe.concurrent("allstop run", () => {
  it("prints the verdict, the figures and the digest, without colours, progress or double empty lines", async () => {
    const { code, stdout, stderr } = await allstop(["run", "--cpus", "6", "--load", "mixed"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^OK {2}6 CPUs stopped and released, the function run on CPU 0\n/);
    for (const part of ["rendezvous", "whole call", "CPUs frozen", "PREPARE", "DISABLE_IRQ", "RUN", "EXIT"]) {
      expect(stdout).toContain(part);
    }
    expect(stdout).toMatch(/digest [0-9a-f]{16}\n$/);
    expect(stdout).not.toContain(escape);
    expect(stdout).not.toMatch(/\n\n\n/);
    expect(stdout).not.toMatch(/[ \t]\n/);
    expect(stdout).not.toMatch(/undefined|NaN|null|\[object/);
  });

  it("says why each CPU was late, the requester too", async () => {
    const lines = async (...args: string[]): Promise<string[]> =>
      (await allstop(["run", "--cpus", "3", ...args])).stdout.split("\n").filter((line) => /^ {2}CPU \d/.test(line));
    const mwait = await lines();
    expect(mwait.find((line) => line.includes("CPU 0"))).toContain("signalling the others");
    // MWAIT of this model takes 1 us to leave; who polls has nothing to leave, and needs no interrupt.
    expect(mwait.find((line) => line.includes("CPU 2"))).toContain("leaving idle 1.00 us");
    const poll = (await lines("--load", "poll")).find((line) => line.includes("CPU 2"));
    expect(poll).toContain("waiting for its turn with the sender");
    expect(poll).not.toMatch(/leaving idle|message/);
    const hlt = await lines("--load", "hlt");
    expect(hlt.find((line) => line.includes("CPU 2"))).toMatch(/message under way \d+ ns/);
    const wedged = await lines("--wedge", "2", "--limit-ms", "1");
    expect(wedged.find((line) => line.includes("CPU 2"))).toMatch(/missing: entering; IRQs off \d{3} us/);
  });

  it("lists contended lines with --lines, and writes distributions with --hgrm", async () => {
    const path = join(folder, "stop.hgrm");
    const args = ["run", "--cpus", "6", "--rounds", "3"];
    const [plain, lines] = await Promise.all([allstop([...args, "--json"]), allstop([...args, "--lines", "--json"])]);
    const [before, after] = [plain, lines].map(({ stdout }) => JSON.parse(stdout) as Report);
    expect(after?.digest).toBe(before?.digest);
    expect([before?.lines, after?.lines?.most[0]?.name]).toEqual([undefined, "multi_stop_data on CPU 0's stack"]);
    const { code, stdout, stderr } = await allstop([...args, "--lines", "--hgrm", path]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/contended lines +requests.+\n +multi_stop_data on CPU 0's stack: /);
    expect(stdout).toMatch(/over all calls +min +p50/);
    for (const name of ["stop.hgrm", "stop.frozen.hgrm", "stop.releaseSkew.hgrm"]) {
      // Six CPUs in three calls.
      expect(await readFile(join(folder, name), "utf8")).toMatch(/#\[Max .+ Total count {4}= +18\]/);
    }
    const nowhere = await allstop([...args, "--hgrm", join(folder, "no", "such.hgrm")]);
    expect([nowhere.code, nowhere.stderr]).toEqual([
      2,
      expect.stringContaining("--hgrm: a file that can't be written"),
    ]);
  });

  it("a CPU that never answers: exit code 1, the CPU is named, with where it is", async () => {
    const { code, stdout, stderr } = await allstop(["run", "--cpus", "5", "--wedge", "3", "--limit-ms", "1"]);
    expect([code, stderr]).toEqual([1, ""]);
    expect(stdout).toMatch(
      /^HANG {2}not through after 1\.00 ms: CPU 3 \(wedged, at wedged_work(\+0x\w+)?\) never arrived\n/,
    );
    expect(stdout).toContain("4 of 5 CPUs so far");
    expect(stdout).not.toMatch(/\n\n\n/);
    expect(stdout).not.toMatch(/\d{4,} us/);
  });

  it("a limit before the call says so", async () => {
    const { code, stdout } = await allstop(["run", "--cpus", "2", "--limit-ms", "0.002"]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^HANG {2}not through after 2\.00 us: the call was not made yet\n\s+2 CPUs/);
    expect(stdout).not.toMatch(/\n\n\n/);
  });

  it("accelerations can be turned off, and nothing but the host's part changes", async () => {
    const args = ["run", "--cpus", "4", "--load", "mixed", "--json"];
    const all = await allstop(args);
    const none = await allstop([
      ...args,
      "--without",
      "runAhead",
      "spinElision",
      "decodeCache",
      "invalidationBatching",
    ]);
    expect(withoutHost(none.stdout)).toEqual(withoutHost(all.stdout));
  });

  it.each([{}, { CI: "true" }, { CI: "true", TERM: "xterm-256color" }])(
    "a pipe has no colours: %j",
    async (environment) => {
      expect((await allstop(["run", "--cpus", "2"], environment)).stdout).not.toContain(escape);
    },
  );

  it("colours come on demand, and NO_COLOR forbids them", async () => {
    const args = ["run", "--cpus", "2"];
    expect((await allstop(args, { FORCE_COLOR: "1" })).stdout).toContain(escape);
    expect((await allstop(args, { FORCE_COLOR: "1", NO_COLOR: "1" })).stdout).not.toContain(escape);
  });

  it.each([
    ["run", "--cpus", "2"],
    ["list", "--verbose"],
    ["topology", "sgi-uv-4096", "--json"],
  ])("a reader that goes away is no error: %s %s", async (...args) => {
    const child = start(args);
    let stderr = "";
    child.stderr?.on("data", (data: Buffer) => (stderr += data.toString()));
    child.stdout?.destroy();
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect([code, stderr]).toEqual([0, ""]);
  });
});

const spread = { min: anyNumber, p50: anyNumber, p99: anyNumber, max: anyNumber };

describe.concurrent("the JSON report", () => {
  it("has the documented shape", async () => {
    const { code, stdout, stderr } = await allstop([
      ...["run", "--cpus", "6", "--arch", "arm64", "--active", "1,3", "--rounds", "2", "--function-us", "1.5"],
      "--json",
    ]);
    expect([code, stderr]).toEqual([0, ""]);
    const report = JSON.parse(stdout) as Report;
    expect(report).toMatchObject({
      format: "allstop.report/1",
      scenario: {
        format: "allstop.scenario/1",
        machine: { architecture: "arm64", cpus: 6, timing: "generic-arm64" },
        policy: { name: "stop_machine", active: "1,3", functionUs: 1.5, rounds: 2, requester: 0 },
        load: { common: "idle", particular: [] },
        limitUs: 1_000_000,
        seed: 1,
      },
      machine: { arch: "arm64", cpus: 6, online: 6, timing: "generic-arm64", clockHz: anyNumber },
      outcome: { verdict: "completed", returned: 0, calls: { cpus: 2, total: 4 }, missing: [], missingCount: 0 },
      latency: { rendezvousNs: anyNumber, totalNs: anyNumber, frozenNs: spread },
      phases: ["PREPARE", "DISABLE_IRQ", "RUN", "EXIT"].map((name) => ({ name, passed: 6 })),
      digest: anyDigest,
      recordsLost: 0,
      host: { wallMs: anyNumber, guestInstructions: anyNumber, events: anyNumber },
    });
    expect(report.rounds).toHaveLength(2);
    const { rendezvousNs, totalNs, frozenNs } = report.latency;
    expect(rendezvousNs).toBeLessThan(totalNs ?? 0);
    // The function takes 1.5 us on each of the CPUs that run it, so everybody is frozen at least as long.
    expect(frozenNs?.min).toBeGreaterThan(1500);
    expect(frozenNs?.max).toBeGreaterThanOrEqual(frozenNs?.p99 ?? Infinity);
    expect(report.stragglers.length).toBeGreaterThan(0);
    for (const { lastNs, firstNs } of report.phases) expect(lastNs).toBeGreaterThanOrEqual(firstNs);
  });

  it("of a hang has nulls for what did not happen, and names who is missing", async () => {
    const { code, stdout } = await allstop(["run", "--cpus", "4", "--wedge", "1,3", "--limit-ms", "1", "--json"]);
    expect(code).toBe(1);
    const report = JSON.parse(stdout) as Report;
    expect(report.outcome).toMatchObject({ verdict: "hang", returned: null, missingCount: 2 });
    expect(report.outcome.missing.map(({ cpu, load }) => [cpu, load])).toEqual([
      [1, "wedged"],
      [3, "wedged"],
    ]);
    expect(report.latency).toEqual({ rendezvousNs: null, totalNs: null, frozenNs: null });
  });

  it.each([
    [["--cpus", "6", "--load", "mixed", "--seed", "7"]],
    [["--arch", "arm64", "--cpus", "5", "--load", "busy:2-3", "--requester", "4", "--active", "all"]],
    [["--topology", "packages=1,cores=4,threads=1,offline=0", "--timing", "zen4", "--rounds", "2"]],
    [["--topology", "graviton2", "--limit-ms", "50"]],
  ])("its scenario describes the run completely: %j", async (args) => {
    const first = (await allstop(["run", ...args, "--json"])).stdout;
    const { scenario } = JSON.parse(first) as Report;
    const name = `again-${args.join("").replaceAll(/\W/g, "")}.json`;
    const again = await allstop(["run", await file(name, JSON.stringify(scenario)), "--json"]);
    expect([again.code, again.stderr]).toEqual([0, ""]);
    expect(withoutHost(again.stdout)).toEqual(withoutHost(first));
  });

  it("options override what a document says", async () => {
    const path = await file("base.json", '{"format":"allstop.scenario/1","machine":{"topology":"1x2x1"},"seed":3}');
    const { stdout } = await allstop(["run", path, "--cpus", "3", "--seed", "9", "--load", "poll", "--json"]);
    const { scenario, machine } = JSON.parse(stdout) as Report;
    expect([machine.cpus, scenario.seed, scenario.load.common]).toEqual([3, 9, "poll"]);
  });
});

describe.concurrent("allstop list and allstop topology", () => {
  it("lists every name there is", async () => {
    const { code, stdout, stderr } = await allstop(["list"]);
    expect([code, stderr]).toEqual([0, ""]);
    const names = [...presets, ...timingModels, ...policies, ...personalities]
      .map(({ name }) => name)
      .concat(Object.keys(loadKinds));
    for (const name of names) expect(stdout).toMatch(new RegExp(`^  ${name} `, "m"));
  });

  it("one list only, as JSON", async () => {
    const { code, stdout } = await allstop(["list", "topologies", "--json"]);
    expect(code).toBe(0);
    const list = JSON.parse(stdout) as { name: string }[];
    expect(list.map(({ name }) => name)).toEqual(presets.map(({ name }) => name));
  });

  it("firmware with every switch", async () => {
    const { stdout } = await allstop(["list", "firmware", "--verbose"]);
    expect(stdout).toMatch(/tf-a-2\.12 +Trusted Firmware-A before v2\.13[^]*signalCheck none, maskedSignal wedge/);
  });

  it("timing models with the source of every figure", async () => {
    const { stdout } = await allstop(["list", "timings", "--verbose"]);
    expect(stdout).toMatch(/lines\.machine .* ns .* hop between packages - \S+/);
    expect(stdout).not.toMatch(/undefined|NaN/);
  });

  it("a machine's shape, and as JSON", async () => {
    const shown = await allstop(["topology", "2x4x2"]);
    expect([shown.code, shown.stderr]).toEqual([0, ""]);
    expect(shown.stdout).toContain("16");
    const json = JSON.parse((await allstop(["topology", "2x4x2", "--json"])).stdout) as { cpus: unknown[] };
    expect(json.cpus).toHaveLength(16);
  });
});

describe.concurrent("wrong usage: exit code 2, a message on stderr, nothing on stdout", () => {
  async function refused(args: readonly string[], ...messages: readonly RegExp[]): Promise<void> {
    const { code, stdout, stderr } = await allstop(args);
    expect({ code, stdout, stderr }).toMatchObject({ code: 2, stdout: "" });
    for (const message of messages) expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at .*\.(js|ts):\d+/m);
    expect(stderr.length).toBeLessThan(1000);
  }

  it.each<[readonly string[], RegExp]>([
    [["nope"], /unknown command 'nope'.*run, exec, litmus, scenarios, schema, list, topology/],
    [["--nope"], /unknown option '--nope'/],
    [["run", "--cpu", "4"], /unknown option '--cpu'.*\n.*--cpus/],
    [["run", "a.json", "b.json"], /too many arguments/],
    [["list", "cats"], /topologies, timings, policies, loads, firmware/],
    [["topology"], /missing required argument 'machine'/],
    [["run", "--cpus", "four"], /--cpus <n>.*'four'.*whole number/],
    [["run", "--cpus"], /argument missing/],
    [["scenarios", "S1", "--cpus", "7"], /--cpus: no variant runs on so many CPUs; found 7; allowed: 4, 256/],
    [["run", "--cpus", "0"], /^allstop: --cpus: .*found 0; allowed: a whole number from 1 to 65536/],
    [["run", "--limit-ms", "soon"], /'soon'.*number/],
    [["run", "--arch", "riscv"], /x86-64, arm64/],
    [["run", "--topology", "cray"], /--topology: .*found "cray"; allowed: .*epyc-7742.*sgi-uv-4096/],
    [["run", "--topology", "cores=4,offline=9"], /--topology: offline: no such CPU; found 9/],
    [["run", "--topology", "2x4x1", "--cpus", "4"], /--cpus: the topology has another number.*allowed: 8/],
    [["run", "--timing", "abacus"], /--timing: no such timing model; found "abacus"/],
    [["run", "--timing", "zen4", "--arch", "arm64"], /--timing: timing model zen4 is of x86-64/],
    [
      ["run", "--policy", "ask_nicely"],
      /--policy: no such policy; found "ask_nicely"; allowed: .* and \d+ others: see allstop list policies/,
    ],
    [["run", "--cpus", "4", "--active", "2-9"], /--active: no such CPU; found 4; allowed: 0-3 /],
    [
      ["run", "--policy", "cpu_offline", "--cpus", "4", "--target", "3,5"],
      /--target: no such CPU; found 5; allowed: 0-3 /,
    ],
    [["run", "--policy", "stop_two_cpus", "--cpus", "2"], /--target: CPUs that stop_two_cpus is about/],
    [["run", "--cpus", "4", "--requester", "7"], /--requester: .*found 7; allowed: 0-3 /],
    [["run", "--rounds", "0"], /--rounds: .*found 0/],
    [["run", "--seed", "4294967296"], /--seed: .*found 4294967296/],
    [["run", "--function-us", "99999999"], /--function-us: .*found 99999999; allowed: .*to 10000000/],
    [["run", "--limit-ms", "0"], /--limit-ms: .*found 0; allowed: a number from 0\.001 to 60000 /],
    [["run", "--limit-ms", "60001"], /--limit-ms: .*found 60001; allowed: a number from 0\.001 to 60000 /],
    [["run", "--feat-nmi"], /--feat-nmi: only arm64 machines have FEAT_NMI/],
    [["run", "--load", "lazy"], /--load: .*found "lazy"; allowed: idle/],
    [["run", "--load", "wfi"], /--load: load wfi exists on arm64 only/],
    [["run", "--load", "wedged"], /--load: the requester can't be wedged; found 0/],
    [["run", "--load", "busy:1:2"], /--load: .*found "1:2"/],
    [["run", "--cpus", "4", "--load", "busy:1", "--load", "poll:4"], /--load: no such CPU; found 4; allowed: 0-3 /],
    [["run", "--cpus", "4", "--load", "busy:1", "--wedge", "3-4"], /--wedge: no such CPU; found 4; allowed: 0-3 /],
    [["run", "--cpus", "4", "--load", "busy:1", "--wedge", "all"], /--wedge: the requester can't be wedged; found 0/],
    [["run", "/nowhere/scenario.json"], /can't be read \(ENOENT\).*\/nowhere\/scenario\.json/],
    [["run", "--topology", "/nowhere/machine.xml"], /can't be read \(ENOENT\)/],
    [["topology", "/"], /can't be read \(EISDIR\)/],
  ])("%j", (args, message) => refused(args, message));

  it.each<[string, string, RegExp]>([
    ["no JSON", '{"format": [1 }', /1:15: not JSON; found .*; allowed: "," and another value/],
    ["no format", "{}", /format: the field is missing; allowed: "allstop\.scenario\/1"/],
    ["an unknown field", '{"format":"allstop.scenario/1","cpus":5}', /cpus: no such field; allowed: format, .*machine/],
  ])("a scenario that is broken: %s", async (name, content, message) => {
    await refused(["run", await file(`${name.replaceAll(" ", "-")}.json`, content)], message);
  });

  it("what a document says is named by its field, what an option says by the option", async () => {
    const path = await file(
      "mistakes.json",
      JSON.stringify({
        format: "allstop.scenario/1",
        machine: { cpus: 8 },
        policy: { active: "6" },
        load: { particular: [{ cpus: "5", kind: "busy" }] },
      }),
    );
    await refused(["run", path, "--cpus", "6"], /^allstop: policy\.active: no such CPU; found 6; allowed: 0-5 /);
    await refused(
      ["run", path, "--cpus", "4", "--wedge", "1"],
      /^allstop: load\.particular\.0\.cpus: no such CPU; found 5; allowed: 0-3 /,
    );
    await refused(["run", path, "--active", "9"], /^allstop: --active: no such CPU; found 9; allowed: 0-7 /);
    await refused(["run", path, "--load", "busy:9"], /^allstop: --load: no such CPU; found 9/);
    await refused(["run", path, "--load", "busy:1", "--wedge", "9"], /^allstop: --wedge: no such CPU; found 9/);
  });

  const bomb = `<?xml version="1.0"?><!DOCTYPE topology [<!ENTITY a "aaaaaaaaaa">${Array.from(
    { length: 20 },
    (_, i) => `<!ENTITY ${"abcdefghijklmnopqrstuvwxyz"[i + 1]} "${`&${"abcdefghijklmnopqrstuvwxyz"[i]};`.repeat(10)}">`,
  ).join("")}]><topology name="&u;"/>`;

  it.each<[string, string, RegExp]>([
    ["entity bomb", bomb, /XML_INVALID|XML_LIMIT/],
    ["wrong root", "<machine/>", /XML_INVALID/],
    [
      "external entity",
      '<!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/passwd">]><topology>&x;</topology>',
      /XML_INVALID/,
    ],
  ])("a topology that is hostile: %s", async (name, content, message) => {
    await refused(["run", "--topology", await file(`${name.replaceAll(" ", "-")}.xml`, content)], message);
  });

  it("a huge file is refused at the limit, not read to its end", async () => {
    const path = join(folder, "huge.xml");
    const handle = await open(path, "w");
    await handle.truncate(40 * 2 ** 30);
    await handle.close();
    const started = performance.now();
    await refused(["topology", path], /XML_LIMIT/);
    expect(performance.now() - started).toBeLessThan(15_000);
  });

  it("a message holds no more than an excerpt of what was wrong", async () => {
    await refused(["run", "--topology", "x".repeat(100_000)], /--topology: .*found "xxx/);
  });
});
