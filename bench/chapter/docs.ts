// Writes the measured rows into the methods' pages, between `<!-- chapter name -->` and `<!-- /chapter -->`.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { Row } from "./experiment";
import { figure } from "./lines";

const FOLDER = "docs";

const tableOf = (row: Row, data: string) =>
  `| claim | measured (mean ± standard error, ${row.seeds} seeds, ${data}) | verdict |
| --- | --- | --- |
| ${row.claim} | ${figure(row.measured)} ± ${figure(row.standardError)} (${row.of}) | ${row.verdict} |`;

export function writeDocs(rows: readonly Row[], data: string): void {
  for (const file of readdirSync(FOLDER).filter((name) => name.endsWith(".md"))) {
    const path = `${FOLDER}/${file}`;
    const text = readFileSync(path, "utf8");
    const filled = text.replace(
      /(<!-- chapter ([\w-]+) -->)[\s\S]*?(<!-- \/chapter -->)/g,
      (whole, begin, method, end) => {
        const row = rows.find((r) => r.method === method);
        return row ? `${begin}\n\n${tableOf(row, data)}\n\n${end}` : whole;
      },
    );
    if (filled !== text) writeFileSync(path, filled);
  }
}
