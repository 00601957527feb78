// Who serves which interrupt besides the reschedule: an image's handlers by vector or INTID, in one routine.

import { nothing, routine, u32, type Builder } from "../../asm/index.ts";
import { badException } from "./fatal.ts";

export interface InterruptHandler {
  readonly ids: readonly number[];
  readonly handle: (k: Builder) => void;
}

/** What an image binds to handle_other_interrupt. */
export function dispatchInterrupts(name: string, handlers: readonly InterruptHandler[]) {
  return routine(name, { id: u32 }, nothing, (k, { id }) => {
    k.switch(
      id,
      handlers.map(({ ids, handle }) => [ids, () => handle(k)] as const),
      () => k.call(badException),
    );
  });
}
