// How gradients fare on their way through a net, layer by layer and step by step.

import { argumentError, DownhillError } from "../errors";
import { count, isRecord, or, positive } from "../options";
import { type Built, factory } from "../registry";
import type { CallbackDefinition } from "../training/callbacks";
import { Model } from "../training/model";
import type { ModelState } from "../training/state";
import type { Entry, ModelLayer } from "../training/structure";

/** Options of `gradientMonitor`. */
export interface GradientMonitorOptions {
  /** Updates from one record to the next. Default 1. */
  every?: number;
  /** Records that are kept, ≥ 2; where more come every second one goes, and half as many are made from then on. Default 500. */
  limit?: number;
  /** A layer's gradient vanishes where its norm is below this. Default 1e-6. */
  vanishing?: number;
  /** It explodes where its norm is above this. Default 1e3. */
  exploding?: number;
}

/** What is recorded of a layer, one number a record. */
export interface LayerRecords {
  /** ‖∂loss/∂w‖ over all of the layer's parameters, before penalties and clipping. */
  gradientNorm: number[];
  /** ‖w‖ after the update. */
  weightNorm: number[];
  /** Of a layer with a ReLU behind it: the share of units that passed no gradient, not for one example of the batch. */
  dead?: number[];
}

/** What is recorded of a layer, and what it comes to. */
export interface LayerReport extends LayerRecords {
  /** The share of the records in which its gradient's norm is below the option `vanishing`. */
  vanishing: number;
  /** The share of the records in which its gradient's norm is above the option `exploding`. */
  exploding: number;
}

/** What `gradientReport` gives. */
export interface GradientReport {
  /** The updates that were recorded, from 0. */
  steps: number[];
  /** By name. */
  layers: Record<string, LayerReport>;
}

/** What the callback knows: plain data, which files keep. */
interface Known {
  every: number;
  vanishing: number;
  exploding: number;
  steps: number[];
  layers: Record<string, LayerRecords>;
}

const TYPE = "gradientMonitor";

/** Finite, for files are JSON, and of six digits, that they stay small. */
const short = (x: number): number => (x <= Number.MAX_VALUE ? Number(x.toPrecision(6)) : Number.MAX_VALUE);

/** ‖·‖ of the layer's parameters in the block at `block`. */
function normAt({ runtime: { heap } }: ModelState, block: number, entries: readonly Entry[]): number {
  let sum = 0;
  for (const { offset, size } of entries) {
    const from = (block >>> 2) + offset;
    for (const x of heap.f32.subarray(from, from + size)) sum += x * x;
  }
  return short(Math.sqrt(sum));
}

/**
 * The share of the layer's units of whose parameters none has a gradient. ReLU's is exactly 0 where its output is, so that is
 * how units look that are 0 for a whole batch.
 */
function deadAt({ runtime: { heap } }: ModelState, block: number, entries: readonly Entry[], units: number): number {
  const alive = new Uint8Array(units);
  for (const { offset, size } of entries) {
    const from = (block >>> 2) + offset;
    heap.f32.subarray(from, from + size).forEach((x, i) => {
      if (x !== 0) alive[i % units] = 1;
    });
  }
  return short(alive.reduce((dead, a) => dead + 1 - a, 0) / units);
}

/** Layers with a ReLU as their activation or as a layer right behind them, and how many units they have. */
function rectified({ structure }: ModelState): Map<ModelLayer, number> {
  const isRelu = ({ type, config }: ModelLayer) => type === "relu" || config["activation"] === "relu";
  const found = new Map<ModelLayer, number>();
  const see = (layer: ModelLayer | undefined) => {
    const parameters = layer?.entries.filter(({ spec }) => !spec.statistic) ?? [];
    const units = parameters[0]?.shape.at(-1);
    if (layer && units && parameters.every(({ shape }) => shape.at(-1) === units)) found.set(layer, units);
  };
  for (const { call, layer } of structure.calls) {
    if (!isRelu(layer)) continue;
    if (layer.entries.length) see(layer);
    else see(structure.calls.find((other) => other.call === call.inputs[0]!.call)?.layer);
  }
  return found;
}

/**
 * Records, of every layer with parameters, the norms of gradient and weights, and the share of dead ReLUs; `gradientReport(model)`
 * gives them back, during training and after it, of a loaded model too: they are part of the file.
 *
 * @example await model.fit(data, { callbacks: [gradientMonitor({ every: 10 })] });
 * const { layers } = gradientReport(model);
 * @throws DownhillError `argument`
 */
