// Fuzz target: texts of CPU masks, as lists and as hex digits, for masks of both engines.

import { CpuMaskError, CpuMaskPool, type CpuMask } from "../../src/cpumask/index.ts";
import { AllstopError } from "../../src/errors.ts";
import { formatCpuList, parseCpuList } from "../../src/topology/index.ts";
import type { Random } from "../support/random.ts";
import { ACCEPTED, expectSame, type Subject, type Target } from "./target.ts";
import { hex, muchChangedText, randomBytes, someNumber } from "./text.ts";

interface ListInput {
  readonly format: "list" | "mask";
  readonly bits: number;
  /** Bytes come from a process that writes to a file of the kernel. */
  readonly text: string | Uint8Array;
}

export const cpulistTarget: Target<ListInput> = {
  name: "cpulists",
  what: "lists of CPUs and hex masks, on both engines",
  share: 1_500_000,
  refusals: ["CPUMASK_INVALID", "OPTION_INVALID"],
  open: async (core) => openLists(await CpuMaskPool.create({ core }), CpuMaskPool.plain()),
};

function openLists(simd: CpuMaskPool, plain: CpuMaskPool): Subject<ListInput> {
  return {
    draw(random) {
      const format = random.chance(70) ? "list" : "mask";
      // Plain TypeScript is slow on wide masks.
      const bits = random.chance(1) ? random.pick([4095, 65_535, 65_536]) : random.pick(widths);
      const text = random.chance(85) ? someText(random, format, bits) : randomBytes(random, random.between(0, 24));
      return { format, bits, text };
    },
    attempt(input) {
      const answer = answerOf(simd, input);
      expectSame("what the other engine says", answerOf(plain, input), answer);
      if (input.format === "list" && typeof input.text === "string") checkOption(input.text, input.bits, answer);
      // Refused: the errno is the first word.
      const [errno] = answer.split(" ");
      return errno === "E" ? `CPUMASK_INVALID ${answer.slice(2)}` : ACCEPTED;
    },
    show: ({ text, ...rest }) =>
      JSON.stringify({ ...rest, ...(typeof text === "string" ? { text } : { bytes: hex(text) }) }),
  };
}

const widths = [1, 2, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 255, 256, 257, 512] as const;

/** "E errno", or the mask's CPUs once they have been written and read in both formats. */
function answerOf(pool: CpuMaskPool, { format, bits, text }: ListInput): string {
  const mask = pool.mask(bits);
  try {
    if (format === "list") mask.parseList(text);
    else mask.parse(text);
    return writtenAndRead(pool, mask);
  } catch (error) {
    if (error instanceof CpuMaskError) return `E ${error.errno}`;
    throw error;
  } finally {
    mask.dispose();
  }
}

/** @throws BrokenProperty unless the mask is the same behind both formats */
function writtenAndRead(pool: CpuMaskPool, mask: CpuMask): string {
  const list = mask.toListString();
  const again = pool.parseList(list, mask.bits);
  expectSame("a list that is written and read again", again.toString(), mask.toString());
  again.parse(mask.toString());
  expectSame("a mask that is written and read again", again.toListString(), list);
  again.dispose();
  return list;
}

/** The same list as an option: a set of the same CPUs, or refused for the same reason. */
function checkOption(text: string, bits: number, answer: string): void {
  let option: string;
  try {
    option = formatCpuList(parseCpuList(text, "list", bits));
  } catch (error) {
    const { cause } = error as { cause?: unknown };
    if (!(error instanceof AllstopError) || !(cause instanceof CpuMaskError)) throw error;
    option = `E ${cause.errno}`;
  }
  expectSame("the list as an option", option, answer);
}

// --- texts -------------------------------------------------------------------------------------------------------------------

function someText(random: Random, format: "list" | "mask", bits: number): string {
  const text = format === "list" ? someList(random, bits) : someMask(random, bits);
  return random.chance(50) ? text : muchChangedText(random, text, 3);
}

const separators = [",", ",", ",", ",", ",,", " ", "\n", ", ", "\t"] as const;

function someList(random: Random, bits: number): string {
  const cpu = (): string => {
    if (random.chance(5)) return random.pick(["N", "N", "n", "", "00"]);
    return random.chance(3) ? someNumber(random) : String(random.between(0, random.chance(95) ? bits - 1 : bits + 1));
  };
  let text = "";
  for (let left = random.between(0, 6); left > 0; left--) {
    const kind = random.between(0, 9);
    if (kind < 4) text += cpu();
    else if (kind < 7) text += `${random.between(0, bits - 1) >> 1}-${cpu()}`;
    else if (kind < 9) text += `0-${cpu()}:${random.between(0, 4)}/${random.between(0, 9)}`;
    else text += random.pick(["all", "ALL", "all:1/2", "0-N:3/5"]);
    if (left > 1 || random.chance(10)) text += random.pick(separators);
  }
  return text;
}

function someMask(random: Random, bits: number): string {
  const chunks = random.between(0, Math.ceil(Math.min(bits, 512) / 32) + (random.chance(10) ? 1 : 0));
  const texts = Array.from({ length: chunks }, () => {
    const digits = (random.next() & (random.chance(50) ? 0xffff_ffff : 1)) >>> 0;
    return random.chance(90) ? digits.toString(16).padStart(8, "0") : digits.toString(random.pick([16, 10, 36]));
  });
  return texts.join(random.chance(95) ? "," : random.pick(separators));
}
