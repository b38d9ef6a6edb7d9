// Attention over several heads.

import { shapeError, wrong } from "../errors";
import type { Shape, Tensor } from "../graph/graph";
import { attentionWeights, combine, scores } from "../ops/attention";
import { biasAdd } from "../ops/bias";
import { dropout } from "../ops/dropout";
import { reshape } from "../ops/elementwise";
import { matmul } from "../ops/gemm";
import { boolean, count, fraction, optional, or } from "../options";
import { type KernelOptions, kernelAndBias, kernelOptions } from "./dense";
import { checkRank, type Layer, layerFactory, type ParameterSpec } from "./layer";

/** Options of `multiHeadAttention`. */
export interface AttentionOptions extends Omit<KernelOptions, "activation"> {
  /** A head's numbers of each value. Default keyDim. */
  valueDim?: number;
  /** Position i sees positions up to i alone, as in a model that continues a sequence. Default false. */
  causal?: boolean;
  /** The fraction of weights that is dropped in training. Default 0. */
  dropout?: number;
}

/** Query, value and key of one, two or three inputs. */
function roles<T>(inputs: readonly T[], who: string): { query: T; key: T; value: T } {
  if (inputs.length < 1 || inputs.length > 3)
    throw wrong("argument", who, "one input, [query, value] or [query, value, key]", inputs.length);
  const query = inputs[0]!;
  const value = inputs[1] ?? query;
  return { query, value, key: inputs[2] ?? value };
}

/** x·kernel + bias, the kernel's axes but `into` of its first ones taken for x's last ones. */
function project(x: Tensor, parameters: Record<string, Tensor>, name: string, into = 1): Tensor {
  const kernel = parameters[`${name}/kernel`]!;
  const bias = parameters[`${name}/bias`];
  const [n, t] = x.shape as [number, number];
  const width = kernel.shape.slice(0, into).reduce((product, d) => product * d, 1);
  const out = kernel.size / width;
  let y = matmul(reshape([x], { to: [n * t, width] }), reshape([kernel], { to: [width, out] }));
  if (bias) y = biasAdd([y, reshape([bias], { to: [out] })]);
  return reshape([y], { to: [n, t, out] });
}

/**
 * Scaled dot-product attention with `heads` heads. Of each head, with Q = q·W_Q + b_Q, K = k·W_K + b_K, V = v·W_V + b_V:
 *
 *     A = softmax(Q·Kᵀ/√keyDim)      y = Σ over the heads of A·V·W_O,  + b_O
 *
 * Called on one input it is query, key and value (self-attention); on `[query, value]` or `[query, value, key]`, the key being
 * the value where it is left out (Keras's order). query: [n, t, in], value and key: [n, s, …] → [n, t, in].
 *
 * Parameters: `query/kernel` [in, heads, keyDim], `query/bias` [heads, keyDim]; `key/…` likewise, `value/…` with valueDim;
 * `output/kernel` [heads, valueDim, in], `output/bias` [in]. Initializers take the kernels for matrices, [in, heads·keyDim]. Options of
 * kernels and biases are those of all four. (Vaswani et al. 2017)
 *
 * @param heads ≥ 1
 * @param keyDim numbers of a head's queries and keys, ≥ 1; usually in/heads
 * @example const h = multiHeadAttention(4, 16, { causal: true })(layerNorm()(x)); add()([x, h]) // x: [n, t, 64]
 * @throws DownhillError `argument` for a bad option or more than three inputs, `shape` where they are not sequences that go together
 */
export const multiHeadAttention: (heads: number, keyDim: number, options?: AttentionOptions) => Layer =
  /* @__PURE__ */ layerFactory({
    type: "multiHeadAttention",
    positional: ["heads", "keyDim"],
    several: true,
    options() {
      const { activation, ...kernels } = kernelOptions();
      return {
        heads: count(),
        keyDim: count(),
        valueDim: optional(count()),
        causal: or(boolean(), false),
        dropout: or(fraction(), 0),
        ...kernels,
      };
    },
    parameters(inputs, config, who) {
      const { heads, keyDim, valueDim = keyDim } = config;
      const given = roles(inputs, who);
      const specs: Record<string, ParameterSpec> = {};
      const add = (name: string, kernel: Shape, matrix: Shape, bias: Shape) => {
        const { kernel: k, bias: b } = kernelAndBias(kernel, config);
        specs[`${name}/kernel`] = { ...k!, matrix };
        if (b) specs[`${name}/bias`] = { ...b, shape: bias };
      };
      for (const [name, x] of Object.entries(given)) {
        checkRank(who, x, "[n, t, in]", x.length === 2);
        const dim = name === "value" ? valueDim : keyDim;
        add(name, [x[1]!, heads, dim], [x[1]!, heads * dim], [heads, dim]);
      }
      const out = given.query[1]!;
      add("output", [heads, valueDim, out], [heads * valueDim, out], [out]);
      return specs;
    },
    call(inputs, { config: { heads, keyDim, causal, dropout: rate }, parameters, training, op }, who) {
      const { query, key, value } = roles(inputs, who);
      const check = (x: Tensor, name: string, steps: number) => {
        const width = parameters[`${name}/kernel`]!.shape[0]!;
        const [, t, c] = x.shape;
        const expected = `[n, ${x === query ? "t" : steps}, ${width}]`;
        if (x.shape.length !== 3 || c !== width || t !== steps)
          throw shapeError(who, name, expected, ["n", ...x.shape.slice(1)]);
      };
      check(query, "query", query.shape[1]!);
      check(value, "value", value.shape[1]!);
      check(key, "key", value.shape[1]!);
      const products = scores([project(query, parameters, "query"), project(key, parameters, "key")], { heads });
      let weights = attentionWeights([products], { scale: 1 / Math.sqrt(keyDim), causal });
      if (training && rate > 0) weights = dropout([weights], { rate, op });
      const y = combine([weights, project(value, parameters, "value")], { heads, transposed: false });
      return project(y, parameters, "output", 2);
    },
  });
