// The CPUs that a call is about where a scenario names none.

/** The last CPUs that are online and not the requester's own. */
export function lastOthers(count: number) {
  return (online: readonly number[], requester: number): readonly number[] =>
    online.filter((cpu) => cpu !== requester).slice(-count);
}
