// What a model is inside: its structure, its blocks of memory, its lanes, and what it was compiled with.

import { State } from "../../assembly/isa";
import { DownhillError } from "../errors";
import type { Tensor } from "../graph/graph";
import type { LossDefinition } from "../losses/losses";
import type { MetricDefinition } from "../metrics/metrics";
import type { OptimizerPlan } from "../optimizers/optimizers";
import type { Built } from "../registry";
import { streamWord } from "../runtime/philox";
import { type Disposable, nextStream, type Runtime } from "../runtime/runtime";
import type { Examples } from "./batch";
import type { CallbackState } from "./callbacks";
import type { Term } from "./construction";
import { Lane } from "./lane";
import { BARE, buildProgram, keyOf, type Program, type ProgramSpec } from "./program";
import type { Structure } from "./structure";
import type { Weights } from "./weights";

/** A compiled model's optimizer, losses and metrics, and the memory that they need. */
export interface Compiled {
  /** As `compile` was given it, made complete: what a file keeps. */
  config: CompileConfig;
  plan: OptimizerPlan;
  losses: { name: string; config: Built; definition: LossDefinition }[];
  /** `at`: the first of its entries in the report, those of metrics counted alone. */
  metrics: { name: string; output: number; config: Built; definition: MetricDefinition; at: number; entries: number }[];
  /** Of all metrics in the report. */
  entries: number;
  /** Of the means in a training report that make up the data loss: the outputs', and where it is adversarial the same again. */
  lossWeights: number[];
  /** Penalties in a report that are averaged like the loss: on activities, then what terms add. */
  activities: number;
  terms: Term[];
  /** What programs read beyond the model's own memory, from … to. */
  reads: (readonly [number, number])[];
  /** Addresses. */
  gradients: number;
  slots: (number | undefined)[];
  segments: number;
  /** 0: none. */
  noise: number;
  /** Of all of them. */
  regions: number[];
}

export interface CompileConfig {
  optimizer: Built;
  loss: Built[];
  lossWeights: number[];
  metrics: { output: number; metric: Built }[];
  clipNorm?: number | undefined;
  clipValue?: number | undefined;
  ema?: number | undefined;
  weightNoise?: number | undefined;
  adversarial?: Record<string, unknown> | undefined;
  penalties?: Built[] | undefined;
}

/** Weights that stay 0: a block of the parameters' layout at `at`, and what holds them to it. */
export interface Mask {
  at: number;
  /** Builds it, behind a step. */
  apply(parameters: Tensor): void;
  /** Does it at once, to the weights in force. */
  hold(): void;
}

export type LaneName = "training" | "evaluation" | "prediction";

export const disposedError = (name: string) => new DownhillError("state", `${name}: disposed`);

export class ModelState implements Disposable {
  readonly seed: number;
  readonly stream: number;
  parameters = 0;
  statistics = 0;
  /** Where batches of a group move a copy of them. */
  statisticsCopy = 0;
  compiled: Compiled | undefined;
  /** Which weights are pruned; see prune.ts. */
  mask: Mask | undefined;
  /** Updates done. */
  step = 0;
  /** Epochs done. */
  epoch = 0;
  learningRate: number | Built = 0;
  /** A `fit` under way. */
  fitting = false;
  stopTraining = false;
  /** The user's own notes, which a file keeps. */
  metadata: Record<string, string> = {};
  /** An evaluation is within a batch: its lane is taken. */
  evaluating = false;
  /** What the callbacks of the last fit know. */
  callbackStates: () => CallbackState[] = () => [];
  /** The weights that the last fit ended with, where a callback put others in force: resumed training goes on from them. */
  lastWeights: Weights | undefined;
  disposed = false;
  /** What trainOnBatch ran last: a loop over batches of one kind finds it here. */
  lastBatch: { examples: Examples; program: Program; changes: number } | undefined;
  #trainable: boolean[] = [];
  readonly lanes = new Map<LaneName, Lane>();

  constructor(
    readonly name: string,
    readonly structure: Structure,
    readonly runtime: Runtime,
    position: { seed: number; stream: number } = nextStream(),
  ) {
    runtime.check();
    this.seed = position.seed;
    this.stream = position.stream;
    const { heap } = runtime;
    const { parameterFloats, statisticFloats } = structure;
    // errors of memory name the layer with the most parameters
    const [largest] = [...structure.parameters].sort((a, b) => b.size - a.size);
    try {
      const bytes = (parameterFloats + statisticFloats * 2) * 4;
      this.parameters = heap.allocate(bytes, largest?.layer.name ?? name);
      this.statistics = this.parameters + parameterFloats * 4;
      this.statisticsCopy = this.statistics + statisticFloats * 4;
      heap.clear(this.parameters, bytes);
      const lane = this.lane("training");
      this.prepare(lane);
      runtime.run(this.program(lane, { ...BARE, kind: "initialize" }).all);
      lane.forget();
    } catch (error) {
      this.dispose();
      throw error;
    }
    runtime.residents.add(this);
  }

