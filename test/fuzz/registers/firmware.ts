// Fuzz target: calls of firmware by HVC and SMC, from several CPUs at once: PSCI, SDEI, the rest of SMCCC's ranges and none.

import { GICD_BASE, PL011_BASE } from "../../../src/abi.ts";
import { A64 } from "../../support/a64.ts";
import type { Random } from "../../support/random.ts";
import type { Arm64Program } from "./arm64-program.ts";
import { BLOCKS, DATA, RAM_BASE, RESUME, ROUTINES, arm64RegisterDialect } from "./arm64-program.ts";
import { interruptKinds } from "./arm64.ts";
import { someWord, type Kind, type Repertoire } from "./operations.ts";
import { entryOf, registerTarget, type RegisterDialect } from "./target.ts";

export const firmwareTarget = registerTarget("firmware-calls", "HVC and SMC: PSCI, SDEI, SMCCC", firmwareDialect);

const HANDLER_BYTES = 128;

export function firmwareDialect(): RegisterDialect {
  return arm64RegisterDialect(repertoire, { fixtures: [{ address: ROUTINES, bytes: handlers() }], startedLater: 40 });
}

const PSCI = 0x8400_0000;
const SDEI = 0xc400_0020;
const SMC64 = 0x4000_0000;
const CPU_OFF = PSCI + 2;
const CPU_ON = PSCI + 3;
const AFFINITY_INFO = PSCI + 4;
const SYSTEM_OFF = PSCI + 8;
const SYSTEM_RESET = PSCI + 9;
const SYSTEM_RESET2 = PSCI + 0x12;
const SYSTEM_OFF2 = PSCI + 0x15;
const EVENT_REGISTER = SDEI + 1;
const EVENT_ENABLE = SDEI + 2;
const EVENT_DISABLE = SDEI + 3;
const EVENT_CONTEXT = SDEI + 4;
const EVENT_COMPLETE = SDEI + 5;
const EVENT_COMPLETE_AND_RESUME = SDEI + 6;
const EVENT_UNREGISTER = SDEI + 7;
const PE_MASK = SDEI + 0xb;
const PE_UNMASK = SDEI + 0xc;
const EVENT_SIGNAL = SDEI + 0xf;

// --- handlers of events ------------------------------------------------------------------------------------------------------

/** Each begins HANDLER_BYTES behind the one before. */
const eventHandlers: readonly ((a: A64) => void)[] = [
  (a) => complete(a, 0),
  (a) => complete(a, 1),
  (a) => complete(call(call(a, EVENT_CONTEXT, 3), EVENT_CONTEXT, 18), 0),
  // Resumes where the operation that was interrupted says, by an exception return.
  (a) => call(a.mov(1, ROUTINES + RESUMER * HANDLER_BYTES), EVENT_COMPLETE_AND_RESUME),
  (a) => void a.msr("elr_el1", RESUME).eret(),
  (a) => complete(call(call(a, EVENT_UNREGISTER, 0), EVENT_DISABLE, 0), 0),
  (a) => complete(signalSelf(a), 0),
  (a) => complete(call(a.daifclr(15), PE_MASK), 0),
  // Never done: parks, or turns itself off.
  (a) => void a.label("park").wfi().b("park"),
  (a) => call(a, CPU_OFF),
  // Without having been told to.
  (a) => void a.word(0),
];
const RESUMER = 4;
const HANDLERS = eventHandlers.length;

function call(a: A64, id: number, argument?: number): A64 {
  if (argument !== undefined) a.mov(1, argument);
  return a.mov(0, id).hvc();
}

/** Comes back if there is nothing to complete: goes on with the operation that follows. */
function complete(a: A64, status: number): A64 {
  return call(a, EVENT_COMPLETE, status).word(0xd61f_0000 | (RESUME << 5));
}

function signalSelf(a: A64): A64 {
  return a.mrs(2, "mpidr_el1").mov(3, 0xff_00ff_ffffn).word(0x8a03_0042).mov(1, 0).mov(0, EVENT_SIGNAL).hvc();
}

function handlers(): Uint8Array {
  const bytes = new Uint8Array(HANDLERS * HANDLER_BYTES);
  eventHandlers.forEach((emit, index) => {
    const a = new A64();
    emit(a);
    bytes.set(a.finish(), index * HANDLER_BYTES);
  });
  return bytes;
}

// --- arguments ---------------------------------------------------------------------------------------------------------------

/** Of a CPU that there is, mostly; with bits that must be zero, or of nobody. */
function someAffinity(random: Random, { place }: Arm64Program): bigint {
  const mpidr = BigInt(random.pick(place.topology.cpus).mpidr);
  if (random.chance(85)) return mpidr;
  if (random.chance(50)) return mpidr | (1n << BigInt(random.pick([24, 30, 31, 40, 63])));
  return random.chance(50) ? mpidr ^ (1n << BigInt(random.between(0, 39))) : someWord(random);
}

/** Code, in RAM but no code, a device, nowhere, misaligned. */
function someAddress(random: Random, program: Arm64Program): bigint {
  const kind = random.between(0, 9);
  if (kind < 5) return BigInt(ROUTINES + random.between(0, HANDLERS - 1) * HANDLER_BYTES);
  if (kind < 8) return someEntry(random, program);
  if (kind < 9)
    return BigInt(random.pick([DATA, BLOCKS, GICD_BASE, PL011_BASE, RAM_BASE, RAM_BASE - 4, ROUTINES + 2, 0]));
  return someWord(random);
}

function someEntry(random: Random, { place }: Arm64Program): bigint {
  return BigInt(entryOf(RAM_BASE, random.pick(place.topology.cpus).number));
}

