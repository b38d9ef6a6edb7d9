// A model as text.

import { sizeOf } from "../graph/graph";
import type { ModelState } from "./state";

/** A number of bytes, to read. */
export const bytes = (n: number): string =>
  n < 1024 ? `${n} B` : n < 2 ** 20 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / 2 ** 20).toFixed(1)} MiB`;

/** Rows of cells as text, columns aligned. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd();
  const rule = widths.map((w) => "─".repeat(w)).join("──");
  return [line(rows[0]!), rule, ...rows.slice(1).map(line)].join("\n");
}

export function summaryOf(state: ModelState): string {
  const { structure, compiled, name } = state;
  const rows = [["layer", "type", "output", "parameters"]];
  for (const { name, value } of structure.inputs)
    rows.push([name, "input", `[${["n", ...value.shape].join(", ")}]`, "0"]);
  for (const layer of structure.layers) {
    const parameters = layer.entries.reduce((sum, { size }) => sum + size, 0);
    const shape = ["n", ...layer.calls[0]!.output.shape];
    const frozen = layer.trainable ? "" : " (frozen)";
    rows.push([layer.name, layer.type, `[${shape.join(", ")}]`, `${parameters}${frozen}`]);
  }
  const count = (entries: { shape: readonly number[] }[]) => entries.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const trainable = count(structure.parameters.filter(({ layer }) => layer.trainable));
  const all = count([...structure.parameters, ...structure.statistics]);
  const blocks = structure.parameterFloats * 4;
  const slots = compiled ? compiled.slots.filter((s) => s).length : 0;
  const lines = [
    `${name}`,
    table(rows),
    `parameters: ${all} (${trainable} trainable)`,
    `memory: ${bytes(blocks + structure.statisticFloats * 4)} parameters and statistics` +
      (compiled
        ? `, ${bytes(blocks)} gradients, ${bytes(slots * blocks)} optimizer (${compiled.optimizer.config.type})`
        : ""),
    ...state.plannedBytes().map(([lane, planned]) => `planned for ${lane}: ${bytes(planned)}`),
  ];
  return lines.join("\n");
}
