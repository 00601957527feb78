// arm64: an image that boots by itself on QEMU's virt board: entered once at EL1, it powers the other CPUs on by PSCI.

import {
  PER_CPU_START,
  arm64,
  asInteger,
  asmRoutine,
  codeOf,
  cpuCount,
  nothing,
  routine,
  u64,
  type Builder,
  type Value,
} from "../../asm/index.ts";
import { requester } from "../load/requester.ts";
import { STACK_TOP, load } from "../percpu.ts";
import { secondaryEntry } from "../boot/entry.ts";

const PSCI_CPU_ON = 0xc400_0003;
const PSCI_SYSTEM_OFF = 0x8400_0008;
/** QEMU numbers 16 CPUs per Aff1 with a GICv3. */
const CPUS_PER_CLUSTER_SHIFT = 4;

/** A firmware call by HVC: X0 to X3 in, X0 out (SMCCC, Arm DEN 0028). */
function callFirmware(
  k: Builder,
  id: number,
  first: Value<"u64">,
  second: Value<"u64">,
  third: Value<"u64">,
): Value<"u64"> {
  return k.arch(
    {
      arm64: (a, { first: x, second: y, third: z }) => {
        a.mov(arm64.x16, x).mov(arm64.x17, y).mov(arm64.x3, z).mov(arm64.x1, arm64.x16).mov(arm64.x2, arm64.x17);
        a.movConstant(arm64.x0, id).hvc();
      },
    },
    {
      uses: { first, second, third },
      result: u64,
      resultIn: { arm64: "x0" },
      clobbers: { arm64: Array.from({ length: 18 }, (_, number) => `x${number}`) },
    },
  );
}

/** What the first CPU does before it becomes like the others. */
const bootAll = routine("boot_all_cpus", [], nothing, (k) => {
  k.set(load.of(0).work, codeOf(requester));
  k.for("cpu", 1, cpuCount, (cpu) => {
    const cluster = cpu.shr(CPUS_PER_CLUSTER_SHIFT).shl(8);
    const mpidr = k.let("mpidr", cluster.or(cpu.and((1 << CPUS_PER_CLUSTER_SHIFT) - 1)).to(u64));
    const entry = k.let("entry", asInteger(codeOf(secondaryEntry)));
    const result = callFirmware(k, PSCI_CPU_ON, mpidr, entry, cpu.to(u64));
    k.if(result.ne(0), () => k.bug());
  });
});

/** SYSTEM_OFF. */
export const powerOffArm64 = routine("psci_system_off", [], nothing, (k) => {
  const none = k.let("none", 0, u64);
  callFirmware(k, PSCI_SYSTEM_OFF, none, none, none);
});

export const selfEntryArm64 = asmRoutine(
  "self_entry",
  {
    arm64: (a) => {
      const { sp, x0, x1, x2 } = arm64;
      a.msrImmediate("spsel", 1);
      a.symbolAddress(x1, PER_CPU_START)
        .msr("tpidr_el1", x1)
        .movConstant(x2, STACK_TOP.idle)
        .add(x2, x2, x1)
        .mov(sp, x2);
      a.call(bootAll).movConstant(x0, 0).jumpTo(secondaryEntry);
    },
  },
  { section: "head" },
);
