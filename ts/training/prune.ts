// Pruning: the smallest weights become 0 and stay it.

import { Base } from "../../assembly/isa";
import { argumentError, wrong } from "../errors";
import { decodeBytes, encodeBase64 } from "../formats/base64";
import { mask } from "../ops/blocks";
import { listOf, oneOf, optional, or, readOptions, share, text } from "../options";
import { joined, members } from "./kin";
import { Model } from "./model";
import type { ModelState } from "./state";
import type { Entry, Structure } from "./structure";

/** Options of `prune`. */
export interface PruneOptions {
  /** The share of the kernels' weights that is 0 afterwards, in [0, 1). */
  sparsity: number;
  /** Whether the smallest are looked for among all kernels together, the default, or in each layer apart. */
  scope?: "model" | "layer";
  /** Names of the layers that are pruned. Default all. */
  layers?: readonly string[];
}

/** What `prune` did. */
export interface Pruned {
  /** The share of the weights that are pruned now, of those that were looked at. */
  sparsity: number;
  /** By layer, how many of how many. */
  layers: Record<
    string,
    {
      /** Weights that are 0 and stay so. */
      pruned: number;
      /** Weights of its kernels. */
      total: number;
    }
  >;
}

/**
 * Magnitude pruning: of the kernels' n weights (parameters of two axes and more) the round(sparsity·n) with the smallest
 * |w| become 0, of equal ones the first. A mask keeps them there: through `fit`, `trainOnBatch` and `applyGradients` (an
 * instruction behind each step, before constraints and `ema`), `setWeights`, `compile`, and in files. Pruning again counts
 * those that are pruned already as the smallest, so that less than now frees some, and 0 all; layers that are not named
 * keep their masks. Gradients of pruned weights still count in `clipNorm`. (LeCun, Denker & Solla 1989; Han et al. 2015;
 * Zhu & Gupta 2017)
 *
 * @example prune(model, { sparsity: 0.9 }); await model.fit(data, { epochs: 5 })
 * @returns how many weights of each layer are pruned now
 * @throws DownhillError `argument` for a bad option, an unknown layer or one without a kernel; `state` while a `fit` is under
 * way, and where the model is part of a joint one; `memory`
 */
export function prune(model: Model, options: PruneOptions): Pruned {
  if (!(model instanceof Model)) throw argumentError("prune", "a model", model);
  const { sparsity, scope, layers } = readOptions("prune", options, {
    sparsity: share(),
    scope: or(oneOf("model", "layer"), "model" as "model" | "layer"),
    layers: optional(listOf(text())),
  });
  const { state } = model;
  const kernels = state.structure.parameters.filter(({ shape }) => shape.length > 1);
  const known = new Set(kernels.map(({ layer }) => layer.name));
  for (const name of layers ?? [])
    if (!known.has(name)) throw argumentError("prune", `layers with a kernel (${[...known].join(", ")})`, name);
  state.needIdle("prune");
  // whoever else trains these weights knows nothing of the mask
  if (joined.has(state) || members.has(state))
    throw wrong("state", "prune", "a model that is not joined", "such a one");
  const chosen = kernels.filter(({ layer }) => !layers || layers.includes(layer.name));
  if (!chosen.length) throw wrong("argument", "prune", "a model with a kernel", "none");
  const words = maskOf(state);
  const groups = scope === "model" ? [chosen] : [...known].map((name) => chosen.filter((e) => e.layer.name === name));
  for (const group of groups) chooseSmallest(state, words, group, sparsity);
  state.mask!.hold();
  // what callbacks have kept is of other weights
  state.callbackStates = () => [];
  if (state.lastWeights) state.beginMean();
  return counted(words, chosen);
}

function counted(words: Uint32Array, entries: readonly Entry[]): Pruned {
  const layers: Pruned["layers"] = {};
  let [all, gone] = [0, 0];
  for (const { layer, offset, size } of entries) {
    layers[layer.name] ??= { pruned: 0, total: 0 };
    const of = layers[layer.name]!;
    const pruned = words.subarray(offset, offset + size).reduce((sum, word) => sum + +!word, 0);
    of.pruned += pruned;
    of.total += size;
    gone += pruned;
    all += size;
  }
  return { sparsity: gone / all, layers };
}

