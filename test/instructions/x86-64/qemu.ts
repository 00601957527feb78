// Running the programs on QEMU: a multiboot image that goes to 64-bit mode with the emulator's view of memory, and sends the
// results to the debug console.

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Code, RCX, RDX, RSI, le } from "./code.ts";
import {
  BOOT,
  MEMORY_END,
  PAGE_TABLES,
  PROGRAM_TABLE,
  RESULTS,
  RESULT_WORDS,
  TABLES,
  VARIABLES,
  buildHarness,
} from "./harness.ts";
import type { Programs } from "./programs.ts";

const run = promisify(execFile);

/** Version line, or undefined when there is no QEMU. */
export async function qemuVersion(): Promise<string | undefined> {
  const answer = await run("qemu-system-x86_64", ["--version"]).catch(() => undefined);
  return answer?.stdout.split("\n")[0];
}

/** 32-bit code: tables of the machine as the emulator has it, PAE, long mode, paging, then the harness. */
function boot(entry: number): Uint8Array {
  const code = new Code(BOOT);
  const magic = 0x1bad_b002;
  const flags = 0x1_0000;
  // header address, load address, end of file, end of memory, entry
  code.raw(...le(magic, 4), ...le(flags, 4), ...le(-(magic + flags), 4));
  code.raw(...le(BOOT, 4), ...le(BOOT, 4), ...le(0, 4), ...le(0, 4), ...le(BOOT + 32, 4));
  code.raw(0xfa);
  // mask both interrupt controllers
  code.raw(0xb0, 0xff, 0xe6, 0x21, 0xe6, 0xa1);
  code.raw(0xb8, ...le(1 << 5, 4), 0x0f, 0x22, 0xe0); // CR4 = PAE
  code.raw(0xb8, ...le(PAGE_TABLES, 4), 0x0f, 0x22, 0xd8); // CR3
  code.raw(0xb9, ...le(0xc000_0080, 4), 0x0f, 0x32, 0x0d, ...le(1 << 8, 4), 0x0f, 0x30); // EFER.LME
  code.raw(0xb8, ...le(0x8001_0033, 4), 0x0f, 0x22, 0xc0); // CR0 = PG WP NE ET MP PE
  code.raw(0x0f, 0x01, 0x15).raw(...le(BOOT + 0x100, 4)); // lgdt
  code.raw(0xea, ...le(entry, 4), ...le(0x08, 2)); // jmp 08:entry
  while (code.here < BOOT + 0x100) code.raw(0);
  code.raw(...le(0x5f, 2), ...le(TABLES, 4));
  return code.finish();
}

/** Four levels, for all privilege levels: the first 2 MiB by pages without page 0, then 2 MiB pages up to MEMORY_END. */
function pageTables(): Uint8Array {
  const bytes = new Uint8Array(4 * 4096);
  const view = new DataView(bytes.buffer);
  const put = (table: number, index: number, value: number): void => {
    view.setBigUint64(table * 4096 + index * 8, BigInt(value), true);
  };
  put(0, 0, PAGE_TABLES + 0x1000 + 7);
  put(1, 0, PAGE_TABLES + 0x2000 + 7);
  put(2, 0, PAGE_TABLES + 0x3000 + 7);
  for (let page = 1; page < 512; page++) put(3, page, page * 4096 + 7);
  for (let page = 1; page < MEMORY_END / 0x20_0000; page++) put(2, page, page * 0x20_0000 + 0x87);
  return bytes;
}

/** Sends the results out and ends QEMU. */
function sendResults(count: number): (code: Code) => void {
  return (code) => {
    code
      .raw(0xfc)
      .movImmediate(RSI, RESULTS)
      .movImmediate(RCX, count * RESULT_WORDS * 8)
      .movImmediate(RDX, 0xe9);
    code.raw(0xf3, 0x6e, 0x31, 0xc0, 0xe6, 0xf4); // rep outsb; xor eax, eax; out 0xf4, al
    code.raw(0xf4);
  };
}

/** Runs all programs. @returns their results, RESULT_WORDS words each */
export async function runOnQemu(programs: Programs): Promise<BigUint64Array> {
  const count = programs.programs.length;
  const harness = buildHarness(sendResults(count));
  const image = new Uint8Array(programs.end - BOOT);
  const put = (address: number, bytes: Uint8Array): void => image.set(bytes, address - BOOT);
  put(BOOT, boot(harness.entry));
  put(TABLES, harness.tables);
  put(VARIABLES, harness.variables);
  put(harness.entry, harness.code);
  put(PROGRAM_TABLE, programs.table);
  put(PAGE_TABLES, pageTables());
  put(programs.start, programs.code);
  const view = new DataView(image.buffer);
  view.setUint32(20, programs.end, true);
  view.setUint32(24, RESULTS + count * RESULT_WORDS * 8, true);

  const folder = await mkdtemp(join(tmpdir(), "allstop-"));
  try {
    await writeFile(join(folder, "image"), image);

    const results = join(folder, "results");
    const machine = ["-machine", "pc", "-accel", "tcg", "-cpu", "max", "-m", "32", "-display", "none", "-no-reboot"];
    const devices = ["-debugcon", `file:${results}`, "-device", "isa-debug-exit,iobase=0xf4,iosize=1"];
    // isa-debug-exit ends with status 2n + 1
    await run(
      "qemu-system-x86_64",
      [...machine, ...devices, "-serial", "none", "-monitor", "none", "-kernel", join(folder, "image")],
      {
        timeout: 10_000,
      },
    ).catch((error: unknown) => {
      if ((error as { code?: unknown }).code !== 1) throw error;
    });
    const bytes = await readFile(results);
    if (bytes.length !== count * RESULT_WORDS * 8) throw new Error(`QEMU sent ${bytes.length} bytes`);
    return new BigUint64Array(Uint8Array.from(bytes).buffer);
  } finally {
    await rm(folder, { recursive: true });
  }
}
