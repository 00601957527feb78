// The one error class of the library: what a caller did wrong, with a stable code, the offending value and what is allowed.

/**
 * Stable identifiers of everything that a caller can do wrong. A code never changes its meaning; programs may compare it.
 * Add a code here (one line, alphabetical, with the sentence that explains it) before throwing it.
 */
export const errorCodes = {
  ASSEMBLY_INVALID: "a routine or an image that the assembler cannot build",
  CAPACITY_EXCEEDED: "a documented capacity of the core is reached",
  CORE_MISMATCH: "the WebAssembly core is missing, damaged or of another layout version",
  CORE_TRAPPED: "the WebAssembly core trapped: a bug of allstop, not of its input; the machine is unusable afterwards",
  CPUMASK_INVALID: "text that the kernel's cpumask parsers refuse; the error's errno says how",
  IMAGE_INVALID: "a guest image that does not fit the machine",
  LITMUS_INVALID: "a litmus test that can't be read, or that this version can't run",
  NAME_UNKNOWN: "a name that is not in the list it should come from",
  OPTION_INVALID: "an option with a value outside its range or of the wrong kind",
  PACKAGE_MISSING: "an optional package that is needed for this, and isn't installed",
  PLATFORM_LACKS: "something that this platform doesn't have, such as files in a browser",
  SCENARIO_INVALID: "a scenario document that does not follow its schema",
  SNAPSHOT_INVALID: "a snapshot that is damaged, or of another machine, core or format version",
  TOPOLOGY_INVALID: "a topology that no machine can have",
  XML_INVALID: "a topology file that is not a well-formed hwloc document",
  XML_LIMIT: "a topology file larger or deeper than the documented limits",
} as const;

/** The `code` of an AllstopError: a key of `errorCodes`. */
export type ErrorCode = keyof typeof errorCodes;

/** Where and what: `value` is the offending input, `allowed` says in words what would have been accepted. */
export interface ErrorDetails {
  readonly value?: unknown;
  readonly allowed?: string;
  /** Position inside a document: a JSON path, or line:column. */
  readonly at?: string;
  readonly cause?: unknown;
}

/** Thrown for every mistake of a caller. The message is complete by itself: what, where, the value, what is allowed. */
export class AllstopError extends Error {
  /** Tells it from other errors where `instanceof` can't, such as behind a worker. */
  override readonly name = "AllstopError";
  /** What kind of mistake it is; of CORE_TRAPPED alone the caller is innocent. */
  readonly code: ErrorCode;
  /** What is wrong, without where it is and what is allowed. */
  readonly what: string;
  /** What was found. */
  readonly value: unknown;
  /** What would have been accepted, in words. */
  readonly allowed: string | undefined;
  /** Where: a path in a document, an option's name, line:column. */
  readonly at: string | undefined;

  /** @param what a few words, without the value */
  constructor(code: ErrorCode, what: string, details: ErrorDetails = {}) {
    super(compose(what, details), details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.what = what;
    this.value = details.value;
    this.allowed = details.allowed;
    this.at = details.at;
  }
}

/** The same mistake under another name of its place, or of what was found there. */
export function renamed(error: AllstopError, names: Pick<ErrorDetails, "at" | "value" | "allowed">): AllstopError {
  const { code, what, value, allowed } = error;
  return new AllstopError(code, what, { value, ...(allowed === undefined ? {} : { allowed }), ...names, cause: error });
}

/** Does something with what stands at a place of a document: mistakes are named by it, and by where in it they are. */
export function placed<T>(at: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof AllstopError)) throw error;
    throw renamed(error, { at: error.at === undefined ? at : `${at}: ${error.at}` });
  }
}

function compose(what: string, { value, allowed, at }: ErrorDetails): string {
  const where = at === undefined ? "" : `${at}: `;
  const found = value === undefined ? "" : `; found ${quote(value)}`;
  const expected = allowed === undefined ? "" : `; allowed: ${allowed}`;
  return `${where}${what}${found}${expected}`;
}

/** At most 80 characters of a value, so that a hostile input can't flood a terminal. */
function quote(value: unknown): string {
  const text =
    typeof value === "string"
      ? JSON.stringify(value)
      : typeof value === "bigint"
        ? `${value}`
        : (JSON.stringify(value) ?? String(value));
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
