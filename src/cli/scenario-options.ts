// Options that several commands take: what a run is of, beside or on top of its document.

import { InvalidArgumentError, Option, type Command } from "commander";

export function whole(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("A whole number is wanted.");
  return Number(text);
}

export function number(text: string): number {
  if (!/^\d{1,12}(\.\d{1,9})?$/.test(text)) throw new InvalidArgumentError("A number is wanted.");
  return Number(text);
}

export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

export const architecture = () =>
  new Option("--arch <arch>", "instruction set; by default the machine's own").choices(["x86-64", "arm64"]);

/** Adds what describes one scenario. @param size the option that says how many CPUs the machine has, since `--cpus` may mean others */
export function takesScenario(command: Command, size: `--${string} <n>`, sizeIs: string): Command {
  return command
    .option("--variant <name>", "of a built-in scenario: see allstop scenarios --list (default its first)")
    .addOption(architecture())
    .option(size, sizeIs, whole)
    .option("--topology <machine>", "preset, spec such as 2x32x2, or hwloc file (.xml)")
    .option("--timing <name>", "timing model: see allstop list timings (default: the machine's)")
    .option("--feat-nmi", "the arm64 machine has FEAT_NMI: non-maskable interrupts of GICv3.3")
    .option("--firmware <name>", "arm64 firmware: see allstop list firmware (default compliant)")
    .option("--policy <name>", "stop path: see allstop list policies (default stop_machine)")
    .option(
      "--load <kind[=us][:cpus]>",
      "what CPUs are doing: see allstop list loads; may be repeated (default idle)",
      collect,
    )
    .option("--wedge <cpus>", "CPUs that never answer, such as 3,8-11")
    .option("--active <cpus>", "who runs the function: first, all, or a list (default first)")
    .option("--target <cpus>", "CPUs that the call is about, such as the one to take offline (default the last ones)")
    .option("--requester <cpu>", "CPU whose task calls (default the first online one)", whole)
    .option("--function-us <us>", "how long the function takes, microseconds (default 0)", number)
    .option("--rounds <n>", "calls in a row (default 1); of ipi-benchmark, rounds of each case (default 32)", whole)
    .option("--limit-ms <ms>", "simulated time after which the run is given up, milliseconds (default 1000)", number)
    .option("--seed <n>", "seed of everything drawn (default 1)", whole);
}
