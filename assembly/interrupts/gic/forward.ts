// The distributor's choice: which SPI each PE is to have (Arm IHI 0069H 4.7, 4.8), settled once at the end of a cycle in which
// anything has changed, so that a PE gets at most one message of a kind per cycle.

import { Timing } from "../../../src/abi.ts";
import { cpuAt } from "../../cpu.ts";
import { routeBound } from "../../firmware/shared.ts";
import { machine, timing } from "../../machine.ts";
import { Message, send } from "../message.ts";
import { ATTRIBUTE_GROUP1, ATTRIBUTE_NMI } from "./gic.ts";
import { FIRST_SPI } from "./intids.ts";
import {
  ANY_ONE,
  NOBODY,
  SPIS,
  SPI_WORDS,
  SpiBits,
  chosenAt,
  distributor,
  holderOf,
  routedTo,
  setChosen,
  setHolder,
  spiBit,
  spiPriority,
  spiWord,
  spisPending,
  targetOf,
  writesPendUntil,
} from "./spi.ts";
import { STATUS_AWAKE, STATUS_GROUP0, STATUS_GROUP1 } from "./stream.ts";

/** Positions in use of the list of PEs that have a best SPI; 0 between cycles. */
let chosen: u32 = 0;

/** Tells PEs what has changed in this cycle. */
export function settleDistributor(cycle: u64): void {
  const d = distributor();
  if (d.changed == 0) return;
  routeBound(cycle);
  d.changed = 0;
  const arrival = cycle + timing(Timing.INTERRUPT_LATENCY);
  if (d.controlChanged != 0) broadcastControl(arrival);
  d.controlChanged = 0;
  chooseAll(true);
  chooseAll(false);
  withdrawOthers(arrival);
  forwardBest(arrival);
}

/** Every redistributor learns of new group enables. */
function broadcastControl(arrival: u64): void {
  const argument = (<u64>Message.DISTRIBUTOR) | ((<u64>distributor().control) << 32);
  for (let index: u32 = 0; index < machine().cpus; index++) {
    const target = cpuAt(index);
    if (changetype<usize>(target.core) != 0) send(target, argument, arrival);
  }
}

/** SPIs that may be signalled at all, of a word of 32. */
function eligible(word: u32): u32 {
  const control = distributor().control;
  const group1 = spiWord(SpiBits.GROUP1, word);
  let groups: u32 = 0;
  if ((control & 1) != 0) groups |= ~group1;
  if ((control & 2) != 0) groups |= group1;
  const quiet = spiWord(SpiBits.ACTIVE, word) | spiWord(SpiBits.STALE, word) | spiWord(SpiBits.SECURE, word);
  return spisPending(word) & spiWord(SpiBits.ENABLED, word) & ~quiet & groups;
}

/** Finds the most urgent SPI of each PE: first of those whose PE is given, then of those that any one PE may take. */
function chooseAll(given: bool): void {
  for (let word: u32 = 0; word < SPI_WORDS; word++) {
    for (let rest = eligible(word); rest != 0; rest &= rest - 1) {
      const spi = (word << 5) + <u32>ctz(rest);
      const isGiven = routedTo(spi) != ANY_ONE || holderOf(spi) != 0;
      if (isGiven == given) choose(spi);
    }
  }
}

function choose(spi: u32): void {
  const group = spiBit(SpiBits.GROUP1, spi) ? STATUS_GROUP1 : STATUS_GROUP0;
  const index = destination(spi, group);
  if (index == NOBODY || !takes(index, group)) return;
  const target = targetOf(index);
  // Forwarded earlier, and replaced or withdrawn: it has not come back yet.
  if (holderOf(spi) != 0 && target.sent != spi + FIRST_SPI) return;
  if (target.best == 0) setChosen(chosen++, index);
  if (target.best == 0 || isMoreUrgent(spi, target.best - FIRST_SPI)) target.best = spi + FIRST_SPI;
}

/** The PE that an SPI goes to, or NOBODY. One that is somewhere stays there, or comes back before it goes elsewhere. */
function destination(spi: u32, group: u32): u32 {
  const to = routedTo(spi);
  const holder = holderOf(spi);
  if (to != ANY_ONE) return holder == 0 || holder == to + 1 ? to : NOBODY;
  return holder != 0 ? holder - 1 : anyOne(group);
}

/**
 * Of the PEs that may take an SPI with IROUTER.IRM (1 of N, which the architecture leaves open): the lowest-numbered that has
 * no SPI before it, or if all have, the lowest-numbered.
 */
function anyOne(group: u32): u32 {
  let first = NOBODY;
  for (let index: u32 = 0; index < machine().cpus; index++) {
    if (!takes(index, group)) continue;
    const target = targetOf(index);
    if (target.sent == 0 && target.best == 0) return index;
    if (first == NOBODY) first = index;
  }
  return first;
}

/** Whether a PE's redistributor is awake and its CPU interface has the group enabled. */
function takes(index: u32, group: u32): bool {
  const needed = STATUS_AWAKE | group;
  return (targetOf(index).status & needed) == needed;
}

function isMoreUrgent(spi: u32, other: u32): bool {
  const nmi = isNonMaskable(spi);
  const otherNmi = isNonMaskable(other);
  const priority = nmi ? 0 : spiPriority(spi);
  const otherPriority = otherNmi ? 0 : spiPriority(other);
  if (priority != otherPriority) return priority < otherPriority;
  return nmi != otherNmi ? nmi : spi < other;
}

/** Only Group 1 interrupts can be. */
function isNonMaskable(spi: u32): bool {
  return spiBit(SpiBits.NON_MASKABLE, spi) && spiBit(SpiBits.GROUP1, spi);
}

/** Takes back what was forwarded to a PE that is to have none now. One that is to have another is told by that. */
function withdrawOthers(arrival: u64): void {
  if (distributor().held == 0) return;
  for (let spi: u32 = 0; spi < SPIS; spi++) {
    const holder = holderOf(spi);
    if (holder == 0) continue;
    const target = targetOf(holder - 1);
    if (target.sent != spi + FIRST_SPI || target.best != 0) continue;
    target.sent = 0;
    send(cpuAt(holder - 1), <u64>Message.FORWARD, arrival);
    writesPendUntil(arrival + timing(Timing.DEVICE_LATENCY));
  }
}

/** Sends each PE its most urgent SPI, unless it has that already. */
function forwardBest(arrival: u64): void {
  for (let position: u32 = 0; position < chosen; position++) {
    const index = chosenAt(position);
    const target = targetOf(index);
    const id = target.best;
    target.best = 0;
    if (id == target.sent) continue;
    target.sent = id;
    setHolder(id - FIRST_SPI, index + 1);
    send(cpuAt(index), (<u64>Message.FORWARD) | ((<u64>((attributesOf(id - FIRST_SPI) << 16) | id)) << 8), arrival);
  }
  chosen = 0;
}

function attributesOf(spi: u32): u32 {
  if (isNonMaskable(spi)) return ATTRIBUTE_GROUP1 | ATTRIBUTE_NMI;
  return spiPriority(spi) | (spiBit(SpiBits.GROUP1, spi) ? ATTRIBUTE_GROUP1 : 0);
}
