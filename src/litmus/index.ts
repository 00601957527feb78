// The public names of litmus tests: reading them, running them, and showing what came out.

export { kindNames, type Condition, type Prop, type Quantifier } from "./condition.ts";
export { type LitmusState } from "./outcomes.ts";
export { parseLitmus } from "./parse.ts";
export { placements, type Placement } from "./placement.ts";
export { litmusLimits } from "./plan.ts";
export { isRefuted, type LitmusResult } from "./result.ts";
export { DEFAULT_LITMUS_RUNS, runLitmus, type LitmusOptions } from "./run.ts";
export {
  type Cell,
  type DialectName,
  type Initial,
  type LitmusLocation,
  type LitmusTest,
  type LitmusValue,
  type ValueType,
} from "./test.ts";
export { litmusLines } from "./text.ts";