function someArgument(random: Random, program: Arm64Program): bigint {
  const kind = random.between(0, 9);
  if (kind < 3) return BigInt(random.between(0, 4));
  if (kind < 5) return someAffinity(random, program);
  if (kind < 7) return someAddress(random, program);
  return kind < 8 ? BigInt(someFunction(random)) : someWord(random);
}

/** Of PSCI, SDEI, the architecture, other owners, in either width; mostly such as leave the machine running. */
function someFunction(random: Random): number {
  const kind = random.between(0, 9);
  let id: number;
  if (kind < 3) id = PSCI + random.between(0, 0x1f);
  else if (kind < 7) id = SDEI + random.between(0, 0x1f);
  else if (kind < 8) id = random.pick([0x8000_0000, 0x8000_0001, 0x8000_0002, 0x8000_8000, 0x8000_3fff, 0x8400_ff01]);
  else if (kind < 9) id = (random.between(0, 63) << 24) | random.pick([0, 0x8000_0000]) | (random.next() & 0xffff);
  else id = random.next();
  if (random.chance(15)) id ^= SMC64;
  id >>>= 0;
  return ends(id) ? AFFINITY_INFO : id;
}

/** Machine or CPU goes off. */
function ends(id: number): boolean {
  return [CPU_OFF, SYSTEM_OFF, SYSTEM_RESET, SYSTEM_RESET2, SYSTEM_OFF2].includes((id & ~SMC64) >>> 0);
}

type Argument = (random: Random, program: Arm64Program) => bigint;

const constant =
  (...values: number[]): Argument =>
  (random) =>
    BigInt(random.pick(values));
const event = constant(0, 0, 0, 0, 1, 0x4000_0000, 0x8000_0000);

/** Calls as a kernel makes them, with the arguments that they take. */
const calls: readonly (readonly [weight: number, id: number, ...arguments_: Argument[]])[] = [
  [2, PSCI],
  [14, (CPU_ON | SMC64) >>> 0, someAffinity, someEntry, someWord],
  [1, CPU_ON, someAffinity, someAddress, someWord],
  [6, (AFFINITY_INFO | SMC64) >>> 0, someAffinity, constant(0, 0, 0, 1, 3)],
  [3, ((PSCI + 1) | SMC64) >>> 0, constant(0, 0, 1, 0x1_0000, 0x4000_0000), someAddress, someWord],
  [2, PSCI + 0xa, someArgument],
  [1, ((PSCI + 0xe) | SMC64) >>> 0, someAddress, someWord],
  [2, SDEI],
  [14, EVENT_REGISTER, event, someAddress, someWord, constant(0, 0, 0, 1, 2), someAffinity],
  [14, EVENT_ENABLE, event],
  [3, EVENT_DISABLE, event],
  [3, EVENT_CONTEXT, constant(0, 1, 17, 18, 30, 31)],
  [3, EVENT_COMPLETE, constant(0, 1, 2)],
  [2, EVENT_COMPLETE_AND_RESUME, someAddress],
  [4, EVENT_UNREGISTER, event],
  [3, SDEI + 8, event],
  [3, SDEI + 9, event, constant(0, 1, 2, 3, 4, 5)],
  [2, SDEI + 0xa, event, constant(0, 1), someAffinity],
  [4, PE_MASK],
  [14, PE_UNMASK],
  [3, SDEI + 0xd, constant(16, 27, 32, 40, 1023)],
  [2, SDEI + 0xe, event],
  [20, EVENT_SIGNAL, event, someAffinity],
  [2, SDEI + 0x10, constant(0, 1, 2)],
  [2, SDEI + 0x11],
  [2, SDEI + 0x12],
];

const SMC = 0xd400_0003;

/** By HVC or SMC, with an immediate other than 0 now and then. */
function conduit({ code }: Arm64Program, random: Random): void {
  const immediate = random.chance(95) ? 0 : random.next() & 0xffff;
  code.word((random.chance(75) ? 0xd400_0002 : SMC) | (immediate << 5));
}

function emitCall(program: Arm64Program, random: Random, id: number, values: readonly bigint[]): void {
  values.forEach((value, index) => void program.code.mov(index + 1, value));
  program.code.mov(0, random.chance(97) ? id : BigInt(id) | (BigInt(random.next()) << 32n));
  conduit(program, random);
}

const repertoire: Repertoire<Arm64Program> = {
  usual: [
    ...calls.map(([weight, id, ...arguments_]): Kind<Arm64Program> => ({
      weight: 2 * weight,
      emit: (program, random) => {
        emitCall(
          program,
          random,
          random.chance(95) ? id : (id ^ SMC64) >>> 0,
          arguments_.map((argument) => (random.chance(94) ? argument(random, program) : someWord(random))),
        );
      },
    })),
    {
      weight: 60,
      emit: (program, random) => {
        const values = Array.from({ length: random.between(0, 5) }, () => someArgument(random, program));
        emitCall(program, random, someFunction(random), values);
      },
    },
    { weight: 2, emit: (program, random) => emitCall(program, random, CPU_OFF, []) },
    ...interruptKinds.map(({ weight, emit }) => ({ weight: 2 * weight, emit })),
  ],
  reckless: [
    { weight: 20, emit: (program, random) => emitCall(program, random, CPU_OFF, []) },
    {
      weight: 1,
      emit: (program, random) => {
        const id = random.pick([SYSTEM_OFF, SYSTEM_RESET, SYSTEM_RESET2, SYSTEM_OFF2]);
        emitCall(program, random, id >>> 0, [someArgument(random, program), someWord(random)]);
      },
    },
  ],
};
