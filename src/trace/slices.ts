// Slices that are open on one CPU's execution track: tasks, and in each what it is in the middle of, which waits while another task runs.

import { idleTaskOf } from "./tasks.ts";
import type { Details, Emit, KernelEvent, Task } from "./event.ts";

export interface OpenSlice extends Details {
  readonly name: string;
  /** What the kernel says at its begin and at its end. */
  readonly kernel?: readonly KernelEvent[];
  readonly kernelAtEnd?: readonly KernelEvent[];
}

export class ExecutionSlices {
  readonly #cpu: number;
  readonly #emit: Emit;
  #task: Task | undefined;
  #open: OpenSlice[] = [];
  /** What tasks are in the middle of that don't run, by name. */
  readonly #waiting = new Map<string, OpenSlice[]>();

  constructor(cpu: number, emit: Emit) {
    this.#cpu = cpu;
    this.#emit = emit;
  }

  get task(): Task | undefined {
    return this.#task;
  }

  /** Whether the idle task runs, in the middle of nothing. */
  get isIdle(): boolean {
    return this.#task?.pid === 0 && this.#open.length === 0;
  }

  /** The CPU executes something: it has begun with its idle task. */
  run(cycle: number): void {
    if (this.#task === undefined) this.#beginTask(cycle, idleTaskOf(this.#cpu), []);
  }

  begin(cycle: number, slice: OpenSlice): void {
    this.run(cycle);
    this.#open.push(slice);
    this.#emitBegin(cycle, slice);
  }

  /** Ends the innermost slice of which that is true, and what is open inside. Nothing, if there is none. */
  end(cycle: number, isWanted: (slice: OpenSlice) => boolean): void {
    const index = this.#open.findLastIndex(isWanted);
    if (index >= 0) this.#endDownTo(cycle, index);
  }

  switchTo(cycle: number, prev: Task, next: Task, kernel: readonly KernelEvent[]): void {
    if (this.#task === undefined) this.#beginTask(cycle, prev, []);
    const interrupted = [...this.#open];
    this.#endDownTo(cycle, 0, []);
    if (interrupted.length > 0) this.#waiting.set(prev.comm, interrupted);
    this.#endTask(cycle);
    this.#beginTask(cycle, next, kernel);
    const resumed = this.#waiting.get(next.comm) ?? [];
    this.#waiting.delete(next.comm);
    for (const slice of resumed) {
      this.#open.push(slice);
      this.#emitBegin(cycle, { name: slice.name, category: slice.category, kernel: [] });
    }
  }

  /** The CPU is reset: nothing goes on. */
  abandon(cycle: number): void {
    this.#endDownTo(cycle, 0);
    if (this.#task !== undefined) this.#endTask(cycle);
    this.#waiting.clear();
  }

  #beginTask(cycle: number, task: Task, kernel: readonly KernelEvent[]): void {
    this.#task = task;
    const at = { type: "begin", cycle, cpu: this.#cpu, track: "execution" } as const;
    this.#emit({ ...at, name: task.comm, category: "task", task, kernel });
  }

  #endTask(cycle: number): void {
    const name = this.#task?.comm ?? "";
    this.#task = undefined;
    this.#emit({ type: "end", cycle, cpu: this.#cpu, track: "execution", name, kernel: [] });
  }

  #emitBegin(cycle: number, { kernelAtEnd: _, ...slice }: OpenSlice): void {
    this.#emit({ type: "begin", cycle, cpu: this.#cpu, track: "execution", ...slice });
  }

  #endDownTo(cycle: number, left: number, instead?: readonly KernelEvent[]): void {
    while (this.#open.length > left) {
      const { name, kernelAtEnd } = this.#open.pop() as OpenSlice;
      const kernel = instead ?? kernelAtEnd;
      const what = { type: "end", cycle, cpu: this.#cpu, track: "execution", name } as const;
      this.#emit(kernel === undefined ? what : { ...what, kernel });
    }
  }
}
