#!/usr/bin/env node
// The command line: parses options and hands over; everything behind it is the library.

import { Command, CommanderError, Option } from "commander";
import { AllstopError } from "../errors.ts";
import { accelerationNames } from "../machine/accelerations.ts";
import type { CalibrateArguments } from "./calibrate.ts";
import type { CompareArguments } from "./compare.ts";
import type { DisasmArguments } from "./disasm.ts";
import type { ExecArguments } from "./exec.ts";
import type { ListArguments, Listable } from "./list.ts";
import type { LitmusArguments } from "./litmus.ts";
import type { RunArguments } from "./run.ts";
import { architecture, collect, number, takesScenario, whole } from "./scenario-options.ts";
import { ignoreClosedPipes, print } from "./terminal.ts";
import type { ScenariosArguments } from "./scenarios.ts";
import type { SchemaName } from "./schema.ts";
import type { StepArguments } from "./step.ts";
import type { SweepArguments } from "./sweep.ts";
import type { TopologyArguments } from "./topology.ts";
import type { TraceArguments } from "./trace.ts";

const EXIT_USAGE = 2;
const EXIT_FAILED = 1;

let exitCode = 0;

const metric = () =>
  new Option("--metric <figure>", "what the picture shows (default rendezvousNs)").choices([
    "rendezvousNs",
    "totalNs",
    "frozenMaxNs",
  ]);

const program = new Command("allstop")
  .description("emulates the moment an operating system stops all of its CPUs, on real machine code")
  .showHelpAfterError("(allstop --help, or allstop COMMAND --help, tells more)")
  .addHelpText(
    "after",
    "\nWithout a command: stop_machine() on machines of 64 to 4,096 CPUs, as a table.\n\nExit codes: 0 done, 1 a call did not complete or broke a rule, 2 wrong usage.\n\nExamples:\n  allstop run --topology epyc-9654 --load mixed\n  allstop run --arch arm64 --cpus 512 --wedge 17 --limit-ms 20",
  )
  .helpCommand(true)
  .allowExcessArguments()
  .action(async () => {
    const [unknown] = program.args;
    if (unknown !== undefined) {
      const commands = program.commands.map((command) => command.name()).join(", ");
      program.error(`error: unknown command '${unknown}'. Commands are ${commands}.`);
    }
    exitCode = await (await import("./tour.ts")).tour();
  });

takesScenario(
  program
    .command("run")
    .description("run one scenario and report")
    .argument("[scenario]", "scenario document (JSON), or a built-in one such as S24; options override what it says"),
  "--cpus <n>",
  "number of CPUs of a plausible machine (default 64)",
)
  .addOption(
    new Option("--without <acceleration...>", "turn accelerations off; nothing but the host's time changes").choices(
      accelerationNames,
    ),
  )
  .option("--lines", "measure cache lines: who waited for which, and the most contended ones (takes longer)")
  .option(
    "--hgrm <file>",
    "write the distribution of the times to the stop, over CPUs and rounds, for HdrHistogram's plotters",
  )
  .option("--out <file>", "the report as FILE.html, with all pictures and the scenario; or one picture as FILE.svg")
  .addOption(
    new Option("--picture <which>", "which one FILE.svg is (default waterfall)").choices([
      "heat-map",
      "topology",
      "waterfall",
      "percentiles",
    ]),
  )
  .option("--json", "print the report as JSON (allstop.report/1)")
  .addHelpText(
    "after",
    "\nExamples:\n  allstop run --topology icelake-8375c --load busy --active all\n  allstop run --policy cpu_offline --target 5\n  allstop run --policy ipi-benchmark --topology epyc-9654 --load poll\n  allstop run --topology epyc-9654 --rounds 20 --lines --hgrm stop.hgrm\n  allstop run --topology epyc-9654 --load mixed --out report.html\n  allstop run --cpus 4096 --arch arm64 --json\n  allstop run S5",
  )
  .action(async (scenario: string | undefined, options: RunArguments) => {
    exitCode = await (await import("./run.ts")).run(scenario, options);
  });

