// A model as the bytes of one .safetensors file. Its tensors are those of getWeights; its metadata are
//
//   format        "downhill 1"
//   model         the architecture, ModelConfig
//   compile       the optimizer, losses, metrics, clipping, CompileConfig       where the model is compiled
//   learningRate  the rate or schedule in force                                 where the model is compiled
//   optimizer/…   each slot, the parameters' values one after another, base64   where the model is compiled
//   position      seed, stream, epoch, step
//   callbacks     what the callbacks of the last fit know
//   metadata      the user's own notes, text by name                            where there are any
//   mask          which parameters are pruned, bits in base64                  where the model is pruned
//   lastWeights   the weights that training goes on from, where they are not those in force

import { DownhillError, show } from "../errors";
import { parseJson, stringifyJson } from "../formats/json";
import { decodeSafetensors, encodeSafetensors } from "../formats/safetensors";
import { optimizerPlan } from "../optimizers/optimizers";
import { listOf, natural, readOptions, text } from "../options";
import type { Built } from "../registry";
import type { Runtime } from "../runtime/runtime";
import type { CallbackState } from "./callbacks";
import { compile } from "./compile";
import {
  callbackStateFrom,
  callbackStateToText,
  compileConfigFrom,
  learningRateFrom,
  object,
  structureFromConfig,
} from "./fromConfig";
import { Model } from "./model";
import { packed, unpacked, weightsFromText, weightsToText } from "./packed";
import { maskToText, putMask, readMask } from "./prune";
import { type CompileConfig, ModelState } from "./state";
import type { Entry, Structure } from "./structure";
import { putWeights, type Weights } from "./weights";

const FORMAT = "downhill 1";
/** How deep the metadata's JSON may nest. */
const MAX_DEPTH = 64;

/** The file of a model as it is now. Equal models give equal bytes. */
export function encodeModel(model: Model): Uint8Array {
  const { state } = model;
  const weights = model.getWeights();
  const { structure, runtime, compiled, seed, stream, epoch, step, lastWeights } = state;
  const callbacks = state.callbackStates();
  const metadata: Record<string, string> = {
    format: FORMAT,
    model: stringifyJson(model.config),
    position: stringifyJson({ seed, stream, epoch, step }),
  };
  if (compiled) {
    metadata["compile"] = stringifyJson(compiled.config);
    metadata["learningRate"] = stringifyJson(state.learningRate);
    compiled.plan.slots.forEach((slot, i) => {
      if (slot !== undefined)
        metadata[`optimizer/${slot}`] = packed(structure.parameters, ({ offset, size }) =>
          runtime.heap.readFloats(compiled.slots[i]! + offset * 4, size),
        );
    });
  }
  if (callbacks.length)
    metadata["callbacks"] = stringifyJson(
      callbacks.map(({ type, state }) => ({ type, state: callbackStateToText(structure, type, state) })),
    );
  if (Object.keys(state.metadata).length) metadata["metadata"] = stringifyJson(state.metadata);
  if (state.mask) metadata["mask"] = maskToText(state);
  if (lastWeights) metadata["lastWeights"] = stringifyJson(weightsToText(structure, lastWeights));
  return encodeSafetensors(weights, metadata);
}

/** What a file holds, read and checked; nothing of it is in linear memory yet. */
interface Contents {
  name: string;
  structure: Structure;
  tensors: Record<string, { data: Float32Array }>;
  position: { seed: number; stream: number; epoch: number; step: number };
  compiled:
    | { config: CompileConfig; learningRate: number | Built; slots: ([Entry, Float32Array][] | undefined)[] }
    | undefined;
  callbackStates: CallbackState[];
  metadata: Record<string, string>;
  mask: Uint8Array | undefined;
  lastWeights: Weights | undefined;
}

/**
 * The model in a file, compiled as it was saved, in its own position.
 *
 * @throws DownhillError `format`, `shape` or `argument` for a damaged file, before anything is taken; `memory`
 */
export function decodeModel(bytes: Uint8Array, runtime: Runtime): Model {
  const contents = readFile(bytes);
  const { name, structure, position, compiled } = contents;
  const { seed, stream } = position;
  const state = new ModelState(name, structure, runtime, { seed, stream });
  try {
    if (compiled) compile(state, compiled.config);
    fill(state, contents);
    const model = new Model(() => state);
    void model.state; // from here on the model owns it
    return model;
  } catch (error) {
    state.dispose();
    throw error;
  }
}

