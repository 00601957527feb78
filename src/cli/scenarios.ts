// allstop scenarios: the built-in cases, run on all their variants, beside what is expected of them.

import { AllstopError } from "../errors.ts";
import { loadCore } from "../core/load.ts";
import { findCases } from "../scenario/catalogue.ts";
import type { Case } from "../scenario/case.ts";
import { rowsOf, runCaseRow, type CaseRow } from "../scenario/run-case.ts";
import { ProgressBar, palette, print } from "./terminal.ts";

export interface ScenariosArguments {
  readonly cpus?: number;
  readonly smallest?: true;
  readonly list?: true;
  readonly json?: true;
}

/** @returns the exit code: 0 when every row is as expected */
export async function scenarios(ids: readonly string[], options: ScenariosArguments): Promise<number> {
  const cases = await findCases(ids);
  if (options.list) return listCases(cases, options.json === true);
  const core = await loadCore();
  const wanted = {
    core,
    smallest: options.smallest === true,
    ...(options.cpus === undefined ? {} : { cpus: [options.cpus] }),
  };
  const work = cases.flatMap((one) => rowsOf(one, wanted).map((row) => ({ one, ...row })));
  if (work.length === 0) {
    const sizes = cases.flatMap((one) => rowsOf(one).map(({ cpus }) => cpus)).sort((a, b) => a - b);
    const allowed = [...new Set(sizes)].join(", ");
    throw new AllstopError("OPTION_INVALID", "no variant runs on so many CPUs", {
      at: "--cpus",
      value: options.cpus,
      allowed,
    });
  }
  const bar = new ProgressBar("running");
  const rows: CaseRow[] = [];
  for (const { one, variant, cpus } of work) {
    rows.push(await runCaseRow(one, variant, cpus, wanted));
    bar.update(rows.length / work.length);
  }
  bar.end();
  if (options.json) print(JSON.stringify({ format: "allstop.scenarios/1", rows }, null, 2));
  else for (const line of tableLines(cases, rows)) print(line);
  return rows.every(isAsExpected) ? 0 : 1;
}

function isAsExpected({ expected, got }: CaseRow): boolean {
  return expected === got;
}

function listCases(cases: readonly Case[], asJson: boolean): number {
  if (asJson) print(JSON.stringify(cases, null, 2));
  else {
    for (const { id, title, variants } of cases) {
      print(`${palette().strong(id.padEnd(5))} ${title}`);
      print(`      ${palette().faint(variants.map(({ name }) => name).join(" · "))}`);
    }
  }
  return 0;
}

function tableLines(cases: readonly Case[], rows: readonly CaseRow[]): string[] {
  const { good, bad, strong, faint } = palette();
  const failed = rows.filter((row) => !isAsExpected(row));
  const verdict = failed.length === 0 ? good("OK") : bad("DIFFERENT");
  const lines = [
    `${verdict}  ${rows.length - failed.length} of ${rows.length} rows as expected, ${cases.length} scenarios`,
  ];
  const columns = Math.max(...rows.map(({ variant }) => variant.length), 7);
  for (const { id, title } of cases) {
    lines.push("", `${strong(id)}  ${title}`);
    for (const row of rows.filter(({ scenario }) => scenario === id)) {
      const size = faint(`${String(row.cpus).padStart(5)} CPUs`);
      const name = row.variant.padEnd(columns);
      if (isAsExpected(row)) lines.push(`  ${good("=")} ${name} ${size}  ${row.got}`);
      else {
        lines.push(`  ${bad("!")} ${name} ${size}  expected ${row.expected}`);
        lines.push(`  ${" ".repeat(columns + 13)}  ${bad(`got      ${row.got}`)}`);
      }
    }
  }
  return lines;
}
