// SDEI events: their numbers, their properties, and the state machine of a handler (Arm DEN 0054 6.1; the table is that of
// 6.1.2).

import {
  SDEI_BOUND_PRIVATE_EVENT,
  SDEI_BOUND_SHARED_EVENT,
  SDEI_CRITICAL_PPI,
  SDEI_CRITICAL_PRIVATE_EVENT,
  SDEI_CRITICAL_SHARED_EVENT,
  SDEI_CRITICAL_SPI,
  SDEI_MOST_PRIVATE,
} from "../../src/abi.ts";
import { ENABLED, Level, REGISTERED, RUNNING, Registration, eventMapAt, firmware } from "./firmware.ts";

/** "No such event". */
export const NO_EVENT: u32 = u32.MAX_VALUE;

/**
 * Index of an event by its number, or NO_EVENT. Private events come first: event 0, those that can be bound, critical ones;
 * from SDEI_MOST_PRIVATE on shared ones: those that can be bound, critical ones.
 */
export function eventIndex(number: u32): u32 {
  const shared = firmware();
  if (number == 0) return 0;
  if (number - SDEI_BOUND_PRIVATE_EVENT < shared.privateSlots) return 1 + number - SDEI_BOUND_PRIVATE_EVENT;
  if (number - SDEI_CRITICAL_PRIVATE_EVENT < shared.criticalPrivate) {
    return 1 + shared.privateSlots + number - SDEI_CRITICAL_PRIVATE_EVENT;
  }
  if (number - SDEI_BOUND_SHARED_EVENT < shared.sharedSlots)
    return SDEI_MOST_PRIVATE + number - SDEI_BOUND_SHARED_EVENT;
  if (number - SDEI_CRITICAL_SHARED_EVENT < shared.criticalShared) {
    return SDEI_MOST_PRIVATE + shared.sharedSlots + number - SDEI_CRITICAL_SHARED_EVENT;
  }
  return NO_EVENT;
}

export function eventNumber(index: u32): u32 {
  const shared = firmware();
  if (index == 0) return 0;
  if (isShared(index)) {
    const slot = index - SDEI_MOST_PRIVATE;
    return isCritical(index) ? SDEI_CRITICAL_SHARED_EVENT + slot - shared.sharedSlots : SDEI_BOUND_SHARED_EVENT + slot;
  }
  const slot = index - 1;
  return isCritical(index) ? SDEI_CRITICAL_PRIVATE_EVENT + slot - shared.privateSlots : SDEI_BOUND_PRIVATE_EVENT + slot;
}

export function isShared(index: u32): bool {
  return index >= <u32>SDEI_MOST_PRIVATE;
}

/** Critical events are the platform's own: what INTERRUPT_BIND gives out is normal, and so is event 0. */
export function isCritical(index: u32): bool {
  const shared = firmware();
  return isShared(index) ? index - SDEI_MOST_PRIVATE >= shared.sharedSlots : index > shared.privateSlots;
}

export function levelOf(index: u32): u32 {
  return isCritical(index) ? Level.CRITICAL : Level.NORMAL;
}

/** Whether INTERRUPT_BIND gives the event out. */
export function isDynamic(index: u32): bool {
  return index != 0 && !isCritical(index);
}

/** First index of the private or shared events, and the one behind the last. */
export function firstEvent(shared: bool): u32 {
  return shared ? SDEI_MOST_PRIVATE : 0;
}

export function endOfEvents(shared: bool): u32 {
  const all = firmware();
  return shared ? SDEI_MOST_PRIVATE + all.sharedSlots + all.criticalShared : 1 + all.privateSlots + all.criticalPrivate;
}

/** Binds the platform's critical events. */
export function bindCritical(): void {
  const shared = firmware();
  for (let i: u32 = 0; i < shared.criticalPrivate; i++) {
    eventMapAt(1 + shared.privateSlots + i).interrupt = SDEI_CRITICAL_PPI + i;
  }
  for (let i: u32 = 0; i < shared.criticalShared; i++) {
    eventMapAt(SDEI_MOST_PRIVATE + shared.sharedSlots + i).interrupt = SDEI_CRITICAL_SPI + i;
  }
}

/** What moves a handler from state to state. */
export enum Action {
  REGISTER,
  ENABLE,
  DISABLE,
  UNREGISTER,
  ROUTING_SET,
  RELEASE,
  CONTEXT,
  COMPLETE,
  DISPATCH,
}

const REFUSED: u32 = u32.MAX_VALUE;

/** Moves a handler on. @returns false when the action isn't allowed in its state, which stays then */
export function transition(registration: Registration, action: Action): bool {
  const next = nextState(registration.state, action);
  if (next == REFUSED) return false;
  registration.state = next;
  return true;
}

function nextState(state: u32, action: Action): u32 {
  const registered = (state & REGISTERED) != 0;
  const running = (state & RUNNING) != 0;
  switch (action) {
    case Action.REGISTER:
      return state == 0 ? REGISTERED : REFUSED;
    case Action.ENABLE:
      return registered ? state | ENABLED : REFUSED;
    case Action.DISABLE:
      return registered ? state & ~ENABLED : REFUSED;
    case Action.UNREGISTER:
      return registered ? state & RUNNING : REFUSED;
    case Action.ROUTING_SET:
      return state == REGISTERED ? state : REFUSED;
    case Action.RELEASE:
      return state == 0 ? state : REFUSED;
    case Action.CONTEXT:
      return running ? state : REFUSED;
    case Action.COMPLETE:
      return running ? state & ~RUNNING : REFUSED;
    default:
      return state == (REGISTERED | ENABLED) ? state | RUNNING : REFUSED;
  }
}

/** Whether the event could be dispatched now, as far as its handler goes. */
export function isReady(registration: Registration): bool {
  return registration.state == (REGISTERED | ENABLED);
}
