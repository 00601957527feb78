// PSCI calls on QEMU's virt board, whose answers are recorded, and here with the personality that stands for it.
//
// Recording anew, with qemu-system-aarch64 installed:
//   RECORD=1 npx vitest run --config .config/vitest.config.ts test/firmware/qemu.test.ts

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import {
  Device,
  PAGE_DEVICE,
  PAGE_OWNER_SHIFT,
  PAGE_READ,
  PAGE_WRITE,
  PL011_BASE,
  PL011_BYTES,
  StopReason,
  Counter,
} from "../../src/abi.ts";
import { assemble } from "../instructions/arm64/assembler/index.ts";
import { qemuVersion } from "../instructions/arm64/qemu.ts";
import { BareMachine, PAGE_RW, PAGE_RX } from "../support/bare-machine.ts";
import { ids, type Argument, type Function } from "./calls.ts";

const CPUS = 4;
/** Behind the device tree that QEMU puts at the start of RAM. */
const CODE = 0x4010_0000;
const DATA = 0x4020_0000;
const recordedFile = new URL("recorded/qemu-psci.json", import.meta.url);

/** Calls of CPU 0 while CPU 1 is off, each with what is asked. */
const before: readonly (readonly [Function, ...Argument[]])[] = [
  ["PSCI_VERSION"],
  ["MIGRATE_INFO_TYPE"],
  ["MIGRATE", 1],
  ...(
    ["PSCI_VERSION", "CPU_SUSPEND", "CPU_OFF", "CPU_ON", "AFFINITY_INFO", "MIGRATE_INFO_TYPE", "MIGRATE"] as const
  ).map((name) => ["PSCI_FEATURES", ids[name]] as const),
  ...(["SYSTEM_OFF", "SYSTEM_RESET", "PSCI_FEATURES", "SDEI_VERSION"] as const).map(
    (name) => ["PSCI_FEATURES", ids[name]] as const,
  ),
  ["PSCI_FEATURES", 0x8400_0001],
  ["PSCI_FEATURES", 0x8400_0003],
  ["PSCI_FEATURES", 0x8400_0004],
  ["PSCI_FEATURES", 0],
  ["SDEI_VERSION"],
  [0x8400_001f],
  [0xc600_0000],
  ["AFFINITY_INFO", 0, 0],
  ["AFFINITY_INFO", 1, 0],
  [0x8400_0004, 3, 0],
  ["AFFINITY_INFO", 4, 0],
  ["AFFINITY_INFO", 0x1_0000, 0],
  ["AFFINITY_INFO", 0, 1],
  ["AFFINITY_INFO", 0, 2],
  ["CPU_ON", 4, "second", 0],
  ["CPU_ON", 1n << 32n, "second", 0],
  ["CPU_ON", 0, "second", 0],
  ["CPU_ON", 1, "second", 77],
];
/** While it is on, and after it has powered itself off and on again. */
const whileOn: typeof before = [
  ["AFFINITY_INFO", 1, 0],
  ["CPU_ON", 1, "second", 0],
  [0x8400_0003, 1, 0x4010_0000, 0],
];
const afterwards: typeof before = [
  ["AFFINITY_INFO", 1, 0],
  ["CPU_ON", 1, "second", 78],
];

let unique = 0;

function ask([name, ...values]: (typeof before)[number]): string {
  const lines = values.map((value, index) =>
    typeof value === "string" ? `adr x${index + 1}, ${value}` : `li x${index + 1}, #${value}`,
  );
  return `${lines.join("\n")}\n li x0, #${typeof name === "number" ? name : ids[name]}\n hvc #0\n str x0, [x28], #8\n`;
}

/** Waits until a word of memory is what it should be. */
function until(register: string, offset: number, value: number): string {
  const label = `until_${unique++}`;
  return `${label}: ldr ${register}, [x27, #${offset}]\n cmp ${register}, #${value}\n b.ne ${label}\n`;
}

const asked = (calls: typeof before): string => calls.map(ask).join("");
const poll = `poll: mov x1, #1\n mov x2, #0\n li x0, #${ids.AFFINITY_INFO}\n hvc #0\n cmp x0, #1\n b.ne poll\n`;

