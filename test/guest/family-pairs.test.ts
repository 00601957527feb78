// Two callers of the stop family at the same time, in all pairings: nobody waits for ever, and each call does what it would do alone.
// ALLSTOP_SEEDS asks for more seeds than fit a test run, ALLSTOP_FIRST_SEED for others.

import { describe, expect, it } from "vitest";
import type { ExpandedRequest } from "../../src/scenario/requests.ts";
import { Random } from "../support/random.ts";
import {
  activeOf,
  architectures,
  onlineOf,
  resultOf,
  runFamily,
  stateOf,
  stopperEnabled,
  familyPolicies,
} from "./family.ts";
import type { Architecture, FamilyInput, FamilyRun, PolicyInput } from "./family.ts";
import { readCalls, type MadeCall } from "./family-oracle.ts";

const CPUS = 8;
const ENOENT = -2;
const seeds = Number(process.env["ALLSTOP_SEEDS"] ?? 1);
const firstSeed = Number(process.env["ALLSTOP_FIRST_SEED"] ?? 1);

const names = familyPolicies.map(({ name }) => name);
const pairs = names.flatMap((one, index) => names.slice(index).map((other) => [one, other] as const));

const kinds = ["idle", "busy", "poll", "irqs-off"] as const;

/** Two requests with everything drawn: who asks, about whom, how often, how much later, and what the CPUs do meanwhile. */
function draw(random: Random, pair: readonly [string, string], architecture: Architecture, seed: number): FamilyInput {
  const cpus = shuffled(random, CPUS);
  const callers = [cpus.pop() as number, cpus.pop() as number] as const;
  const starting = pair.map((name) => (name === "stop_machine_from_inactive_cpu" ? (cpus.pop() as number) : undefined));
  const call = (index: 0 | 1): PolicyInput & { requester: number } => {
    const name = pair[index];
    const anyone = shuffled(random, CPUS);
    const targetCount = { stop_two_cpus: 2, cpu_offline: random.between(1, 2) }[name] ?? 1;
    const targets = starting[index] === undefined ? anyone.slice(0, targetCount) : [starting[index]];
    const takesTargets = !["stop_machine", "stop_machine_cpuslocked"].includes(name);
    const takesActive = name.startsWith("stop_machine");
    return {
      name,
      requester: callers[index],
      ...(takesTargets ? { targets: targets.join(",") } : {}),
      ...(takesActive ? { active: random.pick(["first", "all", anyone.slice(0, 3).join(",")]) } : {}),
      ...(name === "cpu_offline" || starting[index] !== undefined ? {} : { rounds: random.between(1, 3) }),
    };
  };
  const particular = Array.from({ length: 3 }, () => ({
    cpus: String(random.between(0, CPUS - 1)),
    kind: random.pick(kinds),
  }));
  return {
    architecture,
    seed,
    policy: { ...call(0), jitterUs: random.pick([0, 2, 10]), also: [call(1)] },
    // Short pauses between calls: the closer they follow each other, the more of them meet.
    parameters: { settleTurns: random.pick([5, 50]) },
    load: { common: random.pick(["idle", "idle", "busy"]), particular },
  };
}

function shuffled(random: Random, count: number): number[] {
  const order = Array.from({ length: count }, (_, index) => index);
  for (let at = count - 1; at > 0; at--) {
    const other = random.between(0, at);
    [order[at], order[other]] = [order[other] as number, order[at] as number];
  }
  return order;
}

/** What is wrong with a call that returned. `goers` may have left or not yet have come when it was made. */
function judge(request: ExpandedRequest, made: MadeCall, goers: ReadonlySet<number>): string | undefined {
  const { policy, targets, active } = request;
  const everyone = Array.from({ length: CPUS }, (_, cpu) => cpu);
  const surely = everyone.filter((cpu) => !goers.has(cpu));
  const { captured, ran, returned } = made;
  const allCaptured = surely.every((cpu) => captured.includes(cpu));
  const list = (...cpus: number[]): string => cpus.toSorted((a, b) => a - b).join();
  switch (policy.name) {
    case "stop_machine":
    case "stop_machine_cpuslocked":
    case "stop_machine_from_inactive_cpu": {
      if (returned !== 0) return `returned ${returned}`;
      if (!allCaptured) return `captured only ${list(...captured)}`;
      // NULL is the first online CPU; one that is on its way up is not online.
      const online = captured.filter((cpu) => !(policy.request.startsTarget && targets.includes(cpu)));
      const runners = active === undefined ? online.slice(0, 1) : captured.filter((cpu) => active.includes(cpu));
      return list(...ran) === list(...runners) ? undefined : `ran on ${list(...ran)}, not ${list(...runners)}`;
    }
    case "stop_one_cpu":
    case "stop_one_cpu_nowait":
    case "stop_two_cpus": {
      const gone = ran.length === 0;
      if (gone && !targets.some((cpu) => goers.has(cpu))) return "did not run";
      if (!gone && list(...ran) !== String(targets[0])) return `ran on ${list(...ran)}`;
      if (policy.name === "stop_two_cpus" && list(...captured) !== (gone ? "" : list(...targets))) {
        return `captured ${list(...captured)}`;
      }
      const expected = gone && policy.name !== "stop_one_cpu_nowait" ? ENOENT : 0;
      return returned === expected ? undefined : `returned ${returned}`;
    }
    case "stop_core": {
      const threads = request.mask ?? [];
      const present = threads.filter((cpu) => !goers.has(cpu));
      if (list(...ran) !== list(...captured)) return `ran on ${list(...ran)}, captured ${list(...captured)}`;
      if (!present.every((cpu) => captured.includes(cpu)) || !captured.every((cpu) => threads.includes(cpu))) {
        return `captured ${list(...captured)}`;
      }
      const expected = captured.length === 0 ? ENOENT : 0;
      return returned === expected ? undefined : `returned ${returned}`;
    }
    case "cpu_offline":
      // One that is offline already, or not yet online, needs nothing.
      if (returned !== 0) return `returned ${returned}`;
      if (ran.length === 0) return targets.some((cpu) => goers.has(cpu)) ? undefined : "did nothing";
      if (!allCaptured) return `captured only ${list(...captured)}`;
      return ran.length === 1 && targets.includes(ran[0] as number) ? undefined : `took down ${list(...ran)}`;
    default:
      return `nobody knows what ${policy.name} should do`;
  }
}

