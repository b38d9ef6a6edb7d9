// The tables that a run prints.

import type { Goal, Results, Row } from "./results";

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

function milliseconds(ms: number): string {
  return ms < 0.1 ? `${(1000 * ms).toFixed(2)} µs` : `${ms.toFixed(ms < 10 ? 3 : 1)} ms`;
}

const WIDTHS = [20, 20, 10, 8, 11, 15, 9, 9];

function line(cells: string[]): string {
  return cells
    .map((cell, i) => (i < 3 ? cell.padEnd(WIDTHS[i]!) : cell.padStart(WIDTHS[i] ?? 0)))
    .join(" ")
    .trimEnd();
}

export const rowHeader = line(["kernel", "shape", "build", "threads", "time", "rate", "of limit", "vs JS"]);

export function rowLine(row: Row): string {
  const marks = [
    row.form && row.form,
    row.slow && "slow minute",
    row.void && "void: JavaScript below 9 % of the FMA peak",
  ].filter((mark) => mark);
  return `${line([
    row.kernel,
    row.shape,
    row.build,
    String(row.threads),
    milliseconds(row.ms),
    `${row.rate.toFixed(row.rate < 10 ? 2 : 1)} ${row.unit}`,
    percent(row.ofPeak),
    row.build === "js" ? "" : `${row.vsJs.toFixed(2)} ×`,
  ])}${marks.length ? `  ${marks.join(", ")}` : ""}`;
}

export function amount(goal: Goal, value: number): string {
  if (goal.unit === "share") return percent(value);
  if (goal.unit === "times") return `${value.toFixed(2)} ×`;
  if (goal.unit === "calls") return String(value);
  return `${value.toFixed(goal.unit === "bytes" ? 0 : 2)} ${goal.unit}`;
}

export function goalLine(goal: Goal): string {
  const sign = goal.void
    ? "void       "
    : goal.reached === undefined
      ? "not run    "
      : goal.reached
        ? "reached    "
        : "NOT reached";
  const value = goal.value === undefined ? "–" : amount(goal, goal.value);
  const bound = `${goal.atMost ? "≤" : "≥"} ${amount(goal, goal.bound)}`;
  return `${sign}  ${goal.what.padEnd(58)} ${value.padStart(9)}  ${bound}${goal.slow ? "  (slow minute)" : ""}`;
}

export function summary({ machine, rows, skipped, goals }: Results): string[] {
  const peaks = Object.entries(machine.peaks).map(([name, rate]) => `${name} ${rate.toFixed(1)}`);
  return [
    "",
    `${machine.cpu}, ${machine.cores} cores, ${machine.engine}; medians of ${machine.rounds} interleaved rounds`,
    `multiply-adds in registers, GFLOP/s, by accumulators: ${peaks.join(", ")}; GEMM probe ${machine.probe.toFixed(1)}`,
    ...(rows.some((row) => row.slow)
      ? [
          "slow minute: the GEMM probe beside the row fell by > 10 % against the best of this run, or the core was taken away",
        ]
      : []),
    ...(skipped.length ? ["", "Skipped"] : []),
    ...skipped.map(
      (s) => `  ${s.kernel} ${s.shape} ${s.build}, ${s.threads} thread${s.threads > 1 ? "s" : ""}: ${s.why}`,
    ),
    "",
    "Goals",
    ...goals.map(goalLine),
    "",
    `${goals.filter((g) => g.reached).length} of ${goals.length} reached, ${goals.filter((g) => g.reached === false).length} not, ${goals.filter((g) => g.reached === undefined).length} not run or void`,
  ];
}
