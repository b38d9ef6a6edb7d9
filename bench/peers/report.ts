// A run as text: one table of medians and ratios, then what was promised.

import type { Competitor } from "./competitors";
import type { Cell, Results } from "./results";

const number = (value: number) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
const time = (ms: number) =>
  ms < 1 ? `${number(ms * 1000)} µs` : ms < 1000 ? `${number(ms)} ms` : `${number(ms / 1000)} s`;
const times = (ratio: number | undefined) => (ratio === undefined || Number.isNaN(ratio) ? "" : `${number(ratio)} ×`);

export function head({ machine, versions, pytorch, rounds, reference }: Results): string {
  const lines = [
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ${machine.date}; medians of ${rounds} rounds`,
    `${machine.pinned ? "each process on its own core (two threads: two)" : "no taskset: processes are not pinned"}`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", "),
    `losses are compared with those of ${reference}, dropout off`,
  ];
  if (Number(machine.node.split(".")[0]) < 24) lines.push("the goals are for Node 24: this is an older one");
  if (pytorch) {
    const { blas, mm, peak } = pytorch;
    const share =
      peak === undefined
        ? "no relaxed SIMD here to compare with"
        : `${number(mm / peak)} × our FMA peak of ${number(peak)}`;
    lines.push(`PyTorch's BLAS: ${blas.join(", ")}; torch.mm at 512³ ${number(mm)} GFLOP/s, ${share}`);
    if (pytorch.void) lines.push("VOID: that is below 1.4 ×; PyTorch's column tells nothing about PyTorch");
  }
  return lines.join("\n");
}

export function table(results: Results, names: readonly Competitor[], what: (workload: string) => string): string {
  const { workloads, cells } = results;
  const row = (...texts: string[]) =>
    `${texts[0]!.padEnd(30)}${texts
      .slice(1, 4)
      .map((text) => text.padStart(12))
      .join("")}  ${texts[4]}`;
  const lines = [row("", "median step", "÷ PyTorch", "÷ fastMath", "")];
  for (const workload of workloads) {
    lines.push(`\n${workload}  ${what(workload)}`);
    const of = cells.filter((cell) => cell.workload === workload);
    const ms = (id: string) => of.find(({ competitor }) => competitor === id)?.ms;
    for (const cell of of) {
      const name = names.find(({ id }) => id === cell.competitor)!.name;
      if (cell.ms === undefined) lines.push(`  ${name.padEnd(28)}cannot: ${cell.cannot}`);
      else
        lines.push(
          row(
            `  ${name}`,
            time(cell.ms),
            times(cell.ms / ms("pytorch")!),
            times(cell.ms / ms("downhill-fast")!),
            notes(cell),
          ),
        );
    }
  }
  return lines.join("\n");
}

function notes({ apart, other, learns, variant, rounds }: Cell): string {
  const of = Math.max(...rounds) / Math.min(...rounds);
  return [
    ...(other
      ? [`another computation${Number.isFinite(apart) ? ` (losses ${number(apart! * 100)} % apart)` : ""}`]
      : []),
    ...(learns === false ? ["ITS LOSS DOES NOT FALL"] : []),
    ...(variant ? [variant] : []),
    ...(of > 1.25 ? [`rounds differ by ${number(of)} ×`] : []),
  ].join("; ");
}

export function goalTable({ goals, measures }: Results): string {
  const lines = goals.map(({ what, value, bound, atMost, unit, met }) => {
    const verdict = met === undefined ? (value === undefined ? "not measured" : "void") : met ? "met" : "MISSED";
    const figure = value === undefined ? "" : `${number(value)} ${unit}`;
    return `${what.padEnd(62)}${figure.padStart(12)}  ${`${atMost ? "≤" : "≥"} ${number(bound)} ${unit}`.padEnd(14)} ${verdict}`;
  });
  const { ready, memory } = measures;
  const list = (of: Record<string, number>, unit: string) =>
    Object.entries(of)
      .map(([name, value]) => `${name} ${number(value)} ${unit}`)
      .join(", ");
  if (ready) lines.push(`\nready to train, over an empty Node: ${list(ready, "ms")}`);
  if (memory)
    lines.push(`peak memory of 50 steps of W2, over an empty Node that has read the data: ${list(memory, "MB")}`);
  const known = goals.filter(({ met }) => met !== undefined);
  if (known.length) lines.push(`\n${known.filter(({ met }) => met).length} of ${known.length} goals met`);
  return lines.join("\n");
}
