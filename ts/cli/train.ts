// downhill train

import { access, constants } from "node:fs/promises";
import { resolve as absolute, dirname } from "node:path";
import { earlyStopping } from "../callbacks/earlyStopping";
import { modelCheckpoint } from "../callbacks/modelCheckpoint";
import { progressBar } from "../callbacks/progressBar";
import { argumentError, DownhillError } from "../errors";
import { saveModel } from "../formats/model";
import { init } from "../runtime/runtime";
import type { Model } from "../training/model";
import {
  type CsvReading,
  type Cut,
  type Examples,
  loadTraining,
  rowsBetween,
  type TrainingData,
  trainedRows,
} from "./data";
import { figuresText, judge, openModel } from "./judge";
import { buildMlp, compileRecipe, type Recipe } from "./recipe";

/** What a resumed training must have in common with the one that it goes on from: kept in the model's metadata. */
export interface Run extends Cut, CsvReading {
  data: string;
  target?: string;
  task?: "classification" | "regression";
  epochs: number;
  batchSize: number;
  patience?: number;
}

/** How and where it is computed. */
export interface RuntimeOptions {
  threads: number | "auto";
  fastMath: boolean;
}

export interface TrainOptions extends Run, Recipe, RuntimeOptions {
  model: "mlp";
  save?: string;
  checkpoint?: string;
  resume?: string;
}

/** Options that shape the model itself: a resumed training has them from the file. */
export const FIXED = [
  ...["model", "hidden", "batchNorm", "dropout", "l1", "l2", "labelSmoothing", "optimizer", "learningRate"],
  ...["finalLearningRate", "schedule", "momentum", "weightDecay", "clipNorm", "seed"],
];

/** Exit code of a training that Ctrl-C ended. */
const INTERRUPTED = 130;

/** `given(option)`: whether the user named it, in the place of its default. Returns the exit code. */
export async function train(options: TrainOptions, given: (option: string) => boolean): Promise<number> {
  for (const path of [options.save, options.checkpoint]) if (path !== undefined) await needFolder(path);
  await init({ threads: options.threads, fastMath: options.fastMath, seed: options.seed });
  const { model, run, data } = options.resume ? await resume(options, given) : await begin(options);
  console.log(`${data.title}\n\n${model.summary()}\n`);

  const { epochs, batchSize, validationSplit, patience } = run;
  const { checkpoint } = options;
  const callbacks = [
    ...(patience === undefined ? [] : [earlyStopping({ patience, restoreBestWeights: true })]),
    ...(checkpoint === undefined ? [] : [modelCheckpoint({ path: checkpoint })]),
    progressBar(),
  ];
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once("SIGINT", interrupt);
  try {
    await model.fit(data.train, {
      ...{ epochs, batchSize, validationSplit, callbacks },
      initialEpoch: model.epoch,
      signal: stop.signal,
    });
  } catch (error) {
    if (!stop.signal.aborted || error !== stop.signal.reason) throw error;
    return await interrupted(model, checkpoint);
  } finally {
    process.off("SIGINT", interrupt);
  }

  const parts = partsOf(data, validationSplit);
  console.log(await figuresText(model, parts));
  const [name, examples] = parts.at(-1)!;
  const { detail, verdict } = judge(model, examples, name);
  console.log(`\n${detail}\n`);
  if (options.save !== undefined) {
    const bytes = await saveModel(model, options.save);
    console.log(`saved ${options.save} (${bytes.length} bytes)`);
  }
  console.log(verdict);
  return 0;
}

/** Fails before the training, and not behind it, where the model could not be written. */
async function needFolder(path: string): Promise<void> {
  const folder = dirname(absolute(path));
  try {
    await access(folder, constants.W_OK);
  } catch (cause) {
    throw new DownhillError(
      "data",
      `cannot write ${JSON.stringify(path)}: ${folder} is not a folder that can be written to`,
      { cause },
    );
  }
}

interface Prepared {
  model: Model;
  run: Run;
  data: TrainingData;
}

async function begin(options: TrainOptions): Promise<Prepared> {
  const run = runOf(options);
  const data = await loadTraining(run.data, run, run);
  const rows = trainedRows(data.train.y.shape[0]!, run.validationSplit);
  if (run.patience !== undefined && rows === data.train.y.shape[0])
    throw argumentError("--patience", "a --validation-split that holds at least one example", run.validationSplit);
  const model = buildMlp(data, options);
  compileRecipe(model, data, options, Math.ceil(rows / run.batchSize) * run.epochs);
  remember(model, data, run);
  return { model, run, data };
}

async function resume(options: TrainOptions, given: (option: string) => boolean): Promise<Prepared> {
  const path = options.resume!;
  const fixed = FIXED.find(given);
  if (fixed) throw argumentError("--resume", "no options that shape the model, which comes from the file", fixed);
  const model = await openModel(path);
  const stored = model.metadata["run"];
  if (stored === undefined)
    throw new DownhillError("data", `--resume: expected a model that downhill train has saved, got ${path}`);
  const asked = runOf(options);
  const run: Run = { ...asked, ...JSON.parse(stored) };
  for (const key of Object.keys(asked) as (keyof Run)[]) if (given(key)) Object.assign(run, { [key]: asked[key] });
  if (model.epoch >= run.epochs)
    throw argumentError(
      "--epochs",
      `more than the ${model.epoch} epochs that ${path} has been trained for`,
      run.epochs,
    );
  const data = await loadTraining(run.data, run, run);
  const { columns, classes } = model.metadata;
  if (columns !== remembered(data)["columns"] || classes !== remembered(data)["classes"])
    throw new DownhillError("data", `--data: expected the columns and classes that ${path} was trained on`);
  remember(model, data, run);
  return { model, run, data };
}

const runOf = ({ data, target, task, header, delimiter, missing, ...rest }: TrainOptions): Run => ({
  ...{ data, header, delimiter, missing },
  ...(target !== undefined && { target }),
  ...(task !== undefined && { task }),
  ...{ epochs: rest.epochs, batchSize: rest.batchSize, seed: rest.seed },
  ...{ validationSplit: rest.validationSplit, testSplit: rest.testSplit },
  ...(rest.patience !== undefined && { patience: rest.patience }),
});

/** What prediction needs to know of the data. */
const remembered = ({ classes, table }: TrainingData): Record<string, string> => ({
  ...(classes && { classes: JSON.stringify(classes) }),
  ...(table && { columns: JSON.stringify(table.encoding.columns), target: table.encoding.target }),
});

function remember(model: Model, data: TrainingData, run: Run): void {
  Object.assign(model.metadata, remembered(data), { run: JSON.stringify(run) });
}

/** The examples that were trained on, those that were held out, and those of the test. */
function partsOf({ train, test }: TrainingData, validationSplit: number): [string, Examples][] {
  const rows = train.y.shape[0]!;
  const trained = trainedRows(rows, validationSplit);
  const parts: [string, Examples][] = [["training", rowsBetween(train, 0, trained)]];
  if (trained < rows) parts.push(["validation", rowsBetween(train, trained, rows)]);
  if (test) parts.push(["test", test]);
  return parts;
}

async function interrupted(model: Model, checkpoint: string | undefined): Promise<number> {
  if (checkpoint !== undefined) await saveModel(model, checkpoint);
  const saved = checkpoint === undefined ? "" : `; saved as it is to ${checkpoint}`;
  console.error(`downhill: interrupted in epoch ${model.epoch + 1}, after update ${model.state.step}${saved}`);
  return INTERRUPTED;
}
