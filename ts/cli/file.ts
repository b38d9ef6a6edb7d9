// Commands on a model's file: evaluate, predict, inspect.

import { writeFile } from "node:fs/promises";
import { fillMissing } from "../data/columns";
import { mostLikely } from "../data/scores";
import { DownhillError, show, wrong } from "../errors";
import { parseJson } from "../formats/json";
import { type OutputFormat, predictionLines } from "../formats/predictions";
import type { NDArray } from "../ndarray";
import { init } from "../runtime/runtime";
import { explain } from "../training/explain";
import type { Model } from "../training/model";
import { type CsvReading, type Examples, loadExamples, type Part, type Remembered } from "./data";
import { classNames, figuresText, judge, meaningOf, openModel, scores } from "./judge";
import { columnMeans } from "./recipe";
import type { Run, RuntimeOptions } from "./train";

/** Where the examples are, for `evaluate` and `predict`. */
export interface ExampleOptions extends RuntimeOptions, Pick<CsvReading, "header" | "delimiter"> {
  missing?: CsvReading["missing"];
  data: string;
  part: Part;
}

async function load(file: string, options: RuntimeOptions): Promise<Model> {
  await init({ threads: options.threads, fastMath: options.fastMath });
  return openModel(file);
}

/** What the model knows of the table that it was trained on. */
export function rememberedBy(model: Model): Remembered {
  const { columns, classes, target, run } = model.metadata;
  if (columns === undefined || target === undefined) return { encoding: undefined, missing: "error" };
  const { missing } = JSON.parse(run ?? "{}") as Partial<Run>;
  const names = namesIn("columns", columns);
  const means = columnMeans(model);
  const fit = means?.length === names.length;
  return {
    encoding: {
      target,
      columns: names,
      classes: classes === undefined ? undefined : namesIn("classes", classes),
      means: fit ? [...means!] : undefined,
    },
    missing: missing === "mean" && fit ? "mean" : "error",
  };
}

/** A list of names in a model's metadata, where a program may write what it wants. */
function namesIn(key: string, json: string): string[] {
  const names = parseJson(`the model's metadata ${key}`, json, 2);
  if (Array.isArray(names) && names.every((name) => typeof name === "string")) return names;
  throw wrong("format", `the model's metadata ${key}`, "a list of names", show(names));
}

export async function evaluate(file: string, options: ExampleOptions): Promise<void> {
  const model = await load(file, options);
  const { x, y } = await loadExamples(options.data, options.part, true, rememberedBy(model), options);
  const examples = { x, y } as Examples;
  if (model.state.compiled) console.log(`${await figuresText(model, [[options.data, examples]])}\n`);
  const { detail, verdict } = judge(model, examples, options.data === "digits" ? options.part : "data");
  console.log(`${detail}\n\n${verdict}`);
}

export interface PredictOptions extends ExampleOptions {
  format: OutputFormat;
  output?: string;
}

export async function predict(file: string, options: PredictOptions): Promise<void> {
  const model = await load(file, options);
  const { x } = await loadExamples(options.data, options.part, false, rememberedBy(model), options);
  const absent = x.data instanceof Float32Array ? takeGaps(x as NDArray) : undefined;
  const values = scores(model, x);
  const width = values.data.length / values.shape[0]!;
  const classes = meaningOf(model) === "classes" ? classNames(model, width) : undefined;
  const text = predictionLines(values, options.format, {
    classes: classes && { names: classes, best: mostLikely(values) },
    target: model.metadata["target"] ?? "prediction",
    absent,
  });
  const lines = absent?.filter(Boolean).length;
  if (lines) console.error(`downhill: ${lines} of ${absent!.length} rows lack values: no prediction in their lines`);
  if (options.output === undefined) process.stdout.write(text);
  else
    await writeFile(options.output, text).catch((cause) => {
      throw new DownhillError("data", `--output: cannot write ${options.output}: ${cause.message}`, { cause });
    });
}

/** Which rows hold NaN, which becomes 0. */
function takeGaps(x: NDArray): boolean[] {
  const width = x.data.length / x.shape[0]!;
  const gaps = Array.from({ length: x.shape[0]! }, (_, row) =>
    x.data.subarray(row * width, (row + 1) * width).some(Number.isNaN),
  );
  if (gaps.includes(true)) fillMissing(x, new Float32Array(width));
  return gaps;
}

export async function inspect(file: string, options: { tape: boolean; rows: number }): Promise<void> {
  const model = await load(file, { threads: 1, fastMath: false });
  const { state } = model;
  const facts: [string, string][] = [];
  if (state.compiled) {
    const { config, losses, metrics } = state.compiled;
    facts.push(
      ["loss", losses.map(({ config }) => described(config)).join(", ")],
      ["metrics", metrics.map(({ name }) => name).join(", ") || "none"],
      ["optimizer", described(config.optimizer)],
      ["learning rate", `${model.learningRate} at the next update`],
    );
  }
  facts.push(
    ["trained", `${state.epoch} epochs, ${state.step} updates`],
    ["seed", `${state.seed}, stream ${state.stream}`],
  );
  for (const [key, value] of Object.entries(model.metadata)) facts.push([key, value]);
  const width = Math.max(...facts.map(([name]) => name.length));
  console.log(`${model.summary()}\n\n${facts.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n")}`);
  if (options.tape) console.log(`\n${explain(model, { batchSize: options.rows })}`);
}

/** `adam(learningRate: 0.001, beta1: 0.9)` */
function described({ type, ...options }: { type: string; [option: string]: unknown }): string {
  const text = (value: unknown): string =>
    typeof value === "object" && value !== null && "type" in value
      ? described(value as { type: string })
      : JSON.stringify(value);
  return `${type}(${Object.entries(options)
    .map(([key, value]) => `${key}: ${text(value)}`)
    .join(", ")})`;
}
