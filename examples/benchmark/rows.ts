// The rows as tables with bars: one table for each kernel and shape.

import type { Results, Row } from "../../bench/results";
import { element } from "../playground/dom";
import { language } from "../playground/preferences";
import { text } from "./text";

/** What bars are as long as. */
export type Measure = "vsJs" | "rate" | "ofPeak";

const words = () => text[language()];
const percent = (share: number) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
const digits = (value: number) => value.toFixed(value < 10 ? 1 : 0);

/** Microseconds, milliseconds, seconds. */
export function duration(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toPrecision(3)} s`;
  return ms >= 1 ? `${ms.toPrecision(3)} ms` : `${(1000 * ms).toPrecision(3)} µs`;
}

/** What a kernel works on, in words. */
export function titleOf({ kernel, shape }: { kernel: string; shape: string }): string {
  const { kernels, batch, parameters, elements } = words();
  const [model, size] = shape.split("/");
  const what = size
    ? batch(model!, size)
    : /^\d+$/.test(shape)
      ? (kernel === "dropout" ? elements : parameters)(Number(shape))
      : shape.replace("-", " → ");
  return `${kernels[kernel] ?? kernel}: ${what.replace(/(\d)x(?=\d)/g, "$1×")}`;
}

function nameOf({ build, threads }: Pick<Row, "build" | "threads">): string {
  const name = words()[build];
  return threads > 1 ? words().withThreads(name, threads) : name;
}

/** Tables of the rows, in their order. Bars of all tables have one scale. */
export function tables(rows: Row[], measure: Measure): HTMLElement[] {
  const longest = (unit: string) => Math.max(...rows.filter((r) => r.unit === unit).map((r) => r[measure]));
  const scales = measure === "rate" ? { "GFLOP/s": longest("GFLOP/s"), "GB/s": longest("GB/s") } : undefined;
  const scale = Math.max(1, ...rows.map((row) => row[measure]));
  const groups = new Map<string, Row[]>();
  for (const row of rows) groups.set(titleOf(row), [...(groups.get(titleOf(row)) ?? []), row]);
  return [...groups].map(([title, of]) =>
    element(
      "section",
      { class: "card rows" },
      element("h3", {}, title),
      table(title, of, (row) => ({
        length: row[measure] / (scales?.[row.unit] ?? scale),
        mark: measure === "ofPeak" ? 1 / scale : undefined,
      })),
      of.some((row) => row.slow) ? element("p", { class: "help" }, words().slow) : null,
      of.some((row) => row.void) ? element("p", { class: "help" }, words().void) : null,
    ),
  );
}

function table(title: string, rows: Row[], bar: (row: Row) => { length: number; mark: number | undefined }) {
  const { way, time, vsJsHead, rateHead, ofPeakHead } = words();
  const head = (name: string, only = "") => element("th", { scope: "col", class: only }, name);
  return element(
    "table",
    { "aria-label": title },
    element(
      "thead",
      {},
      element("tr", {}, head(way), head(time, "time"), head(vsJsHead), head(rateHead), head(ofPeakHead)),
    ),
    element(
      "tbody",
      {},
      ...rows.map((row) => {
        const { length, mark } = bar(row);
        const track = element("span", { class: "track", "aria-hidden": "true" }, element("span", { class: row.build }));
        track.style.setProperty("--length", `${100 * Math.min(1, length)}%`);
        if (mark !== undefined) track.style.setProperty("--mark", `${100 * mark}%`);
        return element(
          "tr",
          {},
          element("th", { scope: "row" }, nameOf(row), track),
          element("td", { class: "time" }, duration(row.ms)),
          element("td", {}, row.build === "js" ? "1" : digits(row.vsJs)),
          element("td", {}, digits(row.rate), element("span", { class: "unit" }, ` ${row.unit}`)),
          element("td", {}, percent(row.ofPeak)),
        );
      }),
    ),
  );
}

/** What was left out, and why. */
export function leftOut(skipped: Results["skipped"]): HTMLElement | null {
  if (!skipped.length) return null;
  const line = ({ kernel, shape, build, threads, why }: Results["skipped"][number]) =>
    element("li", {}, `${titleOf({ kernel, shape })}; ${nameOf({ build: build as Row["build"], threads })}: ${why}`);
  return element(
    "section",
    { class: "card" },
    element("h3", {}, words().leftOut),
    element("ul", {}, ...skipped.map(line)),
  );
}
