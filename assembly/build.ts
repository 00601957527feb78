// Builds a machine from the configuration block that the host has written (src/abi.ts, Config).

import {
  ABI_VERSION,
  Architecture,
  CPU_ABSENT,
  CPU_BYTES,
  Config,
  Feature,
  InitializeStatus,
  MAX_CORES_PER_DOMAIN,
  MAX_CPUS,
  MAX_THREADS_PER_CORE,
  SDEI_MOST_PRIVATE,
  SDEI_MOST_SHARED,
  Timing,
} from "../src/abi.ts";
import { attachCounter } from "./arm64/counter.ts";
import { arm64 } from "./arm64/cpu.ts";
import { CORE_BYTES, Core, Cpu, DOMAIN_BYTES, NEVER, coreAt, cpuAt, domainAt } from "./cpu.ts";
import { maskSet } from "./cpumask.ts";
import { bindCritical } from "./firmware/events.ts";
import { firmware, openFirmware } from "./firmware/firmware.ts";
import { openPl011 } from "./devices/pl011.ts";
import { openApics, resetApic } from "./interrupts/apic/record.ts";
import { openGics, resetGic } from "./interrupts/gic/gic.ts";
import { openDelivery } from "./interrupts/delivery.ts";
import { openHeld } from "./interrupts/held.ts";
import { openIdle } from "./interrupts/idle.ts";
import { openDistributor, resetDistributor } from "./interrupts/gic/spi.ts";
import { enterHardwareId, openHardwareIds } from "./interrupts/hardwareIds.ts";
import { openTargets, targetPresent } from "./interrupts/targets.ts";
import { counterOffset, machine, openMemory, reserve, timing } from "./machine.ts";
import { attachCode, openCode } from "./memory/code.ts";
import { forgetAll } from "./memory/copies.ts";
import { openEarlyLoads } from "./memory/early.ts";
import { openForeseen } from "./memory/foreseen.ts";
import { attachLines, openLines } from "./memory/lines.ts";
import { openRequests } from "./memory/request.ts";
import { attachMemoryMap, openMemoryMap } from "./memory/map.ts";
import { STORES_HIT, openStores } from "./memory/stores.ts";
import { openTrain } from "./memory/train.ts";
import { attachLimits } from "./time/limits.ts";
import { openSpins } from "./time/spin.ts";
import { openStolen } from "./time/stolen.ts";
import { attachWheel, openWheel } from "./time/wheel.ts";
import { openProbes } from "./trace/probe.ts";
import { openTrace } from "./trace/ring.ts";

let configuration: usize = 0;

function word(field: Config): u32 {
  return load<u32>(configuration + ((<usize>field) << 2));
}

/** Word `index` of the table that a field names. */
function entry(field: Config, index: u32): u32 {
  return load<u32>(configuration + word(field) + ((<usize>index) << 2));
}

/** Room for the host's own use (the configuration block, image bytes on their way), never given back. */
export function allocate(bytes: u32): usize {
  if (machine().top == 0) openMemory();
  return reserve(bytes, 64);
}

/** @param address where the configuration block stands; it stays there for the machine's life */
export function initialize(address: usize): InitializeStatus {
  configuration = address;
  if (word(Config.ABI) != ABI_VERSION) return InitializeStatus.ABI_MISMATCH;
  if (!isPlausible()) return InitializeStatus.BAD_CONFIGURATION;
  const m = machine();
  m.architecture = word(Config.ARCHITECTURE);
  m.cpus = word(Config.CPUS);
  m.cores = word(Config.CORES);
  m.domains = word(Config.DOMAINS);
  m.nodes = word(Config.NODES);
  m.accelerations = word(Config.ACCELERATIONS);
  m.clockMhz = word(Config.CLOCK_MHZ);
  m.counterHz = word(Config.COUNTER_HZ);
  m.bareMetal = word(Config.BARE_METAL);
  m.timing = configuration + word(Config.TIMING_TABLE);
  m.hopTable = configuration + word(Config.HOP_TABLE);
  m.apicMode = word(Config.APIC_MODE);
  m.shutdownState = word(Config.SHUTDOWN_STATE);
  m.apicCoreShift = word(Config.APIC_CORE_SHIFT);
  m.apicCacheShift = word(Config.APIC_CACHE_SHIFT);
  m.apicDieShift = word(Config.APIC_DIE_SHIFT);
  m.apicPackageShift = word(Config.APIC_PACKAGE_SHIFT);
  m.counterTable = word(Config.COUNTER_TABLE) == 0 ? 0 : configuration + word(Config.COUNTER_TABLE);
  m.featNmi = (word(Config.FEATURES) & Feature.NMI) != 0 ? 1 : 0;
  m.halt = NEVER;
  m.breakCycle = NEVER;
  if (!openRegions()) return InitializeStatus.OUT_OF_MEMORY;
  attach();
  if (!buildDomains() || !buildCores() || !buildCpus() || !openTrains()) return InitializeStatus.BAD_CONFIGURATION;
  m.leastInterruptLatency = leastInterruptLatency();
  return InitializeStatus.OK;
}

