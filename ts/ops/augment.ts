// Augmentation of a batch; what is drawn is drawn for each example (assembly/kernels/augment.ts). None has a gradient: they
// stand between the batch and the model.

import { type Adjustment, ExtensionOp, type FillMode, type Movement } from "../../assembly/isa";
import { defineOp, type Op as OpOf, type Shape, sizeOf } from "../graph/graph";
import { extended } from "../runtime/extension";
import { streaming, transcendental } from "./work";

/** What every op that draws is told. */
export interface Drawing {
  /** The `op` word of the Philox counter. */
  op: number;
}

/** Height, width and channels of a batch's examples [h, w] or [h, w, c]; of any others, one row of all they have. */
const imageOf = (shape: Shape): [number, number, number] =>
  shape.length === 3 || shape.length === 4 ? [shape[1]!, shape[2]!, shape[3] ?? 1] : [1, sizeOf(shape.slice(1)), 1];

// in functions, see losses.ts

export interface MatricesAttributes extends Drawing {
  kind: Movement;
  /** [lower, upper] of rows and of columns. */
  y: readonly [number, number];
  x: readonly [number, number];
  /** Of the images, the batch included. */
  shape: Shape;
}

/** Matrices (n, 6) of a movement; of all before it too, where there is an input, theirs. */
export const augmentMatrices: OpOf<MatricesAttributes> = /* @__PURE__ */ (() =>
  defineOp<MatricesAttributes>({
    name: "augmentMatrices",
    shape: (_, { shape }) => [[shape[0]!, 6]],
    gradient: null,
    lower(tape, { inputs: [before], outputs, attributes: { kind, op, y, x, shape } }) {
      const [height, width] = imageOf(shape);
      const rows = shape[0]!;
      const sizes = [rows, height, width, kind, op];
      tape.push(
        extended(ExtensionOp.augmentMatrices),
        outputs,
        [before ?? null],
        sizes,
        [...y, ...x],
        transcendental(rows * 80),
      );
    },
  }))();

export interface ResampleAttributes {
  /** Absent: nothing from outside is seen. */
  fillMode?: FillMode | undefined;
  fillValue: number;
}

/** Images x (n, h, w) or (n, h, w, c) at matrices (n, 6). */
export const resample: OpOf<ResampleAttributes> = /* @__PURE__ */ (() =>
  defineOp<ResampleAttributes>({
    name: "resample",
    shape: ([x]) => [x!],
    gradient: null,
    lower(tape, { inputs, outputs: [y], attributes: { fillMode = 0, fillValue } }) {
      const sizes = [y!.shape[0]!, ...imageOf(y!.shape), fillMode];
      tape.push(extended(ExtensionOp.resample), [y!], inputs, sizes, [fillValue], transcendental(y!.size * 3));
    },
  }))();

export interface EraseAttributes extends Drawing {
  probability: number;
  area: readonly [number, number];
  ratio: readonly [number, number];
  fillValue: number;
}

/** Images with a rectangle of fillValue. */
export const erase: OpOf<EraseAttributes> = /* @__PURE__ */ (() =>
  defineOp<EraseAttributes>({
    name: "erase",
    shape: ([x]) => [x!],
    gradient: null,
    inPlace: [0],
    lower(tape, { inputs, outputs: [y], attributes: { op, probability, area, ratio, fillValue } }) {
      const sizes = [y!.shape[0]!, ...imageOf(y!.shape), op];
      const reals = [probability, ...area, ...ratio, fillValue];
      tape.push(extended(ExtensionOp.erase), [y!], inputs, sizes, reals, streaming(2 * y!.size) + 200 * y!.shape[0]!);
    },
  }))();

export interface AdjustAttributes extends Drawing {
  kind: Adjustment;
  /** [lower, upper] of what is drawn. */
  amount: readonly [number, number];
  /** The result is cut to it. */
  limits: readonly [number, number];
}

/** Examples of another brightness or contrast, of any shape; of images, each channel by itself. */
export const adjust: OpOf<AdjustAttributes> = /* @__PURE__ */ (() =>
  defineOp<AdjustAttributes>({
    name: "adjust",
    shape: ([x]) => [x!],
    gradient: null,
    inPlace: [0],
    lower(tape, { inputs, outputs: [y], attributes: { kind, op, amount, limits } }) {
      const [height, width, channels] = imageOf(y!.shape);
      const sizes = [y!.shape[0]!, height * width, channels, kind, op];
      tape.push(extended(ExtensionOp.adjust), [y!], inputs, sizes, [...amount, ...limits], transcendental(2 * y!.size));
    },
  }))();

export interface MixAttributes extends Drawing {
  /** Of the batch. */
  shape: Shape;
  alpha: number;
  /** Cut a box, or mix all pixels. */
  box: boolean;
}

/** No inputs; outputs shares (n), partners (n), winners (n), and where `box`, boxes (n, 4). */
export const mixDraw: OpOf<MixAttributes> = /* @__PURE__ */ (() =>
  defineOp<MixAttributes>({
    name: "mixDraw",
    shape(_, { shape: [n], box }) {
      return [[n!], [n!], [n!], ...(box ? [[n!, 4]] : [])];
    },
    gradient: null,
    lower(tape, { outputs: [shares, partners, winners, boxes], attributes: { shape, op, alpha } }) {
      const [height, width] = imageOf(shape);
      const rows = shape[0]!;
      tape.push(
        extended(ExtensionOp.mixDraw),
        [shares!, partners!, winners!, boxes ?? null],
        [],
        [rows, height, width, op],
        [alpha],
        transcendental(rows * 500),
      );
    },
  }))();

/** Inputs x (n, …), shares (n), partners (n), and boxes (n, 4) or null. */
export const mixRows: OpOf<Record<never, never>> = /* @__PURE__ */ (() =>
  defineOp<Record<never, never>>({
    name: "mixRows",
    shape: ([x]) => [x!],
    gradient: null,
    lower(tape, { inputs, outputs: [y] }) {
      const sizes = [y!.shape[0]!, ...imageOf(y!.shape)];
      tape.push(extended(ExtensionOp.mixRows), [y!], inputs, sizes, [], transcendental(y!.size));
    },
  }))();
