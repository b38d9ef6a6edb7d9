// A model as text.

import type { Shape } from "../graph/graph";
import type { ModelState } from "./state";
import type { Entry } from "./structure";

/** A number of bytes, to read. */
export const bytes = (n: number): string =>
  n < 1024 ? `${n} B` : n < 2 ** 20 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / 2 ** 20).toFixed(1)} MiB`;

/** A number of numbers. */
export const floatsOf = (entries: readonly Entry[]): number => entries.reduce((sum, { size }) => sum + size, 0);

const shapeOf = (shape: Shape): string => `[${["n", ...shape].join(", ")}]`;

export function summaryOf(state: ModelState): string {
  const { structure, compiled, name } = state;
  const { inputs, layers, entries, parameters, parameterFloats, statisticFloats } = structure;
  const rows = [["layer", "type", "output", "parameters"]];
  for (const { name, value } of inputs) rows.push([name, "input", shapeOf(value.shape), "0"]);
  for (const { name, type, calls, entries, trainable } of layers)
    rows.push([name, type, shapeOf(calls[0]!.output.shape), `${floatsOf(entries)}${trainable ? "" : " (frozen)"}`]);
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  rows.splice(
    1,
    0,
    widths.map((width) => "─".repeat(width)),
  );
  const block = parameterFloats * 4;
  const trainable = floatsOf(parameters.filter(({ layer }) => layer.trainable));
  // statistics and their copy, see state.ts
  let memory = `memory: ${bytes(block + statisticFloats * 8)} parameters and statistics`;
  if (compiled) {
    const slots = compiled.slots.filter((slot) => slot).length;
    memory += `, ${bytes(block)} gradients, ${bytes(slots * block)} optimizer (${compiled.config.optimizer.type})`;
  }
  return [
    name,
    ...rows.map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join("  ")
        .trimEnd(),
    ),
    `parameters: ${floatsOf(entries)} (${trainable} trainable)`,
    memory,
    ...[...state.lanes].map(([lane, { arenaBytes }]) => `planned for ${lane}: ${bytes(arenaBytes)}`),
  ].join("\n");
}
