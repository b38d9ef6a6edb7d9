// The recurrent nets of other tools that ours are not, of ops step by step: lstm and gru are kernels of their own.

import { Tensor } from "../graph/graph";
import { orthogonal } from "../initializers/initializers";
import { sigmoid } from "../ops/activations";
import { clip } from "../ops/arithmetic";
import { biasAdd } from "../ops/bias";
import { add, affine, multiply, reshape } from "../ops/elementwise";
import { matmul } from "../ops/gemm";
import { concat, slice, transpose } from "../ops/layout";
import { boolean, count, oneOf, optional, or, positive } from "../options";
import { built } from "../registry";
import { type ActivationName, applyActivation } from "./activation";
import { kernelAndBias, kernelOptions } from "./dense";
import { checkRank, type Layer, layerFactory, type ParameterSpec } from "./layer";
import type { RecurrentOptions } from "./recurrent";

/** Options of `importedRecurrent`. */
export interface ImportedRecurrentOptions extends RecurrentOptions {
  cell: "lstm" | "gru";
  /** Default `"tanh"`. */
  activation?: ActivationName;
  /** Gates are min(max(slope·x + ½, 0), 1); without it σ(x). */
  slope?: number;
  /** Also over the reversed sequence, as `bidirectional`. Default false. */
  both?: boolean;
}

/** What a cell does in a step, of the gates' inputs z = xₜ·W + b, [n, g·u]. */
interface Step {
  z: Tensor;
  /** The recurrent kernel in its PARTS. */
  kernels: readonly Tensor[];
  gate: (x: Tensor) => Tensor;
  squash: (x: Tensor) => Tensor;
}

/** hₜ, and of an LSTM cₜ, [n, u]. */
interface State {
  h: Tensor;
  c?: Tensor;
}

/** Columns of a matrix [n, g·u]: from gate `from` on to gate `to`. */
const gates = (x: Tensor, units: number, from: number, to = from + 1): Tensor =>
  slice([x], { begin: [0, from * units], size: [x.shape[0]!, (to - from) * units] });

/** Which gates' columns of the recurrent kernel are multiplied with the same. */
const PARTS = {
  lstm: [[0, 4]],
  gru: [
    [0, 2],
    [2, 3],
  ],
} as const;

const CELLS = {
  /** i, f, g, o of z + h·R; c = f·c + i·g, h = o·activation(c) */
  lstm({ z, kernels: [kernel], gate, squash }: Step, last?: State): State {
    const units = kernel!.shape[0]!;
    const all = last ? add([z, matmul(last.h, kernel!)]) : z;
    const open = gate(all);
    const [i, f, o] = [0, 1, 3].map((k) => gates(open, units, k)) as [Tensor, Tensor, Tensor];
    const fresh = multiply([i, squash(gates(all, units, 2))]);
    const c = last ? add([multiply([f, last.c!]), fresh]) : fresh;
    return { h: multiply([o, squash(c)]), c };
  },

  /** z, r of (z + h·R)'s two first parts; n = activation(zₙ + (r·h)·Rₙ), h = z·h + (1 − z)·n */
  gru({ z: given, kernels: [first, second], gate, squash }: Step, last?: State): State {
    const units = first!.shape[0]!;
    const [both, fresh] = [gates(given, units, 0, 2), gates(given, units, 2)];
    const open = gate(last ? add([both, matmul(last.h, first!)]) : both);
    const z = gates(open, units, 0);
    const kept = last && multiply([gates(open, units, 1), last.h]);
    const n = squash(kept ? add([fresh, matmul(kept, second!)]) : fresh);
    const taken = multiply([affine([z], { scale: -1, offset: 1 }), n]);
    return { h: last ? add([multiply([z, last.h]), taken]) : taken };
  },
} as const;

const GATES = { lstm: 4, gru: 3 } as const;

/** Each step is some 50 instructions of a tape. */
const MOST_STEPS = 2048;

/** x, [T, …], step by step. Halved again and again: gradients of slices, zeros but for the slice, are then T·log T numbers, not T². */
function stepsOf(x: Tensor): Tensor[] {
  const [steps, ...rest] = x.shape as [number, ...number[]];
  if (steps === 1) return [reshape([x], { to: rest })];
  const half = steps >> 1;
  return [0, half].flatMap((from) =>
    stepsOf(slice([x], { begin: [from, ...rest.map(() => 0)], size: [from ? steps - half : half, ...rest] })),
  );
}