/** Sets the globals that mirror immutable fields of the machine record. */
export function attach(): void {
  attachLimits();
  attachCounter();
  attachWheel();
  attachMemoryMap();
  attachLines();
  attachCode();
}

function isPlausible(): bool {
  const cpus = word(Config.CPUS);
  const cores = word(Config.CORES);
  const domains = word(Config.DOMAINS);
  if (cpus == 0 || cpus > <u32>MAX_CPUS || cores == 0 || cores > cpus || domains == 0 || domains > cores) return false;
  return word(Config.NODES) != 0 && word(Config.CLOCK_MHZ) != 0 && word(Config.RAM_BYTES) != 0 && areEventsFew();
}

/** Whether all SDEI events have a place. */
function areEventsFew(): bool {
  const privateEvents = <u64>word(Config.SDEI_PRIVATE_SLOTS) + word(Config.SDEI_CRITICAL_PRIVATE);
  const sharedEvents = <u64>word(Config.SDEI_SHARED_SLOTS) + word(Config.SDEI_CRITICAL_SHARED);
  return privateEvents < <u64>SDEI_MOST_PRIVATE && sharedEvents <= <u64>SDEI_MOST_SHARED;
}

function openRegions(): bool {
  const m = machine();
  m.cpuRecords = reserve(<usize>m.cpus * CPU_BYTES, 64);
  m.coreRecords = reserve(<usize>m.cores * CORE_BYTES, 64);
  m.domainRecords = reserve(<usize>m.domains * DOMAIN_BYTES, 64);
  m.maskWords = maskWordsOfLargestDomain();
  if (m.cpuRecords == 0 || m.coreRecords == 0 || m.domainRecords == 0 || m.maskWords == 0) return false;
  const nodes = word(Config.EVENT_NODES);
  if (!openWheel(nodes) || !openMemoryMap(word(Config.RAM_BASE), word(Config.RAM_BYTES))) return false;
  if (!openLines(word(Config.DIRECTORY_BYTES), nodes) || !openCode(word(Config.CODE_BYTES))) return false;
  if (
    !openTrace(word(Config.TRACE_RECORDS)) ||
    !openProbes() ||
    !openSpins() ||
    !openForeseen() ||
    !openStores() ||
    !openEarlyLoads()
  )
    return false;
  if (!openHardwareIds() || !openTargets() || !openDelivery()) return false;
  if (!openStolen() || !openIdle() || !openHeld()) return false;
  if (m.architecture == Architecture.X86_64) return openApics();
  if (!openGics() || !openDistributor() || !openFirmware() || !openPl011()) return false;
  configureFirmware();
  return true;
}

function configureFirmware(): void {
  const settings = firmware();
  settings.conduit = word(Config.FIRMWARE_CONDUIT);
  settings.sdeiVersion = word(Config.SDEI_VERSION);
  settings.signalCheck = word(Config.SDEI_SIGNAL_CHECK);
  settings.maskedSignal = word(Config.SDEI_MASKED_SIGNAL);
  settings.unreadySignal = word(Config.SDEI_UNREADY_SIGNAL);
  settings.signaledInfo = word(Config.SDEI_SIGNALED_INFO);
  settings.openCpuOff = word(Config.SDEI_OPEN_CPU_OFF);
  settings.completion = word(Config.SDEI_COMPLETION);
  settings.privateSlots = word(Config.SDEI_PRIVATE_SLOTS);
  settings.sharedSlots = word(Config.SDEI_SHARED_SLOTS);
  settings.criticalPrivate = word(Config.SDEI_CRITICAL_PRIVATE);
  settings.criticalShared = word(Config.SDEI_CRITICAL_SHARED);
  bindCritical();
}

function maskWordsOfLargestDomain(): u32 {
  let largest: u32 = 0;
  for (let core: u32 = 0; core < machine().cores; core++) {
    const domain = domainAt(entry(Config.CORE_DOMAIN_TABLE, core));
    largest = max(largest, ++domain.coreCount);
  }
  return largest > <u32>MAX_CORES_PER_DOMAIN ? 0 : (largest + 63) >>> 6;
}

