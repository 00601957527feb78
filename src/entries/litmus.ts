/**
 * Litmus tests of the herd tools (AArch64, X86_64, X86), as machine code on any topology.
 *
 * @module litmus
 */

export {
  DEFAULT_LITMUS_RUNS,
  isRefuted,
  kindNames,
  litmusLimits,
  litmusLines,
  parseLitmus,
  placements,
  runLitmus,
  type LitmusOptions,
  type LitmusResult,
  type LitmusState,
  type LitmusTest,
  type Placement,
} from "../litmus/index.ts";
