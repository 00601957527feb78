// Snippets that send interrupts, wait for them, and hold them off.

import { R8, R9, RAX, RCX, RDX } from "../../../instructions/x86-64/code.ts";
import type { Random } from "../../random.ts";
import { MSR_SELF_IPI, type X64 } from "../../x64.ts";
import { ALL, LOGICAL, LOWEST_PRIORITY, NMI, OTHERS, SELF, logicalDestination } from "../commands.ts";
import { DATA_SELECTOR } from "../layout.ts";
import { EQUAL, someWord, bounded, relax, leaveWhenMoved, someVector, type Place, type Snippet } from "../snippet.ts";

export function selfInterrupt(code: X64, random: Random, { cpu, hardwareIds }: Place): void {
  const vector = someVector(random);
  const id = hardwareIds[cpu] ?? 0;
  const kind = random.between(0, 4);
  if (kind === 0 && code.apicMode === "x2apic") code.writeApic(MSR_SELF_IPI, vector);
  else if (kind === 1) code.sendCommand(SELF | vector);
  else if (kind === 2) code.sendCommand(vector, id);
  else if (kind === 3) code.sendCommand(LOGICAL | vector, logicalDestination(code, id));
  else code.sendCommand(NMI, id);
}

export const interrupts: readonly Snippet[] = [
  // an interrupt or NMI to one, to a cluster, to all or to all others
  (code, random, place) => {
    const target = place.hardwareIds[random.between(0, place.cpus - 1)] ?? 0;
    const kind = random.between(0, 19);
    // To one of CPUs that are known by number: who else is there would decide about a choice among all.
    const lowest = kind > 3 && random.chance(20) ? LOWEST_PRIORITY : 0;
    const command = random.chance(30) ? NMI : lowest | someVector(random);
    if (kind === 0) code.sendCommand(OTHERS | command);
    else if (kind === 1) code.sendCommand(ALL | someVector(random));
    else if (kind === 2) code.sendCommand(command, 0xffff_ffff);
    else if (kind === 3)
      code.sendCommand(LOGICAL | command, logicalDestination(code, target) | (random.next() & 0xffff));
    else if (kind < 8) {
      const beside = place.hardwareIds.filter((id) => id >> 4 === target >> 4 && random.chance(lowest === 0 ? 0 : 60));
      const all = [target, ...beside].map((id) => logicalDestination(code, id));
      code.sendCommand(
        LOGICAL | command,
        all.reduce((one, other) => one | other),
      );
    } else code.sendCommand(command, target);
  },
  (code, random, place) => selfInterrupt(code, random, place),
  // HLT; an interrupt to oneself makes sure that it ends
  (code, random, place) => {
    const safe = random.chance(80);
    if (safe) code.cli();
    selfInterrupt(code, random, place);
    if (safe) code.sti();
    code.mark().hlt();
  },
  // MONITOR and MWAIT, with interrupts open or breaking on masked ones
  (code, random, place) => {
    const word = someWord(random, place);
    const masked = random.chance(50);
    const out = code.fresh();
    code.cli();
    if (random.chance(50)) selfInterrupt(code, random, place);
    code.lea(8, RAX, word).op("xor", 4, RCX, RCX).op("xor", 4, RDX, RDX).monitor();
    code.load(8, R8, word);
    if (random.chance(30)) code.testImmediate(4, word, 1).jumpIf(EQUAL, out);
    code.push(RAX).push(RCX);
    selfInterrupt(code, random, place);
    code.pop(RCX).pop(RAX);
    if (masked) code.set(RCX, 1);
    else code.sti();
    code
      .set(RAX, random.chance(50) ? 0 : 0x20)
      .mark()
      .mwait()
      .label(out)
      .sti();
  },
  // TPAUSE and UMWAIT, whose ends are told by CF; now and then with a limit, which a reserved bit in the control makes #GP
  (code, random, place) => {
    const limit = random.chance(30) ? BigInt(random.between(1, 100) << 2) : 0n;
    if (random.chance(40)) code.writeMsr(0xe1, limit);
    if (random.chance(50)) code.cli();
    if (random.chance(30)) selfInterrupt(code, random, place);
    const monitored = random.chance(50);
    if (monitored) code.lea(8, RAX, someWord(random, place)).umonitor(RAX);
    code
      .rdtsc()
      .op("xor", 4, RCX, RCX)
      .opImmediate("add", 4, RAX, random.between(0, random.chance(50) ? 60 : 900));
    if (random.chance(20)) code.set(RCX, 1);
    code.opImmediate("adc", 4, RDX, 0).mark();
    if (monitored && random.chance(80)) code.umwait(RCX);
    else code.tpause(RCX);
    code.opImmediate("adc", 4, RAX, 0).sti();
  },
  // masked for a while, spinning
  (code, random, place) => {
    const word = someWord(random, place);
    code.cli().load(8, R8, word);
    bounded(code, random, (out) => {
      relax(code, random);
      leaveWhenMoved(code, random, word, 8, out);
    });
    code.mark().sti();
    if (random.chance(50)) code.pause().raw(0x90);
  },
  // masked within saved flags
  (code, random, place) => {
    const word = someWord(random, place);
    code.pushf().cli().increment(8, word, true);
    if (random.chance(50)) code.pause();
    code.popf();
  },
  // short windows, and shadows of STI and MOV SS
  (code, random) => {
    const kind = random.between(0, 2);
    if (kind === 0) code.set(RAX, DATA_SELECTOR).put({ opcode: [0x8e], reg: 2, rm: RAX });
    else if (kind === 1) code.cli().pause().sti();
    bounded(
      code,
      random,
      () => {
        if (kind === 2) code.cli().increment(4, R8).sti().raw(0x90);
        else code.increment(4, R9);
      },
      9,
    );
  },
  // priorities: the task's holds off what is not above it
  (code, random, place) => {
    const priority = random.between(1, 15);
    code.set(RAX, priority).raw(0x44, 0x0f, 0x22, 0xc0); // mov cr8, rax
    selfInterrupt(code, random, place);
    const word = someWord(random, place);
    code.load(8, R8, word);
    bounded(code, random, (out) => {
      relax(code, random);
      leaveWhenMoved(code, random, word, 8, out);
    });
    code.op("xor", 4, RAX, RAX).raw(0x44, 0x0f, 0x22, 0xc0);
  },
];
