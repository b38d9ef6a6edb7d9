// Predictions as text: CSV (RFC 4180) or one JSON object a line.

import type { NDArray } from "../ndarray";

export type OutputFormat = "csv" | "json";

/** What the columns of predictions mean. */
export interface Meanings {
  /** Names of the classes, and the most likely one of each row; undefined: the values are numbers, not probabilities. */
  classes: { names: readonly string[]; best: Int32Array } | undefined;
  /** What the numbers are called. */
  target: string;
  /** Rows without a prediction: `NA` in each field of CSV, `null` in JSON. */
  absent?: readonly boolean[] | undefined;
}

/** Quoted where it must be. */
const cell = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);

/** A float32 in the digits that tell it from its neighbours at most. */
const digits = (value: number): string => `${Number(value.toPrecision(7))}`;

/** A line for each row of values [n, …]; CSV begins with a header. */
export function predictionLines(
  { data, shape }: NDArray,
  format: OutputFormat,
  { classes, target, absent }: Meanings,
): string {
  const n = shape[0]!;
  const width = data.length / n;
  const names =
    classes?.names ?? (width === 1 ? [target] : Array.from({ length: width }, (_, j) => `${target}_${j + 1}`));
  const lines: string[] = [];
  if (format === "csv") lines.push([...(classes ? ["class"] : []), ...names].map(cell).join(","));
  for (let i = 0; i < n; i++) {
    if (absent?.[i]) {
      lines.push(
        format === "csv"
          ? Array(names.length + (classes ? 1 : 0))
              .fill("NA")
              .join(",")
          : "null",
      );
      continue;
    }
    const values = Array.from(data.subarray(i * width, (i + 1) * width), digits);
    const best = classes && classes.names[classes.best[i]!]!;
    if (format === "csv") lines.push([...(best === undefined ? [] : [cell(best)]), ...values].join(","));
    else {
      // written by hand: an object would bring classes that are numbers into an order of its own
      const members = `{${names.map((name, j) => `${JSON.stringify(name)}:${values[j]}`).join(",")}}`;
      lines.push(best === undefined ? members : `{"class":${JSON.stringify(best)},"probabilities":${members}}`);
    }
  }
  return `${lines.join("\n")}\n`;
}
