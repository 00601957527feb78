// The initial state of a test: { int64_t x=1; 0:X1=x; uint64_t 1:X0; *p=x; }.

import { parseLocation, parseValue, threadOf } from "./condition.ts";
import { litmusMistake } from "./failure.ts";
import type { TokenReader } from "./source.ts";
import type { Initial, LitmusValue, ValueType } from "./test.ts";
import { ADDRESS, typeNamed } from "./values.ts";

/** Items up to the end, separated by semicolons. */
export function parseInitial(reader: TokenReader): Initial[] {
  const items: Initial[] = [];
  while (!reader.isAtEnd) {
    if (reader.accept(";")) continue;
    items.push(parseItem(reader));
    if (!reader.isAtEnd) reader.expect(";");
  }
  return items;
}

function parseItem(reader: TokenReader): Initial {
  reader.accept("_Atomic");
  const type = parseType(reader);
  const location = parseLocation(reader);
  const value = reader.accept("=") ? parseInitialValue(reader) : 0n;
  return { location, type, value };
}

/** `int`, `int *`, `*`, or nothing. */
function parseType(reader: TokenReader): ValueType | undefined {
  const first = reader.peek();
  const isPointer = reader.isNext("*", 1);
  const next = reader.peek(1);
  const isNamed = first.kind === "name" && (isPointer || next.kind === "name" || startsLocation(reader));
  if (isNamed) {
    const type = typeNamed(reader.take());
    return reader.accept("*") ? ADDRESS : type;
  }
  return reader.accept("*") ? ADDRESS : undefined;
}

/** Whether a location stands behind the next token: a register, or a name in brackets. */
function startsLocation(reader: TokenReader): boolean {
  return threadOf(reader.peek(1)) !== undefined || (reader.isNext("[", 1) && reader.peek(2).kind === "name");
}

function parseInitialValue(reader: TokenReader): LitmusValue {
  const token = reader.peek();
  if (reader.accept("ATOMIC_INIT")) {
    reader.expect("(");
    const value = parseInitialValue(reader);
    reader.expect(")");
    return value;
  }
  const isLabel = threadOf(token) !== undefined && reader.isNext(":", 1);
  const isOther = isLabel || token.text === "{" || token.text === "(" || token.text.startsWith("instr");
  if (isOther)
    throw litmusMistake(
      "an initial value of that kind",
      token.place,
      token.text,
      "a number, or the name of a location",
    );
  return parseValue(reader);
}
