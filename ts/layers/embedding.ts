// Rows of a table by number, and what tells positions apart.

import { badNumber } from "../data/arrays";
import { randomUniform } from "../initializers/initializers";
import { biasAdd } from "../ops/bias";
import { reshape } from "../ops/elementwise";
import { take } from "../ops/indexing";
import { count, optional, or } from "../options";
import { type Built, built } from "../registry";
import { checkRank, type Layer, type LayerOptions, layerFactory, type ParameterSpec } from "./layer";

/** Options of `embedding` and `positionEmbedding`. */
export interface EmbeddingOptions extends LayerOptions {
  /** Default `randomUniform()`: ±0.05. */
  embeddingsInitializer?: Built;
  /** A penalty on the table, such as `l2(1e-4)`. Default none. */
  embeddingsRegularizer?: Built;
  /** What the table is brought back to after each step, such as `unitNorm({ axis: 1 })`. Default none. */
  embeddingsConstraint?: Built;
}

const options = () => ({
  embeddingsInitializer: or(built("initializer", "randomUniform()"), () => randomUniform()),
  embeddingsRegularizer: optional(built("regularizer", "l2(0.01)")),
  embeddingsConstraint: optional(built("constraint", "maxNorm()")),
});

interface Config {
  embeddingsInitializer: Built;
  embeddingsRegularizer?: Built | undefined;
  embeddingsConstraint?: Built | undefined;
}

/** The table, [rows, columns]. */
const tableOf = (
  shape: readonly [number, number],
  { embeddingsInitializer, embeddingsRegularizer, embeddingsConstraint }: Config,
): Record<string, ParameterSpec> => ({
  embeddings: {
    shape,
    initializer: embeddingsInitializer,
    regularizer: embeddingsRegularizer,
    constraint: embeddingsConstraint,
  },
});

/**
 * A learned vector for each of `inputDim` things (words, characters, categories): y[n, …, :] = E[x[n, …], :].
 *
 * x: whole numbers in [0, inputDim), [n, …] → y: [n, …, outputDim]. Parameter: `embeddings` E [inputDim, outputDim], uniform in
 * ±0.05 at first. To x no gradient passes. Where a model's input is read by another layer first, what comes of it is cut
 * to whole numbers in that range.
 *
 * @param inputDim how many there are, ≥ 1 (float32 counts to 2²⁴)
 * @param outputDim numbers of a vector, ≥ 1
 * @example sequential([embedding(1000, 32, { inputShape: [20] }), lstm(32), dense(2)]) // sequences of 20 numbers
 * @throws DownhillError `data` (of the model's calls) where an input has another number
 */
export const embedding: (inputDim: number, outputDim: number, options?: EmbeddingOptions) => Layer =
  /* @__PURE__ */ layerFactory({
    type: "embedding",
    positional: ["inputDim", "outputDim"],
    options: () => ({ inputDim: count(), outputDim: count(), ...options() }),
    parameters: (_, config) => tableOf([config.inputDim, config.outputDim], config),
    checkInput(who, data, rowSize, { name, config: { inputDim } }) {
      for (let i = 0; i < data.length; i++) {
        const id = data[i]!;
        if (!(id >= 0 && id < inputDim && id % 1 === 0))
          throw badNumber(`${who}: x: ${name}`, i, rowSize, `a whole number in [0, ${inputDim - 1}]`, id);
      }
    },
    call: ([x], { parameters: { embeddings } }) => take([embeddings!, x!], { axis: 0 }),
  });

/**
 * A learned vector for each position of a sequence, added to what stands there: y[n, t, :] = x[n, t, :] + E[t, :]. Attention
 * alone does not see in which order its inputs stand.
 *
 * x: [n, t, c] → the same. Parameter: `embeddings` E [t, c], uniform in ±0.05 at first. (Gehring et al. 2017)
 *
 * @example sequential([embedding(1000, 32, { inputShape: [20] }), positionEmbedding(), multiHeadAttention(4, 8)])
 * @throws DownhillError `shape` for inputs that are not [n, t, c]
 */
export const positionEmbedding: (options?: EmbeddingOptions) => Layer = /* @__PURE__ */ layerFactory({
  type: "positionEmbedding",
  options,
  parameters([x], config, who) {
    checkRank(who, x!, "[n, t, c]", x!.length === 2);
    return tableOf(x as [number, number], config);
  },
  call([x], { parameters: { embeddings } }, who) {
    const [, t, c] = x!.shape;
    const [steps, width] = embeddings!.shape;
    checkRank(who, x!.shape.slice(1), `[n, ${steps}, ${width}]`, t === steps && c === width && x!.shape.length === 3);
    const size = embeddings!.size;
    const rows = reshape([x!], { to: [x!.shape[0]!, size] });
    return reshape([biasAdd([rows, reshape([embeddings!], { to: [size] })])], { to: x!.shape });
  },
});
