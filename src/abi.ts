// Everything that the host and the WebAssembly core must agree on: compiled by both, so that it can't drift.
// Only what TypeScript and AssemblyScript read alike: numeric constants, arithmetic on them, plain enums.

/** Changes whenever anything below does; the boundary file refuses a core with another number. */
export const ABI_VERSION = 6;

export enum Architecture {
  X86_64 = 0,
  ARM64 = 1,
}

/** Bytes of a cache line: the unit of coherence on both architectures. */
export const LINE_BYTES = 64;
export const LINE_SHIFT = 6;
export const PAGE_BYTES = 4096;
export const PAGE_SHIFT = 12;

/** Hard limits. Reaching one is an error that names it. */
export const MAX_CPUS = 65536;
/** Cores of one last-level-cache domain: one bit each in a directory entry, in 64-bit words. */
export const MAX_CORES_PER_DOMAIN = 512;
export const MAX_THREADS_PER_CORE = 8;
export const MAX_NODES = 1024;
/** Guest physical addresses, exclusive: the page table of the core is flat. */
export const ADDRESS_LIMIT = 0x1_0000_0000;

/** x86: revision of the microcode that an update brings. */
export const MICROCODE_REVISION = 2;

// ---------------------------------------------------------------------------------------------------------------------
// Pages: one 32-bit word per 4 KiB page of guest physical memory.

export const PAGE_READ = 1;
export const PAGE_WRITE = 2;
export const PAGE_EXECUTE = 4;
/** Backed by RAM: data and coherence apply. */
export const PAGE_RAM = 8;
/** A device window: accesses become device transactions. Bits 31:16 hold the `Device`. */
export const PAGE_DEVICE = 16;
export const PAGE_RIGHTS = 7;
/** Bits 31:16: the NUMA node of a RAM page, or the `Device` of a device page. */
export const PAGE_OWNER_SHIFT = 16;

export enum Device {
  NONE = 0,
  PL011 = 1,
  GIC_DISTRIBUTOR = 2,
  GIC_REDISTRIBUTOR = 3,
  /** Not in memory: calls of EL3 by HVC and SMC. */
  FIRMWARE = 4,
  /** Not in memory: the x86 I/O ports. */
  PORTS = 5,
  /** The page of the accessing CPU's own local APIC, in xAPIC mode. */
  LOCAL_APIC = 6,
  /** Not in memory: what CPU interfaces tell the GIC's distributor, and wires that the host drives. */
  GIC_STREAM = 7,
  /** A device that the platform has and this version doesn't model: an access stops the machine. */
  UNMODELLED = 8,
}

// ---------------------------------------------------------------------------------------------------------------------
// Warmth: what caches hold before the first instruction, as if the kernel had been running for a while.

export enum Warmth {
  /** In memory only. */
  COLD = 0,
  /** Writable copy in the caches of one core. */
  OWNED = 1,
  /** Readable copy in the caches of every core with an online CPU. */
  SHARED = 2,
}

// ---------------------------------------------------------------------------------------------------------------------
// CPUs

export enum CpuState {
  /** Never started: waits for the host or for firmware (or does not exist). */
  OFFLINE = 0,
  RUNNING = 1,
  /** An access misses, or a device has not answered yet. */
  BLOCKED = 2,
  /** HLT, MWAIT, TPAUSE, UMWAIT, WFI or WFE: waits for an interrupt or an event. */
  WAITING = 3,
  /** Left the machine by a fatal event of its own (shutdown, powered off). */
  DEAD = 4,
}

export enum WaitKind {
  NONE = 0,
  HLT = 1,
  MWAIT = 2,
  WFI = 3,
  WFE = 4,
  /** x86: INIT has been taken; a start-up IPI begins anew. */
  STARTUP = 5,
  /** x86: shutdown, where the platform lets a CPU stay in it. */
  SHUTDOWN = 6,
  /** x86: wait until a time at the latest, UMWAIT for a monitored line too. */
  TPAUSE = 7,
  UMWAIT = 8,
}

