// Herd's litmus format, as much of it as the tests of the corpus use. The product has a reader of its own: the reference
// would inherit its mistakes.

export type Dialect = "AArch64" | "X86_64" | "X86";

/** What a final state is asked for, `1:X0` or `[x]`, and the answer. */
export interface Atom {
  readonly kind: "atom";
  readonly item: string;
  readonly value: bigint;
}
export type Condition =
  | Atom
  | { readonly kind: "and" | "or"; readonly left: Condition; readonly right: Condition }
  | { readonly kind: "not"; readonly of: Condition };

export interface LitmusTest {
  readonly dialect: Dialect;
  readonly name: string;
  readonly doc: string;
  /** Addresses of the locations by name, in the order in which the test names them. */
  readonly addresses: ReadonlyMap<string, bigint>;
  /** Initial values of the locations that don't hold 0. */
  readonly memory: ReadonlyMap<string, bigint>;
  readonly threads: readonly LitmusThread[];
  readonly quantifier: "exists" | "~exists" | "forall";
  readonly condition: Condition;
  /** What the condition and the `locations` before it name. */
  readonly items: readonly string[];
}

export interface LitmusThread {
  readonly registers: ReadonlyMap<string, bigint>;
  /** Instructions and labels. */
  readonly lines: readonly string[];
}

const FIRST_ADDRESS = 0x1000n;
const ADDRESS_STEP = 0x1000n;

/** Registers have the names that the dialect's conditions give them. */
export function canonicalRegister(name: string, dialect: Dialect): string {
  if (dialect === "AArch64") return name.toUpperCase().replace(/^W/, "X");
  const bare = name.replace(/^%/, "").toLowerCase();
  return dialect === "X86_64" ? bare.replace(/^e/, "r") : bare.replace(/^r/, "e").toUpperCase();
}