program
  .command("exec")
  .description("run a bare-metal arm64 image as QEMU's virt board does")
  .argument("<image>", "static AArch64 ELF file: CPU 0 starts at its entry in EL1, the others by PSCI CPU_ON (HVC)")
  .addOption(new Option("--board <board>", "the platform").choices(["virt"]).default("virt"))
  .option("--cpus <n>", "number of CPUs of a plausible machine (default 1)", whole)
  .option("--topology <machine>", "preset, spec such as 2x32x1, or hwloc file (.xml); MPIDRs are the board's")
  .option("--timing <name>", "timing model: see allstop list timings (default: the machine's)")
  .option("--feat-nmi", "the machine has FEAT_NMI: non-maskable interrupts of GICv3.3 (QEMU 7.2 has none)")
  .option("--ram-mib <n>", "RAM from 0x40000000 on, MiB (default 128)", whole)
  .option("--cycles <limit>", "simulated cycles after which the run is given up (default 10000000000)", whole)
  .addOption(
    new Option("--without <acceleration...>", "turn accelerations off; nothing but the host's time changes").choices(
      accelerationNames,
    ),
  )
  .option("--json", "print output and verdict as JSON (allstop.exec/1) instead of the output as it appears")
  .addHelpText(
    "after",
    `
The UART's output goes to stdout, the verdict to stderr.

Exit codes: 0 SYSTEM_OFF, 1 something that is not modelled or an exception without a vector, 2 wrong usage or a file
that can't be loaded, 3 SYSTEM_RESET, 4 nothing can happen any more, 5 the cycle limit is reached.

Examples:
  allstop exec image.elf --cpus 4
  allstop exec image.elf --topology graviton2 --json`,
  )
  .action(async (image: string, options: ExecArguments) => {
    exitCode = await (await import("./exec.ts")).exec(image, options);
  });

program
  .command("litmus")
  .description("run litmus tests of the herd tools (AArch64, X86_64, X86), and count the final states")
  .argument("<file...>", "litmus tests, or folders of *.litmus")
  .option("--runs <n>", "how often each test is run (default 100000)", whole)
  .option("--seed <n>", "seed of everything drawn: same seed, same histogram (default 1)", whole)
  .option("--topology <machine>", "preset, spec such as 2x32x2, or hwloc file (.xml) (default: two packages)")
  .option("--timing <name>", "timing model: see allstop list timings (default: the machine's)")
  .option("--cpus <cpus>", "the CPU of each thread, such as 0,32, instead of a placement")
  .addOption(
    new Option("--placement <how>", "where threads run, drawn anew for every few runs (default random)").choices([
      "random",
      "spread",
      "near",
      "smt",
    ]),
  )
  .option("--no-perturbation", "don't vary the delays of stores and loads")
  .option("--json", "print the results as JSON (allstop.litmus/1)")
  .addHelpText(
    "after",
    `
Results are printed as litmus7 prints them; * marks the states that decide a test.

Exit codes: 0 no test is refuted, 1 a ~exists was seen or a forall did not hold, 2 wrong usage, or a test that can't be
read or run (the others are run all the same). An exists that was not seen is "No", but refutes nothing: exit code 0.

Examples:
  allstop litmus SB.litmus MP.litmus --runs 1000000
  allstop litmus tests/ --topology graviton2 --placement spread --json`,
  )
  .action(async (files: readonly string[], options: LitmusArguments) => {
    exitCode = await (await import("./litmus.ts")).litmus(files, options);
  });

program
  .command("scenarios")
  .description("run the built-in scenarios on all their variants, beside what is expected of them")
  .argument("[id...]", "such as S5 or H1 (default: all)")
  .option("--cpus <n>", "only on machines of this many CPUs, of those that a scenario names", whole)
  .option("--smallest", "each variant on its smallest machine only")
  .option("--list", "only tell what there is")
  .option("--json", "as JSON: rows of scenario, variant, cpus, expected, got")
  .addHelpText(
    "after",
    "\nExit codes: 0 every row is as expected, 1 some row is not, 2 wrong usage.\n\nExamples:\n  allstop scenarios\n  allstop scenarios S1 S34 --cpus 4\n  allstop scenarios --list",
  )
  .action(async (ids: readonly string[], options: ScenariosArguments) => {
    exitCode = await (await import("./scenarios.ts")).scenarios(ids, options);
  });

