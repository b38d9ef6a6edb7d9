// The HTML report: a section an experiment, its figures drawn already; no script, nothing to load.

import type { Row } from "./experiment";
import { figure } from "./lines";

export interface Section {
  row: Row;
  criterion: string;
  figures: { caption: string; html: string }[];
  notes: readonly string[];
  table: readonly (readonly string[])[];
}

const escaped = (text: string) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
td, th { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top; }
td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.seen { color: #116329; font-weight: 600; } .not { color: #9a3412; font-weight: 600; }
@media (max-width: 40rem) {
  .rows thead { display: none; } .rows tr { display: block; border-bottom: 1px solid #ddd; padding: .5rem 0; }
  .rows td, .rows td.number { display: block; border: 0; padding: 0; text-align: left; white-space: normal; }
}
section { margin-top: 3rem; } figure { margin: 1rem 0; overflow-x: auto; } figcaption, .criterion, .notes { font-size: 14px; color: #555; }
`;

const verdict = ({ verdict }: Row) => `<span class="${verdict === "seen" ? "seen" : "not"}">${verdict}</span>`;
const measured = ({ measured, standardError }: Row) => `${figure(measured)} ± ${figure(standardError)}`;

function tableOf([header, ...lines]: Section["table"]): string {
  if (!header) return "";
  const cells = (tag: string, line: readonly string[]) =>
    line.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join("");
  return `<table><tr>${cells("th", header)}</tr>${lines.map((line) => `<tr>${cells("td", line)}</tr>`).join("")}</table>`;
}

function sectionOf({ row, criterion, figures, notes, table }: Section): string {
  return `<section id="${row.method}"><h2>${row.method}</h2>
<p>${escaped(row.claim)} — ${verdict(row)}: ${measured(row)} (${escaped(row.of)}; mean ± standard error, ${row.seeds} seeds)</p>
<p class="criterion">${escaped(criterion)}</p>
${tableOf(table)}
${figures.map(({ caption, html }) => `<figure>${html}<figcaption>${escaped(caption)}</figcaption></figure>`).join("\n")}
${notes.length ? `<ul class="notes">${notes.map((note) => `<li>${escaped(note)}</li>`).join("")}</ul>` : ""}
</section>`;
}

export function reportOf(data: string, sections: readonly Section[]): string {
  const rows = sections
    .map(
      ({ row }) =>
        `<tr><td><a href="#${row.method}">${row.method}</a></td><td>${escaped(row.claim)}</td><td class="number">${measured(row)}</td><td>${escaped(row.of)}</td><td>${verdict(row)}</td></tr>`,
    )
    .join("\n");
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>downhill: the chapter, measured</title><style>${STYLE}</style></head><body>
<h1>The chapter, measured</h1>
<p>Every method of the chapter on real data (${escaped(data)}). Each row is a paired difference over seeds, positive in the claimed
direction; <em>seen</em> means a mean of at least two standard errors. Settings were tried on other
seeds; criterion, settings and seeds were committed before the run.</p>
<table class="rows"><thead><tr><th>method</th><th>what it should do</th><th>measured</th><th>of</th><th>verdict</th></tr></thead>
<tbody>${rows}</tbody></table>
${sections.map(sectionOf).join("\n")}
</body></html>
`;
}
