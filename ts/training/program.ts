// A program: a model's graph for one kind of work and one set of shapes, lowered to a tape in memory.

import { Base, type LabelKind, SourceType } from "../../assembly/isa";
import { fuse } from "../graph/fuse";
import { gradient, prune } from "../graph/gradient";
import { Graph, type Node, type Shape, Span, type Tensor } from "../graph/graph";
import { plan } from "../graph/plan";
import { type Instruction, lower, type Tape } from "../graph/tape";
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
import type { Compiled, ModelState } from "./state";
import type { Entry } from "./structure";

/** `fit` yields between ranges of about this much work, in nanoseconds. */
const SLICE = 8e6;

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
export function lowerProgram(
  state: ModelState,
  lane: Lane,
  spec: ProgramSpec,
): { tape: Tape; builder: ProgramBuilder } {
  const { runtime, structure } = state;
  const builder = new ProgramBuilder(state, lane, spec);
  builder.build();
  const { graph } = builder;
  prune(graph);
  fuse(graph);
  prune(graph);
  graph.nodes = [Span.gather, Span.forward, Span.backward, Span.update].flatMap((span) =>
    graph.nodes.filter((node) => node.span === span),
  );
  const tape = lower(graph, plan(graph, runtime.threads), runtime.threads, lane.state);
  const { gradients, segments, slots = [] } = state.compiled ?? {};
  const block = (at = 0) => [at, at + runtime.heap.sizeOf(at)] as const;
  verify(tape, {
    [Base.absolute]: [lane.state, state.statistics, spec.order, gradients, segments, ...slots].map(block),
    [Base.parameters]: [[0, structure.parameterFloats * 4]],
    [Base.statistics]: [[0, structure.statisticFloats * 4]],
    [Base.arena]: [[0, tape.arenaBytes]],
  });
  return { tape, builder };
}