program
  .command("schema")
  .description("print the JSON Schema of scenario documents, or of cases: for editors and other validators")
  .addArgument(
    program.createArgument("[document]", "the kind of document").choices(["scenario", "case"]).default("scenario"),
  )
  .addHelpText(
    "after",
    `
A document that begins with "$schema": "PATH/scenario.schema.json" is completed and checked by editors while it is typed.
The package has the files, too: node_modules/allstop/schema/scenario.schema.json and case.schema.json.

Examples:
  allstop schema > scenario.schema.json
  allstop schema case`,
  )
  .action(async (document: SchemaName) => {
    exitCode = await (await import("./schema.ts")).schema(document);
  });

program
  .command("list")
  .description("list what there is to choose from")
  .addArgument(
    program
      .createArgument("[what]", "one list only")
      .choices(["topologies", "timings", "policies", "loads", "firmware"]),
  )
  .option("--verbose", "with sources, and every parameter of the timing models")
  .option("--json", "as JSON")
  .addHelpText("after", "\nExamples:\n  allstop list\n  allstop list timings --verbose")
  .action(async (what: Listable | undefined, options: ListArguments) => {
    exitCode = (await import("./list.ts")).list(what, options);
  });

program
  .command("topology")
  .description("show a machine's shape")
  .argument("<machine>", "preset, spec such as 2x32x2, number of CPUs, or hwloc file (.xml)")
  .addOption(architecture())
  .option("--json", "as JSON")
  .addHelpText("after", "\nExamples:\n  allstop topology epyc-7742\n  allstop topology FILE.xml")
  .action(async (machine: string, options: TopologyArguments) => {
    exitCode = await (await import("./topology.ts")).showTopology(machine, options);
  });

program
  .command("calibrate")
  .description("measure a timing model by guest programs, beside what was published about its machine")
  .argument("<timing>", "timing model: see allstop list timings")
  .option("--json", "as JSON (allstop.calibration/1)")
  .addHelpText("after", "\nExamples:\n  allstop calibrate zen3\n  allstop calibrate neoverse-n1 --json")
  .action(async (timing: string, options: CalibrateArguments) => {
    exitCode = await (await import("./calibrate.ts")).showCalibration(timing, options);
  });

program
  .command("sweep")
  .description("run a scenario with fields over ranges and lists, and with seeds, on several threads")
  .argument("[scenario]", "scenario document (JSON), or a built-in one such as S24 (default: stop_machine on 64 CPUs)")
  .option("--variant <name>", "of a built-in scenario: see allstop scenarios --list (default its first)")
  .option("--vary <field=values>", "a field of the document and its values; may be repeated: all combinations", collect)
  .option("--seeds <seeds>", "repetitions, one per seed, such as 1-20 (default: the scenario's own seed)")
  .option("--workers <n>", "threads (default: one per CPU of this computer; 0: none but the main one)", whole)
  .option(
    "--out <file>",
    "rows to FILE.jsonl as they come, or to FILE.parquet at the end; what is there is not run again",
  )
  .option("--chart <file.svg>", "medians against the first numeric field, or machine.cpus, as a picture")
  .addOption(metric())
  .option("--json", "print the summary as JSON (allstop.sweep/1)")
  .addHelpText(
    "after",
    `
Values: a list 64,256,1024, a range FROM:TO or FROM:TO:STEP, a range FROM:TO:xFACTOR, or a JSON list for values with
commas. Fields as in the document: machine.cpus, policy.functionUs, load.common, load.particular.0.us …

A run that fails is a row with an error. Ctrl-C, or any other end, keeps what is done: the same command goes on.

Exit codes: 0 all runs completed and broke no rule, 1 some did not, 2 wrong usage, 130 interrupted.

Examples:
  allstop sweep --vary machine.cpus=64:1024:x2 --seeds 1-20 --out sweep.jsonl
  allstop sweep scenarios/epyc-mixed.json --vary policy.functionUs=0:10:2 --seeds 1-5
  allstop sweep S2 --vary machine.cpus=4,16 --out s2.parquet`,
  )
  .action(async (scenario: string | undefined, options: SweepArguments) => {
    exitCode = await (await import("./sweep.ts")).sweepCommand(scenario, options);
  });