class LitmusReader {
  readonly #dialect: Dialect;
  readonly #addresses = new Map<string, bigint>();
  readonly #memory = new Map<string, bigint>();
  readonly #registers: Map<string, bigint>[] = [];
  readonly #items: string[] = [];
  #tokens: string[] = [];

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  read(text: string): LitmusTest {
    const shape = /^(\S+)[ ]+(\S+)\s*(?:"([^"]*)")?\s*\{([^}]*)\}\s*([^]*?;)\s*(?:locations\s*\[([^\]]*)\]\s*)?(exists|~exists|forall)\s*([^]*)$/; // prettier-ignore
    const [, , name = "", doc = "", init = "", program = "", locations = "", quantifier = "", condition = ""] =
      shape.exec(text.replace(/\(\*[^]*?\*\)/g, "")) ?? fail("no litmus test", text);
    this.#init(init);
    const columns = this.#program(program);
    for (const item of locations.split(";").map((part) => part.trim())) if (item !== "") this.#item(item);
    this.#tokens = condition.match(/\/\\|\\\/|~|not\b|[()]|[^\s()~/\\]+/g) ?? [];
    const parsed = this.#disjunction();
    if (this.#tokens.length > 0) fail("a condition that goes on", this.#tokens.join(" "));
    return {
      dialect: this.#dialect,
      name,
      doc,
      addresses: this.#addresses,
      memory: this.#memory,
      threads: columns.map((lines, thread) => ({ registers: this.#registers[thread] ?? new Map(), lines })),
      quantifier: quantifier as LitmusTest["quantifier"],
      condition: parsed,
      items: [...new Set(this.#items)].sort(compareItems),
    };
  }

  #address(location: string): bigint {
    const known = this.#addresses.get(location);
    if (known !== undefined) return known;
    const address = FIRST_ADDRESS + ADDRESS_STEP * BigInt(this.#addresses.size);
    this.#addresses.set(location, address);
    return address;
  }

  #value(text: string): bigint {
    return /^-?\d|^0x/.test(text) ? BigInt(text) : this.#address(text);
  }

  #init(text: string): void {
    for (const statement of text.split(";").map((part) => part.trim())) {
      if (statement === "") continue;
      const [, thread, place = "", value = "0"] =
        /^(?:u?int\d*(?:_t)?\s+)?(?:(\d+):)?\[?(%?\w+)\]?(?:\s*=\s*(\S+))?$/.exec(statement) ??
        fail("an initial state", statement);
      if (thread === undefined) {
        this.#address(place);
        if (this.#value(value) !== 0n) this.#memory.set(place, this.#value(value));
      } else {
        const registers = (this.#registers[Number(thread)] ??= new Map<string, bigint>());
        registers.set(canonicalRegister(place, this.#dialect), this.#value(value));
      }
    }
  }

  #program(text: string): string[][] {
    const rows = text.split(";").map((row) => row.split("|").map((cell) => cell.trim()));
    const [heads = []] = rows;
    heads.forEach((head, thread) => head === `P${thread}` || fail("the head of a column", head));
    for (const [, location = ""] of text.matchAll(/[([]([a-z]\w*)[)\]]/g)) this.#address(location);
    return heads.map((_, thread) => rows.slice(1).flatMap((row) => splitLabels(row[thread] ?? "")));
  }

  #item(text: string): string {
    const [, thread, place = ""] = /^(?:(\d+):)?\[?(%?\w+)\]?$/.exec(text) ?? fail("something to observe", text);
    if (thread === undefined) this.#address(place);
    const item = thread === undefined ? `[${place}]` : `${thread}:${canonicalRegister(place, this.#dialect)}`;
    this.#items.push(item);
    return item;
  }

  #disjunction(): Condition {
    let left = this.#conjunction();
    while (this.#take("\\/")) left = { kind: "or", left, right: this.#conjunction() };
    return left;
  }

  #conjunction(): Condition {
    let left = this.#literal();
    while (this.#take("/\\")) left = { kind: "and", left, right: this.#literal() };
    return left;
  }

  #literal(): Condition {
    if (this.#take("~") || this.#take("not")) return { kind: "not", of: this.#literal() };
    if (this.#take("(")) {
      const inner = this.#disjunction();
      if (!this.#take(")")) fail("a parenthesis that stays open", this.#tokens.join(" "));
      return inner;
    }
    const token = this.#tokens.shift() ?? fail("a condition that ends early", "");
    const [item = "", value = ""] = token.split("=");
    return { kind: "atom", item: this.#item(item), value: this.#value(value) };
  }

  #take(token: string): boolean {
    if (this.#tokens[0] !== token) return false;
    this.#tokens.shift();
    return true;
  }
}

/** `label: instruction` is two lines. */
function splitLabels(cell: string): string[] {
  const [, label, rest = ""] = /^(?:(\w+:)\s*)?([^]*)$/.exec(cell) ?? [];
  return [label ?? "", rest].filter((part) => part !== "");
}

function fail(what: string, text: string): never {
  throw new Error(`litmus test: ${what}: ${text}`);
}

/** Registers by thread and number, then locations. */
export function compareItems(one: string, other: string): number {
  const isLocation = (item: string): number => (item.startsWith("[") ? 1 : 0);
  return isLocation(one) - isLocation(other) || one.localeCompare(other, "en", { numeric: true });
}

export function parseLitmus(text: string): LitmusTest {
  const dialect = /^\S+/.exec(text)?.[0] ?? "";
  if (dialect !== "AArch64" && dialect !== "X86_64" && dialect !== "X86") fail("a dialect", dialect);
  return new LitmusReader(dialect).read(text);
}

export function holds(condition: Condition, state: ReadonlyMap<string, bigint>): boolean {
  switch (condition.kind) {
    case "atom":
      return state.get(condition.item) === condition.value;
    case "and":
      return holds(condition.left, state) && holds(condition.right, state);
    case "or":
      return holds(condition.left, state) || holds(condition.right, state);
    case "not":
      return !holds(condition.of, state);
  }
}

/** As herd prints it: `1:X0=1; 1:X2=0; [x]=2;` */
export function formatState(items: readonly string[], state: ReadonlyMap<string, bigint>): string {
  return items.map((item) => `${item}=${state.get(item) ?? 0n};`).join(" ");
}