/** Builds a program and writes its tape into memory. */
export function buildProgram(state: ModelState, lane: Lane, spec: ProgramSpec): Program {
  const { runtime } = state;
  const { tape, builder } = lowerProgram(state, lane, spec);
  const bytes = (node?: Node) => node?.outputs.reduce((sum, t) => sum + t.bytes, 0) ?? 0;
  const largest = builder.graph.nodes.reduce<Node | undefined>((a, b) => (bytes(b) > bytes(a) ? b : a), undefined);
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
    predictions: builder.predictions,
    inputGradients: builder.inputGradients,
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

class ProgramBuilder {
  readonly graph = new Graph();
  readonly predictions: Tensor[] = [];
  inputGradients: (Tensor | undefined)[] = [];
  readonly #parameters = new Map<Entry, Tensor>();
  readonly #values = new Map<Symbolic, Tensor>();
  readonly #inputs: Tensor[] = [];
  readonly #activities: { h: Tensor; l1: number; l2: number }[] = [];
  readonly #updates: (() => void)[] = [];
  /** The objective's gradient with respect to tensors of the forward pass, built in the backward span. */
  readonly #seeds: (() => readonly [Tensor, Tensor])[] = [];

  constructor(
    readonly state: ModelState,
    readonly lane: Lane,
    readonly spec: ProgramSpec,
  ) {}

  build(): void {
    const { spec, graph } = this;
    if (spec.kind === "initialize") {
      this.#initialize();
      return;
    }
    if (spec.kind === "shuffle") {
      shuffle([this.#absolute([spec.rows], "order", spec.order!)], {});
      return;
    }
    if (spec.kind !== "apply") {
      this.#forward();
      if (spec.kind === "predict") return;
      this.#objective(this.state.compiled!);
      if (spec.kind === "evaluate") return;
      this.#backward(this.state.compiled!);
    }
    graph.span = Span.update;
    graph.layer = "";
    if (spec.kind === "gradients") this.#penaltyGradient(this.state.compiled!);
    else this.#update(this.state.compiled!);
  }

  #absolute(shape: Shape, name: string, offset: number): Tensor {
    return this.graph.leaf(shape, name, { base: Base.absolute, offset });
  }

  #entry(name: string, index: number, count = 1): Tensor {
    return this.#absolute([count, 4], name, this.lane.report + (REPORT_HEAD + 4 * index) * 4);
  }

  #parameter(entry: Entry): Tensor {
    let leaf = this.#parameters.get(entry);
    if (!leaf) {
      const base = entry.spec.statistic ? Base.statistics : Base.parameters;
      leaf = this.graph.leaf(entry.shape, entry.key, { base, offset: entry.offset * 4 });
      this.#parameters.set(entry, leaf);
    }
    return leaf;
  }

  #initialize(): void {
    const { structure } = this.state;
    this.graph.span = Span.update;
    [...structure.parameters, ...structure.statistics].forEach((entry, op) => {
      this.graph.layer = entry.layer.name;
      initialize([this.#parameter(entry)], { ...fillingOf(entry.spec.initializer, entry.shape), op });
    });
  }

  #forward(): void {
    const { structure } = this.state;
    const { graph, spec } = this;
    structure.inputs.forEach(({ value, name }, slot) => {
      graph.layer = name;
      const x = gather(graph, { slot, shape: [spec.rows, ...value.shape], type: spec.inputs[slot]! });
      this.#values.set(value, x);
      this.#inputs.push(x);
    });
    structure.calls.forEach(({ call, layer }, op) => {
      graph.layer = layer.name;
      const parameters = Object.fromEntries(
        layer.entries.map((entry) => [entry.key.slice(layer.name.length + 1), this.#parameter(entry)]),
      );
      const y = layer.definition.call(
        call.inputs.map((x) => this.#values.get(x)!),
        {
          config: layer.config,
          parameters,
          training: spec.training && (layer.trainable || !layer.definition.frozenIsInference),
          op,
          onUpdate: (build) =>
            this.#updates.push(() => {
              graph.layer = layer.name;
              build();
            }),
        },
        layer.name,
      );
      this.#values.set(call.output, y);
      const regularizer = layer.config["activityRegularizer"];
      if (regularizer) {
        const { l1, l2, shrink } = penaltyOf(regularizer as never);
        this.#activities.push({ h: y, l1: l1 + shrink, l2 });
      }
    });
    for (const { value } of structure.outputs) {
      const y = this.#values.get(value)!;
      this.predictions.push(y);
      graph.kept.add(y);
    }
  }

  #objective({ losses, metrics, segments, segmentCount, penalised }: Compiled): void {
    const { graph, spec, state } = this;
    const inputs = state.structure.inputs.length;
    const targets: { target: Tensor; weights: Tensor | null }[] = [];
    if (spec.kind !== "evaluate") graph.kept.clear();
    losses.forEach(({ config, definition, name }, output) => {
      const { kind, shape, weighted } = spec.targets[output]!;
      graph.layer = name;
      const raw = (slot: number, shape: Shape) =>
        gather(graph, { slot, shape: [spec.rows, ...shape], type: SourceType.raw32 });
      const target = raw(targetSlot(inputs, output), shape);
      const weights = weighted ? raw(targetSlot(inputs, output) + 1, []) : null;
      targets.push({ target, weights });
      const prediction = this.predictions[output]!;
      const { loss, count } = definition.call({ prediction, target, weights, kind }, config);
      const entry = this.#entry("loss", output);
      meanLoss([loss, count, entry], { output });
      this.#seed(name, () => [loss, meanLossBackward([entry, loss], { output })]);
    });
    metrics.forEach(({ config, definition, output }, i) => {
      const { target, weights } = targets[output]!;
      const loss = losses[output]!;
      graph.layer = loss.name;
      const { value, weight } = definition.call(
        {
          prediction: this.predictions[output]!,
          target,
          weights,
          kind: spec.targets[output]!.kind,
          predictionKind: loss.definition.prediction(loss.config),
          elements: loss.definition.targets === "element",
        },
        config,
      );
      meanLoss([value, weight, this.#entry("metric", losses.length + state.activities + i)], { output: -1 });
    });
    this.#activities.forEach(({ h, l1, l2 }, i) => {
      const attributes = { l1, l2, rows: spec.accumulate || undefined };
      activityPenalty([h, this.#entry("activity", losses.length + i)], attributes);
      this.#seed(h.node!.layer, () => [h, activityPenaltyBackward([h], attributes)]);
    });
    graph.layer = "";
    const { parameterFloats } = state.structure;
    objective(
      [
        this.#absolute([4], "objective", this.lane.report),
        this.#entry("losses", 0, losses.length),
        this.#activities.length ? this.#entry("activities", losses.length, this.#activities.length) : null,
        penalised ? this.#block("parameters", parameterFloats) : null,
        penalised ? this.#absolute([segmentCount, 8], "segments", segments) : null,
      ],
      { lossCount: losses.length, activityCount: this.#activities.length },
    );
  }

  /** Registers a part of the objective's gradient, to be built in the backward span. */
  #seed(layer: string, build: () => readonly [Tensor, Tensor]): void {
    this.#seeds.push(() => {
      this.graph.layer = layer;
      return build();
    });
  }

  #block(name: string, floats: number, base = Base.parameters): Tensor {
    return this.graph.leaf([floats], name, { base, offset: 0 });
  }

  #backward({ gradients }: Compiled): void {
    const { graph, spec } = this;
    graph.span = Span.backward;
    const { parameters } = this.state.structure;
    const wanted = parameters.map((entry) => this.#parameter(entry));
    const inputs = spec.kind === "gradients" ? this.#inputs : [];
    const found = gradient(
      graph,
      this.#seeds.map((seed) => seed()),
      [...wanted, ...inputs],
      (a, b) => add([a, b], {}),
    );
    const placed = new Set<Tensor>();
    parameters.forEach((entry, i) => {
      const g = found.get(wanted[i]!);
      const place = { base: Base.absolute, offset: gradients + entry.offset * 4 };
      graph.layer = entry.layer.name;
      const into = graph.leaf(entry.shape, `d ${entry.key}`, place);
      if (!g) {
        if (!spec.accumulate) fill([into], { value: 0 });
      } else if (spec.accumulate) accumulate([into, g], {});
      else if (!g.node || g.place || g.node.op.view || placed.has(g)) copy([into, g], {});
      else {
        g.place = place;
        placed.add(g);
        graph.kept.add(g);
      }
    });
    this.inputGradients = inputs.map((x) => found.get(x));
    for (const g of this.inputGradients) if (g) graph.kept.add(g);
    if (spec.accumulate) for (const update of this.#updates) update(); // of a copy, which #update puts in force
  }

  #penaltyGradient({ gradients, segments, segmentCount }: Compiled): void {
    const floats = this.state.structure.parameterFloats;
    penaltyGradient(
      [
        this.#absolute([floats], "gradients", gradients),
        this.#block("parameters", floats),
        this.#absolute([segmentCount, 8], "segments", segments),
      ],
      {},
    );
  }

  #update(compiled: Compiled): void {
    const { graph } = this;
    const { structure, statistics } = this.state;
    const floats = structure.parameterFloats;
    const { clipNorm, clipValue, optimizer } = compiled;
    graph.apply(guard, [], {});
    const gradients = this.#absolute([floats], "gradients", compiled.gradients);
    const parameters = this.#block("parameters", floats);
    const segments = this.#absolute([compiled.segmentCount, 8], "segments", compiled.segments);
    const factor =
      clipNorm && floats ? clip([gradients, parameters, segments], { clipNorm, clipValue: clipValue ?? 0 }) : null;
    const slots = [0, 1, 2].map((i) => {
      const address = compiled.slots[i];
      return address ? this.#absolute([floats], `optimizer/${optimizer.plan.slots[i]}`, address) : null;
    });
    optimizerStep([parameters, ...slots, gradients, segments, factor], {
      ...optimizer.plan.step,
      clipValue: clipValue ?? 0,
    });
    if (!this.spec.accumulate) for (const update of this.#updates) update();
    else if (this.#updates.length) {
      const moved = this.#block("statistics", structure.statisticFloats, Base.statistics);
      copy([this.#absolute(moved.shape, "statistics", statistics), moved], {});
    }
  }
}