/** The most stores that a store buffer holds. */
export const MOST_STORES = 48;

/** A CPU's record: what both architectures have, then CPU_REGISTERS, then what only one has (see CPU_BYTES). */
export const CPU_CLOCK = 0;
export const CPU_PC = 8;
export const CPU_RETIRED = 16;
export const CPU_STATE = 24;
export const CPU_WAIT_KIND = 28;
/** General-purpose registers, 8 bytes each: RAX..R15 in encoding order, or X0..X30, then the zero register, then SP. */
export const CPU_REGISTERS = 256;
export const X86_REGISTERS = 16;
export const ARM64_REGISTERS = 31;
export const ARM64_SP_SLOT = 32;
/** Bytes from one CPU's record to the next. */
export const CPU_BYTES = 2112;

/** Start registers of a CPU, written by the host before `startCpu` (bytes from the start of the block). */
export const START_PC = 0;
export const START_STACK = 8;
/** First argument register (RDI, X0). */
export const START_ARGUMENT = 16;
export const START_BLOCK_BYTES = 24;

// ---------------------------------------------------------------------------------------------------------------------
// Results

export enum RunStatus {
  /** The requested cycle is reached: everything before it has happened. */
  REACHED = 0,
  /** Nothing can happen any more: every CPU waits, spins for ever or is off. Time stands at the requested cycle. */
  QUIESCENT = 1,
  /** A break probe was hit; time stands one interrupt latency behind it. */
  BREAK = 2,
  /** The trace ring wants to be drained; call again. */
  TRACE_FULL = 3,
  /** The machine stopped: see `StopReason`. */
  STOPPED = 4,
}

export enum StopReason {
  NONE = 0,
  /** x86: an exception could not be delivered, nor its double fault. */
  TRIPLE_FAULT = 1,
  /** arm64: an exception was taken with no mapped vector to take it to. */
  UNHANDLED_ABORT = 2,
  /** The guest asked for power-off (PSCI SYSTEM_OFF, or the x86 image's exit port). */
  SYSTEM_OFF = 3,
  SYSTEM_RESET = 4,
  /** The guest used something that the architecture defines and this version does not model. */
  UNSUPPORTED = 5,
  EVENT_POOL_EXHAUSTED = 6,
  DIRECTORY_POOL_EXHAUSTED = 7,
  CODE_POOL_EXHAUSTED = 8,
  /** x86: an INIT of the bootstrap processor, or a start-up IPI, and the host has told no entry; real mode isn't modelled. */
  NO_STARTUP_ENTRY = 9,
}

export enum InitializeStatus {
  OK = 0,
  ABI_MISMATCH = 1,
  OUT_OF_MEMORY = 2,
  BAD_CONFIGURATION = 3,
}

// ---------------------------------------------------------------------------------------------------------------------
// Accelerations: each bit on by default, each changes only how long the host takes (law 2).

export enum Acceleration {
  /** A CPU executes past global time by the lookahead. Off: one event per instruction start. */
  RUN_AHEAD = 1,
  /** Spinning CPUs are parked. Off: every turn of every spin loop is stepped. */
  SPIN_ELISION = 2,
  /** Decoded instructions are kept. Off: every instruction is decoded at each execution. */
  DECODE_CACHE = 4,
  /** Invalidations of one domain travel as one event per latency. Off: one event per core. */
  INVALIDATION_BATCHING = 8,
  /** Spinners that lose a line and will find it unchanged stay parked. Off: each is woken, asks, and parks again. */
  SPIN_TRAINS = 16,
  /** A line's way from one domain to another is computed when it is asked for. Off: each of its messages is an event. */
  FORESIGHT = 32,
}
export const ALL_ACCELERATIONS = 63;

// ---------------------------------------------------------------------------------------------------------------------
// Timing parameters: indices of a table of 32-bit words that the host fills from a named timing model.

export enum Timing {
  /** log2 of the simple instructions that share a cycle; an instruction's cost is in ticks = cycles << this. */
  ISSUE_SHIFT = 0,

