// Adversarial examples against a compiled model, outside of training.

import { State } from "../../assembly/isa";
import { newFloats } from "../data/arrays";
import type { Arrays } from "../data/sources";
import { argumentError } from "../errors";
import { sizeOf } from "../graph/graph";
import type { NDArray } from "../ndarray";
import { check } from "../options";
import type { Built } from "../registry";
import { readExamples, stage } from "../training/batch";
import { addressOf } from "../training/evaluate";
import { Model } from "../training/model";
import { buildProgram, keyOf, type ProgramSpec } from "../training/program";
import { outcome } from "../training/step";
import { attackField, checkInputs, perturb } from "./attacks";

/** Rows that are attacked at once. */
const ROWS = 256;

/**
 * Adversarial examples: x moved, within the attack's bounds, to where the loss is larger. The model is compiled and has one
 * input; it is in inference mode and is not changed. Each example's own loss counts, and none of the penalties. Random starts
 * are those that a training step on these rows would make now: the same until the next update.
 *
 * @returns x̃, of x's shape, in the units of the model's input (`Uint8Array` inputs count as 0…255)
 * @example const { accuracy } = await model.evaluate({ x: attack(model, x, y, pgd({ epsilon: 0.1, clip: [0, 1] })), y });
 * @throws DownhillError `argument`, `shape`, `data`; `state` where the model is not compiled
 */
export function attack(model: Model<never> | Model, x: Arrays, y: Arrays, how: Built): NDArray {
  const who = "attack";
  if (!(model instanceof Model)) throw argumentError(who, "a model", model);
  check(who, "attack", attackField(), how);
  const { state } = model;
  checkInputs(who, state);
  const examples = readExamples(who, state, x, y, { finite: true });
  state.need(who);
  const { structure, runtime } = state;
  const { rows, inputs, targets } = examples;
  const shape = [rows, ...structure.inputs[0]!.value.shape];
  const data = newFloats(who, sizeOf(shape));
  const lane = state.lane("prediction");
  for (let row = 0; row < rows; row += ROWS) {
    const count = Math.min(ROWS, rows - row);
    const spec: ProgramSpec = {
      kind: "predict",
      rows: count,
      inputs,
      targets,
      training: false,
      accumulate: 0,
      build: (program) => [perturb(how, state, program)],
    };
    const program = lane.program(keyOf(spec, JSON.stringify(how)), () => buildProgram(state, lane, spec));
    state.prepare(lane);
    stage(lane, examples, row, count);
    lane.set(State.row, row);
    outcome(lane, runtime.run(program.all), who, examples);
    const [moved] = program.results;
    data.set(runtime.heap.readFloats(addressOf(lane, moved!.place!), moved!.size), (row * data.length) / rows);
  }
  return { data, shape };
}