/** Sets the words of so many of the entries' weights to 0, the smallest ones', and all others to ones. */
function chooseSmallest({ runtime, parameters }: ModelState, words: Uint32Array, entries: Entry[], sparsity: number) {
  const total = entries.reduce((sum, { size }) => sum + size, 0);
  const count = Math.floor(sparsity * total + 0.5);
  if (!total) return;
  const sizes = new Float32Array(total);
  let at = 0;
  for (const { offset, size } of entries) {
    const w = runtime.heap.readFloats(parameters + offset * 4, size);
    // what is pruned already is smaller than all
    for (let i = 0; i < size; i++) sizes[at++] = words[offset + i] ? Math.abs(w[i]!) : -1;
  }
  const limit = count ? sizes.slice().sort()[count - 1]! : -2;
  let below = 0;
  for (const size of sizes) below += +(size < limit);
  let equal = count - below;
  at = 0;
  for (const { offset, size } of entries)
    for (let i = 0; i < size; i++) {
      const s = sizes[at++]!;
      const pruned = s < limit || (s === limit && equal-- > 0);
      words[offset + i] = pruned ? 0 : 0xffffffff;
    }
}

/** The words of the model's mask, which is made where there is none: they hold until memory is next allocated. */
function maskOf(state: ModelState): Uint32Array {
  const { runtime, structure, mask: made } = state;
  const { heap } = runtime;
  const floats = structure.parameterFloats;
  if (!made) {
    const at = heap.allocate(floats * 4, `${state.name} (prune)`);
    heap.u32.fill(0xffffffff, at >>> 2, (at >>> 2) + floats);
    const place = { base: Base.absolute, offset: at };
    state.mask = {
      at,
      apply: (block) => mask([block, block.graph.leaf(block.shape, "mask", place)]),
      hold: () => hold(state),
    };
    // programs that update know nothing of it
    state.lanes.get("training")?.forget();
    state.lastBatch = undefined;
  }
  return wordsOf(state);
}

const wordsOf = ({ runtime, structure, mask }: ModelState): Uint32Array =>
  runtime.heap.u32.subarray(mask!.at >>> 2, (mask!.at >>> 2) + structure.parameterFloats);

/** Makes 0 what is pruned of the parameters and of their mean. */
function hold(state: ModelState): void {
  const words = wordsOf(state);
  for (const block of [state.parameters, state.compiled?.slots[3]])
    if (block)
      words.forEach((word, i) => {
        state.runtime.heap.u32[(block >>> 2) + i]! &= word;
      });
}

/** A mask as a file keeps it: a bit a parameter, the entries' one after another. */
export function maskToText(state: ModelState): string {
  const words = wordsOf(state);
  const kept = state.structure.parameters.flatMap(({ offset, size }) => [...words.subarray(offset, offset + size)]);
  const bytes = new Uint8Array(Math.ceil(kept.length / 8));
  kept.forEach((word, i) => {
    bytes[i >> 3]! |= +!word << (i & 7);
  });
  return encodeBase64(bytes);
}

/** The bytes behind such a text; throws `format`. */
export function readMask(who: string, { parameters }: Structure, text: unknown): Uint8Array {
  return decodeBytes(who, text, Math.ceil(parameters.reduce((sum, { size }) => sum + size, 0) / 8));
}

/** Puts a mask that was read in force. */
export function putMask(state: ModelState, bytes: Uint8Array): void {
  const words = maskOf(state);
  let at = 0;
  for (const { offset, size } of state.structure.parameters)
    for (let i = 0; i < size; i++, at++) words[offset + i] = (bytes[at >> 3]! >> (at & 7)) & 1 ? 0 : 0xffffffff;
  state.mask!.hold();
}
