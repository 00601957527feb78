// ftrace text against the kernel's formats: trace_print_context() of kernel/trace/trace_output.c for the lines, TP_printk() of
// include/trace/events/ for what the events print, Documentation/trace/ftrace.rst for the header.

import { describe, expect, it } from "vitest";
import type { ScenarioInput } from "../../src/scenario/document.ts";
import { maskText } from "../../src/trace/interrupt-names.ts";
import { scenario, traced } from "./runs.ts";

const LINE = /^ {0,15}(\S{1,16})-(\d+) *\s\[(\d{3,})\] ([.a-zA-Z0-9]{4}) +(\d+)\.(\d{9}): ([a-z_]+): (.*)$/;

/** What each event prints, by the format in the kernel. */
const FORMATS: Record<string, RegExp> = {
  sched_switch:
    /^prev_comm=(\S{1,16}) prev_pid=(\d+) prev_prio=(\d+) prev_state=([RSD]|R\+) ==> next_comm=(\S{1,16}) next_pid=(\d+) next_prio=(\d+)$/,
  sched_waking: /^comm=\S{1,16} pid=\d+ prio=\d+ target_cpu=\d{3,}$/,
  cpu_idle: /^state=(\d+) cpu_id=(\d+)$/,
  ipi_send_cpu: /^cpu=\d+ callsite=\S+ callback=\S+$/,
  ipi_send_cpumask: /^cpumask=[0-9a-f]{8}(,[0-9a-f]{8})* callsite=\S+ callback=\S+$/,
  ipi_raise: /^target_mask=[0-9a-f]{8}(,[0-9a-f]{8})* \([\w ]+\)$/,
  ipi_entry: /^\([\w ]+\)$/,
  ipi_exit: /^\([\w ]+\)$/,
  irq_handler_entry: /^irq=\d+ name=\S+$/,
  irq_handler_exit: /^irq=\d+ ret=(handled|unhandled)$/,
  reschedule_entry: /^vector=253$/,
  reschedule_exit: /^vector=253$/,
  call_function_entry: /^vector=252$/,
  call_function_exit: /^vector=252$/,
  call_function_single_entry: /^vector=251$/,
  call_function_single_exit: /^vector=251$/,
  nmi_handler: /^[a-z_]\w*\(\) delta_ns: \d+ handled: \d+$/,
  tracing_mark_write: /^(?:([SF])\|(\d+)\|([^|]+)\|(\d+)|I\|(\d+)\|([^|]+))$/,
};

interface Line {
  readonly comm: string;
  readonly pid: number;
  readonly cpu: number;
  readonly ns: bigint;
  readonly event: string;
  /** Of its format. */
  readonly fields: readonly string[];
}

function parse(text: string): Line[] {
  const lines = text.trimEnd().split("\n");
  expect(lines[0]).toBe("# tracer: nop");
  const isHeader = (line: string): boolean => line.startsWith("#");
  const start = lines.findIndex((line) => !isHeader(line));
  return lines.slice(start).map((line) => {
    const [, comm = "", pid, cpu, , seconds = "", fraction = "", event = "", printed = ""] = LINE.exec(line) ?? [];
    const fields = FORMATS[event]?.exec(printed);
    if (!fields) throw new Error(`no line of ftrace: ${line}`);
    const ns = BigInt(seconds) * 1_000_000_000n + BigInt(fraction);
    return { comm, pid: Number(pid), cpu: Number(cpu), ns, event, fields: fields.slice(1) };
  });
}

type Fields = Omit<ScenarioInput, "format">;

async function ftrace(fields: Fields): Promise<Line[]> {
  const { bytes } = await traced(scenario(fields), { format: "ftrace" });
  return parse(new TextDecoder().decode(bytes));
}