  // Instruction costs, in ticks.
  COST_SIMPLE,
  COST_LOAD,
  COST_STORE,
  COST_BRANCH,
  COST_MULTIPLY,
  COST_DIVIDE,
  /** Read-modify-write under LOCK, LSE atomic, successful exclusive store: on a line already owned. */
  COST_ATOMIC,
  /** LOCK CMPXCHG, LSE compare-and-swap: on a line already owned. */
  COST_COMPARE_AND_SWAP,
  COST_FULL_FENCE,
  COST_STORE_FENCE,
  COST_LOAD_FENCE,
  /** CPUID, SERIALIZE, ISB: instructions that empty the pipeline. */
  COST_SERIALIZE,
  COST_READ_COUNTER,
  /** PAUSE, YIELD. */
  COST_RELAX,
  COST_SYSTEM_READ,
  COST_SYSTEM_WRITE,
  /** Write of the x2APIC ICR, of ICC_SGI1R_EL1. */
  COST_SEND_INTERRUPT,
  /** From recognising an interrupt or exception to the first instruction of its handler. */
  COST_EXCEPTION_ENTRY,
  /** IRETQ, ERET. */
  COST_EXCEPTION_RETURN,
  COST_PORT,
  COST_FLUSH_LINE,
  COST_WRITE_BACK_ALL,
  /** Load or store of a register of the local APIC in xAPIC mode; of its ICR: COST_SEND_INTERRUPT. */
  COST_APIC_ACCESS,

  // Latencies, in cycles.
  /** A last-level cache serves one request for a line, then is busy with that line for this long. */
  LLC_OCCUPANCY,
  HOME_OCCUPANCY,
  /** A line that a thread has got to write, until a sibling on its core may access it. */
  SIBLING_LATENCY,
  /** A line that no cache holds, from its home's decision to the data. */
  MEMORY_LATENCY,
  /** Interrupt message between two CPUs of one last-level-cache domain; between domains the hop latency is added. */
  INTERRUPT_LATENCY,
  /** Between threads of one core. */
  SIBLING_INTERRUPT_LATENCY,
  SELF_INTERRUPT_LATENCY,
  /** One sender's messages leave it this far apart. */
  INTERRUPT_MESSAGE_GAP,
  /** A multicast reaches the CPUs that one copy of it is for this far apart; 0: all at once. */
  INTERRUPT_MEMBER_SKEW,
  /** The copies that a broadcast is made into leave this far apart; 0: all at once. */
  INTERRUPT_COPY_SKEW,
  DEVICE_LATENCY,
  FIRMWARE_CALL,
  WAKE_HLT,
  WAKE_MWAIT,
  WAKE_WFI,
  WAKE_WFE,
  /** Out of TPAUSE and UMWAIT. */
  WAKE_PAUSE,
  /** PSCI CPU_ON, or a start-up IPI, to the first instruction of the target. */
  CPU_ON_LATENCY,
  /** x86: time in system-management mode, where the SMI doesn't come with a time of its own. */
  SMM_DURATION,
  /** x86: a microcode update, where the machine doesn't say how long this CPU's takes. */
  MICROCODE_UPDATE,
  /** PSCI CPU_OFF, from the release of the firmware's locks until the PE is off. */
  CPU_OFF_LATENCY,
  /** A call holds the firmware's power-domain locks, or the lock of CPU_ON calls for one PE, for this long. */
  PSCI_LOCK,
  /** A call holds the lock of an SDEI event for this long. */
  SDEI_LOCK,

  // Frequencies, in kHz.
  /** Core crystal clock, which x86's APIC timer counts. */
  APIC_TIMER_CLOCK,

  // The store buffer.
  /** Stores that fit (at most 48). */
  STORE_BUFFER,
  /** Cycles that a store which can't be done at once waits before it asks for its line, or drains. */
  STORE_DRAIN_DELAY,
  COUNT,
}

// ---------------------------------------------------------------------------------------------------------------------
// Configuration block: 32-bit words, then tables at the byte offsets that the words name (from the block's start).

