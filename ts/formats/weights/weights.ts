// Weights alone, in and out of files that other tools write and read.

import { checkTarget, type LoadSource, readSource, type SaveTarget, saveBytes } from "../../data/files";
import { floatsOfBrains, floatsOfHalves } from "../../data/halves";
import { argumentError, DownhillError, show, wrong } from "../../errors";
import type { Shape } from "../../graph/graph";
import type { NDArray } from "../../ndarray";
import { boolean, type Field, isRecord, oneOf, optional, or, readOptions } from "../../options";
import { Model } from "../../training/model";
import { encodeSafetensors, openSafetensors, type StoredTensor } from "../safetensors";
import { fits, type Layout, type Link, linksOf, type Part, spread } from "./links";
import { behind, listed, match, type Wanted } from "./match";

/** From the file's names to the model's, by function or by record; see `loadWeights`. */
export type Rename = ((name: string) => string | undefined) | Readonly<Record<string, string>>;

/** Options of `saveWeights`. */
export interface SaveWeightsOptions {
  /** A record as `loadWeights` takes it, read backwards, or a function from our name to the file's, `undefined` to leave it out. */
  rename?: Rename;
  /** Whose names and layouts the file gets. Default: our own. */
  layout?: Layout;
}

/** Options of `loadWeights`. */
export interface LoadWeightsOptions {
  /** What a name of the file, or the module that it begins with, is called here. Default: see `loadWeights`. */
  rename?: Rename;
  /** Whose names and layouts the file has. Default: our own, as `getWeights` and `saveWeights`. */
  layout?: Layout;
  /** Whether every weight must be in the file, and every tensor of it be used. Default true. */
  strict?: boolean;
}

/** What `loadWeights` left as it was. */
export interface LoadedWeights {
  /** Weights of the model that the file has not. */
  missing: string[];
  /** Tensors of the file that no layer took. */
  unused: string[];
}

const renameField = (): Field<Rename> => ({
  expected: "a function or a record from name to name",
  accepts: (v) => typeof v === "function" || (isRecord(v) && Object.values(v).every((to) => typeof to === "string")),
});

const common = () => ({ rename: optional(renameField()), layout: optional(oneOf("torch", "keras")) });

/** Bytes of each number of the format's dtypes. */
const WIDTHS: Readonly<Record<string, number>> = {
  ...{ F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U64: 8, U32: 4, U16: 2, U8: 1, BOOL: 1 },
  ...{ F8_E4M3: 1, F8_E5M2: 1 },
};

/** What PyTorch counts beside the weights. */
const COUNTER = /(^|\.)num_batches_tracked$/;

/**
 * Puts the weights of a `.safetensors` file that another tool wrote into a model of the same layers: all of them, or none.
 *
 * `layout: "torch"`: the names and layouts of PyTorch's modules. Kernels are transposed to NHWC, a dense layer's rows too where
 * it is given a flattened image; `bias_ih` and `bias_hh` of an LSTM or RNN are added; `in_proj_weight` is cut into query,
 * key and value. Counters (`num_batches_tracked`) are left out. `layout: "keras"`: those of Keras; a GRU with `reset_after`.
 *
 * `rename` says which module is which layer: a record from the file's name, or what it begins with up to a `.` or `/`, to
 * ours (`{ "features.0": "conv2d_1" }`; the longest counts), or a function from name to name, `undefined` to leave a tensor
 * out; both names of a record must be there, unless `strict` is false. Without it modules are layers of the same name; or else, with a layout, they are matched by what they hold where
 * that leaves no doubt: one module fits one layer alone, or as many fit as there are layers and they are named alike but for their
 * numbers, in whose order they are taken.
 *
 * @param source as `loadModel`'s; F32, F16, BF16 and F64
 * @returns a promise of what was left as it was: nothing, unless `strict` is false
 * @example await loadWeights(model, "resnet.safetensors", { layout: "torch", rename: { "fc": "dense_1" } })
 * @throws DownhillError `format` for a damaged file, tensors that are missing or left over, or modules that cannot be matched;
 * `shape` where one is of another shape; `data` where the source cannot be read or a number is not finite; `argument`, `state`
 */
