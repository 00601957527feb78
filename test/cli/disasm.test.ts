// allstop disasm from outside.

import { describe, expect, it } from "vitest";
import { allstop } from "./command.ts";

describe.concurrent("allstop disasm", () => {
  it("lists the routines of a kernel, with their places", async () => {
    const { code, stdout, stderr } = await allstop(["disasm", "--arch", "arm64"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^ *address +bytes +routine\n/);
    expect(stdout).toMatch(/^0x4008[0-9a-f]{4} +\d+ {2}multi_cpu_stop$/m);
    // Only the kernels that need it have it.
    expect(stdout).not.toContain("sdei");
    const { stdout: other } = await allstop(["disasm", "--policy", "smp_send_stop_sdei"]);
    expect(other).toContain("sdei");
  });

  it("shows code beside its source, with the names of what it touches", async () => {
    const { code, stdout } = await allstop(["disasm", "multi_cpu_stop", "ack_state"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^multi_cpu_stop {2}\.text /m);
    expect(stdout).toMatch(/^ack_state {2}\.text /m);
    expect(stdout).toMatch(
      / mov +r14d, dword ptr gs:\[8\] {2}; cpu_local\.cpu of this CPU +src\/guest\/stop\/multi-stop\.ts:\d+/,
    );
    expect(stdout).toMatch(/ call +0x[0-9a-f]+ {2}; _find_next_bit\n/);
    expect(stdout).toMatch(/ lea +rdi, \[rip \+ 0x[0-9a-f]+\] {2}; __cpu_online_mask/);
    expect(stdout).toMatch(/ jne +0x[0-9a-f]+ {2}; multi_cpu_stop\+0x[0-9a-f]+\n/);
    expect(stdout).toMatch(
      /^multi_cpu_stop:ack\n.* mov +rdi, rbx +src\/guest\/stop\/multi-stop\.ts:\d+ {2}k\.call\(ackState, msdata\);$/m,
    );
  });

  it("follows addresses that arm64 takes two instructions for", async () => {
    const { stdout } = await allstop(["disasm", "multi_cpu_stop", "--arch", "arm64"]);
    expect(stdout).toMatch(/ mrs +x9, tpidr_el1 .*\n.* ldr +w23, \[x9, #8\] {2}; cpu_local\.cpu of this CPU/);
    expect(stdout).toMatch(/ adrp +x0, #0x[0-9a-f]+ .*\n.* add +x0, x0, #0(x[0-9a-f]+)? {2}; __cpu_online_mask/);
  });

  it("reads ELF files, whole or by routine", async () => {
    const { code, stdout } = await allstop(["disasm", "examples/bare-metal/hello.elf", "main"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^main {2}4008[0-9a-f]{4} {2}\d+ bytes\n/);
    expect(stdout).toMatch(/ bl +#0x4008[0-9a-f]{4} {2}; \w+/);
    expect(stdout.match(/^\w+ {2}4008/gm)).toHaveLength(1);
    expect(
      (await allstop(["disasm", "examples/bare-metal/hello.elf"])).stdout.match(/^\w+ {2}4008/gm)?.length,
    ).toBeGreaterThan(5);
  });

  it("prints JSON that says the same", async () => {
    const { stdout } = await allstop(["disasm", "ack_state", "--json"]);
    const { format, architecture, routines } = JSON.parse(stdout) as {
      format: string;
      architecture: string;
      routines: {
        name: string;
        size: number;
        instructions: { bytes: string; source: { file: string; text: string } }[];
      }[];
    };
    expect([format, architecture, routines.length]).toEqual(["allstop.disassembly/1", "x86-64", 1]);
    const [{ instructions, size }] = routines as [(typeof routines)[0]];
    expect(instructions.flatMap(({ bytes }) => bytes.split(" ")).length).toBe(size);
    expect(instructions[0]?.source.file).toBe("src/guest/stop/multi-stop.ts");
  });

  it.each<[string[], RegExp]>([
    [["multi_cpu_stopp"], /no such routine.*multi_cpu_stopp.*multi_cpu_stop/],
    [["no.elf"], /can't be read \(ENOENT\).*no\.elf/],
    [["package.json"], /IMAGE_INVALID/],
    [["--policy", "stop"], /--policy: .*stop_machine/],
    [["--policy", "stop_machine", "--variant", "x"], /--variant/],
  ])("mistakes are named: %j", async (args, message) => {
    const { code, stderr, stdout } = await allstop(["disasm", ...args]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(message);
  });

  it("without the optional decoder, says what to install; stepping shows all but code", async () => {
    const environment = { NODE_OPTIONS: `--import ${new URL("no-decoder.mjs", import.meta.url).href}` };
    const { code, stdout, stderr } = await allstop(["disasm", "ack_state"], environment);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/optional package.*npm install @alexaltea\/capstone-js@\d+\.\d+\.\d+ \[PACKAGE_MISSING\]/);
    expect((await allstop(["disasm"], environment)).stdout).toContain("ack_state");
    const stepped = await allstop(["step", "--machine-cpus", "2", "--at", "multi_cpu_stop:enter"], environment);
    expect(stepped).toMatchObject({ code: 0, stderr: "" });
    expect(stepped.stdout).toMatch(/^CPU 0 {2}cycle .*multi_cpu_stop\+0x11\n/);
  });
});
