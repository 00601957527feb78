// Random x86-64 programs: the snippets that stop paths are made of (spins of all kinds, counters, locks, interrupts, waits),
// and whatever else a kernel does around them: calls, string instructions, code in writable pages, flags in all ways.

import { PAGE_RW, PAGE_RWX, PAGE_RX } from "../bare-machine.ts";
import type { Guest, Layout } from "../random-machine.ts";
import type { Random } from "../random.ts";
import { X64 } from "../x64.ts";
import { CODE, HANDLERS, CODE_END, TABLES, SHARED, STACKS, STACK_BYTES, WRITABLE_CODE } from "./layout.ts";
import { emitHandlers } from "./handlers.ts";
import { tables } from "./tables.ts";
import { writableRoutines } from "./writable-routines.ts";
import { program } from "./program.ts";

export function x86Guest(random: Random, layout: Layout): Guest {
  const localApic = random.chance(35) ? "xapic" : "x2apic";
  const handlers = emitHandlers(random, localApic);
  const writable = writableRoutines(random);
  const contents = [
    { address: HANDLERS, bytes: handlers.finish() },
    { address: TABLES, bytes: tables(handlers) },
    { address: WRITABLE_CODE, bytes: writable.bytes },
  ];
  const starts: { pc: number; stack: number }[] = [];
  const marks = [...handlers.marks];
  let at = CODE;
  for (let cpu = 0; cpu < layout.cpus; cpu++) {
    const code = new X64(at);
    code.apicMode = localApic;
    program(code, random, { ...layout, cpu, routines: writable.routines });
    const bytes = code.finish();
    contents.push({ address: at, bytes });
    starts.push({ pc: at, stack: STACKS + (cpu + 1) * STACK_BYTES });
    marks.push(...code.marks);
    at += Math.ceil(bytes.length / 64) * 64;
  }
  if (at > HANDLERS) throw new Error("programs too long");
  marks.push(...writable.routines);
  return {
    maps: [
      { address: CODE, bytes: CODE_END - CODE, attributes: PAGE_RX },
      { address: TABLES, bytes: SHARED - TABLES, attributes: PAGE_RW, warm: true },
      { address: SHARED, bytes: WRITABLE_CODE - SHARED, attributes: PAGE_RW },
      { address: WRITABLE_CODE, bytes: 0x1000, attributes: PAGE_RWX },
    ],
    contents,
    starts,
    marks,
    localApic,
  };
}
