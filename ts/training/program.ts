// A program: a model's graph for one kind of work and one set of shapes, lowered to a tape in memory.

import { Base, type LabelKind, SourceType } from "../../assembly/isa";
import { fuse } from "../graph/fuse";
import { gradient, prune } from "../graph/gradient";
import { Graph, type Node, type Shape, Span, type Tensor } from "../graph/graph";
import { plan } from "../graph/plan";
import { type Instruction, lower } from "../graph/tape";
import { verify } from "../graph/verify";
import { fillingOf } from "../initializers/initializers";
import type { Symbolic } from "../layers/layer";
import { add } from "../ops/elementwise";
import { gather } from "../ops/gather";
import { initialize } from "../ops/initialize";
import { meanLoss, meanLossBackward } from "../ops/losses";
import { activityPenalty, activityPenaltyBackward, objective, penaltyGradient } from "../ops/penalties";
import { shuffle } from "../ops/shuffle";
import { accumulate, clip, copy, fill, guard, optimizerStep } from "../ops/update";
import { penaltyOf } from "../regularizers/regularizers";
import type { Range } from "../runtime/runtime";
import { type Lane, REPORT_HEAD } from "./lane";
import type { ModelState } from "./state";
import type { Entry } from "./structure";

/** `fit` yields between ranges of about this much work, in nanoseconds. */
const SLICE = 8e6;

/** A spec of a program that reads no examples. */
export const BARE = { rows: 1, inputs: [], targets: [], training: false, accumulate: 0 } as const;

/** What a program is for, and its shapes. */
export interface ProgramSpec {
  kind: "initialize" | "shuffle" | "predict" | "evaluate" | "train" | "gradients" | "apply";
  rows: number;
  inputs: readonly SourceType[];
  targets: readonly TargetSpec[];
  /** Batch statistics and random masks. */
  training: boolean;
  /** Rows of the group of batches whose gradients add up; 0: this batch is alone, and its gradients are written, not added. */
  accumulate: number;
  /** Where the row numbers lie, for `shuffle`. */
  order?: number;
}

/** How one output's targets come. */
export interface TargetSpec {
  kind: LabelKind;
  /** Of one example. */
  shape: Shape;
  weighted: boolean;
}

export interface Program {
  /** The tape's address. */
  tape: number;
  arenaBytes: number;
  all: Range;
  /** `all` in ranges of bounded work. */
  slices: Range[];
  /** The same without the update. */
  gradientSlices: Range[];
  instructions: Instruction[];
  /** What it predicts. */
  predictions: Tensor[];
  /** The gradients of its inputs, for `gradients`. */
  inputGradients: (Tensor | undefined)[];
}

/** A program's key among those of its lane. */
export function keyOf(spec: ProgramSpec, frozen: string): string {
  const { kind, rows, inputs, targets, training, accumulate, order } = spec;
  let key = `${kind} ${rows} ${+training} ${accumulate} ${frozen} ${inputs.join()} ${order ?? ""}`;
  for (const { kind, shape, weighted } of targets) key += ` ${kind},${+weighted},${shape}`;
  return key;
}

/** The source slots: inputs first, then a target and weights for each output. */
export const targetSlot = (inputs: number, output: number): number => inputs + 2 * output;

/** Builds a program's graph and its tape, and holds the one against the other; nothing is written. */
export function lowerProgram(state: ModelState, lane: Lane, spec: ProgramSpec) {
  const { runtime, structure } = state;
  const built = buildGraph(state, lane, spec);
  const { graph } = built;
  prune(graph);
  fuse(graph);
  prune(graph);
  graph.nodes.sort((a, b) => a.span - b.span);
  const tape = lower(graph, plan(graph, runtime.threads), runtime.threads, lane.state);
  const { gradients, segments, slots = [] } = state.compiled ?? {};
  const block = (at = 0) => [at, at + runtime.heap.sizeOf(at)] as const;
  verify(tape, {
    [Base.absolute]: [lane.state, state.statistics, spec.order, gradients, segments, ...slots].map(block),
    [Base.parameters]: [[0, structure.parameterFloats * 4]],
    [Base.statistics]: [[0, structure.statisticFloats * 4]],
    [Base.arena]: [[0, tape.arenaBytes]],
  });
  return { ...built, tape };
}