program
  .command("compare")
  .description("run several stop paths, or variants of a built-in scenario, side by side: table and picture")
  .argument(
    "[scenario]",
    "what is the same in all runs: a document (JSON); or a built-in one, whose variants to compare",
  )
  .option("--policies <names>", "stop paths, such as stop_machine,cpu_offline: see allstop list policies")
  .option("--variants <names>", "of a built-in scenario (default all)")
  .option("--cpus <sizes>", "numbers of CPUs, a list or a range such as 64:1024:x2 (default 64,256,1024)")
  .option("--topologies <machines>", "instead of --cpus: presets, specs such as 2x32x2, or hwloc files (.xml)")
  .addOption(architecture())
  .option("--timing <name>", "timing model: see allstop list timings (default: the machine's)")
  .option("--feat-nmi", "the arm64 machines have FEAT_NMI: non-maskable interrupts of GICv3.3")
  .option("--firmware <name>", "arm64 firmware: see allstop list firmware (default compliant)")
  .option(
    "--load <kind[=us][:cpus]>",
    "what CPUs are doing: see allstop list loads; may be repeated (default idle)",
    collect,
  )
  .option("--wedge <cpus>", "CPUs that never answer, such as 3,8-11")
  .option("--active <cpus>", "who runs the function: first, all, or a list (default first)")
  .option("--function-us <us>", "how long the function takes, microseconds (default 0)", number)
  .option("--limit-ms <ms>", "simulated time after which a run is given up, milliseconds (default 1000)", number)
  .option("--seeds <seeds>", "repetitions, one per seed, such as 1-20 (default 1)")
  .option("--workers <n>", "threads (default: one per CPU of this computer; 0: none but the main one)", whole)
  .addOption(metric())
  .option(
    "--out <file>",
    "FILE.svg: a line per path over CPUs, or over machines; FILE.html: tables, pictures, each path's call on the largest machine",
  )
  .option("--json", "print the comparison as JSON (allstop.comparison/1)")
  .addHelpText(
    "after",
    `
Exit codes: 0 all runs completed and broke no rule, 1 some did not, 2 wrong usage, 130 interrupted.

Examples:
  allstop compare --policies stop_machine,cpu_offline --cpus 64,256,1024 --load mixed --seeds 1-5 --out compare.svg
  allstop compare --policies stop_machine,stop_core --topologies epyc-7742,icelake-8375c,sgi-uv-768
  allstop compare S2 --cpus 4,16,64`,
  )
  .action(async (scenario: string | undefined, options: CompareArguments) => {
    exitCode = await (await import("./compare.ts")).compareCommand(scenario, options);
  });

takesScenario(
  program
    .command("trace")
    .description("run one scenario and write what every CPU did, for Perfetto or as ftrace's text")
    .argument("[scenario]", "scenario document (JSON), or a built-in one such as S24; options override what it says")
    .requiredOption("--out <file>", "NAME.pftrace: Perfetto's protobuf; NAME.txt: ftrace's text")
    .addOption(new Option("--format <format>", "whatever the file's name is").choices(["perfetto", "ftrace"]))
    .option("--cpus <cpus>", "only these CPUs, such as 0,8-15")
    .option("--stragglers <n>", "only the CPUs that stopped last, so many, and the one that called", whole)
    .option("--from-us <us>", "only from this simulated time on, microseconds from the machine's start", number)
    .option("--to-us <us>", "only before this time; the run ends there", number),
  "--machine-cpus <n>",
  "number of CPUs of the machine (default: the scenario's)",
)
  .addHelpText(
    "after",
    `
The file appears when it is whole. Open a .pftrace file at https://ui.perfetto.dev (the .txt file works there, too).

Exit codes: 0 the trace is written, whatever became of the call; 2 wrong usage.

Examples:
  allstop trace --topology epyc-9654 --load mixed --stragglers 8 --out last.pftrace
  allstop trace S13 --out S13.pftrace
  allstop trace --arch arm64 --machine-cpus 8 --wedge 3 --limit-ms 1 --out hang.txt`,
  )
  .action(async (scenario: string | undefined, options: TraceArguments) => {
    exitCode = await (await import("./trace.ts")).trace(scenario, options);
  });

