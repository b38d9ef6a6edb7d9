// compile: reads the optimizer, the losses and the metrics, and lays out the memory that training needs.

import { Segment } from "../../assembly/isa";
import { lossDefinition } from "../losses/losses";
import { accuracy, metricDefinition } from "../metrics/metrics";
import { optimizerPlan } from "../optimizers/optimizers";
import {
  check,
  either,
  type Field,
  field,
  inner,
  isObject,
  listOf,
  nonNegative,
  oneOf,
  optional,
  or,
  positive,
  readOptions,
} from "../options";
import { type Built, built, type Definition, definitionOf, isBuilt } from "../registry";
import { penaltyOf } from "../regularizers/regularizers";
import { rateAt } from "../schedules/schedules";
import type { Term } from "./construction";
import { capital } from "./logs";
import type { CompileConfig, Compiled, ModelState } from "./state";
import { checkKeys, splitPorts } from "./structure";

/** One for the only output, or a list or record that fits the outputs. */
export type PerOutput<T> = T | readonly T[] | Readonly<Record<string, T>>;

/** Options of `compile`. */
export interface CompileOptions {
  /** Such as `adam()`. */
  optimizer: Built;
  /** Such as `softmaxCrossEntropy()`; of several outputs a list or record of them. The objective is their weighted sum and the penalties. */
  loss: PerOutput<Built>;
  /** Factors of the outputs' losses, ≥ 0; default 1. */
  lossWeights?: PerOutput<number>;
  /** Of one output a list, of several a list or record of lists. */
  metrics?: readonly (Metric | readonly Metric[])[] | Readonly<Record<string, readonly Metric[]>>;
  /** The largest global norm of the gradient, > 0. */
  clipNorm?: number;
  /** The largest absolute value in the gradient, > 0. */
  clipValue?: number;
  /**
   * The decay d of the parameters' exponential moving average, in (0, 1): after each step, constraints included,
   * mean ← d·mean + (1 − d)·θ, from the θ that the first update starts from on. `evaluate`, `predict`, `testOnBatch` and
   * validation run at the mean (with the moving statistics as they are), training at θ. `getWeights` and files hold θ, and
   * files the mean too; `averagedWeights(model)` reads the mean, and `setWeights` of that puts it in force.
   * `setWeights` begins the mean anew. What `earlyStopping` restores are the weights that were evaluated. (Polyak & Juditsky 1992)
   */
  ema?: number;
  /**
   * σ ≥ 0: each step's forward and backward passes run at w + ε, ε ~ N(0, σ²) drawn anew, and the update is of w. On all parameters,
   * frozen ones too; penalties, and all but training, are at w. Default 0.
   */
  weightNoise?: number;
  /** Train on (1 − weight)·J(x) + weight·J(x̃), x̃ made by an attack such as `fgsm`. */
  adversarial?: {
    /** `fgsm(…)` or `pgd(…)`. */
    attack: Built;
    /** Of J(x̃), in [0, 1]. Default 0.5. */
    weight?: number;
  };
  /** Such as `tied(…)`. */
  penalties?: readonly Built[];
}

/** A type of what `penalties` takes, or of an attack. */
export interface TermDefinition extends Definition {
  /**
   * Finds what it acts on, and writes into `compiled` what a file is to keep in the place of `given`, and of reports what is more.
   * Throws `argument` or `shape`.
   */
  bind(given: Record<string, unknown>, compiled: Compiled, state: ModelState): Term;
}

/** What `metrics` takes: `"accuracy"`, or what a metric's factory made. */
export type Metric = "accuracy" | Built;

export const anything = /* @__PURE__ */ field<unknown>("given", (v) => v !== undefined);

/** Reads options into plain data; throws `argument`. */
export function readCompileOptions({ structure: { outputs } }: ModelState, options: unknown): CompileConfig {
  const read = readOptions("compile", options, {
    optimizer: built("optimizer", "adam()"),
    loss: anything,
    lossWeights: or(anything, () => outputs.map(() => 1)),
    metrics: or(anything, () => outputs.map(() => [])),
    clipNorm: optional(positive()),
    clipValue: optional(positive()),
    ema: optional(inner()),
    weightNoise: optional(nonNegative()),
    adversarial: optional(
      field<Record<string, unknown>>("{ attack, weight }", (v) =>
        isBuilt("term", (v as CompileOptions["adversarial"])?.attack),
      ),
    ),
    penalties: optional(listOf(built("term", "tied(…)"))),
  });
  const several = outputs.length > 1;
  const perOutput = <T>(what: string, given: unknown, field: Field<T>, one: boolean): T[] =>
    splitPorts(`compile: ${what}`, outputs, given, one && !several).map((value, i) =>
      check("compile", several ? `${what}.${outputs[i]!.name}` : what, field, value),
    );
  /** Neither a list nor a record of them. */
  const isOne = (given: unknown) => !isObject(given) || "type" in given;
  const { loss, lossWeights, metrics } = read;
  const list = listOf(either(oneOf("accuracy"), built("metric", "accuracy()")));
  /** In a record what is left out is none. */
  const metricList: typeof list = { ...list, accepts: (v) => v === undefined || list.accepts(v) };
  const isList = Array.isArray(metrics) && !metrics.some(Array.isArray);
  return {
    ...read,
    loss: perOutput("loss", loss, built("loss", "softmaxCrossEntropy()"), isOne(loss)),
    lossWeights: perOutput("lossWeights", lossWeights, nonNegative(), isOne(lossWeights)),
    metrics: perOutput("metrics", metrics, metricList, isList).flatMap((list = [], output) =>
      list.map((metric) => ({ output, metric: metric === "accuracy" ? accuracy() : metric })),
    ),
  };
}

