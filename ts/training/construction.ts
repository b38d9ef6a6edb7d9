// A program's graph: its nodes, as the layers, the losses and the optimizer make them.

import { Base, Op, SourceType } from "../../assembly/isa";
import type { Mixing } from "../augment/augmentation";
import { constraintDefinition } from "../constraints/constraints";
import { stepsOf } from "../data/arrays";
import { gradient } from "../graph/gradient";
import { Graph, type Shape, Span, type Tensor } from "../graph/graph";
import { fillingOf } from "../initializers/initializers";
import type { Symbolic } from "../layers/layer";
import type { LossInputs } from "../losses/losses";
import { movingAverage } from "../ops/batchNorm";
import { add } from "../ops/elementwise";
import { gather } from "../ops/gather";
import { initialize } from "../ops/initialize";
import { meanLoss, meanLossBackward } from "../ops/losses";
import {
  type ActivityAttributes,
  activityPenalty,
  activityPenaltyBackward,
  objective,
  penaltyGradient,
} from "../ops/penalties";
import { accumulate, clip, copy, fill, guard, optimizerStep } from "../ops/update";
import { penaltyOf } from "../regularizers/regularizers";
import { type Lane, REPORT_HEAD } from "./lane";
import type { ProgramSpec } from "./program";
import type { ModelState } from "./state";
import type { Entry } from "./structure";

/** Numbers of random ops between those of one pass and those of the next: more than a model has calls. */
export const PASS = 2 ** 16;

/** The source slots: inputs first, then a target and weights for each output. */
export const targetSlot = (inputs: number, output: number): number => inputs + 2 * output;

/** A program under construction, as what extends it sees it. */
export interface Construction {
  graph: Graph;
  spec: ProgramSpec;
  inputs: Tensor[];
  /** Penalties on tensors of the forward pass. */
  activities: { h: Tensor; attributes: ActivityAttributes }[];
  /**
   * The outputs for `xs`. Of a step's passes each has a number, and with it random numbers of its own; the first one, 0, alone
   * has activity penalties and moves statistics. `at`: the leaf of a parameter, by default where this step has it.
   */
  forward(xs: Tensor[], training: boolean, pass?: number, at?: (entry: Entry) => Tensor): Tensor[];
  /** One number a row and its count, of an output that predicts that; `but`: in the place of what the loss would be given. */
  lossOf(prediction: Tensor, output: number, but?: Partial<LossInputs>): Tensor[];
  /** Adds the means of the outputs' losses to the report, from entry `first` on, and to what is differentiated. */
  addLosses(predictions: Tensor[], first: number): void;
}

/** What `compile` was given beside the losses that adds to a model's programs. */
export interface Term {
  /** Called where a program has its outputs' losses, its gradients and its optimizer's step; `graph.span` tells which. */
  extend(program: Construction): void;
  free?(): void;
}