/** Builds a program and writes its tape into memory. */
export function buildProgram(state: ModelState, lane: Lane, spec: ProgramSpec): Program {
  const { runtime } = state;
  const { tape, graph, predictions, inputGradients } = lowerProgram(state, lane, spec);
  const bytes = (node?: Node) => node?.outputs.reduce((sum, t) => sum + t.bytes, 0) ?? 0;
  const largest = graph.nodes.reduce<Node | undefined>((a, b) => (bytes(b) > bytes(a) ? b : a), undefined);
  lane.reserve(tape.arenaBytes, largest?.layer || lane.name);
  const { heap } = runtime;
  const address = heap.allocate(tape.words.byteLength, lane.name);
  heap.u32.set(tape.words, address >>> 2);

  const { instructions } = tape;
  const at = (i: number) => address + (instructions[i]?.at ?? tape.words.length) * 4;
  const range = ([first, end]: [number, number]): Range => ({
    from: at(first),
    to: at(end),
    team: instructions.slice(first, end).some((i) => i.team),
    work: instructions.slice(first, end).reduce((sum, i) => sum + i.work, 0),
  });
  const beforeUpdate = instructions.filter((i) => i.node.span < Span.update);
  return {
    tape: address,
    arenaBytes: tape.arenaBytes,
    all: range([0, instructions.length]),
    slices: sliced(instructions).map(range),
    gradientSlices: sliced(beforeUpdate).map(range),
    instructions,
    predictions,
    inputGradients,
  };
}

/** [first, end) of runs of instructions whose work together stays below SLICE; the update span is never cut. */
function sliced(instructions: Instruction[]): [number, number][] {
  const slices: [number, number][] = [];
  let first = 0;
  let work = 0;
  instructions.forEach((instruction, i) => {
    const inUpdate = instruction.node.span === Span.update && instructions[i - 1]?.node.span === Span.update;
    if (i > first && work + instruction.work > SLICE && !inUpdate) {
      slices.push([first, i]);
      first = i;
      work = 0;
    }
    work += instruction.work;
  });
  if (instructions.length) slices.push([first, instructions.length]);
  return slices;
}

interface Built {
  graph: Graph;
  predictions: Tensor[];
  inputGradients: (Tensor | undefined)[];
}

