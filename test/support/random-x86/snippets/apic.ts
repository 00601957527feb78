// Snippets about the local APIC itself: its timer, its errors, its registers, and the ways between its modes.

import { R8, RAX, RBX, RCX, RDX } from "../../../instructions/x86-64/code.ts";
import type { Random } from "../../random.ts";
import { MSR_APIC_BASE, MSR_EOI, MSR_ICR, MSR_SVR, MSR_TSC, MSR_TSC_DEADLINE, type X64 } from "../../x64.ts";
import { SELF, logicalDestination } from "../commands.ts";
import { COUNTERS, privately } from "../layout.ts";
import { bounded, leaveWhenMoved, relax, someVector, someWord, type Place, type Snippet } from "../snippet.ts";
import { selfInterrupt } from "./interrupts.ts";

const MSR_TPR = 0x808;
const MSR_LDR = 0x80d;
const MSR_DFR = 0x80e;
const MSR_ESR = 0x828;
const MSR_LVT_TIMER = 0x832;
const MSR_LVT_ERROR = 0x837;
const MSR_TMICT = 0x838;
const MSR_TDCR = 0x83e;
const [PERIODIC, TSC_DEADLINE] = [1 << 17, 2 << 17];
const MASKED = 1 << 16;
/** Registers that can be read in both modes and change by themselves. */
const SHOWN = [0x808, 0x80a, ...[0, 3, 7].flatMap((word) => [0x810 + word, 0x820 + word]), 0x828, 0x839, 0x839, 0x839];
const BASE = 0xfee0_0000;

/** Lets the APIC take interrupts, and tell of errors. */
export function prepareApic(code: X64, random: Random, { cpu, hardwareIds }: Place): void {
  code.writeApic(MSR_SVR, 0x1ff);
  if (code.apicMode === "xapic") {
    if (random.chance(20)) code.writeApic(MSR_DFR, 0x0fff_ffff);
    code.writeApic(MSR_LDR, logicalDestination(code, hardwareIds[cpu] ?? 0) << 24);
  }
  if (random.chance(50)) code.writeApic(MSR_LVT_ERROR, someVector(random));
}

/** What a register shows becomes part of the CPU's memory. */
function show(code: X64, random: Random): void {
  code.readApic(random.pick(SHOWN)).opTo("add", 8, privately(COUNTERS), RAX);
}

function spin(code: X64, random: Random, place: Place): void {
  const word = someWord(random, place);
  code.load(8, R8, word);
  bounded(code, random, (out) => {
    relax(code, random);
    leaveWhenMoved(code, random, word, 8, out);
  });
}

export const apic: readonly Snippet[] = [
  // the timer counts while the CPU spins, or halts it
  (code, random, place) => {
    const mode = random.chance(30) ? PERIODIC : 0;
    const masked = random.chance(10) ? MASKED : 0;
    code.writeApic(MSR_TDCR, random.pick([0xb, 0, 1])).writeApic(MSR_LVT_TIMER, mode | masked | someVector(random));
    code.mark().writeApic(MSR_TMICT, random.between(100, 900));
    const kind = random.between(0, 3);
    if (kind === 0) show(code, random);
    else if (kind === 1) spin(code, random, place);
    else if (kind === 2) bounded(code, random, () => show(code, random), 9);
    else if (masked === 0) code.hlt();
    if (mode === PERIODIC || random.chance(30)) code.writeApic(MSR_TMICT, 0);
    if (random.chance(20)) code.writeApic(MSR_TDCR, random.pick([0, 2, 3]));
  },
  // a deadline of the time stamp counter, which may jump
  (code, random, place) => {
    code.writeApic(MSR_LVT_TIMER, TSC_DEADLINE | someVector(random));
    code.rdtsc().opImmediate("add", 4, RAX, random.between(-50, 1500)).set(RCX, MSR_TSC_DEADLINE).mark().wrmsr();
    const kind = random.between(0, 3);
    if (kind === 0) spin(code, random, place);
    else if (kind === 1) code.set(RCX, MSR_TSC).rdmsr().opImmediate("add", 4, RAX, random.between(-200, 200)).wrmsr();
    else if (kind === 2) code.set(RCX, MSR_TSC_DEADLINE).rdmsr().opTo("add", 8, privately(COUNTERS), RAX);
    if (random.chance(30)) code.writeMsr(MSR_TSC_DEADLINE, 0n);
    if (random.chance(50)) spin(code, random, place);
  },
  // what changes by itself is looked at
  (code, random) => bounded(code, random, () => show(code, random), 9),
  // errors: illegal vectors, registers that don't exist
  (code, random, place) => {
    const kind = random.between(0, 2);
    if (kind === 0) code.sendCommand(SELF | random.between(0, 15));
    else if (kind === 1) code.sendCommand(random.between(0, 15), random.pick(place.hardwareIds));
    else if (code.apicMode === "xapic") code.writeApic(0x801, 0);
    if (random.chance(70)) code.writeApic(MSR_ESR, 0);
    show(code, random);
  },
  // priorities by TPR, an EOI that nobody owes, software disable
  (code, random, place) => {
    const kind = random.between(0, 2);
    if (kind === 0) {
      code.writeApic(MSR_TPR, random.between(0, 255));
      selfInterrupt(code, random, place);
      spin(code, random, place);
      code.writeApic(MSR_TPR, 0);
    } else if (kind === 1) {
      code.writeApic(MSR_EOI, 0);
    } else {
      code.writeApic(MSR_SVR, 0xff);
      if (random.chance(50)) code.sendCommand(someVector(random), random.pick(place.hardwareIds));
      code.writeApic(MSR_SVR, 0x1ff);
    }
  },
  // accesses of the page that do nothing, or read and write it like memory
  (code, random) => {
    code.set(RDX, BASE + random.between(0, 63) * 16 + random.pick([0, 0, 0, 4, 2]));
    const width = random.pick([1, 2, 4, 4, 8] as const);
    code.load(width, RAX, { base: RDX }).opTo("add", 8, privately(COUNTERS), RAX);
    if (code.apicMode === "x2apic") code.store(width, { base: RDX }, RBX);
    else
      code
        .set(RDX, BASE + (MSR_TPR - 0x800) * 16)
        .opImmediate("and", 4, { base: RDX }, 0x30)
        .increment(4, { base: RDX });
    if (code.apicMode === "xapic") code.writeApic(MSR_TPR, 0);
  },
  // off and on again; to x2APIC mode only by way of xAPIC mode, and back only by way of nothing
  (code, random, place) => {
    if (random.chance(60)) return;
    const bsp = place.cpu === 0 ? 0x100n : 0n;
    const to = (mode: bigint): void => void code.mark().writeMsr(MSR_APIC_BASE, BigInt(BASE) | bsp | mode);
    if (random.chance(30) && code.apicMode === "xapic") to(0xc00n);
    to(0n);
    if (random.chance(30)) spin(code, random, place);
    to(0x800n);
    if (code.apicMode === "x2apic") to(0xc00n);
    prepareApic(code, random, place);
  },
  // both halves of ICR, as they are read
  (code, random) => {
    code.readApic(MSR_ICR).opTo("add", 8, privately(COUNTERS), RAX);
    if (random.chance(50)) code.opTo("add", 8, privately(COUNTERS), RDX);
  },
];