export const gradientMonitor: (options?: GradientMonitorOptions) => Built = /* @__PURE__ */ factory<
  [options?: GradientMonitorOptions],
  CallbackDefinition<Required<GradientMonitorOptions>>
>("callback", {
  type: TYPE,
  options: () => ({
    every: or(count(), 1),
    limit: or({ expected: "an integer ≥ 2", accepts: (v) => count().accepts(v) && (v as number) > 1 }, 500),
    vanishing: or(positive(), 1e-6),
    exploding: or(positive(), 1e3),
  }),
  create({ every, limit, vanishing, exploding }, _, model) {
    let known: Known = { every, vanishing, exploding, steps: [], layers: {} };
    let relus: Map<ModelLayer, number> | undefined;
    const record = (state: ModelState) => {
      const { gradients } = state.compiled!;
      known.steps.push(state.step - 1);
      relus ??= rectified(state);
      for (const layer of state.structure.layers) {
        const parameters = layer.entries.filter(({ spec }) => !spec.statistic);
        if (!parameters.length) continue;
        known.layers[layer.name] ??= { gradientNorm: [], weightNorm: [] };
        const records = known.layers[layer.name]!;
        records.gradientNorm.push(normAt(state, gradients, parameters));
        records.weightNorm.push(normAt(state, state.parameters, parameters));
        const units = relus.get(layer);
        if (!units) continue;
        records.dead ??= [];
        records.dead.push(deadAt(state, gradients, parameters, units));
      }
    };
    const thin = () => {
      known.every *= 2;
      const { steps, every } = known;
      const half = (list: number[]) => list.filter((_, i) => steps[i]! % every === 0);
      known.steps = half(steps);
      for (const records of Object.values(known.layers)) {
        records.gradientNorm = half(records.gradientNorm);
        records.weightNorm = half(records.weightNorm);
        if (records.dead) records.dead = half(records.dead);
      }
    };
    return {
      onBatchEnd() {
        const { state } = model;
        if ((state.step - 1) % known.every) return;
        if (known.steps.length === limit) thin();
        if ((state.step - 1) % known.every === 0) record(state);
      },
      getState: () => structuredClone(known),
      setState(state: Known) {
        known = structuredClone(checked(state));
      },
    };
  },
});

/** Throws `format` where what a file kept is not what the callback knew. */
function checked(state: unknown): Known {
  const known = state as Known;
  const isList = (list: unknown) =>
    Array.isArray(list) && list.length === known.steps.length && list.every(Number.isFinite);
  if (
    isRecord(known) &&
    count().accepts(known.every) &&
    positive().accepts(known.vanishing) &&
    positive().accepts(known.exploding) &&
    Array.isArray(known.steps) &&
    known.steps.every(Number.isFinite) &&
    isRecord(known.layers) &&
    Object.values(known.layers).every(
      (r) => isRecord(r) && isList(r.gradientNorm) && isList(r.weightNorm) && (r.dead === undefined || isList(r.dead)),
    )
  )
    return known;
  throw new DownhillError("format", `${TYPE}: expected its records, got something else`);
}

/**
 * What the last fit's `gradientMonitor` recorded.
 *
 * @throws DownhillError `argument`, `state` where there was none
 */
export function gradientReport(model: Model): GradientReport {
  if (!(model instanceof Model)) throw argumentError("gradientReport", "a model", model);
  const { state } = model;
  state.check();
  const found = state.callbackStates().find(({ type }) => type === TYPE);
  if (!found)
    throw new DownhillError("state", "gradientReport: expected a fit with gradientMonitor() before, got none");
  const { steps, layers, vanishing, exploding } = structuredClone(checked(found.state));
  const share = (norms: number[], holds: (norm: number) => boolean) => norms.filter(holds).length / norms.length;
  return {
    steps,
    layers: Object.fromEntries(
      // in the model's order, which files do not keep
      state.structure.layers.flatMap(({ name }) => {
        if (!Object.hasOwn(layers, name)) return [];
        const records = layers[name]!;
        const shares = {
          vanishing: share(records.gradientNorm, (norm) => norm < vanishing),
          exploding: share(records.gradientNorm, (norm) => norm > exploding),
        };
        return [[name, { ...records, ...shares }]];
      }),
    ),
  };
}
