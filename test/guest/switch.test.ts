// The context switch by itself: what the ABI preserves across calls (System V: rbx, rbp, r12 to r15, rsp; AAPCS64: x19 to x29,
// sp) is there again when a task comes back, whatever the other task has done to it.

import { describe, expect, it } from "vitest";
import {
  addressOf,
  arm64,
  array,
  asInteger,
  asmRoutine,
  buildImage,
  codeOf,
  global,
  nothing,
  routine,
  u64,
  x64,
  type Arm64Assembler,
  type X64Assembler,
} from "../../src/asm/index.ts";
import { Task } from "../../src/guest/percpu.ts";
import { prepareStack, switchTo } from "../../src/guest/sched/switch.ts";
import { architectures, machineOf } from "../machine/images.ts";

const one = global("test_task_one", Task, { align: 64 });
const other = global("test_task_other", Task, { align: 64 });
const stacks = global("test_stacks", array(u64, 512), { align: 64 });
const STACK_BYTES = 2048;

const addressOfOne = routine("test_address_of_one", {}, u64, (k) => k.return(asInteger(addressOf(one))));
const addressOfOther = routine("test_address_of_other", {}, u64, (k) => k.return(asInteger(addressOf(other))));

const saved = {
  "x86-64": ["rbx", "rbp", "r12", "r13", "r14", "r15"],
  arm64: Array.from({ length: 11 }, (_, index) => `x${19 + index}`),
} as const;
const x64Saved = [x64.rbx, x64.rbp, x64.r12, x64.r13, x64.r14, x64.r15];
const arm64Saved = Array.from({ length: 11 }, (_, index) => arm64.armGpr(19 + index, 64));

/** Fills the registers with `base`, `base` + 1 and so on, and switches. */
function fillAndSwitch(base: number, from: typeof addressOfOne, to: typeof addressOfOne) {
  return {
    x64: (a: X64Assembler) => {
      a.call(from).push(x64.rax).push(x64.rax).call(to).mov(x64.rsi, x64.rax).pop(x64.rdi).pop(x64.rdi);
      x64Saved.forEach((register, index) => a.mov(register, base + index));
      a.call(switchTo);
    },
    arm64: (a: Arm64Assembler) => {
      a.call(from).mov(arm64Saved[0]!, arm64.x0).call(to).mov(arm64.x1, arm64.x0).mov(arm64.x0, arm64Saved[0]!);
      arm64Saved.forEach((register, index) => a.movConstant(register, base + index));
      a.call(switchTo);
    },
  };
}

const goOut = fillAndSwitch(100, addressOfOne, addressOfOther);
const comeBack = fillAndSwitch(500, addressOfOther, addressOfOne);

const task = asmRoutine("test_other_task", {
  x64: (a) => (a.mark("entered"), comeBack.x64(a), a.ud2()),
  arm64: (a) => (a.mark("entered"), comeBack.arm64(a), a.brk(1)),
});
const prepare = routine("test_prepare", [], nothing, (k) => {
  const top = asInteger(addressOf(stacks)).add(2 * STACK_BYTES);
  k.call(prepareStack, addressOf(other), top, codeOf(task));
});
const main = asmRoutine("main", {
  x64: (a) => (a.call(prepare), goOut.x64(a), a.mark("back").nop().label("park").pause().jmp("park")),
  arm64: (a) => (a.call(prepare), goOut.arm64(a), a.mark("back").nop().label("park").yield().b("park")),
});

describe.each(architectures)("on %s", (architecture) => {
  it("a task that comes back finds its registers and its stack", () => {
    const image = buildImage({ architecture, roots: [main, task, stacks], entry: main });
    const machine = machineOf(image);
    const stack = machine.address("test_stacks") + STACK_BYTES;
    machine.probe("main:back", { break: true });
    machine.probe("test_other_task:entered");
    machine.start(0, "main", { stack });
    expect(machine.run(500_000)).toMatchObject({ kind: "probe", probe: "main:back" });
    expect([...machine.trace]).toHaveLength(2);
    const values = saved[architecture].map((name) => Number(machine.readRegister(0, name)));
    expect(values).toEqual(saved[architecture].map((_, index) => 100 + index));
    expect(Number(machine.readRegister(0, architecture === "arm64" ? "sp" : "rsp"))).toBe(stack);
  });
});