/** Puts a read configuration in force: new slots, step 0. The earlier one stays until nothing can fail any more. */
export function compile(state: ModelState, config: CompileConfig): void {
  const { structure, runtime } = state;
  const { heap } = runtime;
  const { optimizer } = config;
  const plan = optimizerPlan(optimizer, config.ema);
  const learningRate = optimizer["learningRate"] as number | Built;
  rateAt(learningRate, 0);
  const decayed = (optimizer["decayFilter"] as string[] | undefined) ?? [];
  checkKeys("compile", "decayFilter to name parameters", decayed, structure.parameters);
  const { outputs } = structure;
  const losses = config.loss.map((loss, i) => ({
    name: outputs[i]!.name,
    config: loss,
    definition: lossDefinition(loss),
  }));
  let entries = 0;
  const metrics = config.metrics.map(({ metric, output }, i, all) => {
    const definition = metricDefinition(metric);
    const at = entries;
    entries += definition.entries?.(outputs[output]!.value.shape, losses[output]!) ?? 1;
    const twins = all.slice(0, i).filter((m) => m.output === output && m.metric.type === metric.type).length;
    const name = metric.type + (twins ? `_${twins}` : "");
    return {
      name: outputs.length > 1 ? outputs[output]!.name + capital(name) : name,
      output,
      config: metric,
      definition,
      at,
      entries: entries - at,
    };
  });
  const floats = structure.parameterFloats;
  const regions: number[] = [];
  const terms: Term[] = [];
  const take = (bytes: number) => {
    const at = heap.allocate(bytes, `${state.name} (optimizer ${optimizer.type})`);
    regions.push(at);
    heap.clear(at, bytes);
    return at;
  };
  try {
    const gradients = take(floats * 4);
    const slots = plan.slots.map((slot) => (slot ? take(floats * 4) : undefined));
    const segments = take(structure.parameters.length * Segment.words * 4);
    for (const at of slots) if (at) heap.f32.fill(plan.initial, at >>> 2, (at >>> 2) + floats);
    const compiled: Compiled = {
      config,
      plan,
      losses,
      metrics,
      entries,
      lossWeights: config.lossWeights,
      activities: structure.calls.filter(({ layer }) => layer.config["activityRegularizer"]).length,
      terms,
      reads: [],
      gradients,
      slots,
      segments,
      noise: config.weightNoise ? take(floats * 4) : 0,
      regions,
    };
    for (const given of [config.adversarial ?? [], config.penalties ?? []].flat())
      terms.push(
        definitionOf<TermDefinition>("term", (given["attack"] ?? given) as Built).bind(given, compiled, state),
      );
    state.freeCompiled();
    state.compiled = compiled;
  } catch (error) {
    heap.free(...regions);
    for (const term of terms) term.free?.();
    throw error;
  }
  state.step = 0;
  state.epoch = 0;
  state.callbackStates = () => [];
  state.learningRate = learningRate;
  state.beginMean();
  writeSegments(state); // an evaluation may come before the first step
}

/** Warns where a loss that takes logits is given probabilities: such a model trains, but badly. */
export function warnOfProbabilities({ structure, compiled }: ModelState): void {
  structure.outputs.forEach(({ name, value }, i) => {
    const { config, definition } = compiled!.losses[i]!;
    const { type, activation = type } = value.call?.layer.config ?? config;
    if (definition.prediction(config) === "logits" && /^s(oftmax|igmoid)$/.test(activation as string))
      console.warn(`downhill: ${config.type} takes logits, but ${name} ends in ${activation}`);
  });
}

/** Writes the segment table: how the optimizer treats each parameter. `only`: the keys that may change. */
export function writeSegments(state: ModelState, only?: Readonly<Record<string, unknown>>): void {
  const { structure, compiled, runtime } = state;
  const { segments, config } = compiled!;
  const { u32, f32 } = runtime.heap;
  const { weightDecay, decayFilter, decayKernelsOnly } = config.optimizer as Record<string, unknown>;
  structure.parameters.forEach((entry, i) => {
    const at = (segments >>> 2) + i * Segment.words;
    const { l1, l2, shrink } = penaltyOf(entry.spec.regularizer);
    const decays =
      (!decayFilter || (decayFilter as string[]).includes(entry.key)) && (!decayKernelsOnly || entry.shape.length > 1);
    const frozen = !(entry.layer.trainable && (!only || only[entry.key]));
    u32.set([entry.offset, entry.size, +frozen], at); // in the order of Segment
    f32.set([1, l1, l2, decays ? (weightDecay as number) : 0, shrink], at + Segment.learningRateFactor);
  });
}
