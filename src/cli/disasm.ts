// allstop disasm: the code of the kernel's routines, or of an ELF file, beside its source.

// First, since the order in which guest modules load is the order of routines in an image.
import "../guest/kernel.ts";
import { readFile } from "node:fs/promises";
import { parseElf } from "../asm/index.ts";
import {
  DISASSEMBLY_FORMAT,
  disassemble,
  imageOfElfFile,
  routinesOf,
  type CodeImage,
  type Disassembly,
} from "../disassembly/disassemble.ts";
import { disassemblyLines, hexBytes } from "../disassembly/text.ts";
import { AllstopError } from "../errors.ts";
import { policies } from "../policies/index.ts";
import { tableLines } from "../report/table.ts";
import { kernelFor } from "../scenario/run.ts";
import { parseScenario } from "../scenario/document.ts";
import { expandScenario } from "../scenario/expand.ts";
import type { Architecture } from "../topology/index.ts";
import { scenarioFromArguments, type RunArguments } from "./run.ts";
import { palette, print } from "./terminal.ts";

export interface DisasmArguments extends Pick<RunArguments, "arch" | "policy" | "cpus" | "variant" | "firmware"> {
  readonly scenario?: string;
  readonly all?: true;
  readonly json?: true;
}

/** @returns the exit code */
export async function disasm(names: readonly string[], options: DisasmArguments): Promise<number> {
  const [first] = names;
  const isFile = first !== undefined && /[/\\.]/.test(first);
  const image = isFile ? await elfImage(first) : await kernelImage(options);
  const wanted = isFile ? names.slice(1) : names;
  if (wanted.length === 0 && !isFile && !options.all) {
    listRoutines(image, options);
    return 0;
  }
  const disassembly = await disassemble(image, wanted.length === 0 ? undefined : wanted);
  if (options.json) print(JSON.stringify(documentOf(disassembly), null, 2));
  else for (const line of disassemblyLines(disassembly, palette())) print(line);
  return 0;
}

async function elfImage(file: string): Promise<CodeImage> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new AllstopError("OPTION_INVALID", `an image file that can't be read (${reason})`, { value: file, cause });
  });
  return imageOfElfFile(parseElf(bytes));
}

/** The kernel of a scenario: of four CPUs, if none says another number, since that changes no code. */
async function kernelImage(options: DisasmArguments): Promise<CodeImage> {
  const { scenario, arch = ownArchitecture(options), policy, variant, firmware } = options;
  const cpus = options.cpus ?? (scenario === undefined ? FEW_CPUS : undefined);
  const given = Object.entries({ arch, policy, variant, firmware, cpus }).filter(([, value]) => value !== undefined);
  const { document, topology, explain } = await scenarioFromArguments(scenario, Object.fromEntries(given));
  try {
    return kernelFor(expandScenario(parseScenario(document), topology));
  } catch (error) {
    throw explain(error);
  }
}

/** Of a stop path that only one architecture has. */
function ownArchitecture({ policy }: DisasmArguments): Architecture | undefined {
  const [first, ...others] = policies.find(({ name }) => name === policy)?.architectures ?? [];
  return others.length === 0 ? first : undefined;
}

const FEW_CPUS = 4;

function listRoutines(image: CodeImage, { json }: DisasmArguments): void {
  const routines = routinesOf(image).map(({ name, address, size, section }) => ({ name, address, size, section }));
  if (json) {
    print(JSON.stringify({ format: DISASSEMBLY_FORMAT, architecture: image.architecture, routines }, null, 2));
    return;
  }
  const columns = [{ title: "address" }, { title: "bytes" }, { title: "routine", text: true as const }];
  const rows = routines.map(({ name, address, size }) => [`0x${address.toString(16)}`, String(size), name]);
  for (const line of tableLines(columns, rows, palette())) print(line);
}

/** Bytes as text: JSON has none. */
function documentOf({ architecture, routines }: Disassembly): object {
  return {
    format: DISASSEMBLY_FORMAT,
    architecture,
    routines: routines.map(({ instructions, ...routine }) => ({
      ...routine,
      instructions: instructions.map(({ bytes, ...one }) => ({ ...one, bytes: hexBytes(bytes) })),
    })),
  };
}
