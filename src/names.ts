// Names near to one that is unknown, for messages.

const MOST = 3;
const MOST_COMPARED = 64;

/** The few names that take the least changes to get to, nearest first. O(names x length^2). */
export function nearestNames(wanted: string, names: readonly string[]): string[] {
  const name = wanted.slice(0, MOST_COMPARED).toLowerCase();
  const ranked = [...new Set(names)].map((one) => ({ one, changes: changes(name, one.toLowerCase()) }));
  ranked.sort((a, b) => a.changes - b.changes || (a.one < b.one ? -1 : 1));
  return ranked.slice(0, MOST).map(({ one }) => one);
}

/** The one that was probably meant: it takes changes to at most half of its characters. */
export function nearName(wanted: string, names: readonly string[]): string | undefined {
  const [nearest] = nearestNames(wanted, names);
  if (nearest === undefined || wanted.length > MOST_COMPARED) return undefined;
  return changes(wanted.toLowerCase(), nearest.toLowerCase()) * 2 <= nearest.length ? nearest : undefined;
}

/** Levenshtein distance: characters to insert, delete or replace. */
function changes(from: string, to: string): number {
  let before = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const line = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = (before[column - 1] as number) + (from[row - 1] === to[column - 1] ? 0 : 1);
      line.push(Math.min(replaced, (before[column] as number) + 1, (line[column - 1] as number) + 1));
    }
    before = line;
  }
  return before[to.length] as number;
}
