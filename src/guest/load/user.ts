// A task in user mode: code of its own, on a stack and on data of its own, that no kernel code is part of.

import {
  addressOf,
  array,
  asInteger,
  codeOf,
  nothing,
  perCpu,
  ptr,
  routine,
  struct,
  u64,
  type Builder,
} from "../../asm/index.ts";
import { enterUserMode } from "../entry/user.ts";

/** Words that the program keeps up to date; in two cache lines, with the turns. */
const WORDS = 7;
/** Times that each turn goes over them, in one straight piece. */
const PASSES = 4;

const UserMemory = struct("user_memory", { words: array(u64, WORDS), turns: u64, stack: array(u64, 56) });
/** One per CPU. */
const userMemory = perCpu("user_memory", UserMemory, { offset: 0xe00 });
/** As behind a call on x86-64; arm64 wants 16. */
const STACK_BELOW_TOP = { x64: 8, arm64: 0 } as const;

/** Runs in user mode: stores and loads in its memory, without a call or a branch, over and over. */
const userProgram = routine(
  "user_program",
  [{ memory: ptr(UserMemory) }],
  nothing,
  (k, { memory }) => {
    const sum = k.let("sum", 0, u64);
    k.loop(() => {
      k.mark("turn");
      for (let pass = 0; pass < PASSES; pass++) {
        for (let word = 0; word < WORDS; word++) {
          k.set(memory.words.at(word), memory.words.at(word).add(word + pass));
          k.set(sum, sum.add(3));
        }
      }
      k.set(memory.turns, memory.turns.add(1));
    });
  },
  { noReturn: true },
);

function stackTop(k: Builder, memory: ReturnType<typeof asInteger>) {
  const below = k.arch(
    {
      x64: (a, { result }) => void a.mov(result, STACK_BELOW_TOP.x64),
      arm64: (a, { result }) => void a.movConstant(result, STACK_BELOW_TOP.arm64),
    },
    { uses: {}, result: u64 },
  );
  return memory.add(UserMemory.bytes).sub(below);
}

/** Main routine of the task: goes to user mode, and comes back only to be interrupted. */
export const userWork = routine(
  "user_work",
  [],
  nothing,
  (k) => {
    k.irqEnable();
    const memory = k.let("memory", asInteger(addressOf(userMemory.here)));
    k.call(enterUserMode, codeOf(userProgram), memory, stackTop(k, memory));
  },
  { noReturn: true },
);
