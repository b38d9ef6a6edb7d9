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

/** A kernel's rows as a table. Its bars are as long as `setScale` has it. */
export function rowsCard(rows: Row[], measure: Measure): HTMLElement {
  const { slow, void: unfair } = words();
  const title = titleOf(rows[0]!);
  return element(
    "section",
    { class: "card rows" },
    element("h3", {}, title),
    table(title, rows, measure),
    rows.some((row) => row.slow) ? element("p", { class: "help" }, slow) : null,
    rows.some((row) => row.void) ? element("p", { class: "help" }, unfair) : null,
  );
}

/** Gives all bars in `list` one scale, of rates one for each unit; shares have a mark at the limit. */
export function setScale(list: HTMLElement, rows: Row[], measure: Measure): void {
  const longest = (of: Row[]) => Math.max(1, ...of.map((row) => row[measure]));
  for (const unit of ["GFLOP/s", "GB/s"] as const) {
    const same = measure === "rate" ? rows.filter((row) => row.unit === unit) : rows;
    list.style.setProperty(`--${scaleOf(unit)}`, `${longest(same)}`);
  }
  list.classList.toggle("shares", measure === "ofPeak");
}

const scaleOf = (unit: Row["unit"]) => (unit === "GB/s" ? "bytes" : "flops");

function table(title: string, rows: Row[], measure: Measure) {
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
        const bar = element("span", { class: `${row.build} ${scaleOf(row.unit)}` });
        bar.style.setProperty("--value", `${row[measure]}`);
        return element(
          "tr",
          {},
          element("th", { scope: "row" }, nameOf(row), element("span", { class: "track", "aria-hidden": "true" }, bar)),
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
export function leftOut(skipped: Results["skipped"]): HTMLElement[] {
  if (!skipped.length) return [];
  const line = ({ kernel, shape, build, threads, why }: Results["skipped"][number]) =>
    element("li", {}, `${titleOf({ kernel, shape })}; ${nameOf({ build: build as Row["build"], threads })}: ${why}`);
  const list = element("ul", {}, ...skipped.map(line));
  return [element("section", { class: "card" }, element("h3", {}, words().leftOut), list)];
}
