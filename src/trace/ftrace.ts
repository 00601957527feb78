// Text as ftrace's trace and trace_pipe have it (trace_print_context() of kernel/trace/trace_output.c), with times in nanoseconds instead
// of microseconds: nine digits, as `trace-cmd report -t` prints them.
//
// What the kernel has tracepoints for is told in their words. The rest are marks of user space: `S` and `F` of slices, which may begin in
// one task and end in another as phases do, and `I` of instants.

import { CHUNK_BYTES, type TraceEncoder, type TraceSubject } from "./encoder.ts";
import type { KernelEvent, Task, TraceEvent } from "./event.ts";
import { idleTaskOf } from "./tasks.ts";

const NS_PER_SECOND = 1_000_000_000;
const COMM_COLUMNS = 16;
/** Whose marks they are: init's. */
const MARKING_PID = 1;
/** The kernel's record of interrupts being off, preemption and context: not traced. */
const FLAGS = "....";

export class FtraceEncoder implements TraceEncoder {
  readonly #nsOf: (cycle: number) => number;
  readonly #tasks = new Map<number, Task>();
  readonly #encoder = new TextEncoder();
  #lines: string[] = [];
  #characters = 0;

  constructor({ title, topology, cpus, nsOf }: TraceSubject) {
    this.#nsOf = nsOf;
    const header = [
      "# tracer: nop",
      "#",
      `# allstop: ${title}, ${cpus.length} of ${topology.cpus.length} CPUs`,
      "#",
      "#                                _-----=> irqs-off",
      "#                               / _----=> need-resched",
      "#                              | / _---=> hardirq/softirq",
      "#                              || / _--=> preempt-depth",
      "#                              ||| /",
      "#           TASK-PID     CPU#  ||||   TIMESTAMP  FUNCTION",
      "#              | |         |   ||||      |         |",
    ];
    for (const line of header) this.#push(line);
  }

  readonly write = (event: TraceEvent): void => {
    for (const { name, text } of event.kernel ?? [markOf(event)]) {
      this.#push(this.#line(event, name, typeof text === "string" ? text : text()));
    }
    if (event.type === "begin" && event.task !== undefined) this.#tasks.set(event.cpu, event.task);
  };

  readonly take = (isAll = false): Uint8Array | undefined => {
    if (this.#characters < (isAll ? 1 : CHUNK_BYTES)) return undefined;
    const bytes = this.#encoder.encode(this.#lines.join(""));
    this.#lines = [];
    this.#characters = 0;
    return bytes;
  };

  #line({ cpu, cycle }: TraceEvent, name: string, text: string): string {
    const { comm, pid } = this.#tasks.get(cpu) ?? idleTaskOf(cpu);
    const task = `${(pid === 0 ? "<idle>" : comm).padStart(COMM_COLUMNS)}-${String(pid).padEnd(7)}`;
    const ns = this.#nsOf(cycle);
    const seconds = String(Math.floor(ns / NS_PER_SECOND)).padStart(5);
    const fraction = String(ns % NS_PER_SECOND).padStart(9, "0");
    return `${task} [${String(cpu).padStart(3, "0")}] ${FLAGS} ${seconds}.${fraction}: ${name}: ${text}`;
  }

  #push(line: string): void {
    this.#lines.push(`${line}\n`);
    this.#characters += line.length + 1;
  }
}

/** Slices carry their CPU as a cookie, so that two of one name don't mix. */
function markOf(event: TraceEvent): KernelEvent {
  const name = event.name.replaceAll("|", "/");
  if (event.type !== "instant") {
    const letter = event.type === "begin" ? "S" : "F";
    return { name: "tracing_mark_write", text: `${letter}|${MARKING_PID}|${name}|${event.cpu}` };
  }
  const values = Object.entries(event.values ?? {}).map(([key, value]) => ` ${key}=${value}`);
  return { name: "tracing_mark_write", text: `I|${MARKING_PID}|${name}${values.join("").replaceAll("|", "/")}` };
}