export enum Config {
  ABI = 0,
  ARCHITECTURE,
  CPUS,
  CORES,
  DOMAINS,
  NODES,
  ACCELERATIONS,
  CLOCK_MHZ,
  /** Generic timer frequency (CNTFRQ_EL0), Hz. */
  COUNTER_HZ,
  /** x86: bits 11:10 of IA32_APIC_BASE, as firmware hands over. */
  APIC_MODE,
  RAM_BASE,
  RAM_BYTES,
  EVENT_NODES,
  /** Bytes for directory records of shared lines. */
  DIRECTORY_BYTES,
  /** Bytes for decoded code. */
  CODE_BYTES,
  TRACE_RECORDS,
  /** Table: Timing.COUNT words. */
  TIMING_TABLE,
  /** Table: one word per CPU: core index, or CPU_ABSENT. */
  CPU_CORE_TABLE,
  /** Table: two words per CPU: hardware id (APIC id; MPIDR affinity), low and high. */
  CPU_ID_TABLE,
  /** Table: one word per present CPU: CPU indices in ascending order of hardware id. */
  CPU_ORDER_TABLE,
  /** Words of the table above. */
  CPUS_PRESENT,
  /** Table: one word per CPU: nonzero for those that are online from the start. */
  CPU_ONLINE_TABLE,
  /** Table: one word per core: domain index. */
  CORE_DOMAIN_TABLE,
  /** Table: one word per core: one-way latency to its last-level cache, cycles >= 1. */
  CORE_LATENCY_TABLE,
  /** Table: one word per domain: node index. */
  DOMAIN_NODE_TABLE,
  /** Table: NODES x NODES words: one-way latency between domains of the nodes, or domain to home, cycles >= 1. */
  HOP_TABLE,
  /** x86: nonzero: shutdown is a state of the CPU; else the platform stops the machine. */
  SHUTDOWN_STATE,
  /** x86: least significant bits of an APIC id that tell apart threads of a core, and so on: CPUID leaves 4, 0xb, 0x1f. */
  APIC_CORE_SHIFT,
  APIC_CACHE_SHIFT,
  APIC_DIE_SHIFT,
  APIC_PACKAGE_SHIFT,
  /** Table, or 0: two words per CPU, low and high: x86: TSC at cycle 0; arm64: CNTVOFF_EL2. */
  COUNTER_TABLE,
  /** Set of `Feature` bits. */
  FEATURES,
  // arm64: the firmware in EL3.
  /** `FirmwareConduit` */
  FIRMWARE_CONDUIT,
  /** Major << 16 | minor; 0: no SDEI. */
  SDEI_VERSION,
  /** `SdeiSignalCheck` */
  SDEI_SIGNAL_CHECK,
  /** `SdeiMaskedSignal` */
  SDEI_MASKED_SIGNAL,
  /** `SdeiUnreadySignal` */
  SDEI_UNREADY_SIGNAL,
  /** What EVENT_GET_INFO returns for "signaled" of event 0; of others it returns the opposite. */
  SDEI_SIGNALED_INFO,
  /** `SdeiOpenCpuOff` */
  SDEI_OPEN_CPU_OFF,
  /** `SdeiCompletion` */
  SDEI_COMPLETION,
  /** Events that INTERRUPT_BIND can give out. */
  SDEI_PRIVATE_SLOTS,
  SDEI_SHARED_SLOTS,
  /** Critical events that the platform has bound. */
  SDEI_CRITICAL_PRIVATE,
  SDEI_CRITICAL_SHARED,
  /**
   * arm64, nonzero: bare metal. There is no MMU, so that an access to where nothing is ends in an external abort; what the
   * architecture allocates and the core lacks stops the machine, instead of being UNDEFINED.
   */
  BARE_METAL,
  COUNT,
}
export const CPU_ABSENT = 0xffffffff;

/** Optional parts of the architecture that a machine has. */
export enum Feature {
  /** arm64: FEAT_NMI, and non-maskable interrupts of GICv3.3. */
  NMI = 1,
}