/** CPU 1 tells its context, waits to be let go, and powers off; the second time it stays. CPU 0 sends all results. */
const program = assemble(
  `
first:
  li x28, #${DATA}
  li x27, #${DATA + 0x1000}
  adr x9, vectors
  msr vbar_el1, x9
  ${asked(before)}
  ${until("x9", 0, 77)}
  ${asked(whileOn)}
  mov x9, #1
  str x9, [x27, #8]
  ${poll}
  ${asked(afterwards)}
  ${until("x9", 0, 78)}
  li x0, #${ids.PSCI_VERSION}
  smc #0
caught:
  mrs x9, esr_el1
  str x9, [x28], #8
  li x26, #${DATA}
  li x25, #${PL011_BASE}
send:
  ldrb w9, [x26], #1
  str w9, [x25]
  cmp x26, x28
  b.ne send
  li x0, #${ids.SYSTEM_OFF}
  hvc #0
second:
  li x27, #${DATA + 0x1000}
  str x0, [x27]
  cmp x0, #78
  b.eq stay
  ${until("x9", 8, 1)}
  li x0, #${ids.CPU_OFF}
  hvc #0
stay:
  wfi
  b stay
.align 2048
vectors:
  .space 0x200
  b caught
`,
  CODE,
);
const count = before.length + whileOn.length + afterwards.length + 1;

function answersOf(words: BigUint64Array): string[] {
  const calls = [...before, ...whileOn, ...afterwards].map(([name, ...values]) => `${name} ${values.join(" ")}`);
  return Array.from(words, (word, index) => `${calls[index] ?? "ESR_EL1 of SMC"}: ${BigInt.asIntN(64, word)}`);
}

function onQemu(): string[] {
  const folder = mkdtempSync(join(tmpdir(), "psci-"));
  try {
    const [image, output] = [join(folder, "image"), join(folder, "output")];
    writeFileSync(image, program.bytes);
    const board = ["-M", "virt,gic-version=3", "-cpu", "neoverse-n1", "-smp", String(CPUS), "-m", "64"];
    const quiet = ["-display", "none", "-monitor", "none", "-serial", `file:${output}`];
    const load = [
      "-device",
      `loader,file=${image},addr=${CODE},force-raw=on`,
      "-device",
      `loader,addr=${CODE},cpu-num=0`,
    ];
    execFileSync("qemu-system-aarch64", [...board, ...quiet, ...load], { timeout: 60_000 });
    return answersOf(new BigUint64Array(Uint8Array.from(readFileSync(output)).buffer));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function here(): string[] {
  const machine = new BareMachine({ architecture: "arm64", cpus: CPUS, firmware: "qemu-virt" });
  machine.map(CODE, 0x1_0000, PAGE_RX);
  machine.map(DATA, 0x1_0000, PAGE_RW);
  const device = PAGE_READ | PAGE_WRITE | PAGE_DEVICE | (Device.PL011 << PAGE_OWNER_SHIFT);
  machine.map(PL011_BASE, PL011_BYTES, device);
  machine.write(CODE, program.bytes);
  machine.start(0, program.label("first"));
  machine.run(10_000_000);
  expect(Number(machine.counter(Counter.STOP_REASON))).toBe(StopReason.SYSTEM_OFF);
  return answersOf(BigUint64Array.from({ length: count }, (_, index) => machine.read64(DATA + 8 * index)));
}

if (process.env["RECORD"] !== undefined) {
  const version = qemuVersion();
  if (version === undefined)
    console.warn("qemu-system-aarch64 is not installed: the recorded answers stay as they are");
  else writeFileSync(recordedFile, `${JSON.stringify({ version, answers: onQemu() }, null, 2)}\n`);
}

it("PSCI answers as on QEMU's virt board", () => {
  const recorded = JSON.parse(readFileSync(recordedFile, "utf8")) as { answers: string[] };
  expect(recorded.answers).toHaveLength(count);
  expect(here()).toEqual(recorded.answers);
});
