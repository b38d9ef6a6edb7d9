// One pass of a lane: the state block's words, the run, and what came of it. Every way into the core goes through here.

import { Halt, State, Status } from "../../assembly/isa";
import { type CoreArray, checkFinite } from "../data/arrays";
import { DownhillError } from "../errors";
import { turn } from "../runtime/turn";
import { rateAt } from "../schedules/schedules";
import { type Examples, stage } from "./batch";
import { writeSegments } from "./compile";
import type { Lane } from "./lane";
import type { Program, ProgramSpec } from "./program";
import type { ModelState } from "./state";

/** The rate of the next update. */
export function learningRate(state: ModelState): number {
  return rateAt(state.learningRate, state.step);
}

/** Readies the training lane for an update: counters, learning rate, what is frozen. */
export function beginUpdate(state: ModelState): Lane {
  const lane = state.lane("training");
  state.prepare(lane, state.parameters);
  lane.setReal(State.learningRate, learningRate(state));
  if (state.trainableChanged()) writeSegments(state);
  return lane;
}

/** The program for `rows` of such examples. */
export function programFor(
  state: ModelState,
  lane: Lane,
  kind: ProgramSpec["kind"],
  examples: Examples,
  rows: number,
  training: boolean,
  accumulate = 0,
  augment?: ProgramSpec["augment"],
): Program {
  const { inputs, targets } = examples;
  return state.program(lane, { kind, rows, inputs, targets, training, accumulate, augment });
}

/** Whether the objective is finite; where a number in the data is not, that is an error. */
export function outcome(lane: Lane, status: Status, who: string, { columns, inputs }: Examples): boolean {
  const halt = lane.get(State.halt);
  if (halt === Halt.data && status !== Status.poisoned) {
    for (const { data, size } of columns.slice(0, inputs.length)) checkFinite(`${who}: x`, data as CoreArray, size);
    throw new DownhillError("data", `${who}: x: expected finite numbers`);
  }
  return status !== Status.halted && halt !== Halt.numeric;
}

/** The error of a step whose loss is not finite. */
export const numericError = (who: string, lane: Lane): DownhillError =>
  new DownhillError("numeric", `${who}: the loss is ${lane.reported(0)}; weights are those of the step before`);

/** Runs all of a program on examples, at once; tells whether the objective is finite. */
export function runStaged(state: ModelState, lane: Lane, program: Program, examples: Examples, who: string): boolean {
  stage(lane, examples, 0, examples.rows);
  return outcome(lane, state.runtime.run(program.all), who, examples);
}

/**
 * Slices of a fit or evaluation: a function that lets the event loop have its turn where it has waited for 4 ms (with a
 * slice of 8 ms on top, 12). Undefined where it has not.
 */
export function pace(): () => Promise<void> | undefined {
  let since = performance.now();
  return () =>
    performance.now() - since < 4
      ? undefined
      : turn().then(() => {
          since = performance.now();
        });
}