/** A program's nodes, as the layers, losses and the optimizer make them. */
function buildGraph(state: ModelState, lane: Lane, spec: ProgramSpec): Built {
  const { structure, activities: activityCount } = state;
  const { parameters, statistics, parameterFloats: floats } = structure;
  const { kind, rows } = spec;
  const compiled = state.compiled!;
  const graph = new Graph();
  const built: Built = { graph, predictions: [], inputGradients: [] };
  const { predictions } = built;
  const leaves = new Map<Entry, Tensor>();
  const inputs: Tensor[] = [];
  const activities: { h: Tensor; l1: number; l2: number }[] = [];
  const updates: (() => void)[] = [];
  /** The objective's gradient with respect to tensors of the forward pass, built in the backward span. */
  const seeds: (() => readonly [Tensor, Tensor])[] = [];

  const absolute = (shape: Shape, name: string, offset: number) =>
    graph.leaf(shape, name, { base: Base.absolute, offset });
  const entryAt = (name: string, index: number, count = 1) =>
    absolute([count, 4], name, lane.report + (REPORT_HEAD + 4 * index) * 4);
  const block = () => graph.leaf([floats], "parameters", { base: Base.parameters, offset: 0 });
  const segments = () => absolute([parameters.length, 8], "segments", compiled.segments);
  const gradients = () => absolute([floats], "gradients", compiled.gradients);
  const parameter = (entry: Entry): Tensor => {
    let leaf = leaves.get(entry);
    if (!leaf) {
      const base = entry.spec.statistic ? Base.statistics : Base.parameters;
      leaf = graph.leaf(entry.shape, entry.key, { base, offset: entry.offset * 4 });
      leaves.set(entry, leaf);
    }
    return leaf;
  };
  /** Has `build` done later, for the layer that is being built now. */
  const later = <F extends () => unknown>(list: F[], build: F, layer = graph.layer) =>
    list.push((() => {
      graph.layer = layer;
      return build();
    }) as F);

  if (kind === "initialize") {
    graph.span = Span.update;
    [...parameters, ...statistics].forEach((entry, op) => {
      graph.layer = entry.layer.name;
      initialize([parameter(entry)], { ...fillingOf(entry.spec.initializer, entry.shape), op });
    });
    return built;
  }
  if (kind === "shuffle") {
    shuffle([absolute([rows], "order", spec.order!)]);
    return built;
  }
  if (kind !== "apply") {
    forward();
    if (kind === "predict") return built;
    addObjective();
    if (kind === "evaluate") return built;
    backward();
  }
  graph.span = Span.update;
  graph.layer = "";
  if (kind === "gradients") penaltyGradient([gradients(), block(), segments()]);
  else update();
  return built;

  function forward(): void {
    const values = new Map<Symbolic, Tensor>();
    structure.inputs.forEach(({ value, name }, slot) => {
      graph.layer = name;
      const x = gather(graph, { slot, shape: [rows, ...value.shape], type: spec.inputs[slot]! });
      values.set(value, x);
      inputs.push(x);
    });
    structure.calls.forEach(({ call, layer }, op) => {
      const { name, config, definition, entries } = layer;
      graph.layer = name;
      const context = {
        config,
        parameters: Object.fromEntries(entries.map((entry) => [entry.key.slice(name.length + 1), parameter(entry)])),
        training: spec.training && (layer.trainable || !definition.frozenIsInference),
        op,
        onUpdate: (build: () => void) => later(updates, build),
      };
      const y = definition.call(
        call.inputs.map((x) => values.get(x)!),
        context,
        name,
      );
      values.set(call.output, y);
      const regularizer = config["activityRegularizer"];
      if (regularizer) {
        const { l1, l2, shrink } = penaltyOf(regularizer as never);
        activities.push({ h: y, l1: l1 + shrink, l2 });
      }
    });
    for (const { value } of structure.outputs) {
      const y = values.get(value)!;
      predictions.push(y);
      graph.kept.add(y);
    }
  }

  function addObjective(): void {
    const { losses, metrics } = compiled;
    const penalised = parameters.some(({ spec }) => spec.regularizer);
    if (kind !== "evaluate") graph.kept.clear();
    const seen = losses.map(({ config, definition, name }, output) => {
      const { kind, shape, weighted } = spec.targets[output]!;
      graph.layer = name;
      const raw = (slot: number, shape: Shape) =>
        gather(graph, { slot, shape: [rows, ...shape], type: SourceType.raw32 });
      const slot = targetSlot(inputs.length, output);
      const target = raw(slot, shape);
      const weights = weighted ? raw(slot + 1, []) : null;
      const given = { prediction: predictions[output]!, target, weights, kind };
      const [loss, count] = definition.call(given, config) as [Tensor, Tensor];
      const entry = entryAt("loss", output);
      meanLoss([loss, count, entry], { output });
      later(seeds, () => [loss, meanLossBackward([entry, loss], { output })]);
      return given;
    });
    metrics.forEach(({ config, definition, output }, i) => {
      const loss = losses[output]!;
      graph.layer = loss.name;
      const [value, weight] = definition.call({ ...seen[output]!, loss }, config);
      meanLoss([value!, weight!, entryAt("metric", losses.length + activityCount + i)], { output: -1 });
    });
    activities.forEach(({ h, l1, l2 }, i) => {
      const attributes = { l1, l2, rows: spec.accumulate || undefined };
      activityPenalty([h, entryAt("activity", losses.length + i)], attributes);
      later(seeds, () => [h, activityPenaltyBackward([h], attributes)], h.node!.layer);
    });
    graph.layer = "";
    objective(
      [
        absolute([4], "objective", lane.report),
        entryAt("losses", 0, losses.length),
        activityCount ? entryAt("activities", losses.length, activityCount) : null,
        ...(penalised ? [block(), segments()] : [null, null]),
      ],
      { lossCount: losses.length, activityCount },
    );
  }

  function backward(): void {
    graph.span = Span.backward;
    const wanted = parameters.map(parameter);
    const asked = kind === "gradients" ? inputs : [];
    const found = gradient(
      graph,
      seeds.map((seed) => seed()),
      [...wanted, ...asked],
      (a, b) => add([a, b]),
    );
    const placed = new Set<Tensor>();
    parameters.forEach((entry, i) => {
      const g = found.get(wanted[i]!);
      const place = { base: Base.absolute, offset: compiled.gradients + entry.offset * 4 };
      graph.layer = entry.layer.name;
      const into = graph.leaf(entry.shape, `d ${entry.key}`, place);
      if (!g) {
        if (!spec.accumulate) fill([into], { value: 0 });
      } else if (spec.accumulate) accumulate([into, g]);
      else if (!g.node || g.place || g.node.op.view || placed.has(g)) copy([into, g]);
      else {
        g.place = place;
        placed.add(g);
        graph.kept.add(g);
      }
    });
    built.inputGradients = asked.map((x) => found.get(x));
    for (const g of built.inputGradients) if (g) graph.kept.add(g);
    if (spec.accumulate) for (const update of updates) update(); // of a copy, which update() puts in force
  }

  function update(): void {
    const { config, plan, slots } = compiled;
    const { clipNorm, clipValue = 0 } = config;
    graph.apply(guard, [], {});
    const [w, g, table] = [block(), gradients(), segments()];
    const factor = clipNorm && floats ? clip([g, w, table], { clipNorm, clipValue }) : null;
    const moments = [0, 1, 2].map((i) =>
      slots[i] ? absolute([floats], `optimizer/${plan.slots[i]}`, slots[i]) : null,
    );
    optimizerStep([w, ...moments, g, table, factor], { ...plan.step, clipValue });
    if (!spec.accumulate) for (const update of updates) update();
    else if (updates.length) {
      const moved = graph.leaf([structure.statisticFloats], "statistics", { base: Base.statistics, offset: 0 });
      copy([absolute(moved.shape, "statistics", state.statistics), moved]);
    }
  }
}
