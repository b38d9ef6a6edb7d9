// Writes the measured rows into the methods' pages, between `<!-- chapter name -->` and `<!-- /chapter -->`.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { figure } from "./lines";
import type { Section } from "./report";

const FOLDER = "docs";

const lineOf = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;

function tableOf({ row, table: [header, ...lines] }: Section, data: string): string {
  const own = header && [lineOf(header), lineOf(header.map(() => "---")), ...lines.map(lineOf)].join("\n");
  const measured = `| claim | measured (mean ± standard error, ${row.seeds} seeds, ${data}) | verdict |
| --- | --- | --- |
| ${row.claim} | ${figure(row.measured)} ± ${figure(row.standardError)} (${row.of}) | ${row.verdict} |`;
  return own ? `${measured}\n\n${own}` : measured;
}

export function writeDocs(sections: readonly Section[], data: string): void {
  for (const file of readdirSync(FOLDER).filter((name) => name.endsWith(".md"))) {
    const path = `${FOLDER}/${file}`;
    const text = readFileSync(path, "utf8");
    const filled = text.replace(
      /(<!-- chapter ([\w-]+) -->)[\s\S]*?(<!-- \/chapter -->)/g,
      (whole, begin, method, end) => {
        const section = sections.find(({ row }) => row.method === method);
        return section ? `${begin}\n\n${tableOf(section, data)}\n\n${end}` : whole;
      },
    );
    if (filled !== text) writeFileSync(path, filled);
  }
}
