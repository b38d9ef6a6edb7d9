// A profile as text.

import type { Shape } from "../graph/graph";
import type { Profile, ProfiledInstruction } from "./profile";
import { bytes } from "./summary";

const shapeText = (shapes: readonly Shape[]): string => shapes.map((shape) => `[${shape}]`).join(" ");

/** Rows of cells, indented; columns that are named to the left, the others to the right. */
function aligned(rows: readonly (readonly string[])[], left: readonly number[]): string[] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) => {
    const cells = row.map((cell, i) => (left.includes(i) ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)));
    return `  ${cells.join("  ")}`.trimEnd();
  });
}

/** From 10 µs on with one digit. */
const time = (ms: number): string => `${(ms * 1000).toFixed(Math.abs(ms) < 0.01 ? 2 : 1)} µs`;

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Instructions of one layer, span, op and shapes, as one: their sum, at the place of the first. */
function joined(instructions: readonly ProfiledInstruction[]): (ProfiledInstruction & { times: number })[] {
  const found = new Map<string, ProfiledInstruction & { times: number }>();
  for (const { ms, gflops, gbs, share, ...what } of instructions) {
    const key = JSON.stringify(what);
    const had = found.get(key) ?? { ...what, ms: 0, gflops: 0, gbs: 0, share: 0, times: 0 };
    const mean = (before: number, now: number) => (before * had.ms + now * ms) / (had.ms + ms || 1);
    found.set(key, {
      ...had,
      ms: had.ms + ms,
      gflops: mean(had.gflops, gflops),
      gbs: mean(had.gbs, gbs),
      share: mean(had.share, share),
      times: had.times + 1,
    });
  }
  return [...found.values()];
}

/**
 * A profile as text. Under the spans' names each instruction: layer, op (× how many of that op and shapes, whose times are
 * added), time (‖: run by the team), share of the step, rate, the share that this is of what the machine reached in the same
 * run, and the shapes that it writes ← reads. Then sums by layer and by span; `dispatch` is what the core's run of the whole
 * step takes beyond its instructions' sum, `JavaScript` what `trainOnBatch` takes beyond that run: checking the batch, copying
 * it in, making the logs. At last the machine's limits.
 *
 * @example console.log(profileText(model.profile(x, y)))
 */
export function profileText({ instructions, step, layers, spans, limits, ...profile }: Profile): string {
  const team = profile.threads === 1 ? "1 thread" : `${profile.threads} threads`;
  const sorted = [...limits].sort((a, b) => a.threads - b.threads || +a.inPlace - +b.inPlace || a.bytes - b.bytes);
  const head = `training step of ${profile.batchSize}: ${time(step.ms)}; ${team}, ${profile.fastMath ? "fastMath" : "strict"}`;
  const lines = joined(instructions);
  const rows = aligned(
    lines.map(({ layer, op, times, ms, gflops, gbs, bound, share, ...rest }) => {
      const rate = bound === "compute" ? `${gflops.toFixed(1)} GFLOP/s` : `${gbs.toFixed(1)} GB/s   `;
      const shapes = [shapeText(rest.outputs), ...(rest.inputs.length ? ["←", shapeText(rest.inputs)] : [])];
      return [
        ...[layer, times > 1 ? `${op} ×${times}` : op, `${time(ms)}${rest.team ? " ‖" : "  "}`, percent(ms / step.ms)],
        ...(share ? [rate, percent(share)] : ["", ""]),
        ` ${shapes.join(" ").trim()}`,
      ];
    }),
    [0, 1, 6],
  );
  const listed = rows.flatMap((row, i) => {
    const { span } = lines[i]!;
    return span === lines[i - 1]?.span ? [row] : ["", span, row];
  });
  const sums = (title: string, of: [string, number][]) => [
    "",
    title,
    ...aligned(
      of.map(([name, ms]) => [name, time(ms), percent(ms / step.ms)]),
      [0],
    ),
  ];
  return [
    head,
    ...listed,
    ...sums(
      "by layer",
      Object.entries(layers).map(([name, ms]) => [name || "the rest", ms]),
    ),
    ...sums("by span", [
      ...Object.entries(spans),
      ["dispatch", step.run - step.instructions],
      ["JavaScript", step.ms - step.run],
    ]),
    "",
    "limits",
    ...aligned(
      sorted.map(({ threads, bytes: set, inPlace, rate }) => [
        set ? `${bytes(set)}${inPlace ? ", in place" : ""}` : "matrix product",
        threads === 1 ? "1 thread" : `${threads} threads`,
        `${rate.toFixed(1)} ${set ? "GB/s   " : "GFLOP/s"}`,
      ]),
      [0],
    ),
  ].join("\n");
}
