// Evaluation and prediction: batches in order, in their own lanes.

import { State } from "../../assembly/isa";
import { isBatchSource, readFitData } from "../data/sources";
import { argumentError, DownhillError } from "../errors";
import { sizeOf } from "../graph/graph";
import type { NDArray } from "../ndarray";
import { boolean, count, or, readOptions } from "../options";
import { turn } from "../runtime/turn";
import { type Examples, readExamples, readInputs, stage } from "./batch";
import { Accumulator, type Logs } from "./logs";
import type { ModelState } from "./state";
import { outcome, Pace, programFor } from "./step";

/** Rows that the last chunk of a prediction is rounded up to, so that few programs serve all lengths. */
const ROUNDED = [1, 4, 16, 64, 256];

const signalField = {
  expected: "an AbortSignal",
  accepts: (v: unknown) => typeof v === "object" && v !== null && "aborted" in v,
  optional: true,
} as { expected: string; accepts(v: unknown): boolean; optional: true; fallback?: () => AbortSignal | undefined };

/** Means over all examples; see Model.evaluate. */
export async function evaluate(state: ModelState, data: unknown, options: unknown): Promise<Logs> {
  const { batchSize, signal } = readOptions("evaluate", options, { batchSize: or(count(), 256), signal: signalField });
  const compiled = state.need("evaluate");
  signal?.throwIfAborted();
  const source = readFitData("evaluate", data);
  const read = (x: unknown, y: unknown, sampleWeight: unknown) =>
    readExamples("evaluate", state, compiled, x, y, { finite: true, sampleWeight });
  if (!isBatchSource(source))
    return evaluateExamples(state, read(source.x, source.y, source.sampleWeight), batchSize, signal);
  const sums = new Accumulator(compiled, state.activities);
  let batches = 0;
  for await (const { x, y, sampleWeight } of source.batches(0)) {
    await addExamples(state, read(x, y, sampleWeight), batchSize, signal, sums);
    batches++;
  }
  if (batches === 0) throw new DownhillError("data", "evaluate: expected at least one batch, got none");
  return sums.logs();
}

/** Means over read examples. */
export async function evaluateExamples(
  state: ModelState,
  examples: Examples,
  batchSize: number,
  signal?: AbortSignal,
): Promise<Logs> {
  const sums = new Accumulator(state.compiled!, state.activities);
  await addExamples(state, examples, batchSize, signal, sums);
  return sums.logs();
}

async function addExamples(
  state: ModelState,
  examples: Examples,
  batchSize: number,
  signal: AbortSignal | undefined,
  sums: Accumulator,
): Promise<void> {
  const pace = new Pace(turn);
  for (let row = 0; row < examples.rows; row += batchSize) {
    // a batch runs whole: another evaluation, compile or dispose may come in between two of them
    if (state.need("evaluate") !== sums.compiled)
      throw new DownhillError("state", "evaluate: the model was compiled anew meanwhile");
    const rows = Math.min(batchSize, examples.rows - row);
    const lane = state.lane("evaluation");
    state.prepare(lane);
    stage(lane, examples, row, rows);
    lane.set(State.row, row);
    const program = programFor(state, lane, "evaluate", examples, rows, false);
    outcome(lane, state.runtime.run(program.all), "evaluate", examples);
    sums.add(lane, rows);
    const pause = pace.pause();
    if (pause) {
      await pause;
      signal?.throwIfAborted();
    }
  }
}

/** The outputs for all examples; see Model.predict. One array an output, in their order. */
export function predict(state: ModelState, x: unknown, options: unknown): NDArray[] {
  const { batchSize, training } = readOptions("predict", options, {
    batchSize: or(count(), 256),
    training: or(boolean(), false),
  });
  state.check();
  const examples = readInputs("predict", state, x);
  const { structure, runtime } = state;
  const { rows } = examples;
  const results = structure.outputs.map(({ value }) => {
    const shape = [rows, ...value.shape];
    if (sizeOf(shape) > 2 ** 31) throw argumentError("predict", "at most 2³¹ numbers of output", sizeOf(shape));
    return { data: new Float32Array(sizeOf(shape)), shape };
  });
  const lane = state.lane("prediction");
  for (let row = 0; row < rows; row += batchSize) {
    const real = Math.min(batchSize, rows - row);
    // a random mask depends on rows alone, so rounding up changes nothing; batch statistics would
    const rounded = training ? real : Math.min(batchSize, ROUNDED.find((r) => r >= real) ?? batchSize);
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
