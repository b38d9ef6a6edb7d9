// mixup and cutmix: an example and another of the same batch, and both their labels.
//
// After them a row stands for several examples, each with a share; shares add up to 1. The loss of a row is the sum of its
// examples' losses, each with its own label (mask, weight) against the one prediction, times their shares.

import type { Tensor } from "../graph/graph";
import type { LossDefinition, LossInputs } from "../losses/losses";
import { multiply as scale } from "../ops/arithmetic";
import { mixDraw, mixRows } from "../ops/augment";
import { add, affine, multiply, reshape } from "../ops/elementwise";
import { take } from "../ops/indexing";
import { or, positive } from "../options";
import type { Built } from "../registry";
import { type AugmentContext, augmentation, type Mixing } from "./augmentation";

const ROWS = { axis: 0 };

/** An example that rows are made of: row numbers (absent: each its own), and shares (absent: 1). */
interface Ingredient {
  rows?: Tensor;
  share?: Tensor;
}

class Mixed implements Mixing {
  readonly #ingredients: Ingredient[];
  /** Row numbers of each row's largest ingredient. */
  readonly #winners: Tensor;

  /** `before`: what the rows were that are mixed now. */
  constructor(before: Mixed | undefined, share: Tensor, partners: Tensor, winners: Tensor) {
    const rest = affine([share], { scale: -1, offset: 1 });
    this.#ingredients = (before ? before.#ingredients : [{}]).flatMap((of: Ingredient) => [
      { ...of, share: of.share ? multiply([of.share, share]) : share },
      {
        rows: of.rows ? take([of.rows, partners], ROWS) : partners,
        share: of.share ? multiply([take([of.share, partners], ROWS), rest]) : rest,
      },
    ]);
    this.#winners = before ? take([before.#winners, winners], ROWS) : winners;
  }

  loss(given: LossInputs, definition: LossDefinition, config: Built): Tensor[] {
    return this.#ingredients
      .map(({ rows, share }) =>
        definition
          .call(labelsOf(given, rows), config)
          .slice(0, 2)
          .map((t) => shared(t, share!)),
      )
      .reduce((sums, terms) => sums.map((sum, i) => add([sum, terms[i]!])));
  }

  winner(given: LossInputs): LossInputs {
    return labelsOf(given, this.#winners);
  }
}

/** Numbers of rows, or of the steps of these, times the rows' shares. */
function shared(x: Tensor, share: Tensor): Tensor {
  if (x.size === share.size) return multiply([x, share]);
  const rows = share.size;
  const y = scale([reshape([x], { to: [rows, x.size / rows] }), reshape([share], { to: [rows, 1] })]);
  return reshape([y], { to: x.shape });
}

/** Each row's prediction with the target and the weight of another. */
function labelsOf(given: LossInputs, rows: Tensor | undefined): LossInputs {
  if (!rows) return given;
  const { target, weights } = given;
  return { ...given, target: take([target, rows], ROWS), weights: weights && take([weights, rows], ROWS) };
}

function mix(x: Tensor, alpha: number, box: boolean, context: AugmentContext): Tensor {
  const { shape } = x;
  const [share, partners, winners, boxes] = x.graph.apply(mixDraw, [], { shape, op: context.op, alpha, box });
  context.mixing = new Mixed(context.mixing as Mixed | undefined, share!, partners!, winners!);
  return mixRows([x, share!, partners!, boxes ?? null], {});
}

const options = (alpha: number) => () => ({ alpha: or(positive(), alpha) });

/**
 * x ← λ·x + (1 − λ)·x′, and the loss λ·L(ŷ, y) + (1 − λ)·L(ŷ, y′): x′, y′ are another example of the same batch (of the same slice,
 * where a batch is accumulated), any alike, and λ ~ Beta(α, α), drawn for each example. `alpha` > 0, default 0.2. Examples of any
 * shape. Metrics see the label of the larger share. (Zhang et al. 2018)
 */
export const mixup: (options?: { alpha?: number }) => Built = /* @__PURE__ */ augmentation(false, {
  type: "mixup",
  options: /* @__PURE__ */ options(0.2),
  build: (x, { alpha }, context) => mix(x, alpha, false, context),
});

/**
 * A box of the image is another's of the same batch; λ is the share of the area that is left, and the loss λ·L(ŷ, y) +
 * (1 − λ)·L(ŷ, y′). The box has √(1 − β) times the image's sides, β ~ Beta(α, α), about a pixel anywhere in it, cut to it. `alpha` > 0,
 * default 1. Metrics see the label of the larger share. (Yun et al. 2019)
 */
export const cutmix: (options?: { alpha?: number }) => Built = /* @__PURE__ */ augmentation(true, {
  type: "cutmix",
  options: /* @__PURE__ */ options(1),
  build: (x, { alpha }, context) => mix(x, alpha, true, context),
});
