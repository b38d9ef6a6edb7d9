// Read examples, some of their rows, and the form in which a model takes them again.

import { takeRows } from "../data/arrays";
import type { Batch } from "../data/sources";
import type { NDArray } from "../ndarray";
import type { Examples } from "../training/batch";
import { targetSlot } from "../training/construction";
import { join } from "../training/model";
import type { Structure } from "../training/structure";

/** Copies of those rows. */
export const pick = (examples: Examples, rows: Uint32Array): Examples => ({
  ...examples,
  rows: rows.length,
  own: true,
  columns: examples.columns.map((c) => ({ ...c, data: takeRows(c.data, c.size, rows) })),
});

/** The examples as `fit` and `evaluate` take them. */
export function batchOf({ rows, columns }: Examples, structure: Structure): Batch {
  const { inputs, inputForm, outputs, outputForm } = structure;
  const array = (slot: number) => {
    const column = columns.find((c) => c.slot === slot);
    return column && ({ data: column.data, shape: [rows, ...column.shape.slice(1)] } as NDArray);
  };
  const of = (slots: number[], form: typeof inputForm, ports: typeof inputs) => join(slots.map(array), ports, form);
  const targets = outputs.map((_, output) => targetSlot(inputs.length, output));
  const weights = targets.map((slot) => slot + 1);
  const x = of(
    inputs.map((_, slot) => slot),
    inputForm,
    inputs,
  );
  const sampleWeight = of(weights, outputForm === "record" ? "record" : "one", outputs);
  return {
    x,
    y: of(targets, outputForm, outputs),
    ...(weights.some(array) && { sampleWeight }),
  };
}
