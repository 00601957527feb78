// Random programs over the instruction set: each sets all registers, executes a few dozen instructions whose operands and
// prefixes are drawn, and ends with a jump back to the harness. What is drawn depends on the seed alone.
//
// Flags that the manual leaves undefined are tracked: nothing reads one, so that results are comparable between processors.

import { Random } from "../../../support/random.ts";
import { R12, R13, R14, R15, RSP, le } from "./code.ts";
import { Draw, Flag, MIDDLE, writable } from "./draw.ts";
import { DATA, FINISH_POINTER, PROGRAMS, STACK, STACK_BYTES } from "./harness.ts";
import { templates } from "./templates.ts";

export interface Programs {
  readonly count: number;
  /** Addresses of the programs and a 0, as PROGRAM_TABLE has them. */
  readonly table: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly code: Uint8Array;
}

function emitProgram(code: Draw, instructions: number): void {
  const { random } = code;
  for (const register of writable) code.movImmediate(register, code.number(8));
  code.movImmediate(R12, MIDDLE).movImmediate(R13, code.index).movImmediate(R14, DATA).movImmediate(R15, 0);
  code.movImmediate(RSP, STACK + STACK_BYTES - 16);
  // all flags that matter, direction up
  code.raw(0x68, ...le(random.next() & 0x8d5, 4), 0x9d);
  for (let i = 0; i < instructions; i++) {
    const total = templates.reduce((sum, template) => sum + template.weight, 0);
    let drawn = random.between(0, total - 1);
    const template = templates.find(({ weight }) => (drawn -= weight) < 0);
    template?.emit(code);
  }
  code.need(Flag.ALL);
  code.put({ opcode: [0xff], reg: 4, rm: { displacement: FINISH_POINTER } });
}

/** `count` programs of a few dozen instructions. */
export function drawPrograms(seed: number, count: number, instructions = 40): Programs {
  const random = new Random(seed);
  const table = new BigUint64Array(count + 1);
  const chunks: Uint8Array[] = [];
  let at = PROGRAMS;
  for (let program = 0; program < count; program++) {
    const code = new Draw(random, at);
    emitProgram(code, instructions);
    const bytes = code.finish();
    table[program] = BigInt(at);
    chunks.push(bytes);
    at += bytes.length;
  }
  const code = new Uint8Array(at - PROGRAMS);
  let offset = 0;
  for (const chunk of chunks) {
    code.set(chunk, offset);
    offset += chunk.length;
  }
  return { count, table: new Uint8Array(table.buffer), start: PROGRAMS, end: at, code };
}