function buildDomains(): bool {
  const m = machine();
  const domainsOfNode = reserve((<usize>m.nodes) << 2, 8);
  if (domainsOfNode == 0) return false;
  for (let index: u32 = 0; index < m.domains; index++) {
    const domain = domainAt(index);
    domain.index = index;
    domain.node = entry(Config.DOMAIN_NODE_TABLE, index);
    if (domain.node >= m.nodes || domain.coreCount == 0) return false;
    const counter = domainsOfNode + ((<usize>domain.node) << 2);
    domain.rank = load<u32>(counter);
    store<u32>(counter, domain.rank + 1);
    domain.cores = reserve((<usize>domain.coreCount) << 2, 8);
    domain.onlineMask = reserve((<usize>m.maskWords) << 3, 8);
    if (domain.cores == 0 || domain.onlineMask == 0) return false;
    domain.coreCount = 0;
  }
  return true;
}

function buildCores(): bool {
  const m = machine();
  m.leastLineLatency = u32.MAX_VALUE;
  for (let index: u32 = 0; index < m.cores; index++) {
    const core = coreAt(index);
    const domain = domainAt(entry(Config.CORE_DOMAIN_TABLE, index));
    core.index = index;
    core.domain = domain;
    core.bit = domain.coreCount++;
    store<u32>(domain.cores + ((<usize>core.bit) << 2), <u32>changetype<usize>(core));
    core.latency = entry(Config.CORE_LATENCY_TABLE, index);
    core.lineArrivalMin = NEVER;
    core.runCycle = NEVER;
    if (core.latency == 0) return false;
    m.leastLineLatency = min(m.leastLineLatency, core.latency);
  }
  return true;
}

function buildCpus(): bool {
  const m = machine();
  // It holds no line either; a tag of zero would be a hit of the first.
  forgetAll(changetype<Cpu>(m.shadow));
  changetype<Cpu>(m.shadow).storeKey = STORES_HIT;
  for (let index: u32 = 0; index < m.cpus; index++) {
    const cpu = cpuAt(index);
    cpu.index = index;
    openRequests(cpu);
    cpu.storeKey = STORES_HIT;
    cpu.interruptArrivalMin = NEVER;
    cpu.deadlineCycle = NEVER;
    cpu.deviceArrival = NEVER;
    cpu.loopPatience = 1;
    forgetAll(cpu);
    const core = entry(Config.CPU_CORE_TABLE, index);
    if (core == CPU_ABSENT) continue;
    if (core >= m.cores || !joinCore(cpu, coreAt(core))) return false;
    if (entry(Config.CPU_ONLINE_TABLE, index) != 0) maskSet(cpu.core.domain.onlineMask, cpu.core.bit);
    targetPresent(cpu);
    resetInterrupts(cpu, hardwareId(index));
  }
  const present = word(Config.CPUS_PRESENT);
  for (let position: u32 = 0; position < present; position++) {
    const index = entry(Config.CPU_ORDER_TABLE, position);
    if (index >= m.cpus || !enterHardwareId(hardwareId(index), index)) return false;
  }
  if (m.architecture == Architecture.ARM64) resetDistributor();
  return true;
}

/** Between different CPUs: threads of a core are the nearest, where there are any. */
function leastInterruptLatency(): u32 {
  const apart = timing(Timing.INTERRUPT_LATENCY);
  return machine().mostThreads > 1 ? min(apart, timing(Timing.SIBLING_INTERRUPT_LATENCY)) : apart;
}

function openTrains(): bool {
  for (let index: u32 = 0; index < machine().domains; index++) if (!openTrain(domainAt(index))) return false;
  return true;
}

function hardwareId(index: u32): u64 {
  return (<u64>entry(Config.CPU_ID_TABLE, 2 * index)) | ((<u64>entry(Config.CPU_ID_TABLE, 2 * index + 1)) << 32);
}

function joinCore(cpu: Cpu, core: Core): bool {
  if (core.threads == 0) core.threads = reserve(MAX_THREADS_PER_CORE << 2, 8);
  if (core.threads == 0 || core.threadCount >= <u32>MAX_THREADS_PER_CORE) return false;
  store<u32>(core.threads + ((<usize>core.threadCount) << 2), <u32>changetype<usize>(cpu));
  cpu.thread = core.threadCount++;
  machine().mostThreads = max(machine().mostThreads, core.threadCount);
  cpu.core = core;
  cpu.slot = core.domain.cpuCount++;
  return true;
}

function resetInterrupts(cpu: Cpu, id: u64): void {
  if (machine().architecture == Architecture.X86_64) {
    resetApic(cpu, <u32>id);
  } else {
    arm64(cpu).mpidr = id;
    arm64(cpu).cntvoff = counterOffset(cpu.index);
    resetGic(cpu);
  }
}