/** Everything that is wrong with a run. */
function faultsOf({ expanded, machine, end, events }: FamilyRun): string[] {
  const { requests } = expanded;
  if (end.kind !== "probe" || end.probe !== "requester:done") {
    const where = Array.from({ length: CPUS }, (_, cpu) => `${cpu}: ${machine.cpu(cpu).at} ${machine.cpu(cpu).state}`);
    return [`ended by ${JSON.stringify(end)}; ${where.join("; ")}`];
  }
  const { calls, complaints } = readCalls(events);
  const goers = new Set(
    requests.flatMap(({ policy, targets }) =>
      policy.name === "cpu_offline" || policy.request.startsTarget === "calling" ? targets : [],
    ),
  );
  const faults = [...complaints];
  for (const request of requests) {
    const { requester, rounds, policy, targets } = request;
    const caller = policy.request.startsTarget === "calling" ? (targets[0] as number) : requester;
    const own = calls.filter((call) => call.requester === requester);
    if (own.length !== rounds) faults.push(`${policy.name}: ${own.length} of ${rounds} calls returned`);
    // What the starting CPU's call did lies in that CPU's memory; the requester's own record is empty.
    const started = policy.request.startsTarget === "calling" ? readStarting(events, caller) : undefined;
    for (const call of own) {
      const fault = judge(request, { ...call, ...started }, goers);
      if (fault !== undefined) faults.push(`${policy.name} by CPU ${requester}: ${fault}`);
    }
    const result = resultOf(machine, requester);
    if (result.rounds !== rounds) faults.push(`${policy.name}: ${result.rounds} rounds`);
  }
  return [...faults, ...endFaults(machine, events)];
}

/** The rendezvous of a CPU on its way up. */
function readStarting(events: FamilyRun["events"], cpu: number): Pick<MadeCall, "captured" | "ran"> {
  const own = events.filter(({ owner }) => owner === cpu);
  const cpusOf = (kind: string): number[] => own.filter((one) => one.kind === kind).map((one) => one.cpu);
  return { captured: cpusOf("enter").sort((a, b) => a - b), ran: cpusOf("run") };
}

/** Masks, stoppers and states agree, whoever won. */
function endFaults(machine: FamilyRun["machine"], events: FamilyRun["events"]): string[] {
  const online = onlineOf(machine);
  const dead = events.filter(({ kind }) => kind === "dead").map(({ cpu }) => cpu);
  const expected = Array.from({ length: CPUS }, (_, cpu) => cpu).filter((cpu) => !dead.includes(cpu));
  const faults: string[] = [];
  if (online.join() !== expected.join()) faults.push(`online ${online.join()}, dead ${dead.join()}`);
  if (activeOf(machine).join() !== online.join()) faults.push(`active ${activeOf(machine).join()}`);
  for (let cpu = 0; cpu < CPUS; cpu++) {
    const isOnline = online.includes(cpu);
    if (stopperEnabled(machine, cpu) !== isOnline) faults.push(`stopper of CPU ${cpu}`);
    if (stateOf(machine, cpu) !== (isOnline ? "Online" : "Offline"))
      faults.push(`CPU ${cpu} is ${stateOf(machine, cpu)}`);
  }
  for (const lock of ["stop_cpus_mutex", "cpu_add_remove_lock", "cpu_hotplug_lock"]) {
    const inImage = machine.image.symbols.some(({ name }) => name === lock);
    if (inImage && machine.readUint64(lock) !== 0n) faults.push(`${lock} is taken`);
  }
  return faults;
}

describe.each(architectures)("two callers at the same time on %s", (architecture) => {
  it.each(pairs)(
    `%s and %s (${seeds} seeds from ${firstSeed})`,
    async (...pair) => {
      for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
        const input = draw(new Random(seed), pair, architecture, seed);
        const faults = faultsOf(await runFamily(input));
        expect({ input, faults }).toEqual({ input, faults: [] });
      }
    },
    3_600_000,
  );
});
