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
  return rateAt(state.learningRate, state.step, state.runtime.core);
}

/** Readies the training lane for an update: counters, learning rate, what is frozen. */
export function beginUpdate(state: ModelState, lane: Lane): void {
  state.prepare(lane);
  lane.setReal(State.learningRate, learningRate(state));
  if (state.trainableChanged()) writeSegments(state);
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
): Program {
  const { inputs, targets } = examples;
  return state.program(lane, { kind, rows, inputs, targets, training, accumulate });
}

/** Whether the run ended; a number that is not finite in the data is an error, in the objective an answer. */
export function outcome(lane: Lane, status: Status, who: string, examples?: Examples): "done" | "numeric" {
  const halt = lane.get(State.halt);
  if (halt === Halt.data && status !== Status.poisoned) throw notFinite(who, examples);
  return status === Status.halted || halt === Halt.numeric ? "numeric" : "done";
}

function notFinite(who: string, examples?: Examples): DownhillError {
  for (const { slot, data, size } of examples?.columns ?? []) {
    if (slot < examples!.inputs.length) checkFinite(`${who}: x`, data as CoreArray, size);
  }
  return new DownhillError("data", `${who}: x: expected finite numbers`);
}

/** The error of a step whose loss is not finite. */
export function numericError(who: string, lane: Lane): DownhillError {
  return new DownhillError("numeric", `${who}: the loss is ${lane.reported(0)}; nothing was updated`);
}

/** Runs all of a program on staged examples, at once. */
export function runStaged(state: ModelState, lane: Lane, program: Program, examples: Examples): Status {
  stage(lane, examples, 0, examples.rows);
  return state.runtime.run(program.all);
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
