import { argumentError } from "../errors";
import { Model } from "./model";
import { copyWeights, type Weights } from "./weights";

/**
 * The weights as they are evaluated: where `compile` was given `ema`, of each parameter its mean over time, and the moving
 * statistics as they are; otherwise, and where a callback has put others in force, those of `getWeights`.
 *
 * @returns copies, by `layer/parameter`
 * @example model.setWeights(averagedWeights(model)) // the mean in force, and from there on
 * @throws DownhillError `argument`, `state`
 */
export function averagedWeights(model: Model): Weights {
  if (!(model instanceof Model)) throw argumentError("averagedWeights", "a model", model);
  const { state } = model;
  state.check();
  return { ...copyWeights(state), ...copyWeights(state, state.mean, state.structure.parameters) };
}
