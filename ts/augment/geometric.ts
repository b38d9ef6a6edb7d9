// Images moved. Augmentations of this file that follow one another are one resampling: their matrices are multiplied, so that
// the image is interpolated once, and what one moves out of the frame another may bring back.

import { FillMode, Movement } from "../../assembly/isa";
import type { Shape } from "../graph/graph";
import { augmentMatrices, type MatricesAttributes, type ResampleAttributes, resample } from "../ops/augment";
import { either, type Field, finite, natural, oneOf, optional, or, type Schema } from "../options";
import type { Built } from "../registry";
import { type Amount, amount, augmentation, bounds } from "./augmentation";

/** What lies outside of the image, as the moved one shows it. */
export interface FillOptions {
  /**
   * "constant" (`fillValue`), "nearest" (a a | a b c | c c), "reflect" (b a | a b c | c b) or "wrap" (b c | a b c | a b).
   * Default "constant".
   */
  fillMode?: "constant" | "nearest" | "reflect" | "wrap";
  /** In units of the input (0 … 255 where it is bytes). Default 0. */
  fillValue?: number;
}

/** In functions, see losses.ts. */
const modes = () => ({
  constant: FillMode.constant,
  nearest: FillMode.nearest,
  reflect: FillMode.reflect,
  wrap: FillMode.wrap,
});

const fillOptions = () => ({
  fillMode: or(oneOf("constant", "nearest", "reflect", "wrap"), "constant" as const),
  fillValue: or(finite(), 0),
});

type Config = Readonly<Record<string, unknown>> & { fillMode?: keyof ReturnType<typeof modes>; fillValue: number };

/** A factory; `movement`: of images of so many rows and columns. */
const geometric = <Options>(
  type: string,
  options: () => Schema,
  // biome-ignore lint/suspicious/noExplicitAny: a config is each type's own
  movement: (config: any, height: number, width: number) => Pick<MatricesAttributes, "kind" | "x" | "y">,
): ((options?: Options) => Built) =>
  augmentation<[options?: Options]>(true, {
    type,
    options,
    build(x, config: Config, { op }) {
      const [, height, width] = x.shape as [number, number, number];
      const fillMode = config.fillMode && modes()[config.fillMode];
      let fill: ResampleAttributes = { fillMode, fillValue: fillMode === FillMode.constant ? config.fillValue : 0 };
      let source = x;
      let before = null;
      const { node } = x;
      if (node?.op.name === "resample") {
        const known = node.attributes as ResampleAttributes;
        // what shows nothing from outside goes with every fill
        if (fill.fillMode === undefined) fill = known;
        if (known.fillMode === undefined || (known.fillMode === fill.fillMode && known.fillValue === fill.fillValue))
          [source, before] = node.inputs as [typeof x, typeof x];
      }
      const moved = movement(config, height, width);
      const matrices = x.graph.apply(augmentMatrices, [before], { ...moved, op, shape: x.shape as Shape })[0]!;
      return resample([source, matrices], fill);
    },
  });

const scaled = (factor: Amount, by: number): [number, number] => {
  const [lower, upper] = bounds(factor);
  return [lower * by, upper * by];
};

/**
 * Moves each image down by a share of its height and to the right by a share of its width, drawn from `heightFactor` and
 * `widthFactor`: a number f for [−f, f], or [lower, upper], within [−1, 1]. Default 0.1 each.
 *
 * @example randomTranslate({ heightFactor: 0.1, widthFactor: 0.1, fillMode: "nearest" })
 */
export const randomTranslate: (options?: FillOptions & { heightFactor?: Amount; widthFactor?: Amount }) => Built =
  /* @__PURE__ */ geometric(
    "randomTranslate",
    () => ({ heightFactor: or(amount(-1, 1), 0.1), widthFactor: or(amount(-1, 1), 0.1), ...fillOptions() }),
    ({ heightFactor, widthFactor }, height, width) => ({
      kind: Movement.translate,
      y: scaled(heightFactor, height),
      x: scaled(widthFactor, width),
    }),
  );

