// downhill profile

import { argumentError } from "../errors";
import { init } from "../runtime/runtime";
import type { Model } from "../training/model";
import { profileText } from "../training/profileText";
import { type CsvReading, type Examples, loadExamples, loadTraining, rowsBetween } from "./data";
import { rememberedBy } from "./file";
import { fitted, openModel } from "./judge";
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
  const { model, examples } = file === undefined ? await built(options) : await saved(file, options);
  const { x, y } = rowsBetween(examples, 0, Math.min(options.batchSize, examples.y.shape[0]!));
  const found = model.profile(fitted(model, x), y);
  console.log(options.json ? JSON.stringify(found, null, 2) : profileText(found));
}

interface Profiled {
  model: Model;
  examples: Examples;
}

async function saved(file: string, options: ProfileOptions): Promise<Profiled> {
  const model = await openModel(file);
  const { x, y } = await loadExamples(options.data, "train", true, rememberedBy(model), options);
  return { model, examples: { x, y } as Examples };
}

async function built(options: ProfileOptions): Promise<Profiled> {
  const cut = { validationSplit: 0, testSplit: 0, seed: 0 };
  const data = await loadTraining(options.data, cut, { ...options, missing: "mean" });
  const recipe = { ...options, schedule: "constant", momentum: 0.9 } as const;
  const model = buildMlp(data, recipe);
  compileRecipe(model, data, recipe, 1);
  return { model, examples: data.train };
}