  /** Throws where the model can do nothing any more. */
  check(): void {
    if (this.disposed) throw disposedError(this.name);
    this.runtime.check();
  }

  /** The compiled parts, or an error that says what was tried. */
  need(what: string): Compiled {
    this.check();
    if (!this.compiled) throw new DownhillError("state", `${what}: the model is not compiled; call compile() first`);
    return this.compiled;
  }

  /** Throws `state` while a `fit` is under way. */
  needIdle(what: string): void {
    this.check();
    if (this.fitting) throw new DownhillError("state", `${what}: a fit is under way on this model`);
  }

  lane(name: LaneName): Lane {
    const known = this.lanes.get(name);
    if (known) return known;
    const { lossWeights = [], activities = 0, entries: own = 0, config } = this.compiled ?? {};
    const entries = lossWeights.length + activities + own;
    const lane = new Lane(this.runtime, `${this.name} (${name})`, entries);
    // words and imul take the low 32 bits of what they are given; a seed's high word goes into the stream's
    lane.set(State.seed, this.seed);
    lane.set(State.stream, streamWord(this.seed, this.stream));
    (name === "training" ? lossWeights : (config?.lossWeights ?? [])).forEach((weight, i) => {
      this.runtime.heap.f32[(lane.report >>> 2) + 4 + 4 * i + 3] = weight;
    });
    this.lanes.set(name, lane);
    return lane;
  }

  /** Frees what it was compiled with and the lanes, whose programs and reports fit nothing else. */
  freeCompiled(): void {
    this.runtime.heap.free(...(this.compiled?.regions ?? []));
    for (const term of this.compiled?.terms ?? []) term.free?.();
    this.compiled = undefined;
    this.lastBatch = undefined;
    this.forgetTrainable();
    for (const lane of this.lanes.values()) lane.free();
    this.lanes.clear();
  }

  program(lane: Lane, spec: ProgramSpec): Program {
    let frozen = "";
    for (const layer of this.structure.layers) if (layer.definition.frozenIsInference) frozen += +layer.trainable;
    return lane.program(keyOf(spec, frozen), () => buildProgram(this, lane, spec));
  }

  /** Whether a layer was frozen or freed since the last time, or nothing was written yet. */
  trainableChanged(): boolean {
    const { layers } = this.structure;
    let changed = false;
    for (let i = 0; i < layers.length; i++) {
      const { trainable } = layers[i]!;
      changed ||= trainable !== this.#trainable[i];
      this.#trainable[i] = trainable;
    }
    if (changed) this.lastBatch = undefined;
    return changed;
  }

  /** The segment table is not what it was: write it before the next step. */
  forgetTrainable(): void {
    this.#trainable = [];
  }

  /** Where the parameters lie that evaluation runs at: their mean over time, unless a callback has put others in force. */
  get mean(): number {
    return (!this.lastWeights && this.compiled?.slots[3]) || this.parameters;
  }

  /** No weights are set aside any more; the mean begins anew, at those in force. */
  beginMean(): void {
    this.lastWeights = undefined;
    const { mean, parameters, structure } = this;
    this.runtime.heap.copy(parameters, mean, structure.parameterFloats);
  }

  /**
   * Keeps what the callbacks of a fit know, an earlier one's where this one had no room to begin. A method, for no bundler puts
   * that into `fit`: a function made there would hold the model, which could then never be collected.
   */
  keepCallbackStates(): void {
    const known = this.callbackStates();
    this.callbackStates = () => known;
  }

  /** Counts an update; weights that a callback has set aside are no longer the last ones. */
  updated(): void {
    this.step++;
    if (this.lastWeights) this.beginMean();
  }

  /** Sets the words of the state block that a pass at those parameters begins with. */
  prepare(lane: Lane, parameters = this.mean): void {
    const { u32, f32 } = this.runtime.heap;
    const at = lane.state >>> 2;
    u32[at + State.parameters] = parameters;
    u32[at + State.statistics] = this.statistics;
    u32[at + State.halt] = u32[at + State.row] = u32[at + State.pass] = 0;
    u32[at + State.step] = this.step;
    f32[at + State.penaltyScale] = 1;
    u32.fill(0, at + State.denominators, at + State.sources);
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    const { runtime } = this;
    runtime.settle();
    runtime.residents.delete(this);
    this.freeCompiled();
    runtime.heap.free(this.mask?.at ?? 0);
    this.release();
  }

  /** Frees the weights; see kin.ts. */
  release(): void {
    this.runtime.heap.free(this.parameters);
  }
}
