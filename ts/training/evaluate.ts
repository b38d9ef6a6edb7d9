// Evaluation and prediction: batches in order, in their own lanes.

import { State } from "../../assembly/isa";
import { newFloats } from "../data/arrays";
import { type Batch, type BatchSource, isBatchSource, readFitData } from "../data/sources";
import { DownhillError } from "../errors";
import { sizeOf } from "../graph/graph";
import type { NDArray } from "../ndarray";
import { boolean, count, type Field, optional, or, readOptions } from "../options";
import { roundUp } from "../runtime/memory";
import { turn } from "../runtime/turn";
import { type Examples, ownExamples, readExamples, readInputs, stage } from "./batch";
import { Accumulator, type Logs } from "./logs";
import type { ModelState } from "./state";
import { outcome, Pace, programFor } from "./step";

/** Rows that the last chunk of a prediction is rounded up to, so that few programs serve all lengths. */
const ROUNDED = [1, 4, 16, 64, 256];

export const signalField = optional({
  expected: "an AbortSignal",
  accepts: (v) => typeof (v as AbortSignal | null)?.throwIfAborted === "function",
} as Field<AbortSignal>);

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
  const whole = isBatchSource(source) ? undefined : readBatch("evaluate", state, source);
  state.need("evaluate");
  signal?.throwIfAborted();
  if (whole) return evaluateExamples(state, whole, batchSize, signal);
  const evaluation = new Evaluation(state, signal);
  const stream = source as BatchSource;
  try {
    for await (const batch of stream.batches(0)) {
      evaluation.check();
      await evaluation.add(readBatch("evaluate", state, batch), batchSize);
    }
  } finally {
    await stream.close?.();
  }
  if (!evaluation.sums.rows) throw new DownhillError("data", "evaluate: expected at least one batch, got none");
  return evaluation.sums.logs();
}

/** Means over read examples. */
export async function evaluateExamples(
  state: ModelState,
  examples: Examples,
  batchSize: number,
  signal?: AbortSignal,
): Promise<Logs> {
  const evaluation = new Evaluation(state, signal);
  await evaluation.add(examples, batchSize);
  return evaluation.sums.logs();
}

class Evaluation {
  readonly sums: Accumulator;
  readonly #pace = new Pace(turn);

  constructor(
    readonly state: ModelState,
    readonly signal: AbortSignal | undefined,
  ) {
    this.sums = new Accumulator(state.compiled!, state.activities);
  }

  /** Throws where it cannot go on. */
  check(): void {
    if (this.state.need("evaluate") !== this.sums.compiled)
      throw new DownhillError("state", "evaluate: the model was compiled anew meanwhile");
    this.signal?.throwIfAborted();
  }

  async add(examples: Examples, batchSize: number): Promise<void> {
    const { state } = this;
    let own: Examples | undefined;
    const wait = async (pause: Promise<void>) => {
      own ??= ownExamples(state, examples);
      await pause;
      this.check();
    };
    for (let row = 0; row < examples.rows; row += batchSize) {
      while (state.evaluating) await wait(turn());
      const rows = Math.min(batchSize, examples.rows - row);
      const lane = state.lane("evaluation");
      state.prepare(lane);
      stage(lane, own ?? examples, row, rows);
      lane.set(State.row, row);
      const { slices } = programFor(state, lane, "evaluate", examples, rows, false);
      // the lane is this batch's own until its last slice has run
      state.evaluating = true;
      try {
        for (const slice of slices) {
          const pause = slice === slices[0] ? undefined : this.#pace.pause();
          if (pause) await wait(pause);
          outcome(lane, state.runtime.run(slice), "evaluate", examples);
        }
      } finally {
        state.evaluating = false;
      }
      this.sums.add(lane, rows);
      const pause = this.#pace.pause();
      if (pause) await wait(pause);
    }
  }
}

/** The outputs for all examples; see Model.predict. One array an output, in their order. */
export function predict(state: ModelState, x: unknown, options: unknown): NDArray[] {
  const { batchSize, training } = readOptions("predict", options, {
    batchSize: or(count(), 256),
    training: or(boolean(), false),
  });
  const examples = readInputs("predict", state, x);
  state.check();
  const { structure, runtime } = state;
  const { rows } = examples;
  const results = structure.outputs.map(({ value }) => {
    const shape = [rows, ...value.shape];
    return { data: newFloats("predict", sizeOf(shape)), shape };
  });
  const lane = state.lane("prediction");
  for (let row = 0; row < rows; row += batchSize) {
    const real = Math.min(batchSize, rows - row);
    // a random mask depends on rows alone, so rounding up changes nothing; batch statistics would
    const rounded = training ? real : Math.min(batchSize, ROUNDED.find((r) => r >= real) ?? roundUp(real, 256));
    const program = programFor(state, lane, "predict", examples, rounded, training);
    state.prepare(lane);
    stage(lane, examples, row, real);
    lane.set(State.row, row);
    runtime.run(program.all);
    program.predictions.forEach((tensor, i) => {
      const size = tensor.size / tensor.shape[0]!;
      const at = addressOf(lane, tensor.place!);
      results[i]!.data.set(runtime.heap.f32.subarray(at >>> 2, (at >>> 2) + real * size), row * size);
    });
  }
  return results;
}

/** Where a place lies in memory now. */
export function addressOf(lane: { get(word: State): number }, place: { base: number; offset: number }): number {
  return lane.get(place.base as number as State) + place.offset;
}
