// A recording as text, for messages of failing tests.

import type { Address, Block, ConditionNode, Expression, Recording, Statement } from "../../../src/asm/record/tree.ts";

const name = (local: { name: string; index: number }): string => (local.name === "" ? `$${local.index}` : local.name);

export function printExpression(node: Expression): string {
  switch (node.kind) {
    case "constant":
      return `${node.value}${node.type}`;
    case "option":
      return node.option.name;
    case "local":
      return name(node.local);
    case "load":
      return `${node.memory}[${printAddress(node.address)}]`;
    case "address":
      return `&[${printAddress(node.address)}]`;
    case "binary":
      return `(${printExpression(node.left)} ${node.operator} ${printExpression(node.right)})`;
    case "unary":
      return `${node.operator}(${printExpression(node.operand)})`;
    case "convert":
      return `${node.type}(${printExpression(node.operand)})`;
  }
}

function printAddress({ base, index, scale, offset }: Address): string {
  const start =
    base.kind === "value"
      ? printExpression(base.value)
      : base.kind === "symbol"
        ? base.symbol.name
        : base.kind === "otherCpu"
          ? `cpu(${printExpression(base.cpu)})`
          : base.kind;
  return `${start}${index === undefined ? "" : ` + ${printExpression(index)}*${scale}`}${offset === 0 ? "" : ` + ${offset}`}`;
}

function printCondition(node: ConditionNode): string {
  switch (node.kind) {
    case "compare":
      return `${printExpression(node.left)} ${node.operator} ${printExpression(node.right)}`;
    case "bit":
      return `bit ${printExpression(node.bit)} of [${printAddress(node.address)}]`;
    case "and":
    case "or":
      return `(${printCondition(node.left)} ${node.kind} ${printCondition(node.right)})`;
    case "not":
      return `!(${printCondition(node.operand)})`;
    case "literal":
      return String(node.value);
    case "effect":
      return `${node.effect.kind} [${printAddress(node.effect.address)}]`;
  }
}

function printBlock(block: Block, indent: string): string[] {
  return block.statements.flatMap((statement) => printStatement(statement, indent));
}

function printStatement(statement: Statement, indent: string): string[] {
  const inner = `${indent}  `;
  switch (statement.kind) {
    case "set":
      return [`${indent}${name(statement.local)} = ${printExpression(statement.value)}`];
    case "store":
      return [`${indent}${statement.memory}[${printAddress(statement.address)}] = ${printExpression(statement.value)}`];
    case "if":
      return [
        `${indent}if ${printCondition(statement.condition)}`,
        ...printBlock(statement.then, inner),
        ...(statement.otherwise === undefined ? [] : [`${indent}else`, ...printBlock(statement.otherwise, inner)]),
      ];
    case "loop":
      return [
        `${indent}${statement.form} (prelude)`,
        ...printBlock(statement.prelude, `${inner}  `),
        `${indent}  while ${printCondition(statement.condition)}`,
        ...printBlock(statement.body, inner),
        ...(statement.step === undefined ? [] : [`${indent}step`, ...printBlock(statement.step, inner)]),
      ];
    case "switch":
      return [
        `${indent}switch ${printExpression(statement.value)}`,
        ...statement.cases.flatMap(({ values, body }) => [
          `${indent}case ${values.join()}`,
          ...printBlock(body, inner),
        ]),
        ...(statement.otherwise === undefined ? [] : [`${indent}default`, ...printBlock(statement.otherwise, inner)]),
      ];
    case "return":
      return [`${indent}return ${statement.value === undefined ? "" : printExpression(statement.value)}`];
    case "bool":
      return [`${indent}${name(statement.result)} = bool ${printCondition(statement.condition)}`];
    case "load":
    case "break":
    case "continue":
    case "call":
    case "update":
    case "setBit":
    case "clearBit":
    case "fetch":
    case "xchg":
    case "cmpxchg":
    case "fence":
    case "interrupts":
    case "relax":
    case "idle":
    case "bug":
    case "cmpWait":
    case "mark":
    case "arch": {
      const parts = Object.entries(statement)
        .filter(([key]) => !["kind", "ordinal", "source"].includes(key))
        .map(([key, value]: [string, unknown]) => {
          const node = value as Expression & Address & { index: number; name: string };
          if (key === "address") return `[${printAddress(node)}]`;
          if (key === "result" && value !== undefined) return `${key}=${name(node)}`;
          if (key === "arguments") return (value as Expression[]).map(printExpression).join(", ");
          if (typeof value === "object" && value !== null && "kind" in value && "type" in value)
            return `${key}=${printExpression(node)}`;
          return typeof value === "string" ? value : "";
        });
      return [`${indent}${statement.kind} ${parts.join(" ")}`];
    }
  }
}

export function printRecording(recording: Recording): string {
  return [`${recording.name}(${recording.parameters.map(name).join(", ")})`, ...printBlock(recording.body, "  ")].join(
    "\n",
  );
}
