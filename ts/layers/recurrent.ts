// Recurrent layers: sequences [n, T, in] → the last state [n, units], or every step's [n, T, units].

import type { Tensor } from "../graph/graph";
import { orthogonal } from "../initializers/initializers";
import { concat, transpose } from "../ops/layout";
import { GATES, type RecurrentAttributes, recurrent, type StateActivation } from "../ops/recurrent";
import { boolean, count, type Field, oneOf, optional, or } from "../options";
import { type Built, built, definitionOf, isBuilt } from "../registry";
import { type KernelOptions, kernelAndBias, kernelOptions } from "./dense";
import {
  checkRank,
  isLayer,
  type Layer,
  type LayerDefinition,
  type LayerOptions,
  layerFactory,
  type ParameterSpec,
} from "./layer";

/** Options of recurrent layers. */
export interface RecurrentOptions extends Omit<KernelOptions, "activation"> {
  /** Default `orthogonal()`. */
  recurrentInitializer?: Built;
  /** A penalty on the recurrent kernel, such as `l2(1e-4)`. Default none. */
  recurrentRegularizer?: Built;
  /** What the recurrent kernel is brought back to after each step, such as `maxNorm()`. Default none. */
  recurrentConstraint?: Built;
  /** The states of all steps, not the last one alone. Default false. */
  returnSequences?: boolean;
}

type Cell = RecurrentAttributes["cell"];

/** A layer that `bidirectional` may take. */
interface RecurrentDefinition extends LayerDefinition {
  cell: Cell;
}

/** Runs a cell of that type over x, which is time-major. `prefix`: of its parameters' names. */
function run(
  x: Tensor,
  { type, activation, returnSequences }: Built,
  parameters: Record<string, Tensor>,
  prefix = "",
  reverse = false,
): Tensor {
  const inputs = ["kernel", "bias", "recurrentKernel", "recurrentBias"].map((key) => parameters[prefix + key] ?? null);
  return recurrent([x, ...inputs], {
    cell: type as Cell,
    activation: activation as StateActivation,
    sequences: returnSequences as boolean,
    reverse,
  });
}

const SWAPPED = [1, 0, 2] as const;

/** [n, T, c] ↔ [T, n, c]. */
const swap = (x: Tensor): Tensor => transpose([x], { axes: SWAPPED });

/** x as [T, n, in], where it has as many features as the kernel has rows; what another recurrent layer gave, as it had it. */
function stepsOf(x: Tensor, kernel: Tensor, who: string): Tensor {
  const features = kernel.shape[0]!;
  checkRank(who, x.shape.slice(1), `[n, T, ${features}]`, x.shape.length === 3 && x.shape[2] === features);
  return x.node?.attributes.axes === SWAPPED ? x.node.inputs[0]! : swap(x);
}

function recurrentLayer<Options>(
  cell: Cell,
  activations: Field<StateActivation>,
): (units: number, options?: Options) => Layer {
  const definition = {
    type: cell,
    cell,
    positional: ["units"],
    options: () => ({
      units: count(),
      ...kernelOptions(),
      activation: or(activations, "tanh"),
      recurrentInitializer: or(built("initializer", "orthogonal()"), () => orthogonal()),
      recurrentRegularizer: optional(built("regularizer", "l2(0.01)")),
      recurrentConstraint: optional(built("constraint", "maxNorm()")),
      returnSequences: or(boolean(), false),
    }),
    parameters([x]: (readonly number[])[], config: Built & Parameters<typeof kernelAndBias>[1], who: string) {
      checkRank(who, x!, "[n, T, in]", x!.length === 2);
      const units = config["units"] as number;
      const width = GATES[cell] * units;
      const { kernel, ...biases } = kernelAndBias([x![1]!, width], config);
      const recurrentKernel = {
        shape: [units, width],
        initializer: config["recurrentInitializer"],
        regularizer: config["recurrentRegularizer"],
        constraint: config["recurrentConstraint"],
      };
      const more = cell === "gru" && biases["bias"] ? { recurrentBias: biases["bias"] } : {};
      return { kernel, recurrentKernel, ...biases, ...more } as Record<string, ParameterSpec>;
    },
    call([x]: Tensor[], { config, parameters }: { config: Built; parameters: Record<string, Tensor> }, who: string) {
      const y = run(stepsOf(x!, parameters["kernel"]!, who), config, parameters);
      return config["returnSequences"] ? swap(y) : y;
    },
  };
  return layerFactory(definition as never);
}

/**
 * A simple recurrent net (Elman 1990): hₜ = activation(xₜ·W + hₜ₋₁·R + b), h₀ = 0.
 *
 * x: [n, T, in] → [n, units], or with `returnSequences` [n, T, units]. Parameters: `kernel` W [in, units], `recurrentKernel`
 * R [units, units], `bias` [units] (of PyTorch `weight_ih` and `weight_hh`, transposed, and the sum of the two biases).
 *
 * @param units the size of the state, ≥ 1
 * @param options `activation`: `"tanh"` (default), `"relu"`, `"sigmoid"` or `"linear"`
 * @example sequential([simpleRnn(32, { inputShape: [50, 2] }), dense(1)])
 * @throws DownhillError `argument` for a bad option, `shape` for inputs that are not [n, T, in]
 */
