// What interrupts are called: by this trace, and by the tracepoints of the kernel.

import { DeliveryMode, LinuxVector } from "../abi.ts";
import type { Architecture } from "../topology/index.ts";
import type { KernelEvent } from "./event.ts";

/** An interrupt as its message has it: number, and x86-64's delivery mode. */
export interface InterruptId {
  readonly number: number;
  readonly mode: number;
}

/** How a record of the core has it in its subject. */
export function interruptOf(subject: number): InterruptId {
  return { number: subject & 0xff, mode: (subject >>> 8) & 7 };
}

/** Vectors with tracepoints of their own (arch/x86/include/asm/trace/irq_vectors.h). */
const VECTORS = new Map<number, string>([
  [LinuxVector.REBOOT, "reboot"],
  [LinuxVector.CALL_FUNCTION_SINGLE, "call_function_single"],
  [LinuxVector.CALL_FUNCTION, "call_function"],
  [LinuxVector.RESCHEDULE, "reschedule"],
  [LinuxVector.ERROR_APIC, "error_apic"],
  [LinuxVector.SPURIOUS_APIC, "spurious_apic"],
]);
/** The kernel has none for REBOOT_VECTOR. */
const UNTRACED = new Set<number>([LinuxVector.REBOOT]);
/** Those that ipi_send_cpu and ipi_send_cpumask tell of: NMIs and the reboot vector are sent without. */
const SENT_WITH_TRACE = new Set<number>([
  LinuxVector.CALL_FUNCTION_SINGLE,
  LinuxVector.CALL_FUNCTION,
  LinuxVector.RESCHEDULE,
]);

/** ipi_types of arch/arm64/kernel/smp.c, by SGI. */
const SGIS: readonly (readonly [name: string, reason: string])[] = [
  ["reschedule", "Rescheduling interrupts"],
  ["call_function", "Function call interrupts"],
  ["cpu_stop", "CPU stop interrupts"],
  ["cpu_stop_nmi", "CPU stop NMIs"],
  ["timer", "Timer broadcast interrupts"],
  ["irq_work", "IRQ work interrupts"],
  ["cpu_backtrace", "CPU backtrace interrupts"],
  ["kgdb_roundup", "KGDB roundup interrupts"],
];
const FIRST_PPI = 16;

const MODES = new Map<number, string>([
  [DeliveryMode.SMI, "SMI"],
  [DeliveryMode.NMI, "NMI"],
  [DeliveryMode.INIT, "INIT"],
  [DeliveryMode.STARTUP, "SIPI"],
]);

/** Its name in the trace. */
export function interruptName(architecture: Architecture, { number, mode }: InterruptId): string {
  if (architecture === "x86-64") return MODES.get(mode) ?? VECTORS.get(number) ?? `vector 0x${number.toString(16)}`;
  return SGIS[number]?.[0] ?? `INTID ${number}`;
}

/** Lines of the kernel around a handler; undefined: it has none. */
export function handlerEvents(
  architecture: Architecture,
  id: InterruptId,
): { readonly entry: KernelEvent; readonly exit: KernelEvent } | undefined {
  const { number } = id;
  if (architecture === "x86-64") {
    if (UNTRACED.has(number) || MODES.has(id.mode)) return undefined;
    const name = VECTORS.get(number);
    if (name === undefined) return deviceEvents(number, interruptName(architecture, id));
    const text = `vector=${number}`;
    return { entry: { name: `${name}_entry`, text }, exit: { name: `${name}_exit`, text } };
  }
  const reason = SGIS[number]?.[1];
  if (number >= FIRST_PPI || reason === undefined) return deviceEvents(number, `intid-${number}`);
  const text = `(${reason})`;
  return { entry: { name: "ipi_entry", text }, exit: { name: "ipi_exit", text } };
}

function deviceEvents(irq: number, name: string): { readonly entry: KernelEvent; readonly exit: KernelEvent } {
  return {
    entry: { name: "irq_handler_entry", text: `irq=${irq} name=${name.replaceAll(" ", "-")}` },
    exit: { name: "irq_handler_exit", text: `irq=${irq} ret=handled` },
  };
}

/**
 * Lines of the kernel that tell of a send. No record has the sender's code, so that callsite and callback are 0.
 * @param cpus how many CPUs the kernel knows: the width of its masks
 */
export function sendEvents(
  architecture: Architecture,
  { number, mode }: InterruptId,
  targets: readonly number[],
  cpus: number,
): readonly KernelEvent[] | undefined {
  const [target] = targets;
  const isTraced = architecture === "x86-64" ? mode === 0 && SENT_WITH_TRACE.has(number) : number <= 1;
  const generic: KernelEvent[] = !isTraced
    ? []
    : targets.length === 1
      ? [{ name: "ipi_send_cpu", text: `cpu=${target} callsite=0x0 callback=0x0` }]
      : [{ name: "ipi_send_cpumask", text: () => `cpumask=${maskText(targets, cpus)} callsite=0x0 callback=0x0` }];
  if (architecture === "x86-64") return isTraced ? generic : undefined;
  const reason = SGIS[number]?.[1] ?? `INTID ${number}`;
  return [...generic, { name: "ipi_raise", text: () => `target_mask=${maskText(targets, cpus)} (${reason})` }];
}

const LONG_BITS = 64;

/** As trace_print_bitmask_seq() prints masks: whole longs in words of 32 bits, the most significant first. */
export function maskText(members: readonly number[], cpus: number): string {
  const words = new Uint32Array(2 * Math.ceil(cpus / LONG_BITS));
  for (const member of members) words[member >> 5]! |= 1 << (member & 31);
  return [...words]
    .reverse()
    .map((word) => word.toString(16).padStart(8, "0"))
    .join(",");
}
