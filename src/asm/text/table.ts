// What mnemonics are looked up in.

/** An instruction, or several that differ by their names only. */
export interface TableEntry<Statement> {
  /** The operands, for messages. */
  readonly forms: string;
  readonly emit: (s: Statement) => void;
}

/** The same entry under several names. */
export function each<Name extends string, Entry>(
  names: readonly Name[],
  make: (name: Name) => Entry,
): Record<Name, Entry> {
  return Object.fromEntries(names.map((name) => [name, make(name)])) as Record<Name, Entry>;
}