export async function loadWeights(
  model: Model<never> | Model,
  source: LoadSource,
  options?: LoadWeightsOptions,
): Promise<LoadedWeights> {
  if (!(model instanceof Model)) throw argumentError("loadWeights", "a model", model);
  const { rename, layout, strict } = readOptions("loadWeights", options, { ...common(), strict: or(boolean(), true) });
  const wanted = wantedOf(model, layout);
  const bytes = await readSource("loadWeights", source);
  const who = typeof source === "string" || source instanceof URL ? `loadWeights: ${source}` : "loadWeights";
  const { entries } = asked(who, () => openSafetensors(bytes, WIDTHS));
  const given = layout === "torch" ? entries.filter(({ name }) => !COUNTER.test(name)) : entries;
  const tensors = renamed(who, given, rename);
  const names = given.map(({ name }) => name);
  const layers = model.layers.map(({ name }) => name);
  const idle = strict && typeof rename === "object" ? checkRename(who, rename, names, layers) : [];
  const modules = match(who, wanted, tensors, layout, rename !== undefined);

  const missing: string[] = [];
  const weights: Record<string, NDArray> = {};
  const used = new Set<StoredTensor>();
  for (const { layer, links } of wanted)
    for (const link of links) {
      const keys = link.ours.map((key) => `${layer.name}/${key}`);
      const found = link.theirs.map((part) => tensorOf(modules.get(layer), part));
      for (const tensor of found) if (tensor) used.add(tensor);
      if (found.some((tensor) => !tensor)) {
        const lost = link.theirs.filter((_, i) => !found[i]).map(({ names }) => names[0]);
        missing.push(`${keys.join(" and ")} (${lost.join(", ")})`);
        continue;
      }
      for (const [i, tensor] of found.entries()) check(who, tensor!, link.theirs[i]!, keys);
      const read = link.read(found.map((tensor, i) => spread(link.theirs[i]!, floatsOf(tensor!))));
      link.ours.forEach((key, i) => {
        weights[`${layer.name}/${key}`] = { data: read[i]!, shape: shapeOf(layer.entries, keys[i]!) };
      });
    }
  const unused = [...tensors.values()].filter((tensor) => !used.has(tensor)).map(({ name }) => name);
  if (strict && (missing.length || unused.length)) {
    const lacks = missing.length ? [`lacks ${listed(missing)}`] : [];
    const more = unused.length ? [`has ${listed(unused)} too`] : [];
    const aside = idle.length ? `; rename has ${listed(idle)}, which the file has not` : "";
    const got = `one that ${[...lacks, ...more].join(" and ")}; strict: false leaves them out${aside}`;
    throw wrong("format", who, "a file with the tensors of the model's weights", got);
  }
  if (idle.length) throw argumentError(`${who}: rename`, `names of the file (${listed(names)})`, idle[0]);
  asked(who, () => model.setWeights({ ...model.getWeights(), ...weights }));
  return { missing, unused };
}

/**
 * The weights of a model as the bytes of a `.safetensors` file, in the names and layouts of PyTorch (`load_state_dict` takes
 * them), of Keras, or our own: the way back of `loadWeights`, which gives the same bits.
 *
 * @param target a path, written atomically; or a function, or an object with `save`, which is given the bytes
 * @returns a promise of the bytes
 * @example await saveWeights(model, "net.safetensors", { layout: "torch", rename: { "features.0": "conv2d_1" } })
 * @throws DownhillError `argument`, also where two tensors get one name; `data` where the path cannot be written; `state`
 */
export async function saveWeights(
  model: Model<never> | Model,
  target?: SaveTarget,
  options?: SaveWeightsOptions,
): Promise<Uint8Array> {
  if (!(model instanceof Model)) throw argumentError("saveWeights", "a model", model);
  checkTarget("saveWeights", target);
  const { rename, layout } = readOptions("saveWeights", options, common());
  const weights = model.getWeights();
  const back =
    typeof rename === "function" ? rename : byRecord(Object.fromEntries(Object.entries(rename ?? {}).map(turned)));
  const tensors: Record<string, NDArray> = Object.create(null);
  for (const { layer, links } of wantedOf(model, layout))
    for (const link of links) {
      const written = link.write(link.ours.map((key) => weights[`${layer.name}/${key}`]!.data));
      link.theirs.forEach(({ names, shape }, i) => {
        const own = `${layer.name}${layout === "torch" ? "." : "/"}${names[0]}`;
        const name = nameFrom("saveWeights", back, own);
        if (name === undefined) return;
        if (Object.hasOwn(tensors, name)) throw argumentError("saveWeights: rename", "a name for each tensor", name);
        tensors[name] = { data: written[i]!, shape };
      });
    }
  return saveBytes("saveWeights", encodeSafetensors(tensors, layout === "torch" ? { format: "pt" } : {}), target);
}