/** A program's nodes, as the layers, losses and the optimizer make them. */
export function buildGraph(state: ModelState, lane: Lane, spec: ProgramSpec) {
  const { structure, compiled } = state;
  const { parameters, statistics, parameterFloats: floats } = structure;
  const { kind, rows } = spec;
  const graph = new Graph(state.runtime.fastMath);
  let results: (Tensor | undefined)[] = [];
  const inputs: Tensor[] = [];
  const activities: Construction["activities"] = [];
  const targets: Pick<LossInputs, "target" | "weights" | "kind">[] = [];
  const updates: ((momentum?: number) => void)[] = [];
  let mixing: Mixing | undefined;
  /** The objective's gradient with respect to tensors of the forward pass, built in the backward span. */
  const seeds: (() => readonly [Tensor, Tensor])[] = [];

  const leaf = (shape: Shape, name: string, offset = 0, base = Base.absolute) =>
    graph.leaf(shape, name, { base, offset });
  const entryAt = (name: string, index: number, count = 1) =>
    leaf([count, 4], name, lane.report + (REPORT_HEAD + 4 * index) * 4);
  const block = leaf([floats], "parameters", 0, Base.parameters);
  // read where it is compiled alone
  const segments = leaf([parameters.length, 8], "segments", compiled?.segments);
  const gradients = leaf([floats], "gradients", compiled?.gradients);
  const trains = kind !== "predict" && kind !== "evaluate";
  /** Where the parameters lie with noise on them, if so. */
  const noise = +(trains && spec.training && compiled!.noise);
  const leaves = new Map(
    structure.entries.map((entry) => {
      const { shape, key, offset, spec } = entry;
      const base = spec.statistic ? Base.statistics : noise ? Base.absolute : Base.parameters;
      return [entry, leaf(shape, key, offset * 4 + (spec.statistic ? 0 : noise), base)];
    }),
  );
  const parameter = (entry: Entry) => leaves.get(entry)!;
  const program: Construction = { graph, spec, inputs, activities, forward, lossOf, addLosses };
  const extend = () => {
    for (const term of compiled!.terms) term.extend(program);
  };
  /** `build` for later, when another layer may be under construction than now. */
  const later = <T>(build: (momentum?: number) => T) => {
    const { layer } = graph;
    return (momentum?: number): T => {
      graph.layer = layer;
      return build(momentum);
    };
  };

  if (kind === "initialize") {
    graph.span = Span.update;
    [...parameters, ...statistics].forEach((entry, op) => {
      graph.layer = entry.layer.name;
      initialize([parameter(entry)], { ...fillingOf(entry.spec.initializer, entry.spec.matrix ?? entry.shape), op });
    });
  } else if (spec.write) spec.write(leaf([rows], "region", spec.order), block);
  else {
    if (kind !== "apply") {
      gatherExamples();
      if (noise) {
        const noisy = leaf([floats], "noise", noise);
        initialize([noisy], { opcode: Op.randomNormal, a: 0, b: compiled!.config.weightNoise!, op: 3 * PASS });
        accumulate([noisy, block]);
      }
      results = spec.build ? spec.build(program) : forward(inputs, spec.training);
      if (kind !== "predict") addObjective();
      if (trains) backward();
    }
    graph.span = Span.update;
    graph.layer = "";
    if (kind === "gradients") penaltyGradient([gradients, block, segments]);
    else if (trains) update();
    else if (spec.accumulate) for (const update of updates) update(0);
  }
  for (const t of results) if (t) graph.kept.add(t);
  return { graph, results };

  function gatherExamples(): void {
    const rowsOf = (slot: number, shape: Shape, type: SourceType = SourceType.raw32) =>
      gather(graph, { slot, shape: [rows, ...shape], type });
    structure.inputs.forEach(({ value, name }, slot) => {
      graph.layer = name;
      const type = spec.inputs[slot]!;
      let x = rowsOf(slot, value.shape, type);
      if (spec.augment) ({ x, mixing } = spec.augment.build(x, type === SourceType.uint8));
      inputs.push(x);
    });
    spec.targets.forEach(({ kind, shape, weighted }, output) => {
      graph.layer = compiled!.losses[output]!.name;
      const slot = targetSlot(inputs.length, output);
      const weights = weighted ? rowsOf(slot + 1, stepsOf({ kind, shape })) : null;
      targets.push({ target: rowsOf(slot, shape), weights, kind });
    });
  }

  function forward(xs: Tensor[], training: boolean, pass = 0, at = parameter): Tensor[] {
    const values = new Map<Symbolic, Tensor>(structure.inputs.map(({ value }, i) => [value, xs[i]!]));
    structure.calls.forEach(({ call, layer }, op) => {
      const { name, config, definition, entries } = layer;
      graph.layer = name;
      const context = {
        config,
        parameters: Object.fromEntries(entries.map((entry) => [entry.key.slice(name.length + 1), at(entry)])),
        training: training && (layer.trainable || !definition.frozenIsInference),
        op: op + pass * PASS,
        onUpdate: (build: (momentum?: number) => void) => pass || updates.push(later(build)),
      };
      const y = definition.call(
        call.inputs.map((x) => values.get(x)!),
        context,
        name,
      );
      values.set(call.output, y);
      const regularizer = config["activityRegularizer"];
      if (regularizer && !pass) {
        const { l1, l2, shrink } = penaltyOf(regularizer as never);
        activities.push({ h: y, attributes: { l1: l1 + shrink, l2, rows: spec.accumulate || undefined } });
      }
    });
    return structure.outputs.map(({ value }) => values.get(value)!);
  }

  function addObjective(): void {
    const { losses, lossWeights, metrics } = compiled!;
    const penalised = parameters.some(({ spec }) => spec.regularizer);
    addLosses(results as Tensor[], 0);
    extend();
    metrics.forEach(({ config, definition, output, at, entries }) => {
      const loss = losses[output]!;
      graph.layer = loss.name;
      const given = { prediction: results[output]!, ...targets[output]! };
      const report = entryAt("metric", lossWeights.length + compiled!.activities + at, entries);
      const found = definition.call({ ...(mixing?.winner(given) ?? given), loss, report }, config);
      if (found) meanLoss([...found, report], { output: -1 });
    });
    activities.forEach(({ h, attributes }, i) => {
      graph.layer = h.node!.layer;
      activityPenalty([h, entryAt("activity", lossWeights.length + i)], attributes);
      seeds.push(later(() => [h, activityPenaltyBackward([h], attributes)]));
    });
    graph.layer = "";
    objective(
      [
        leaf([4], "objective", lane.report),
        entryAt("losses", 0, lossWeights.length),
        activities.length ? entryAt("activities", lossWeights.length, activities.length) : null,
        ...(penalised ? [block, segments] : []),
      ],
      { lossCount: lossWeights.length, activityCount: activities.length },
    );
  }

  function lossOf(prediction: Tensor, output: number, but?: Partial<LossInputs>): Tensor[] {
    const { config, definition } = compiled!.losses[output]!;
    const given = { prediction, ...targets[output]!, ...but };
    return mixing?.loss(given, definition, config) ?? definition.call(given, config);
  }

  function addLosses(predictions: Tensor[], first: number): void {
    compiled!.losses.forEach(({ name }, output) => {
      graph.layer = name;
      const [loss, count] = lossOf(predictions[output]!, output) as [Tensor, Tensor];
      const entry = entryAt("loss", first + output);
      meanLoss([loss, count, entry], { output });
      seeds.push(later(() => [loss, meanLossBackward([entry, loss], { output })]));
    });
  }

  function backward(): void {
    graph.span = Span.backward;
    const asked = kind === "gradients" ? inputs : [];
    const found = gradient(
      graph,
      seeds.map((seed) => seed()),
      [...parameters.map(parameter), ...asked],
      (a, b) => add([a, b]),
    );
    for (const entry of parameters) {
      const g = found.get(parameter(entry));
      graph.layer = entry.layer.name;
      const into = leaf(entry.shape, `d ${entry.key}`, compiled!.gradients + entry.offset * 4);
      if (!g) {
        if (!spec.accumulate) fill([into], { value: 0 });
      } else if (spec.accumulate) accumulate([into, g]);
      else if (g.place || g.node?.op.view) copy([into, g]);
      else {
        g.place = into.place;
        graph.kept.add(g);
      }
    }
    extend();
    results = asked.map((x) => found.get(x));
    if (spec.accumulate) for (const update of updates) update(); // of a copy, which update() puts in force
  }

  function update(): void {
    const { config, plan, slots } = compiled!;
    const { clipNorm, clipValue = 0 } = config;
    graph.apply(guard, [], {});
    const factor = clipNorm && floats ? clip([gradients, block, segments], { clipNorm, clipValue }) : null;
    const moments = [0, 1, 2].map((i) => (slots[i] ? leaf([floats], `optimizer/${plan.slots[i]}`, slots[i]) : null));
    optimizerStep([block, ...moments, gradients, segments, factor], { ...plan.step, clipValue });
    extend();
    state.mask?.apply(block);
    parameters.forEach(({ shape, key, offset, spec: { constraint } }, row) => {
      const w = leaf(shape, key, offset * 4, Base.parameters);
      if (constraint) constraintDefinition(constraint).hold(constraint, w, segments, row);
    });
    if (config.ema) movingAverage([leaf([floats], "ema", slots[3]), block], { momentum: config.ema });
    if (!spec.accumulate) for (const update of updates) update();
    else if (updates.length) {
      const moved = leaf([structure.statisticFloats], "statistics", 0, Base.statistics);
      copy([leaf(moved.shape, "statistics", state.statistics), moved]);
    }
  }
}
