import { State } from "../../assembly/isa";
import { wrong } from "../errors";
import { runningMean } from "../ops/blocks";
import { count, natural, nonNegative, optional, or } from "../options";
import { type Built, factory } from "../registry";
import { type Examples, point, stage } from "../training/batch";
import type { CallbackDefinition, FitPlan } from "../training/callbacks";
import { readBatch } from "../training/evaluate";
import { BARE } from "../training/program";
import type { ModelState } from "../training/state";
import { outcome, pace, programFor } from "../training/step";
import { copyWeights, goOn, putWeights, type Snapshot, snapshotOf, type Weights } from "../training/weights";

/** Options of `swa`. */
export interface SwaOptions {
  /** The first epoch at whose end the weights are averaged, counted from 0. */
  startEpoch: number;
  /** Epochs from one to the next. Default 1. */
  every?: number;
  /** The rate from `startEpoch` on; it ends a schedule. Default: the rate goes on as it does. */
  learningRate?: number;
}

interface Config {
  startEpoch: number;
  every: number;
  learningRate?: number;
}

/** What a file keeps, beside the mean. */
interface Known {
  count: number;
}

/**
 * Stochastic weight averaging: the mean of the parameters at the ends of epochs `startEpoch`, `startEpoch + every`, …,
 * mean ← mean + (θ − mean)/n, is put in force when training ends. Batch normalization's moving statistics are then made
 * anew: one pass over the training data at the mean, the batches' statistics averaged (PyTorch's `update_bn`, with biased
 * variances). Logs and validation are of the weights as they train. Training that is resumed with the callback (`initialEpoch`)
 * goes on from the last weights, and with the mean as it was, to the bit. (Izmailov et al. 2018)
 *
 * @example model.fit(data, { epochs: 30, callbacks: [swa({ startEpoch: 20, learningRate: 0.05 })] })
 * @throws DownhillError `argument`
 */
export const swa: (options: SwaOptions) => Built = /* @__PURE__ */ factory<
  [options: SwaOptions],
  CallbackDefinition<Config>
>("callback", {
  type: "swa",
  options: () => ({ startEpoch: natural(), every: or(count(), 1), learningRate: optional(nonNegative()) }),
  create({ startEpoch, every, learningRate }, plan, model) {
    let known: Known = { count: 0 };
    let earlier: Weights | undefined;
    let resumed = false;
    /** The mean, while a fit runs. */
    let mean: Snapshot | undefined;
    /** Where the lane finds this fit's examples: `earlyStopping`'s `retrain` has a fit of its own in between. */
    let sources = new Uint32Array();
    return {
      onTrainBegin() {
        const { state } = model;
        sources = sourcesOf(state).slice();
        mean = snapshotOf(state, "swa");
        state.runtime.heap.clear(mean.at, state.structure.parameterFloats * 4);
        if (earlier) putWeights(state, earlier, mean.at);
        if (resumed) goOn(state);
      },
      onEpochBegin(epoch: number) {
        if (learningRate !== undefined && epoch >= startEpoch) model.learningRate = learningRate;
      },
      onEpochEnd(epoch: number) {
        if (epoch < startEpoch || (epoch - startEpoch) % every) return;
        known.count++;
        average(model.state, mean!.at, known.count);
      },
      async onTrainEnd() {
        const { state } = model;
        if (!known.count) return;
        sourcesOf(state).set(sources);
        await renewStatistics(state, mean!.at, plan);
        state.lastWeights ??= copyWeights(state);
        mean!.restore();
      },
      getState() {
        const { state } = model;
        const weights = mean && { ...copyWeights(state), ...copyWeights(state, mean.at, state.structure.parameters) };
        return { ...known, ...(known.count && { weights: weights ?? earlier }) };
      },
      setState({ weights, ...rest }: Known & { weights?: Weights }) {
        known = rest;
        earlier = weights;
        resumed = true;
      },
      close: () => mean?.free(),
    };
  },
});

/** The words of the training lane that say where its examples lie. */
function sourcesOf(state: ModelState): Uint32Array {
  const at = state.lane("training").state >>> 2;
  return state.runtime.heap.u32.subarray(at + State.sources, at + State.words);
}

/** The parameters in force as the `n`th of those whose mean lies at `at`. */
function average(state: ModelState, at: number, n: number): void {
  const lane = state.lane("training");
  const program = state.program(lane, {
    ...BARE,
    kind: "region",
    training: true, // so that its key is not that of an order as long as the parameters
    rows: state.structure.parameterFloats,
    order: at,
    write: (region, parameters) => runningMean([region, parameters]),
  });
  state.prepare(lane, state.parameters);
  lane.setReal(State.learningRate, 1 / n);
  state.runtime.run(program.all);
}

/** Behind the parameters at `at` the statistics that the training data have with them: means over the batches. */
async function renewStatistics(state: ModelState, at: number, plan: FitPlan): Promise<void> {
  const { data, steps = Infinity } = plan;
  const signal = plan.options["signal"] as AbortSignal | undefined;
  const { structure, runtime, statistics } = state;
  const { heap } = runtime;
  const { parameterFloats, statisticFloats } = structure;
  const behind = at + parameterFloats * 4;
  heap.copy(statistics, behind, statisticFloats);
  // a frozen layer's stay as they are
  const entries = structure.statistics.filter(({ layer }) => layer.trainable);
  if (!entries.length) return;
  const lane = state.lane("training");
  /** Where batches of a group have their statistics. */
  const copy = state.statisticsCopy;
  const sums = new Float64Array(statisticFloats);
  const pause = pace();
  let batches = 0;
  let row = 0;
  if ("batches" in data!) {
    for await (const batch of data.batches(state.epoch)) {
      const examples = readBatch("fit: swa", state, batch);
      await visit(examples, examples.rows, () => stage(lane, examples, 0, examples.rows));
      if (batches >= steps) break;
    }
    if (!batches) throw wrong("data", "fit: swa", "one more pass over the batches, for batch normalization", "none");
  } else {
    const { examples, batchSize, order, whole, arrange } = data!;
    arrange(state.epoch - 1); // the last epoch's order; where a resumed fit was stopped at once, that was an earlier fit's
    for (let first = 0; first < examples.rows; first += batchSize) {
      const rows = Math.min(batchSize, examples.rows - first);
      await visit(examples, rows, () =>
        whole ? point(lane, order, first, rows) : stage(lane, examples, first, rows, order),
      );
    }
  }
  for (const { offset, size } of entries)
    for (let i = offset; i < offset + size; i++) heap.f32[(behind >>> 2) + i] = sums[i]! / batches;

  /** Adds the statistics of a batch that `place` puts into the lane. */
  async function visit(examples: Examples, rows: number, place: () => void): Promise<void> {
    const { slices } = programFor(state, lane, "predict", examples, rows, true, rows);
    state.prepare(lane, at);
    place();
    lane.set(State.statistics, copy);
    lane.set(State.row, row);
    heap.copy(statistics, copy, statisticFloats);
    for (const slice of slices) {
      outcome(lane, await runtime.runAsync(slice), "fit: swa", examples);
      await pause();
      state.check();
      signal?.throwIfAborted();
    }
    const found = heap.f32.subarray(copy >>> 2, (copy >>> 2) + statisticFloats);
    found.forEach((value, i) => {
      sums[i]! += value;
    });
    row += rows;
    batches++;
  }
}
