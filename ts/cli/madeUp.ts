// Examples that fit a model, made up: what a training step takes depends on their shapes and kinds.

import { sizeOf } from "../graph/graph";
import type { ArrayLike, NDArray } from "../ndarray";
import { philox4x32 } from "../random";
import { join, type Model } from "../training/model";

/** Numbers in [0, 1), the same in every run. */
function* numbers(): Generator<number, never> {
  for (let counter = 0; ; counter++) for (const word of philox4x32([counter, 0, 0, 0], [0, 0])) yield word / 2 ** 32;
}

/** One array, or as many as the model has of them, in the form that it takes. */
type Given = ArrayLike | ArrayLike[] | Record<string, ArrayLike>;

/**
 * Inputs in [0, 1), or ids where an embedding reads them; as targets class numbers where the loss takes them, else numbers of
 * the output's shape, of those that the loss accepts.
 */
export function madeUp(model: Model, rows: number): { x: Given; y: Given } {
  const { structure, compiled } = model.state;
  const { inputs, outputs, inputForm, outputForm, calls } = structure;
  const source = numbers();
  const next = () => source.next().value;
  const array = (shape: readonly number[], number: () => number): NDArray => ({
    data: Float32Array.from({ length: rows * sizeOf(shape) }, number),
    shape: [rows, ...shape],
  });
  const below = (n: number) => () => Math.floor(next() * n);
  const x = inputs.map(({ value }) => {
    const reader = calls.find(({ call, layer }) => call.inputs.includes(value) && layer.definition.checkInput);
    return array(value.shape, reader ? below(reader.layer.config["inputDim"] as number) : next);
  });
  const y = outputs.map(({ value: { shape } }, output) => {
    const { targets, rule } = compiled?.losses[output]?.definition ?? {};
    if (targets === "class") return array(shape.slice(0, -1), below(shape.at(-1)!));
    return array(shape, () => {
      const number = next();
      return !rule || rule.accepts(number) ? number : 1;
    });
  });
  return { x: join(x, inputs, inputForm), y: join(y, outputs, outputForm) };
}
