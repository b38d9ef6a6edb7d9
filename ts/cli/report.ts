// Figures as text.

/** Rows of cells, the first column to the left, the others to the right. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows
    .map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  "))
    .map((line) => line.trimEnd())
    .join("\n");
}

/** 0.9812 → "98.1 %"; of nothing "–". */
export const percent = (part: number, whole = 1): string =>
  whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : "–";

/** Four digits: 0.5600, 12820. */
export function figure(value: number): string {
  const text = value.toPrecision(4);
  return text.includes("e+") ? `${Number(text)}` : text;
}

/** A matrix with more columns is not printed: the classes' own figures only. */
const MOST = 20;

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** How each class fared. counts[label][predicted] */
export function confusionText(counts: readonly (readonly number[])[], classes: readonly string[]): string {
  const column = classes.map((_, c) => sum(counts.map((row) => row[c]!)));
  const narrow = classes.length <= MOST;
  const head = [narrow ? "class \\ predicted" : "class", ...(narrow ? classes : []), "examples", "recall", "precision"];
  const rows = classes.map((name, c) => {
    const row = counts[c]!;
    const cells = narrow ? row.map((n) => (n === 0 ? "·" : `${n}`)) : [];
    return [name, ...cells, `${sum(row)}`, percent(row[c]!, sum(row)), percent(row[c]!, column[c]!)];
  });
  return columns([head, ...rows]);
}

/** The share on the diagonal. */
export const accuracyOf = (counts: readonly (readonly number[])[]): number =>
  sum(counts.map((row, c) => row[c]!)) / sum(counts.map(sum));
