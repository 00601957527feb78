// A thread that ends in the middle of the run with seed 2.

export default function run({ head }) {
  if (head.seed === 2) process.exit(3);
  return { ...head, verdict: "completed", broken: [], error: null };
}
