// Doubly linked lists (include/linux/list.h).

import {
  nothing,
  ptr,
  routine,
  same,
  self,
  struct,
  type Builder,
  type Condition,
  type Pointer,
} from "../../asm/index.ts";

export const ListHead = struct("list_head", { next: ptr(self), prev: ptr(self) }, { size: 16 });
type ListPointer = Pointer<typeof ListHead>;

/** INIT_LIST_HEAD */
export function initListHead(k: Builder, list: ListPointer): void {
  k.writeOnce(list.next, list);
  k.writeOnce(list.prev, list);
}

export function listEmpty(list: ListPointer): Condition {
  return same(list.next, list);
}

export const listAddTail = routine(
  "list_add_tail",
  [{ entry: ptr(ListHead) }, { head: ptr(ListHead) }],
  nothing,
  (k, { entry, head }) => {
    const prev = k.let("prev", head.prev);
    k.set(head.prev, entry);
    k.set(entry.next, head);
    k.set(entry.prev, prev);
    k.writeOnce(prev.next, entry);
  },
);

export const listDelInit = routine("list_del_init", { entry: ptr(ListHead) }, nothing, (k, { entry }) => {
  const next = k.let("next", entry.next);
  const prev = k.let("prev", entry.prev);
  k.set(next.prev, prev);
  k.writeOnce(prev.next, next);
  initListHead(k, entry);
});