/** How the host drives a shared peripheral interrupt's wire. */
export enum LineChange {
  LOW = 0,
  HIGH = 1,
  /** Up and down at once. */
  PULSE = 2,
}

/** Addresses that the host may ask for. */
export enum Region {
  CPUS = 0,
  RAM = 1,
  TRACE = 2,
  /** The record of the machine, from which views find all others. */
  MACHINE = 3,
}

/** Counters and results that the host may ask for. */
export enum Counter {
  NOW = 0,
  EVENTS = 1,
  RETIRED = 2,
  MISSES = 3,
  INTERRUPTS = 4,
  PARKINGS = 5,
  STOP_REASON = 6,
  STOP_CPU = 7,
  STOP_CYCLE = 8,
  STOP_PC = 9,
  STOP_DETAIL = 10,
  TRACE_RECORDS = 11,
  TRACE_LOST = 12,
  /** Bytes of linear memory reserved, touched or not. */
  RESERVED_BYTES = 13,
  DIRECTORY_BYTES = 14,
  CODE_FLUSHES = 15,
  LEAST_INTERRUPT_LATENCY = 16,
  /** Of the break that ended the last run. */
  BREAK_PROBE = 17,
  BREAK_CPU = 18,
  BREAK_CYCLE = 19,
}

// ---------------------------------------------------------------------------------------------------------------------
// Delivery: what a fault may hold up or lose on the way to a CPU, by kind.

export enum DeliveryKind {
  /** Fixed and lowest-priority interrupts of x86; SGIs and other interrupts of the GIC. */
  INTERRUPT = 0,
  NMI = 1,
  SMI = 2,
  INIT = 3,
  /** SIPI; the power-on of CPU_ON, or by the host. */
  STARTUP = 4,
  /** Interrupts that firmware in EL3 takes: how an SDEI event is signalled. */
  EL3 = 5,
  /** SEV of another PE. */
  EVENT = 6,
}
export const DELIVERY_KINDS = 7;
/** Number of losses that never ends. */
export const LOSE_ALL = 0xffffffff;

// ---------------------------------------------------------------------------------------------------------------------
// Trace ring: fixed-size records, drained by the host.

export const TRACE_RECORD_BYTES = 40;
export const TRACE_CYCLE = 0;
export const TRACE_CPU = 8;
export const TRACE_KIND = 12;
/** Probe number, vector or interrupt id. */
export const TRACE_SUBJECT = 16;
/** Target CPU of a message. */
export const TRACE_PEER = 20;
export const TRACE_VALUE = 24;
export const TRACE_VALUE2 = 32;

/** What a record of the trace tells. */
export enum TraceKind {
  PROBE = 0,
  INTERRUPT_SENT = 1,
  /** `value`, of a message: set of `ArrivalFlag`. */
  INTERRUPT_ARRIVED = 2,
  INTERRUPT_TAKEN = 3,
  EXCEPTION = 4,
  WAIT = 5,
  /** The end of a wait; `value`: the cycle from which the CPU executes again. */
  WAKE = 6,
  CPU_STARTED = 7,
  CONSOLE = 8,
  /** A message that a fault has lost on its way: subject as of the interrupt, value the `DeliveryKind`. */
  INTERRUPT_LOST = 9,
  /** x86: a CPU is in system-management mode, and executes nothing, until the cycle `value`. */
  SMM_ENTERED = 10,
  SMM_LEFT = 11,
  /** x86: INIT has been taken; subject: whether the CPU is the bootstrap processor. */
  INIT_TAKEN = 12,
  /** x86: shutdown entered; subject: vector of the exception that could not be delivered. */
  SHUTDOWN = 13,
  /** The CPU is suspended: it executes nothing until the cycle `value`. */
  SUSPENDED = 14,
  /** What a line of memory does, in one record or several: subject is the `LineEvent`. Off, it costs nothing. */
  LINE = 15,
}

