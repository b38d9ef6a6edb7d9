import { State } from "../../assembly/isa";
import { runningMean } from "../ops/blocks";
import { count, natural, nonNegative, optional, or } from "../options";
import { type Built, factory } from "../registry";
import type { CallbackDefinition, FitPlan } from "./callbacks";
import { BARE } from "./program";
import type { ModelState } from "./state";
import { outcome, pace, programFor } from "./step";
import { copyWeights, goOn, putWeights, type Snapshot, snapshotOf, type Weights } from "./weights";

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
    return {
      onTrainBegin() {
        const { state } = model;
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

/** The parameters in force as the `n`th of those whose mean lies at `at`. */
function average(state: ModelState, at: number, n: number): void {
  const lane = state.lane("training");
  const program = state.program(lane, {
    ...BARE,
    kind: "block",
    order: at,
    build: (parameters, region) => runningMean([region, parameters]),
  });
  state.prepare(lane);
  lane.setReal(State.learningRate, 1 / n);
  state.runtime.run(program.all);
}

/** Behind the parameters at `at` the statistics that the training data have with them: means over the batches. */
async function renewStatistics(state: ModelState, at: number, { pass }: FitPlan): Promise<void> {
  const { structure, runtime, statistics } = state;
  const { heap } = runtime;
  const { parameterFloats, statisticFloats } = structure;
  const behind = at + parameterFloats * 4;
  heap.u8.copyWithin(behind, statistics, statistics + statisticFloats * 4);
  // a frozen layer's stay as they are
  const entries = structure.statistics.filter(({ layer }) => layer.trainable);
  if (!entries.length) return;
  const sums = new Float64Array(statisticFloats);
  const pause = pace();
  const { stopTraining } = state;
  state.stopTraining = false; // what ended the training does not end the pass
  let batches = 0;
  let row = 0;
  await pass(async (examples, rows) => {
    const lane = state.lane("training");
    const program = programFor(state, lane, "statistics", examples, rows, true);
    /** Where batches of a group have their statistics. */
    const copy = statistics + statisticFloats * 4;
    state.prepare(lane);
    lane.set(State.parameters, at);
    lane.set(State.statistics, copy);
    lane.set(State.row, row);
    row += rows;
    heap.u8.copyWithin(copy, statistics, copy);
    for (const slice of program.slices) {
      outcome(lane, await runtime.runAsync(slice), "fit: swa", examples);
      await pause();
    }
    const found = heap.f32.subarray(copy >>> 2, (copy >>> 2) + statisticFloats);
    found.forEach((value, i) => {
      sums[i]! += value;
    });
    batches++;
  });
  state.stopTraining = stopTraining;
  for (const { offset, size } of entries)
    for (let i = offset; i < offset + size; i++) heap.f32[(behind >>> 2) + i] = sums[i]! / batches;
}
