// The page around a report: one file without references to others, for light and dark surroundings and for paper.

import { darkTheme, lightTheme } from "../picture/theme.ts";
import { tag, text, type Html } from "./elements.ts";

function colours({ paper, ink, faint, grid, series }: typeof lightTheme): string {
  return `--paper:${paper};--ink:${ink};--faint:${faint};--grid:${grid};--good:${series[2]};--bad:${series[1]}`;
}

const rules = `
:root{color-scheme:light;${colours(lightTheme)}}
@media screen and (prefers-color-scheme:dark){:root{color-scheme:dark;${colours(darkTheme)}}}
body{margin:0 auto;padding:24px;max-width:1148px;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,'DejaVu Sans',Arial,sans-serif}
h1{font-size:22px;line-height:1.3;margin:0 0 4px}
h2{font-size:17px;margin:32px 0 8px;border-bottom:1px solid var(--grid);padding-bottom:4px}
p{margin:4px 0}
.faint,figcaption,th{color:var(--faint)}
.good{color:var(--good);font-weight:600}
.bad{color:var(--bad);font-weight:600}
section{overflow-x:auto}
table{border-collapse:collapse;margin:8px 0;font-size:14px}
th,td{text-align:left;vertical-align:top;white-space:nowrap;padding:3px 16px 3px 0;border-bottom:1px solid var(--grid)}
.text{white-space:normal}
th{font-weight:500}
.figure{text-align:right;font-variant-numeric:tabular-nums}
figure{margin:16px 0 24px;overflow-x:auto}
figure svg{max-width:100%;min-width:720px;height:auto}
figcaption{font-size:14px}
pre{overflow-x:auto;border:1px solid var(--grid);border-radius:4px;padding:10px;font-size:13px;line-height:1.4}
@media print{body{max-width:none;padding:0;font-size:12px}figure,table{break-inside:avoid}figure svg{min-width:0}pre{white-space:pre-wrap}}
`;

/** A whole document. */
export function page(title: string, ...children: readonly Html[]): Html {
  const head = tag(
    "head",
    {},
    '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">',
    tag("title", {}, text(title)),
    tag("style", {}, rules.trim()),
  );
  return `<!DOCTYPE html>\n${tag("html", { lang: "en" }, head, tag("body", {}, ...children))}`;
}
