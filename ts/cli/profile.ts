// downhill profile

import { argumentError } from "../errors";
import { init } from "../runtime/runtime";
import type { Model } from "../training/model";
import { profileText } from "../training/profileText";
import { type CsvReading, type Examples, loadExamples, loadTraining, rowsBetween } from "./data";
import { rememberedBy } from "./file";
import { fitted, openModel } from "./judge";
import { madeUp } from "./madeUp";
import { buildMlp, compileRecipe, type Recipe } from "./recipe";
import { FIXED, type RuntimeOptions } from "./train";

/** The recipe is for a model that does not come from a file. */
export interface ProfileOptions
  extends Omit<Recipe, "schedule" | "momentum">,
    RuntimeOptions,
    Pick<CsvReading, "header" | "delimiter"> {
  data: string;
  batchSize: number;
  target?: string;
  json: boolean;
}

/** `given(option)`: whether the user named it, in the place of its default. */
export async function profile(
  file: string | undefined,
  options: ProfileOptions,
  given: (option: string) => boolean,
): Promise<void> {
  const fixed = file === undefined ? undefined : [...FIXED, "target"].find(given);
  if (fixed) throw argumentError(file!, "no options that shape the model, which comes from the file", fixed);
  await init({ threads: options.threads, fastMath: options.fastMath });
  const { model, x, y } = file === undefined ? await built(options) : await saved(file, options, given("data"));
  const found = model.profile(x, y);
  console.log(options.json ? JSON.stringify(found, null, 2) : profileText(found));
}

/** A model and a batch. */
interface Profiled {
  model: Model;
  x: Parameters<Model["profile"]>[0];
  y: Parameters<Model["profile"]>[1];
}

/** Without data that the user named, a batch is made up: the embedded digits fit few models. */
async function saved(file: string, options: ProfileOptions, named: boolean): Promise<Profiled> {
  const model = await openModel(file);
  if (!named) return { model, ...madeUp(model, options.batchSize) };
  const { x, y } = await loadExamples(options.data, "train", true, rememberedBy(model), options);
  return batchOf(model, { x, y } as Examples, options);
}

async function built(options: ProfileOptions): Promise<Profiled> {
  const cut = { validationSplit: 0, testSplit: 0, seed: 0 };
  const data = await loadTraining(options.data, cut, { ...options, missing: "mean" });
  const recipe = { ...options, schedule: "constant", momentum: 0.9 } as const;
  const model = buildMlp(data, recipe);
  compileRecipe(model, data, recipe, 1);
  return batchOf(model, data.train, options);
}

function batchOf(model: Model, examples: Examples, { batchSize }: ProfileOptions): Profiled {
  const { x, y } = rowsBetween(examples, 0, Math.min(batchSize, examples.y.shape[0]!));
  return { model, x: fitted(model, x), y };
}