/** How a message finds its CPU. */
export enum ArrivalFlag {
  /** Something of its kind is pending that is taken at the next boundary. */
  TAKEABLE = 1,
  /** x86: EFLAGS.IF is 0; arm64: PSTATE.I or F. An interrupt controller's priorities mask apart from that. */
  MASKS_IRQ = 2,
  /** x86: in an NMI handler; arm64: superpriority is masked (FEAT_NMI). */
  MASKS_NMI = 4,
}

/**
 * On the way of a request for a line: `cpu` asks, `peer` holds which of its requests (low byte) and whether it is to write (bit 8),
 * `value` an address in the line. Only what is stepped leaves records: without trains and foresight, all is.
 */
export enum LineEvent {
  /** The request sets out. Bits 31:16 of `peer`: its way to the last-level cache, cycles; `value2`: pc of the CPU; 0 for stores that had waited. */
  REQUESTED = 0,
  /** The last-level cache asks the home for it; `value2`: cycle at which the question arrives there. */
  ASKED = 1,
  /** The home begins to serve the question. */
  SERVED = 2,
  /** The last-level cache grants the request; `value2`: cycle at which the line arrives. */
  GRANTED = 3,
  /** Copies are taken from cores of a domain, `cpu` in the first of them; `peer`: how many. */
  INVALIDATED = 4,
  /** A core may read, but not write, any more. */
  DOWNGRADED = 5,
  /** A CPU that was blocked for the line goes on; `value2`: since when it was. */
  WAITED = 6,
}

/** Probe flags. */
export enum Probe {
  /** Append a trace record at each hit. */
  RECORD = 1,
  /** End `run` one interrupt latency after the first hit. */
  BREAK = 2,
}
export const MAX_PROBES = 4096;

// ---------------------------------------------------------------------------------------------------------------------
// x86-64: vectors (Intel SDM 3A 6.3.1) and the exceptions' error-code rule.

export enum X86Vector {
  DIVIDE_ERROR = 0,
  DEBUG = 1,
  NMI = 2,
  BREAKPOINT = 3,
  OVERFLOW = 4,
  BOUND = 5,
  INVALID_OPCODE = 6,
  DEVICE_NOT_AVAILABLE = 7,
  DOUBLE_FAULT = 8,
  INVALID_TSS = 10,
  SEGMENT_NOT_PRESENT = 11,
  STACK_FAULT = 12,
  GENERAL_PROTECTION = 13,
  PAGE_FAULT = 14,
  ALIGNMENT_CHECK = 17,
  MACHINE_CHECK = 18,
}

/** Vectors that Linux assigns (arch/x86/include/asm/irq_vectors.h). */
export enum LinuxVector {
  REBOOT = 0xf8,
  CALL_FUNCTION_SINGLE = 0xfb,
  CALL_FUNCTION = 0xfc,
  RESCHEDULE = 0xfd,
  ERROR_APIC = 0xfe,
  SPURIOUS_APIC = 0xff,
}

/** Sources of a CPU's own that the host can make signal (SDM 3A 11.5.1). */
export enum LocalInterrupt {
  /** A pulse on a pin of the local APIC. */
  LINT0 = 0,
  LINT1 = 1,
  /** A performance counter overflows. */
  PERFORMANCE_COUNTER = 2,
  THERMAL = 3,
  /** A corrected machine check. */
  CMCI = 4,
  /** INTR is asserted by something that is gone when the CPU asks for its vector (SDM 3A 11.9). */
  SPURIOUS = 5,
}

/** The page of the local APICs in xAPIC mode. */
export const XAPIC_BASE = 0xfee0_0000;
export const XAPIC_BYTES = 0x1000;

/** Debug console and exit ports of the x86 platform (the ones QEMU offers as isa-debugcon and isa-debug-exit). */
export const X86_PORT_CONSOLE = 0xe9;
export const X86_PORT_EXIT = 0xf4;
/** NMI status and control of a PC (Intel 500 Series PCH datasheet 2, NMI_STS_CNT). */
export const X86_PORT_SYSTEM_CONTROL = 0x61;
/** Its bits: sources of the NMI, and what disables and clears each. */
export const SYSTEM_CONTROL_SERR = 0x80;
export const SYSTEM_CONTROL_IOCHK = 0x40;
export const SYSTEM_CONTROL_IOCHK_DISABLE = 0x08;
export const SYSTEM_CONTROL_SERR_DISABLE = 0x04;

