// Layers of several inputs: element by element, or side by side. They are called on a list: `add()([a, b])`.

import { argumentError, shapeError, wrong } from "../errors";
import type { Tensor } from "../graph/graph";
import { maximum as maximumOp } from "../ops/arithmetic";
import { add as addOp, affine, multiply as multiplyOp, subtract as subtractOp } from "../ops/elementwise";
import { concat } from "../ops/layout";
import { type Field, or } from "../options";
import { type Layer, type LayerOptions, layerFactory } from "./layer";

function checkSeveral({ length }: Tensor[], who: string, most = Infinity): void {
  const expected = most === 2 ? "a list of two inputs" : "a list of at least two inputs";
  if (length < 2 || length > most) throw wrong("argument", who, expected, length);
}

/** Throws where an input has another shape than the first, along another axis than `free`. */
function checkAlike(inputs: Tensor[], who: string, free = -1): void {
  const [first, ...others] = inputs.map(({ shape }) => ["n", ...shape.slice(1)]);
  others.forEach((shape, i) => {
    const expected = first!.map((d, axis) => (axis === free ? (shape[axis] ?? d) : d));
    if (`${shape}` !== `${expected}`) throw shapeError(who, `input ${i + 2}`, expected, shape);
  });
}

/** A layer of two or more inputs of one shape, from what becomes of two. */
const elementwise = (
  type: string,
  op: (two: Tensor[]) => Tensor,
  end = (y: Tensor, _count: number) => y,
  most?: number,
): ((options?: LayerOptions) => Layer) =>
  layerFactory({
    type,
    several: true,
    call(inputs, _, who) {
      checkSeveral(inputs, who, most);
      checkAlike(inputs, who);
      return end(
        inputs.reduce((a, b) => op([a, b])),
        inputs.length,
      );
    },
  });

type Plain = (options?: LayerOptions) => Layer;

/**
 * y = a + b + …, of two or more inputs of one shape.
 *
 * @example const h = dense(64, { activation: "relu" })(x); add()([x, dense(64)(h)]) // a residual block, x: [n, 64]
 * @throws DownhillError `argument` for fewer inputs, `shape` where they differ
 */
export const add: Plain = /* @__PURE__ */ elementwise("add", addOp);

/** y = a − b, of exactly two inputs of one shape. */
export const subtract: Plain = /* @__PURE__ */ elementwise("subtract", subtractOp, undefined, 2);

/** y = a·b·…, element by element, of two or more inputs of one shape. */
export const multiply: Plain = /* @__PURE__ */ elementwise("multiply", multiplyOp);

/** y = (a + b + …)/k, of k ≥ 2 inputs of one shape. */
export const average: Plain = /* @__PURE__ */ elementwise("average", addOp, (y, count) =>
  affine([y], { scale: 1 / count, offset: 0 }),
);

/** y = max(a, b, …), element by element, of two or more inputs of one shape. Of equal ones each gets half of the gradient. */
export const maximum: Plain = /* @__PURE__ */ elementwise("maximum", maximumOp);

const axisField = (): Field<number> => ({
  expected: "an integer other than 0 (the batch)",
  accepts: (v) => Number.isSafeInteger(v) && v !== 0,
});

/**
 * The inputs side by side along an axis: [n, a, …] and [n, b, …] → [n, a + b, …] where `axis` is 1.
 *
 * @param options `axis`: counts from the batch, which is 0 and cannot be named, or backwards from −1, the last. Default −1
 * @throws DownhillError `argument` for fewer than two inputs or an axis that they do not have, `shape` where they differ
 * along another
 */
export const concatenate: (options?: LayerOptions & { axis?: number }) => Layer = /* @__PURE__ */ layerFactory({
  type: "concatenate",
  options: () => ({ axis: or(axisField(), -1) }),
  several: true,
  call(inputs, { config }, who) {
    checkSeveral(inputs, who);
    const rank = inputs[0]!.shape.length;
    const axis = config.axis < 0 ? config.axis + rank : config.axis;
    if (axis < 1 || axis >= rank)
      throw argumentError(who, `axis as one of the ${rank - 1} behind the batch`, config.axis);
    checkAlike(inputs, who, axis);
    return concat(inputs, { axis });
  },
});