program
  .command("disasm")
  .description("show the code of the kernel's routines, or of an ELF file, beside its source")
  .argument("[what...]", "routines of the kernel; or an ELF file, and routines of that (default: list the routines)")
  .addOption(architecture())
  .option("--policy <name>", "the kernel of this stop path: see allstop list policies (default stop_machine)")
  .option("--scenario <scenario>", "the kernel of a scenario document (JSON), or of a built-in one such as S24")
  .option("--variant <name>", "of a built-in scenario: see allstop scenarios --list (default its first)")
  .option("--cpus <n>", "number of CPUs that the kernel is built for (default: the scenario's, else 4)", whole)
  .option("--all", "all routines of the kernel")
  .option("--json", "as JSON (allstop.disassembly/1)")
  .addHelpText(
    "after",
    `
Columns: address, bytes (arm64: the word), instruction, what its operands mean, source line where it changes.
Marks, at which probes and faults are placed, stand before the instruction that they are at.

Needs the optional package @alexaltea/capstone-js, which npm install brings unless told otherwise.

Examples:
  allstop disasm --arch arm64
  allstop disasm multi_cpu_stop
  allstop disasm --policy nmi_stop --arch x86-64 --all
  allstop disasm image.elf main`,
  )
  .action(async (names: readonly string[], options: DisasmArguments) => {
    exitCode = await (await import("./disasm.ts")).disasm(names, options);
  });

takesScenario(
  program
    .command("step")
    .description("step through a run: instructions, events, registers, interrupts, cache lines; forwards and back")
    .argument("[what]", "scenario document (JSON), a built-in one such as S24, or a bare-metal arm64 image (.elf)")
    .option("--cpus <cpus>", "CPUs to step, such as 0,3; begins with the lowest (default all)")
    .option("--from-us <us>", "begin at this simulated time, microseconds from the machine's start", number)
    .option("--at <place>", "begin where one of the CPUs comes by a mark, symbol or address")
    .option("--lines", "requests for cache lines, grants and losses are events, too"),
  "--machine-cpus <n>",
  "number of CPUs of the machine (default: the scenario's)",
)
  .addHelpText(
    "after",
    `
On a terminal: a full-screen view. Space or → steps an instruction, ↓ an event, ← goes back, Tab goes to the next CPU,
? lists the commands, which are typed; Ctrl-C leaves. Otherwise: commands on stdin, a line each. Help is one of them.

Exit codes: 0 done, 2 wrong usage, or a command on stdin that makes no sense.

Examples:
  allstop step --machine-cpus 4 --cpus 0,3 --at multi_cpu_stop:enter
  echo "step 5" | allstop step S24
  printf 'until main\\nstep 3\\nregisters\\n' | allstop step image.elf`,
  )
  .action(async (what: string | undefined, options: StepArguments) => {
    exitCode = await (await import("./step.ts")).step(what, options);
  });

/** Usage errors print a message; only our own bugs print a stack. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  if (error instanceof AllstopError && error.code !== "CORE_TRAPPED") {
    process.stderr.write(`allstop: ${error.message} [${error.code}]\n`);
    return EXIT_USAGE;
  }
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return EXIT_FAILED;
}

ignoreClosedPipes();
program.exitOverride().configureOutput({ writeOut: (text) => print(text.trimEnd()) });
for (const command of program.commands) {
  command.copyInheritedSettings(program).exitOverride().allowExcessArguments(false);
}
try {
  await program.parseAsync();
} catch (error) {
  exitCode = report(error);
}
process.exitCode = exitCode;