/** ICR delivery modes (SDM 3A 11.6.1). */
export enum DeliveryMode {
  FIXED = 0,
  LOWEST_PRIORITY = 1,
  SMI = 2,
  NMI = 4,
  INIT = 5,
  /** ICR only. */
  STARTUP = 6,
  /** LVT only: the vector comes from an 8259. */
  EXTINT = 7,
}

// ---------------------------------------------------------------------------------------------------------------------
// arm64 platform: the memory map of QEMU's virt board, so that an image for it runs unchanged.

export const GICD_BASE = 0x0800_0000;
export const GICD_BYTES = 0x1_0000;
export const GICR_BASE = 0x080a_0000;
export const GICR_STRIDE = 0x2_0000;
/** Redistributors that fit the first window; those of further CPUs stand in a second window above 256 GiB. */
export const GICR_FIRST_WINDOW_CPUS = 123;
export const GICR_SECOND_BASE = 0x40_0000_0000;
/** Shared peripheral interrupts: as many as QEMU's board has. */
export const GIC_FIRST_SPI = 32;
export const GIC_INTID_END = 288;
export const PL011_BASE = 0x0900_0000;
export const PL011_BYTES = 0x1000;

// ---------------------------------------------------------------------------------------------------------------------
// arm64 firmware: how EL3 is called, and in what its SDEI implementations differ (Arm DEN 0028, DEN 0022, DEN 0054).

/** Instructions that reach EL3; the other one is UNDEFINED. */
export enum FirmwareConduit {
  BOTH = 0,
  SMC = 1,
  HVC = 2,
}

/** Whether EVENT_SIGNAL looks at its target. */
export enum SdeiSignalCheck {
  NONE = 0,
  /** A target that is masked, or has not registered and enabled event 0, is refused with INVALID_PARAMETERS. */
  READY = 1,
}

/** What becomes of event 0 that reaches a masked PE. */
export enum SdeiMaskedSignal {
  PENDING = 0,
  LOST = 1,
  /** Acknowledged and never ended: the PE gets no non-secure interrupt any more. */
  WEDGE = 2,
}

/** What becomes of event 0 that reaches an unmasked PE which has not registered it. */
export enum SdeiUnreadySignal {
  PENDING = 0,
  LOST = 1,
}

/** What CPU_OFF does while an event is open on its PE. */
export enum SdeiOpenCpuOff {
  /** The dispatch ends with the PE's power. */
  CLOSE = 0,
  /** The dispatch is left behind: later resets of SDEI don't return. */
  DANGLE = 1,
  /** CPU_OFF neither powers off nor returns. */
  WEDGE = 2,
}

/** What EVENT_COMPLETE and EVENT_COMPLETE_AND_RESUME leave behind. */
export enum SdeiCompletion {
  CLEAN = 0,
  /** As SdeiOpenCpuOff.DANGLE. */
  DANGLE = 1,
  /** CPU_OFF on that PE neither powers off nor returns any more. */
  BREAK_CPU_OFF = 2,
}

/** Event 0, events of INTERRUPT_BIND and critical events together: private ones, shared ones. */
export const SDEI_MOST_PRIVATE = 8;
export const SDEI_MOST_SHARED = 8;
/** Numbers of the events that INTERRUPT_BIND gives out, and of the platform's critical ones, one after the other. */
export const SDEI_BOUND_PRIVATE_EVENT = 1000;
export const SDEI_BOUND_SHARED_EVENT = 2000;
export const SDEI_CRITICAL_PRIVATE_EVENT = 3000;
export const SDEI_CRITICAL_SHARED_EVENT = 4000;
/** INTIDs of the platform's critical events, one after the other. */
export const SDEI_CRITICAL_PPI = 17;
export const SDEI_CRITICAL_SPI = 96;
