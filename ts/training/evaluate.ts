// Evaluation and prediction: batches in order, in their own lanes.

import { State } from "../../assembly/isa";
import { newFloats } from "../data/arrays";
import { type Batch, type BatchSource, isBatchSource, readFitData } from "../data/sources";
import { DownhillError, wrong } from "../errors";
import { sizeOf } from "../graph/graph";
import type { NDArray } from "../ndarray";
import { boolean, count, field, optional, or, readOptions } from "../options";
import { roundUp } from "../runtime/memory";
import { turn as nextTurn } from "../runtime/turn";
import { type Examples, ownExamples, readExamples, readInputs, stage } from "./batch";
import { Accumulator, type Logs } from "./logs";
import type { ModelState } from "./state";
import { outcome, pace, programFor } from "./step";

/** Rows that the last chunk of a prediction is rounded up to, so that few programs serve all lengths. */
const ROUNDED = [1, 4, 16, 64];

export const signalField = /* @__PURE__ */ optional(
  field<AbortSignal>("an AbortSignal", (v) => typeof (v as AbortSignal | null)?.throwIfAborted === "function"),
);

/** Examples that are trained or evaluated on. */
export const readBatch = (
  who: string,
  state: ModelState,
  { x, y, sampleWeight }: Batch,
  classWeight?: Readonly<Record<string, number>>,
): Examples => readExamples(who, state, x, y, { sampleWeight, classWeight, finite: true });

/** Means over all examples; see Model.evaluate. */
export async function evaluate(state: ModelState, data: unknown, options: unknown): Promise<Logs> {
  const source = readFitData("evaluate", data);
  const { batchSize, signal } = readOptions("evaluate", options, { batchSize: or(count(), 256), signal: signalField });
  if (!isBatchSource(source)) {
    const examples = readBatch("evaluate", state, source);
    return evaluation(state, batchSize, signal)(examples);
  }
  return evaluateBatches("evaluate", state, source, batchSize, signal);
}

/** Means over the examples of all batches. */
export async function evaluateBatches(
  who: string,
  state: ModelState,
  source: BatchSource,
  batchSize: number,
  signal: AbortSignal | undefined,
): Promise<Logs> {
  const add = evaluation(state, batchSize, signal);
  let logs: Logs | undefined;
  try {
    for await (const batch of source.batches(0)) {
      signal?.throwIfAborted();
      logs = await add(readBatch(who, state, batch));
    }
  } finally {
    await source.close?.();
  }
  if (!logs) throw wrong("data", who, "at least one batch", "none");
  return logs;
}

/** A function that evaluates the model on more and more read examples and returns the means over all of them. */
export function evaluation(state: ModelState, batchSize: number, signal: AbortSignal | undefined) {
  const compiled = state.need("evaluate");
  signal?.throwIfAborted();
  const sums = new Accumulator(state, compiled.config.lossWeights);
  const pause = pace();
  const check = () => {
    if (state.need("evaluate") !== compiled)
      throw new DownhillError("state", "evaluate: the model was compiled anew meanwhile");
    signal?.throwIfAborted();
  };
  return async (examples: Examples): Promise<Logs> => {
    const wait = async (turn: Promise<void>) => {
      examples = ownExamples(state, examples);
      await turn;
      check();
    };
    check();
    for (let row = 0; row < examples.rows; row += batchSize) {
      while (state.evaluating) await wait(nextTurn());
      const rows = Math.min(batchSize, examples.rows - row);
      const lane = state.lane("evaluation");
      state.prepare(lane);
      stage(lane, examples, row, rows);
      lane.set(State.row, row);
      const { slices } = programFor(state, lane, "evaluate", examples, rows, false);
      // the lane is this batch's own until its last slice has run
      state.evaluating = true;
      try {
        for (const slice of slices) {
          const turn = slice === slices[0] ? undefined : pause();
          if (turn) await wait(turn);
          outcome(lane, state.runtime.run(slice), "evaluate", examples);
        }
      } finally {
        state.evaluating = false;
      }
      sums.add(lane, rows);
      const turn = pause();
      if (turn) await wait(turn);
    }
    return sums.logs();
  };
}

/** The outputs for all examples; see Model.predict. One array an output, in their order. */
export function predict(state: ModelState, x: unknown, options: unknown): NDArray[] {
  const { batchSize, training, samples } = readOptions("predict", options, {
    batchSize: or(count(), 256),
    training: or(boolean(), false),
    samples: or(count(), 0),
  });
  const examples = readInputs("predict", state, x);
  state.check();
  const { structure, runtime } = state;
  const { rows } = examples;
  const results = structure.outputs.map(({ value }) => {
    const shape = [...(samples ? [samples] : []), rows, ...value.shape];
    return { data: newFloats("predict", sizeOf(shape)), shape };
  });
  const lane = state.lane("prediction");
  for (let sample = 0; sample < (samples || 1); sample++)
    for (let row = 0; row < rows; row += batchSize) {
      const real = Math.min(batchSize, rows - row);
      // a random mask depends on rows alone, so rounding up changes nothing; batch statistics would
      const rounded = training ? real : Math.min(batchSize, ROUNDED.find((r) => r >= real) ?? roundUp(real, 64));
      const program = programFor(state, lane, "predict", examples, rounded, training);
      state.prepare(lane);
      stage(lane, examples, row, real);
      lane.set(State.row, row);
      lane.set(State.pass, sample);
      runtime.run(program.all);
      program.results.forEach((tensor, i) => {
        const size = tensor!.size / tensor!.shape[0]!;
        const at = addressOf(lane, tensor!.place!);
        results[i]!.data.set(
          runtime.heap.f32.subarray(at >>> 2, (at >>> 2) + real * size),
          (sample * rows + row) * size,
        );
      });
    }
  return results;
}

/** Where a place lies in memory now. */
export function addressOf(lane: { get(word: State): number }, place: { base: number; offset: number }): number {
  return lane.get(place.base as number as State) + place.offset;
}