/** What `call` returns; an error of it says who asked. */
function asked<T>(who: string, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    if (!(cause instanceof DownhillError)) throw cause;
    throw new DownhillError(cause.code, `${who}: ${cause.message.replace(/^setWeights: /, "")}`, { cause });
  }
}

/** Characters of a tensor's name. */
const MAX_NAME = 1000;

const turned = ([from, to]: [string, string]): [string, string] => [to, from];

const wantedOf = (model: Model<never> | Model, layout: Layout | undefined): Wanted[] =>
  model.layers
    .filter(({ entries }) => entries.length > 0)
    .map((layer): { layer: typeof layer; links: Link[] } => ({ layer, links: linksOf(layer, layout) }));

const shapeOf = (entries: readonly { key: string; shape: Shape }[], key: string): Shape =>
  entries.find((entry) => entry.key === key)!.shape;

/** Of the names that a record has, the longest that `name` is or begins with gives way. */
const byRecord =
  (record: Readonly<Record<string, string>>) =>
  (name: string): string => {
    let [longest, to] = ["", name];
    for (const [from, into] of Object.entries(record)) {
      const rest = name === from ? "" : behind(name, from);
      if (rest === undefined || from.length < longest.length) continue;
      longest = from;
      to = into + name.slice(from.length);
    }
    return to;
  };

function nameFrom(who: string, rename: (name: string) => unknown, name: string): string | undefined {
  const to = rename(name);
  if (to === undefined || typeof to === "string") return to;
  throw argumentError(`${who}: rename`, "a name or undefined", to);
}

function renamed(who: string, given: readonly StoredTensor[], rename: Rename | undefined): Map<string, StoredTensor> {
  const to = typeof rename === "function" ? rename : byRecord(rename ?? {});
  const tensors = new Map<string, StoredTensor>();
  for (const tensor of given) {
    if (tensor.name.length > MAX_NAME)
      throw wrong("format", who, `names of at most ${MAX_NAME} characters`, tensor.name.length);
    const name = nameFrom("loadWeights", to, tensor.name);
    if (name === undefined) continue;
    const other = tensors.get(name);
    if (other)
      throw wrong("argument", `${who}: rename`, `one tensor for ${show(name)}`, `${other.name} and ${tensor.name}`);
    tensors.set(name, tensor);
  }
  return tensors;
}

/** Whether a name is that, or begins with it. */
const isIn = (names: readonly string[], start: string): boolean =>
  names.some((name) => name === start || behind(name, start) !== undefined);

/** Throws where a record leads to no layer of the model; what it has that the file has not. */
function checkRename(
  who: string,
  rename: Readonly<Record<string, string>>,
  theirs: readonly string[],
  ours: readonly string[],
): string[] {
  for (const [from, to] of Object.entries(rename))
    if (!isIn(ours, to) && !ours.some((name) => isIn([to], name)))
      throw argumentError(`${who}: rename: ${from}`, `a layer of the model (${listed(ours)})`, to);
  return Object.keys(rename).filter((from) => !isIn(theirs, from));
}

const tensorOf = (module: ReadonlyMap<string, StoredTensor> | undefined, { names }: Part): StoredTensor | undefined =>
  names.map((name) => module?.get(name)).find((tensor) => tensor);

function check(who: string, { name, dtype, shape }: StoredTensor, part: Part, keys: string[]): void {
  const what = `${who}: tensor ${show(name)} for ${keys.join(" and ")}`;
  if (!Object.hasOwn(FLOATS, dtype)) throw wrong("format", what, Object.keys(FLOATS).join(", "), dtype);
  if (!fits(part, shape)) throw wrong("shape", what, `shape [${part.shape.join(", ")}]`, `[${shape.join(", ")}]`);
}

/** A copy at an address that views of numbers can have: `slice` of Node's Buffer is none. */
const aligned = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;

const FLOATS: Readonly<Record<string, (bytes: Uint8Array) => Float32Array>> = {
  F32: (bytes) => new Float32Array(aligned(bytes)),
  F16: floatsOfHalves,
  BF16: floatsOfBrains,
  F64: (bytes) => Float32Array.from(new Float64Array(aligned(bytes))),
};

const floatsOf = ({ dtype, bytes }: StoredTensor): Float32Array => FLOATS[dtype]!(bytes);