/**
 * Turns each image about its centre, counterclockwise, by a share of a full turn drawn from `factor`: a number f for
 * [−f, f], or [lower, upper], within [−1, 1]. Default 0.05 (18°).
 */
export const randomRotate: (options?: FillOptions & { factor?: Amount }) => Built = /* @__PURE__ */ geometric(
  "randomRotate",
  () => ({ factor: or(amount(-1, 1), 0.05), ...fillOptions() }),
  ({ factor }) => ({ kind: Movement.rotate, y: bounds(factor), x: [0, 0] }),
);

/**
 * Zooms each image about its centre: sides of what is seen are 1 + f times the image's, f > 0 is out, f < 0 in (as in Keras).
 * f is drawn from `heightFactor`, and for columns from `widthFactor`; without that, both axes have one f. A number a for
 * [−a, a], or [lower, upper], within [−1, 10]. Default 0.1.
 */
export const randomZoom: (options?: FillOptions & { heightFactor?: Amount; widthFactor?: Amount }) => Built =
  /* @__PURE__ */ geometric(
    "randomZoom",
    () => ({ heightFactor: or(amount(-1, 10), 0.1), widthFactor: optional(amount(-1, 10)), ...fillOptions() }),
    ({ heightFactor, widthFactor }) => ({
      kind: widthFactor === undefined ? Movement.zoomAlike : Movement.zoom,
      y: bounds(heightFactor),
      x: bounds(widthFactor ?? 0),
    }),
  );

/**
 * Shears each image about its centre: what lies d rows below it goes xᶠ·d to the right, what lies d columns to the right yᶠ·d
 * down; factors are drawn from `xFactor` and `yFactor`: a number f for [−f, f], or [lower, upper], within [−1, 1].
 * Default 0.1 each.
 */
export const randomShear: (options?: FillOptions & { xFactor?: Amount; yFactor?: Amount }) => Built =
  /* @__PURE__ */ geometric(
    "randomShear",
    () => ({ xFactor: or(amount(-1, 1), 0.1), yFactor: or(amount(-1, 1), 0.1), ...fillOptions() }),
    ({ xFactor, yFactor }) => ({ kind: Movement.shear, y: bounds(yFactor), x: bounds(xFactor) }),
  );

/**
 * Mirrors each image with probability ½: left and right ("horizontal", the default), top and bottom ("vertical"), or each of
 * the two ("horizontalAndVertical").
 */
export const randomFlip: (options?: { mode?: "horizontal" | "vertical" | "horizontalAndVertical" }) => Built =
  /* @__PURE__ */ geometric(
    "randomFlip",
    () => ({ mode: or(oneOf("horizontal", "vertical", "horizontalAndVertical"), "horizontal" as const) }),
    ({ mode }) => ({
      kind: Movement.flip,
      y: [0, mode === "horizontal" ? 0 : 0.5],
      x: [0, mode === "vertical" ? 0 : 0.5],
    }),
  );

const both: Field<readonly [number, number]> = {
  expected: "[vertical, horizontal], integers ≥ 0",
  accepts: (v) => Array.isArray(v) && v.length === 2 && v.every(natural().accepts),
};

/**
 * Pads each image by `padding` pixels on every side and cuts out its own size at a random place: a shift by whole pixels, any of
 * −padding … padding alike (He et al. 2016 on CIFAR-10). `padding`: pixels, or [vertical, horizontal]. Default: an eighth of the
 * height and of the width, rounded up (4 of 32).
 */
export const randomCrop: (
  options?: FillOptions & { padding?: number | readonly [vertical: number, horizontal: number] },
) => Built = /* @__PURE__ */ geometric(
  "randomCrop",
  () => ({ padding: optional(either(natural(), both)), ...fillOptions() }),
  ({ padding = [] }, height, width) => {
    const [vertical = Math.ceil(height / 8), horizontal = Math.ceil(width / 8)] =
      typeof padding === "number" ? [padding, padding] : padding;
    return { kind: Movement.step, y: [-vertical, vertical + 1], x: [-horizontal, horizontal + 1] };
  },
);
