// Templates of random A64 programs: branches, calls, loops (Arm ARM DDI 0487 C4.1.94).

import { atomics } from "./atomics.ts";
import { dataProcessing } from "./data-processing.ts";
import { exceptions } from "./exceptions.ts";
import { memory } from "./loads-and-stores.ts";
import { bit, condition, some, type Template, type Writer } from "./writer.ts";

/** What stands between branches. */
export const straight = { ...dataProcessing, ...memory, ...atomics };
const inLoop = {
  ...straight,
  "conditional branch": conditionalBranch,
  SVC: exceptions.SVC as Template,
};
function conditionalBranch(w: Writer): void {
  const { random } = w;
  const kind = random.below(4);
  const c = condition(w);
  const t = w.source();
  const b = random.below(64);
  const f = bit(w);
  const o = bit(w);
  const hole = w.hole();
  skipped(w, () => some(w, straight, random.between(0, 3)));
  const i = w.words.length - hole;
  if (kind === 0) w.patch(hole, "f 011010 o iiiiiiiiiiiiiiiiiii ttttt", { f, o, i, t });
  else if (kind === 1) w.patch(hole, "h 011011 o bbbbb iiiiiiiiiiiiii ttttt", { h: b >> 5, o, b, i, t });
  else w.patch(hole, "0101010 0 iiiiiiiiiiiiiiiiiii 0 cccc", { i, c });
}

export const branches: Record<string, Template> = {
  "conditional branch": conditionalBranch,
  "forward branch": (w) => {
    const indirect = w.random.chance(50);
    const [n = 0] = w.distinct(1);
    const adr = indirect ? w.hole() : -1;
    const jump = w.hole();
    // Never executed: what stands here must not matter.
    for (let count = w.random.below(4); count > 0; count--) w.push(w.random.next());
    const target = w.words.length;
    if (indirect) {
      const distance = 4 * (target - adr);
      w.patch(adr, "0 ll 10000 hhhhhhhhhhhhhhhhhhh ddddd", { l: distance, h: distance >> 2, d: n });
      w.patch(jump, "1101011 00p0 11111 000000 nnnnn 00000", { p: bit(w), n }); // BR, RET
    } else {
      w.patch(jump, "0 00101 iiiiiiiiiiiiiiiiiiiiiiiiii", { i: target - jump });
    }
  },
  call: (w) => {
    if (w.nested || w.reserved.has(30)) return;
    const [n = 0] = w.distinct(1, [30]);
    const indirect = w.random.chance(40);
    const adr = indirect ? w.hole() : -1;
    const call = w.hole();
    const over = w.hole();
    const body = w.words.length;
    w.known.delete(30);
    nest(w, [30], () => some(w, straight, w.random.between(0, 3)));
    w.emit("1101011 0010 11111 000000 nnnnn 00000", { n: 30 });
    if (indirect) {
      const distance = 4 * (body - adr);
      w.patch(adr, "0 ll 10000 hhhhhhhhhhhhhhhhhhh ddddd", { l: distance, h: distance >> 2, d: n });
      w.patch(call, "1101011 0001 11111 000000 nnnnn 00000", { n });
    } else {
      w.patch(call, "1 00101 iiiiiiiiiiiiiiiiiiiiiiiiii", { i: body - call });
    }
    w.patch(over, "0 00101 iiiiiiiiiiiiiiiiiiiiiiiiii", { i: w.words.length - over });
  },
  loop: (w) => {
    if (w.nested) return;
    const [c = 0] = w.distinct(1, [30]);
    w.constant(c, BigInt(w.random.between(1, 5)));
    w.forgetAll();
    const head = w.words.length;
    nest(w, [c], () => some(w, inLoop, w.random.between(1, 4)));
    const S = bit(w);
    w.emit("1 1 S 100010 0 000000000001 nnnnn ddddd", { S, n: c, d: c });
    const i = head - w.words.length;
    if (S === 1) w.emit("0101010 0 iiiiiiiiiiiiiiiiiii 0 0001", { i });
    else w.emit("1 011010 1 iiiiiiiiiiiiiiiiiii ttttt", { i, t: c });
    w.forgetAll();
  },
};

/** Runs a body that may or may not be executed: nothing is known behind it. */
function skipped(w: Writer, body: () => void): void {
  body();
  w.forgetAll();
}

function nest(w: Writer, reserved: readonly number[], body: () => void): void {
  w.nested = true;
  for (const register of reserved) w.reserved.add(register);
  body();
  for (const register of reserved) w.reserved.delete(register);
  w.nested = false;
}