/** Time, tasks, handlers, idle and marks are what they can be, from line to line. */
function expectConsistent(lines: readonly Line[]): void {
  const tasks = new Map<number, string>();
  const idle = new Map<string, string>();
  const open = new Set<string>();
  lines.forEach((line, index) => {
    expect(line.ns >= (lines[index - 1]?.ns ?? 0n)).toBe(true);
    expect(`${line.cpu} ${line.pid}`).toBe(`${line.cpu} ${tasks.get(line.cpu) ?? 0}`);
    expect(line.comm === "<idle>").toBe(line.pid === 0);
    const { event, fields } = line;
    if (event === "sched_switch") {
      expect(fields[1]).toBe(String(line.pid));
      expect(line.pid === 0 || fields[0] === line.comm).toBe(true);
      tasks.set(line.cpu, fields[5] ?? "");
    } else if (event === "cpu_idle") {
      const [state = "", cpu = ""] = fields;
      expect(cpu).toBe(String(line.cpu));
      // Idle is left once for each time that it is entered.
      expect(state === "4294967295").toBe(idle.has(cpu));
      if (!idle.delete(cpu)) idle.set(cpu, state);
    } else if (event === "tracing_mark_write" && fields[0] !== undefined) {
      const slice = fields.slice(1).join("|");
      expect(open.has(slice)).toBe(fields[0] === "F");
      if (!open.delete(slice)) open.add(slice);
    }
  });
  expect([...open]).toEqual([]);
}

function count(lines: readonly Line[], event: string): number {
  return lines.filter((line) => line.event === event).length;
}

describe("ftrace text", () => {
  it("of arm64 has its IPIs as the kernel names them", async () => {
    const lines = await ftrace({ machine: { architecture: "arm64", cpus: 64 } });
    expectConsistent(lines);
    // 63 stopper threads are woken, and the caller's task.
    expect(count(lines, "ipi_send_cpu")).toBe(64);
    expect(count(lines, "ipi_raise")).toBe(64);
    expect(count(lines, "ipi_entry")).toBe(64);
    expect(count(lines, "ipi_exit")).toBe(64);
    expect(count(lines, "sched_waking")).toBe(65);
  });

  it("of x86-64 has interrupts by vector", async () => {
    const lines = await ftrace({ machine: { architecture: "x86-64", cpus: 16 }, load: { common: "busy" } });
    expectConsistent(lines);
    expect(count(lines, "reschedule_entry")).toBeGreaterThanOrEqual(15);
    expect(count(lines, "reschedule_exit")).toBe(count(lines, "reschedule_entry"));
    expect(count(lines, "ipi_send_cpu")).toBe(count(lines, "reschedule_entry"));
    const preempted = lines.filter(({ event, fields }) => event === "sched_switch" && fields[3] === "R+");
    expect(preempted.length).toBeGreaterThanOrEqual(15);
  });

  it.each<[string, Fields]>([
    ["several calls", { policy: { rounds: 3 }, load: { common: "mixed" } }],
    ["NMIs", { policy: { name: "stop_machine_nmi_d", active: "all" } }],
    ["a reboot", { policy: { name: "reboot_nmi" }, load: { particular: [{ cpus: "3", kind: "irqs-off" }] } }],
    ["a microcode update", { policy: { name: "microcode_v2" } }],
    ["a CPU that goes offline", { policy: { name: "cpu_offline", targets: "5" } }],
    ["a benchmark of interrupts", { policy: { name: "ipi-benchmark", rounds: 2 } }],
  ])("of %s is in order", async (_, fields) => {
    expectConsistent(await ftrace({ machine: { architecture: "x86-64", cpus: 8 }, ...fields }));
  });

  it.each<[string, Fields]>([
    [
      "stop by pseudo-NMI",
      {
        policy: { name: "smp_send_stop_6_12" },
        load: { particular: [{ cpus: "3", kind: "irqs-off", offUs: 2_000_000 }] },
      },
    ],
    [
      "a kexec crash",
      { policy: { name: "panic_kexec_arm64_sdei" }, load: { particular: [{ cpus: "3", kind: "wedged" }] } },
    ],
  ])("of %s is in order", async (_, fields) => {
    const document: Fields = { machine: { architecture: "arm64", cpus: 8 }, limitUs: 5_000_000, ...fields };
    expectConsistent(await ftrace(document));
  });
});

describe("masks", () => {
  it("are printed in whole longs, as in target_mask=00000000,00000004", () => {
    // trace_print_bitmask_seq() of kernel/trace/trace_output.c prints as many bits as the event's array of longs has, by %*pb.
    expect(maskText([2], 8)).toBe("00000000,00000004");
    expect(maskText([0, 1, 63], 64)).toBe("80000000,00000003");
    expect(maskText([31, 64], 65)).toBe("00000000,00000001,00000000,80000000");
  });
});