export const simpleRnn: (units: number, options?: RecurrentOptions & { activation?: StateActivation }) => Layer =
  /* @__PURE__ */ recurrentLayer("simpleRnn", /* @__PURE__ */ oneOf("tanh", "relu", "sigmoid", "linear"));

/**
 * Long short-term memory (Hochreiter & Schmidhuber 1997; with forget gates, Gers et al. 2000): of xₜ·W + hₜ₋₁·R + b the gates
 * i, f, o = σ(…) and g = tanh(…); cₜ = f·cₜ₋₁ + i·g; hₜ = o·tanh cₜ; h₀ = c₀ = 0.
 *
 * x: [n, T, in] → [n, units], or with `returnSequences` [n, T, units]. Parameters: `kernel` [in, 4·units], `recurrentKernel`
 * [units, 4·units], `bias` [4·units], gates in the order i f g o: PyTorch's, transposed, and the sum of its two biases. A
 * `biasInitializer` other than zeros goes to all gates alike.
 *
 * @param units the size of the state, ≥ 1
 * @example sequential([lstm(64, { inputShape: [28, 28] }), dense(10)])
 * @throws DownhillError `argument` for a bad option, `shape` for inputs that are not [n, T, in]
 */
export const lstm: (units: number, options?: RecurrentOptions & { activation?: "tanh" }) => Layer =
  /* @__PURE__ */ recurrentLayer("lstm", /* @__PURE__ */ oneOf("tanh"));

/**
 * Gated recurrent units (Cho et al. 2014), as PyTorch and cuDNN have them: r, z = σ(xₜ·W + b + hₜ₋₁·R + c); with n's part q of
 * hₜ₋₁·R + c, n = tanh(xₜ·W + b + r·q); hₜ = (1 − z)·n + z·hₜ₋₁; h₀ = 0.
 *
 * x: [n, T, in] → [n, units], or with `returnSequences` [n, T, units]. Parameters: `kernel` [in, 3·units], `recurrentKernel`
 * [units, 3·units], `bias` b and `recurrentBias` c [3·units], gates in the order r z n: PyTorch's, the kernels transposed.
 *
 * @param units the size of the state, ≥ 1
 * @example sequential([gru(64, { inputShape: [28, 28], returnSequences: true }), gru(64), dense(10)])
 * @throws DownhillError `argument` for a bad option, `shape` for inputs that are not [n, T, in]
 */
export const gru: (units: number, options?: RecurrentOptions & { activation?: "tanh" }) => Layer =
  /* @__PURE__ */ recurrentLayer("gru", /* @__PURE__ */ oneOf("tanh"));

const configOf = (layer: unknown): unknown => (isLayer(layer) ? layer.config : layer);

/** Takes a recurrent layer, or its config. */
const recurrentField = (): Field<unknown> => ({
  expected: "a recurrent layer such as lstm(32)",
  accepts(value) {
    const config = configOf(value);
    return isBuilt("layer", config) && "cell" in definitionOf("layer", config);
  },
  family: "layer",
});

/** What the wrapper takes over from the layer where it has not its own. */
const COMMON = ["name", "trainable", "activityRegularizer", "inputShape"];

/**
 * A recurrent layer over the sequence and another of the same kind over its reverse, side by side (Schuster & Paliwal 1997).
 *
 * x: [n, T, in] → [n, 2·units], both last states: the one after step T, and the one after step 1; or where the layer has
 * `returnSequences` [n, T, 2·units], at each step what both know of it. Parameters: the layer's, as `forward/kernel` …
 * and `backward/kernel` ….
 *
 * @param layer what `simpleRnn`, `lstm` or `gru` returned; its own options count for both directions
 * @example sequential([bidirectional(lstm(32), { inputShape: [50, 8] }), dense(1)])
 * @throws DownhillError `argument` where it is another layer
 */
export const bidirectional: (layer: Layer, options?: LayerOptions) => Layer = /* @__PURE__ */ layerFactory({
  type: "bidirectional",
  positional: ["layer"],
  options: () => ({ layer: recurrentField() }),
  check(config: Record<string, unknown>) {
    const inner = configOf(config["layer"]) as Built;
    config["layer"] = inner;
    for (const key of COMMON) if (inner[key] !== undefined) config[key] ??= inner[key];
  },
  parameters(inputs, { layer }, who) {
    const inner = definitionOf<RecurrentDefinition>("layer", layer as Built).parameters!(inputs, layer, who);
    const specs: Record<string, ParameterSpec> = {};
    for (const direction of ["forward", "backward"])
      for (const [key, spec] of Object.entries(inner)) specs[`${direction}/${key}`] = spec;
    return specs;
  },
  call([x], { config: { layer }, parameters }, who) {
    const steps = stepsOf(x!, parameters["forward/kernel"]!, who);
    const halves = ["forward/", "backward/"].map((prefix, i) =>
      run(steps, layer as Built, parameters, prefix, i === 1),
    );
    const y = concat(halves, { axis: halves[0]!.shape.length - 1 });
    return y.shape.length === 3 ? swap(y) : y;
  },
});
