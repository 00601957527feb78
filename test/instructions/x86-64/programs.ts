// Random programs over the instruction set: each sets all registers, executes a few dozen instructions whose operands and
// prefixes are drawn, and ends with a jump back to the harness. What is drawn depends on the seed alone.
//
// Flags that the manual leaves undefined are tracked: nothing reads one, so that results are comparable between processors.

import { Random } from "../../support/random.ts";
import { R12, R13, R14, R15, RSP, le } from "./code.ts";
import { Draw, Flag, MIDDLE, writable } from "./draw.ts";
import { DATA, FINISH_POINTER, PROGRAMS, STACK, STACK_BYTES } from "./harness.ts";
import { templates } from "./templates/index.ts";

export interface Program {
  readonly address: number;
  readonly bytes: Uint8Array;
  /** What was drawn, and where its instructions begin. */
  readonly notes: readonly { readonly address: number; readonly template: string }[];
}

export interface Programs {
  readonly programs: readonly Program[];
  /** Addresses of the programs and a 0, as PROGRAM_TABLE has them. */
  readonly table: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** All programs, one behind the other. */
  readonly code: Uint8Array;
}

const totalWeight = templates.reduce((sum, { weight }) => sum + weight, 0);

/** Sets all registers, the flags that matter, and the direction to up. */
function emitStart(code: Draw): void {
  for (const register of writable) code.movImmediate(register, code.number(8));
  code.movImmediate(R12, MIDDLE).movImmediate(R13, code.index).movImmediate(R14, DATA).movImmediate(R15, 0);
  code.movImmediate(RSP, STACK + STACK_BYTES - 16);
  code.raw(0x68, ...le(code.random.next() & 0x8d5, 4), 0x9d);
}

function drawProgram(random: Random, address: number, instructions: number): Program {
  const code = new Draw(random, address);
  const notes: { address: number; template: string }[] = [];
  emitStart(code);
  for (let i = 0; i < instructions; i++) {
    let drawn = random.between(0, totalWeight - 1);
    const template = templates.find(({ weight }) => (drawn -= weight) < 0);
    notes.push({ address: code.here, template: template?.name ?? "" });
    template?.emit(code);
  }
  code.need(Flag.ALL);
  code.put({ opcode: [0xff], reg: 4, rm: { displacement: FINISH_POINTER } });
  return { address, bytes: code.finish(), notes };
}

/** `count` programs of a few dozen instructions. */
export function drawPrograms(seed: number, count: number, instructions = 40): Programs {
  const random = new Random(seed);
  const programs: Program[] = [];
  let end = PROGRAMS;
  for (let index = 0; index < count; index++) {
    const program = drawProgram(random, end, instructions);
    programs.push(program);
    end += program.bytes.length;
  }
  const table = BigUint64Array.from([...programs.map(({ address }) => BigInt(address)), 0n]);
  const code = new Uint8Array(end - PROGRAMS);
  for (const { address, bytes } of programs) code.set(bytes, address - PROGRAMS);
  return { programs, table: new Uint8Array(table.buffer), start: PROGRAMS, end, code };
}
