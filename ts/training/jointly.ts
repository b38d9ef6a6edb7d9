// Several models as one, which trains them together.

import { State } from "../../assembly/isa";
import { argumentError, DownhillError } from "../errors";
import type { NDArray } from "../ndarray";
import { check, isRecord, name as nameField } from "../options";
import { nextStream } from "../runtime/runtime";
import { structureFromConfig } from "./fromConfig";
import { holdOf, joined, members } from "./kin";
import { Model, type ModelConfig } from "./model";
import { ModelState } from "./state";
import type { ModelLayer } from "./structure";
import type { Weights } from "./weights";

/** What a model is keyed: where it has several inputs (outputs), the key and each one's name. */
const portName = (key: string, ports: readonly unknown[], name: string) => (ports.length > 1 ? `${key}_${name}` : key);

/**
 * One model over several, to train them together, each on inputs of its own: `jointly({ a: modelA, b: modelB })` takes
 * { a: xA, b: xB } and gives { a: …, b: … }; of a model with several inputs (outputs) these are `a_` and their names. Layers
 * are named the same way: `dense_1` of modelA is `a_dense_1`. All inputs have the same number of examples.
 *
 * The joint model begins with the weights that the models have now, and from then on it and they have the same ones: what one of
 * them trains, the others see. It is compiled by itself, with optimizer and losses of its own; so are they. `trainable` is that of the
 * models' layers. `tied(…)` in its `compile` takes layers of the models, or its own. It may be disposed of before the models
 * or after them.
 *
 * @throws DownhillError `argument` for models of different runtimes, one model twice, or one that was joined before or is pruned;
 * `state` where one is disposed or a `fit` is under way on it
 * @example
 * const both = jointly({ a: modelA, b: modelB });
 * both.compile({ optimizer: adam(), loss: meanSquaredError(), penalties: [tied(modelA.getLayer("dense_1"), modelB.getLayer("dense_1"), 1)] });
 */
export function jointly<const M extends Readonly<Record<string, Model<never> | Model>>>(
  models: M,
): Model<{ [K in keyof M & string]: NDArray }> {
  if (!isRecord(models) || models instanceof Model)
    throw argumentError("jointly", "a record { a: modelA, b: modelB }", models);
  const given = Object.entries(models);
  if (given.length < 2) throw argumentError("jointly", "at least two models", given.length);
  for (const [key, model] of given) {
    check("jointly", "a key", nameField(), key);
    if (!(model instanceof Model)) throw argumentError(`jointly: ${key}`, "a model", model);
  }
  const parts = given.map(([key, model]) => ({ key, state: model.state, config: model.config }));
  const [{ state: first }] = parts as [(typeof parts)[0]];
  parts.forEach(({ key, state }, i) => {
    if (state.runtime !== first.runtime) throw argumentError(`jointly: ${key}`, "models of one runtime", "another's");
    if (parts.findIndex((part) => part.state === state) < i)
      throw argumentError(`jointly: ${key}`, "different models", "one twice");
    if (joined.has(state) || members.has(state))
      throw argumentError(`jointly: ${key}`, "a model that was not joined before", "such a one");
    if (state.mask) throw argumentError(`jointly: ${key}`, "a model that is not pruned", "a pruned one");
  });
  const states = parts.map(({ state }) => state);
  const readers = [...first.runtime.residents].filter(
    (other) => other instanceof ModelState && reads(other, states),
  ) as ModelState[];
  for (const state of [...states, ...readers]) {
    state.needIdle("jointly");
    if (state.evaluating) throw new DownhillError("state", `jointly: an evaluation of ${state.name} is under way`);
  }

  const { structure } = structureFromConfig(merged(parts));
  const joint = new ModelState("jointly", structure, first.runtime, nextStream());
  members.set(joint, []);
  let [layer, parameters, statistics] = [0, 0, 0];
  for (const state of states) {
    const layers = structure.layers.slice(layer, layer + state.structure.layers.length);
    adopt(joint, state, layers, parameters * 4, statistics * 4);
    layer += layers.length;
    parameters += state.structure.parameterFloats;
    statistics += state.structure.statisticFloats;
  }
  shareFitting(joint, states);
  shareLastWeights(joint, states);
  // their tapes have written down where the weights lay
  for (const { lanes } of [...states, ...readers]) for (const lane of lanes.values()) lane.forget();
  const model = new Model(() => joint);
  void model.state; // from here on the model owns it
  return model as never;
}

