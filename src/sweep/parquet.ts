// A sweep's journal as a Parquet file, a column per varied field (hyparquet-writer).

import { AllstopError } from "../errors.ts";
import { platform } from "../platform/node.ts";
import type { FieldValue } from "../scenario/fields.ts";
import type { SweepPlan } from "./plan.ts";
import type { SweepRow } from "./row.ts";

type ColumnType = "STRING" | "INT32" | "INT64" | "DOUBLE" | "BOOLEAN";
type Cell = string | number | bigint | boolean | null;

interface Column {
  readonly name: string;
  readonly type: ColumnType;
  readonly valueOf: (row: SweepRow) => Cell;
}

/** Columns that every row has, behind its key and the varied fields. */
const figures: readonly Column[] = [
  { name: "seed", type: "INT64", valueOf: ({ seed }) => BigInt(seed) },
  { name: "cpus", type: "INT32", valueOf: ({ cpus }) => cpus },
  { name: "verdict", type: "STRING", valueOf: ({ verdict }) => verdict },
  { name: "returned", type: "INT32", valueOf: ({ returned }) => returned },
  { name: "rendezvousNs", type: "DOUBLE", valueOf: ({ rendezvousNs }) => rendezvousNs },
  { name: "totalNs", type: "DOUBLE", valueOf: ({ totalNs }) => totalNs },
  { name: "frozenP50Ns", type: "DOUBLE", valueOf: ({ frozenP50Ns }) => frozenP50Ns },
  { name: "frozenP99Ns", type: "DOUBLE", valueOf: ({ frozenP99Ns }) => frozenP99Ns },
  { name: "frozenMaxNs", type: "DOUBLE", valueOf: ({ frozenMaxNs }) => frozenMaxNs },
  { name: "lastCpu", type: "INT32", valueOf: ({ lastCpu }) => lastCpu },
  { name: "broken", type: "STRING", valueOf: ({ broken }) => broken.join(",") },
  { name: "simulatedNs", type: "DOUBLE", valueOf: ({ simulatedNs }) => simulatedNs },
  { name: "digest", type: "STRING", valueOf: ({ digest }) => digest },
  { name: "errorCode", type: "STRING", valueOf: ({ error }) => error?.code ?? null },
  { name: "errorMessage", type: "STRING", valueOf: ({ error }) => error?.message ?? null },
];

/**
 * Writes the rows of a plan, by point and seed. The file appears when it is complete; one that is there is replaced. Holds the rows in
 * memory. Needs Node. @throws OPTION_INVALID where the file can't be written; PLATFORM_LACKS
 */
export async function writeParquet(plan: SweepPlan, journal: string, file: string): Promise<void> {
  const { rename, rm } = await platform.files();
  const { parquetWriteFile } = await platform.parquet();
  const rows = await plannedRows(plan, journal);
  const partial = `${file}.partial`;
  try {
    const columnData = columnsOf(plan).map(({ name, type, valueOf }) => ({ name, type, data: rows.map(valueOf) }));
    parquetWriteFile({ filename: partial, columnData });
    await rename(partial, file);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new AllstopError("OPTION_INVALID", `a Parquet file that can't be written (${message})`, {
      value: file,
      cause,
    });
  } finally {
    await rm(partial, { force: true });
  }
}

/** Rows of the plan that the journal has, each once, in the plan's order. */
async function plannedRows({ points, seeds }: SweepPlan, journal: string): Promise<SweepRow[]> {
  const { createReadStream } = await platform.streams();
  const { createInterface } = await platform.lines();
  const found = new Map<string, SweepRow>();
  for await (const line of createInterface({ input: createReadStream(journal) })) {
    const row = JSON.parse(line) as SweepRow;
    if (!found.has(row.key)) found.set(row.key, row);
  }
  return points.flatMap(({ hash }) => seeds.flatMap((seed) => found.get(`${hash}-${seed}`) ?? []));
}

function columnsOf(plan: SweepPlan): Column[] {
  const varied = plan.fields.map((field): Column => {
    const type = typeOf(plan, field);
    return { name: field, type, valueOf: ({ point }) => cellOf(point[field] as FieldValue, type) };
  });
  return [{ name: "key", type: "STRING", valueOf: ({ key }) => key }, ...varied, ...figures];
}

/** Of a varied field: what holds all of its values. */
function typeOf({ points }: SweepPlan, field: string): ColumnType {
  const values = points.map(({ values: one }): FieldValue | undefined => one[field]);
  if (values.every((value) => Number.isSafeInteger(value))) return "INT64";
  if (values.every((value) => typeof value === "number")) return "DOUBLE";
  return values.every((value) => typeof value === "boolean") ? "BOOLEAN" : "STRING";
}

function cellOf(value: FieldValue, type: ColumnType): Cell {
  if (type === "INT64") return BigInt(value as number);
  if (type === "DOUBLE" || type === "BOOLEAN") return value as number | boolean;
  return typeof value === "string" ? value : JSON.stringify(value);
}
