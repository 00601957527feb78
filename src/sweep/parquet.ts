// A sweep's journal as a Parquet file, a column per varied field. DuckDB writes it: an optional package, loaded when it is asked for.

import { AllstopError } from "../errors.ts";
import type { FieldValue } from "./fields.ts";
import type { SweepPlan } from "./plan.ts";

const PACKAGE = "@duckdb/node-api";

/** What of it is used here: types of a package that need not be there would be in the way of its users. */
interface DuckDb {
  readonly DuckDBInstance: { create(path: string): Promise<Database> };
}
interface Database {
  connect(): Promise<Connection>;
  closeSync(): void;
}
interface Connection {
  run(sql: string): Promise<unknown>;
  closeSync(): void;
}

/** To be called before anything runs. @throws OPTION_INVALID where the package is not installed */
export async function loadDuckDb(): Promise<DuckDb> {
  try {
    return await import("@duckdb/node-api");
  } catch (cause) {
    throw new AllstopError("OPTION_INVALID", `Parquet needs the package ${PACKAGE}, which is not installed`, {
      allowed: `a file .jsonl, or npm install ${PACKAGE}`,
      cause,
    });
  }
}

/** Types of the columns that every row has. */
const columns = {
  key: "VARCHAR",
  seed: "UINTEGER",
  cpus: "UINTEGER",
  verdict: "VARCHAR",
  returned: "INTEGER",
  rendezvousNs: "DOUBLE",
  totalNs: "DOUBLE",
  frozenP50Ns: "DOUBLE",
  frozenP99Ns: "DOUBLE",
  frozenMaxNs: "DOUBLE",
  lastCpu: "UINTEGER",
  broken: "VARCHAR[]",
  simulatedNs: "DOUBLE",
  digest: "VARCHAR",
} as const;

/**
 * Writes the rows of a plan, by point and seed. The file appears when it is complete; one that is there is replaced.
 * @throws OPTION_INVALID where DuckDB is not installed, or where the file can't be written
 */
export async function writeParquet(plan: SweepPlan, journal: string, file: string): Promise<void> {
  const { DuckDBInstance } = await loadDuckDb();
  // Not at the top: where there are no files, the rest of the library loads all the same.
  const { rename, rm } = await import("node:fs/promises");
  const database = await DuckDBInstance.create(":memory:");
  const connection = await database.connect();
  const partial = `${file}.partial`;
  try {
    await connection.run(selection(plan, journal, partial));
    await rename(partial, file);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new AllstopError("OPTION_INVALID", `a Parquet file that can't be written (${message})`, {
      value: file,
      cause,
    });
  } finally {
    connection.closeSync();
    database.closeSync();
    await rm(partial, { force: true });
  }
}

function selection(plan: SweepPlan, journal: string, file: string): string {
  const types = { ...columns, point: "JSON", error: "STRUCT(code VARCHAR, message VARCHAR)" };
  const read = Object.entries(types).map(([name, type]) => `${text(name)}: ${text(type)}`);
  const points = plan.points.map(({ hash }, index) => `(${text(hash)}, ${index})`);
  const seeds = plan.seeds.map((seed, index) => `(${seed}, ${index})`);
  const rest = Object.keys(columns).filter((name) => name !== "key");
  const varied = plan.fields.map(
    (field) => `(point->>${text(`$."${field}"`)})::${typeOf(plan, field)} AS ${identifier(field)}`,
  );
  return `COPY (
    SELECT ${[identifier("key"), ...varied, ...rest.map(identifier)].join(", ")},
      error.code AS "errorCode", error.message AS "errorMessage"
    FROM read_json(${text(journal)}, format = 'newline_delimited', columns = {${read.join(", ")}}) AS journal
    JOIN (VALUES ${points.join(", ")}) AS points(hash, pointOrder) ON split_part(key, '-', 1) = hash
    JOIN (VALUES ${seeds.join(", ")}) AS seeds(planned, seedOrder) ON seed = planned
    QUALIFY row_number() OVER (PARTITION BY key) = 1
    ORDER BY pointOrder, seedOrder
  ) TO ${text(file)} (FORMAT parquet, COMPRESSION zstd)`;
}

/** Of a varied field: what holds all of its values. */
function typeOf({ points }: SweepPlan, field: string): string {
  const values = points.map(({ values: one }): FieldValue | undefined => one[field]);
  if (values.every((value) => Number.isSafeInteger(value))) return "BIGINT";
  if (values.every((value) => typeof value === "number")) return "DOUBLE";
  return values.every((value) => typeof value === "boolean") ? "BOOLEAN" : "VARCHAR";
}

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