/** Whether a tie of the model reads weights of one of those. */
const reads = ({ compiled }: ModelState, states: readonly ModelState[]): boolean =>
  !!compiled?.reads.some(([at]) =>
    states.some(({ parameters, structure }) => at >= parameters && at < parameters + structure.parameterFloats * 4),
  );

/** The models' architectures as one: values are numbered anew, all inputs first. */
function merged(parts: readonly { key: string; config: ModelConfig }[]): ModelConfig {
  const inputs = parts.flatMap(({ key, config }) =>
    config.inputs.map(({ name, shape }) => ({ name: portName(key, config.inputs, name), shape })),
  );
  const all: ModelConfig = {
    name: "jointly",
    inputs,
    inputForm: "record",
    outputForm: "record",
    layers: [],
    calls: [],
    outputs: [],
  };
  let firstInput = 0;
  for (const { key, config } of parts) {
    const { length } = config.inputs;
    const [input, layer, value] = [firstInput, all.layers.length, inputs.length + all.calls.length - length];
    const place = (v: number) => v + (v < length ? input : value);
    for (const { name, config: own } of config.layers)
      all.layers.push({ name: `${key}_${name}`, config: { ...own, name: `${key}_${name}` } });
    for (const call of config.calls) all.calls.push({ layer: call.layer + layer, inputs: call.inputs.map(place) });
    for (const { name, value } of config.outputs)
      all.outputs.push({ name: portName(key, config.outputs, name), value: place(value) });
    firstInput += length;
  }
  return all;
}

/** Puts a model's weights into the joint model's blocks, at so many bytes from their beginnings, and the model there too. */
function adopt(
  joint: ModelState,
  state: ModelState,
  layers: ModelLayer[],
  parameters: number,
  statistics: number,
): void {
  const { heap } = joint.runtime;
  const { parameterFloats, statisticFloats } = state.structure;
  const [from, to] = [state.parameters, joint.parameters + parameters];
  heap.copy(from, to, parameterFloats);
  heap.copy(state.statistics, joint.statistics + statistics, statisticFloats);
  state.parameters = to;
  state.statistics = joint.statistics + statistics;
  state.statisticsCopy = joint.statisticsCopy + statistics;
  heap.free(from);
  holdOf(joint).claims++;
  holdOf(state).free = () => joint.release();
  joined.add(state);
  for (const [, lane] of state.lanes) lane.set(State.parameters, to);
  members.get(joint)!.push({ state, layers });
  layers.forEach((layer, i) => {
    const own = state.structure.layers[i]!;
    Object.defineProperty(layer, "trainable", {
      get: () => own.trainable,
      set: (trainable: boolean) => {
        own.trainable = trainable;
      },
    });
  });
}

/** A fit of the joint model is one of each of its models, and the other way round: they have the same weights. */
function shareFitting(joint: ModelState, states: readonly ModelState[]): void {
  const under = new Set<ModelState>();
  const share = (state: ModelState, others: readonly ModelState[]) =>
    Object.defineProperty(state, "fitting", {
      get: () => under.has(state) || others.some((other) => under.has(other)),
      set: (fitting: boolean) => {
        if (fitting) under.add(state);
        else under.delete(state);
      },
    });
  share(joint, states);
  for (const state of states) share(state, [joint]);
}

/** Weights that a callback has set aside count no longer once another of these models has trained, or was given weights. */
function shareLastWeights(joint: ModelState, states: readonly ModelState[]): void {
  const settings = new Map([joint, ...states].map((state) => [state, 0]));
  const share = (state: ModelState, others: readonly ModelState[]) => {
    const known = () => others.map((other) => `${other.step} ${settings.get(other)}`).join();
    let { lastWeights } = state;
    let at = known();
    Object.defineProperty(state, "lastWeights", {
      get: () => (at === known() ? lastWeights : undefined),
      set: (weights: Weights | undefined) => {
        lastWeights = weights;
        at = known();
        settings.set(state, settings.get(state)! + 1); // beginMean() is among those who come here
      },
    });
  };
  share(joint, states);
  for (const state of states) share(state, [joint]);
}