/**
 * Of Keras and TF.js: an LSTM whose gates are hard sigmoids, or whose activation is another; a GRU in whose formula the reset gate
 * stands before the product with the recurrent kernel (`reset_after` false).
 *
 * x: [n, T, in] → [n, units], or with `returnSequences` [n, T, units]; with `both` twice as many. Parameters as those tools have
 * them: `kernel` [in, g·units], `recurrentKernel` [units, g·units], `bias` [g·units], gates i f g o, or z r n; with `both`
 * `forward/kernel` …, `backward/kernel` ….
 */
export const importedRecurrent: (units: number, options: ImportedRecurrentOptions) => Layer =
  /* @__PURE__ */ layerFactory({
    type: "importedRecurrent",
    positional: ["units"],
    options: () => ({
      units: count(),
      ...kernelOptions(),
      cell: oneOf("lstm", "gru"),
      recurrentInitializer: or(built("initializer", "orthogonal()"), () => orthogonal()),
      recurrentRegularizer: optional(built("regularizer", "l2(0.01)")),
      recurrentConstraint: optional(built("constraint", "maxNorm()")),
      returnSequences: or(boolean(), false),
      slope: optional(positive()),
      both: or(boolean(), false),
    }),
    parameters([x], config, who) {
      checkRank(who, x!, "[n, T, in]", x!.length === 2);
      const { units, cell, both } = config;
      const width = GATES[cell] * units;
      const { kernel, ...bias } = kernelAndBias([x![1]!, width], config);
      const recurrentKernel = {
        shape: [units, width],
        initializer: config.recurrentInitializer,
        regularizer: config.recurrentRegularizer,
        constraint: config.recurrentConstraint,
      };
      const one: Record<string, ParameterSpec> = { kernel: kernel!, recurrentKernel, ...bias };
      if (!both) return one;
      return Object.fromEntries(
        ["forward/", "backward/"].flatMap((way) => Object.entries(one).map(([key, spec]) => [way + key, spec])),
      );
    },
    call([x], { config, parameters, shapeOnly }, who) {
      const { cell, both, slope, activation = "tanh", returnSequences } = config;
      const prefixes = both ? ["forward/", "backward/"] : [""];
      const features = parameters[`${prefixes[0]}kernel`]!.shape[0]!;
      const [n, steps, given] = x!.shape as [number, number, number];
      checkRank(
        who,
        x!.shape.slice(1),
        `[n, T, ${features}], T ≤ ${MOST_STEPS}`,
        x!.shape.length === 3 && given === features && steps <= MOST_STEPS,
      );
      const sizes = [...(returnSequences ? [steps] : []), prefixes.length * config.units];
      if (shapeOnly) return new Tensor(x!.graph, [n, ...sizes], "states"); // or reading a file would build all steps of each layer
      const rows = reshape([transpose([x!], { axes: [1, 0, 2] })], { to: [steps * n, features] });
      const gate = (z: Tensor) =>
        slope === undefined ? sigmoid([z]) : clip([affine([z], { scale: slope, offset: 0.5 })], { low: 0, high: 1 });
      const squash = (z: Tensor) => applyActivation(activation, z);
      const halves = prefixes.map((prefix, i) => {
        const [kernel, bias] = [parameters[`${prefix}kernel`]!, parameters[`${prefix}bias`]];
        const kernels = PARTS[cell].map(([from, to]) =>
          gates(parameters[`${prefix}recurrentKernel`]!, config.units, from, to),
        );
        const product = matmul(rows, kernel);
        const width = kernel.shape[1]!;
        const all = stepsOf(reshape([bias ? biasAdd([product, bias]) : product], { to: [steps, n, width] }));
        if (i) all.reverse();
        const states: Tensor[] = [];
        let state: State | undefined;
        for (const z of all) {
          state = CELLS[cell]({ z, kernels, gate, squash }, state);
          states.push(state.h);
        }
        if (!returnSequences) return state!.h;
        if (i) states.reverse();
        return concat(
          states.map((h) => reshape([h], { to: [n, 1, h.shape[1]!] })),
          { axis: 1 },
        );
      });
      return halves.length === 1 ? halves[0]! : concat(halves, { axis: halves[0]!.shape.length - 1 });
    },
  });