/** Puts what a file holds into the model that it is a later state of: one that was saved, trained elsewhere and saved again. */
export function restoreModel(model: Model<never>, bytes: Uint8Array): void {
  fill(model.state, readFile(bytes));
}

/** Puts everything that may change in training into a model of that structure, compiled as the file says. */
function fill(
  state: ModelState,
  { tensors, position, compiled, callbackStates, metadata, mask, lastWeights }: Contents,
): void {
  const { heap } = state.runtime;
  putWeights(state, tensors);
  if (compiled) {
    state.learningRate = compiled.learningRate;
    compiled.slots.forEach((slot, i) => {
      for (const [{ offset }, data] of slot ?? []) heap.f32.set(data, (state.compiled!.slots[i]! >>> 2) + offset);
    });
  }
  if (mask) putMask(state, mask);
  const { epoch, step } = position;
  Object.assign(state, { epoch, step, callbackStates: () => callbackStates, metadata, lastWeights });
}

function readFile(bytes: Uint8Array): Contents {
  const { tensors, metadata } = decodeSafetensors(bytes, ({ format }) => {
    if (format !== FORMAT)
      throw new DownhillError(
        "format",
        `loadModel: expected a file that saveModel wrote (format ${show(FORMAT)}), got ${
          format === undefined ? "one without a format; weights alone: loadWeights" : `format ${show(format)}`
        }`,
      );
  });
  const json = (key: string): unknown => {
    if (metadata[key] === undefined) throw new DownhillError("format", `loadModel: expected metadata ${show(key)}`);
    return parseJson(`loadModel: ${key}`, metadata[key], MAX_DEPTH);
  };
  const { name, structure } = structureFromConfig(json("model"));
  checkTensors(structure, tensors);
  const position = readOptions("position", json("position"), {
    seed: natural(),
    stream: natural(),
    epoch: natural(),
    step: natural(),
  });
  const callbacks = metadata["callbacks"] === undefined ? [] : json("callbacks");
  const { states } = readOptions("callbacks", { states: callbacks }, { states: listOf(object()) });
  const callbackStates = states.map((item) => {
    const { type, state } = readOptions("callbacks", item, { type: text(), state: object() });
    return { type, state: callbackStateFrom(structure, type, state) };
  });
  const notes = metadata["metadata"] === undefined ? {} : json("metadata");
  const { record } = readOptions("metadata", { record: notes }, { record: notesField() });
  const lastWeights =
    metadata["lastWeights"] === undefined
      ? undefined
      : weightsFromText("loadModel: lastWeights", structure, json("lastWeights") as object);
  const mask = metadata["mask"] === undefined ? undefined : readMask("loadModel: mask", structure, metadata["mask"]);
  const compiled = metadata["compile"] === undefined ? undefined : readCompiled(structure, metadata, json);
  return {
    name,
    structure,
    tensors: tensors as Contents["tensors"],
    position,
    compiled,
    callbackStates,
    metadata: { ...record } as Record<string, string>,
    mask,
    lastWeights,
  };
}

const notesField = () => ({
  ...object(),
  expected: "an object of strings",
  accepts: (v: unknown) => object().accepts(v) && Object.values(v as object).every((note) => typeof note === "string"),
});

function readCompiled(
  structure: Structure,
  metadata: Record<string, string>,
  json: (key: string) => unknown,
): Contents["compiled"] {
  const config = compileConfigFrom(structure, json("compile"));
  const slots = optimizerPlan(config.optimizer, config.ema).slots.map((slot) =>
    slot === undefined
      ? undefined
      : unpacked(`loadModel: optimizer/${slot}`, structure.parameters, metadata[`optimizer/${slot}`]),
  );
  return { config, learningRate: learningRateFrom(json("learningRate")), slots };
}

/** The tensors are exactly the structure's, in float32. */
function checkTensors(
  structure: Structure,
  tensors: Record<string, { data: ArrayBufferView; shape: readonly number[] }>,
): void {
  const { entries } = structure;
  for (const { key, shape } of entries) {
    const tensor = tensors[key];
    if (!tensor) throw new DownhillError("format", `loadModel: expected a tensor ${show(key)}`);
    if (!(tensor.data instanceof Float32Array) || tensor.shape.join() !== shape.join())
      throw new DownhillError(
        "shape",
        `${key}: expected F32 of shape [${shape.join(", ")}], got ${tensor.data.constructor.name} of shape [${tensor.shape.join(", ")}]`,
      );
  }
  const count = Object.keys(tensors).length;
  if (count !== entries.length)
    throw new DownhillError("format", `loadModel: expected ${entries.length} tensors, got ${count}`);
}
