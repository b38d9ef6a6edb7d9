// Trained models: read from a file, and what they say of examples.

import { confusionMatrix, mostLikely, regressionErrors } from "../data/scores";
import { argumentError, DownhillError } from "../errors";
import { loadModel } from "../formats/model";
import { sizeOf } from "../graph/graph";
import { sigmoid, softmax } from "../layers/activation";
import type { NDArray } from "../ndarray";
import { type Model, sequential } from "../training/model";
import type { Examples, Inputs } from "./data";
import { accuracyOf, columns, confusionText, figure, percent } from "./report";

/** Reads a model; its errors name the file. */
export async function openModel(file: string): Promise<Model> {
  try {
    return await loadModel(file);
  } catch (cause) {
    if (!(cause instanceof DownhillError) || cause.code !== "argument") throw cause;
    throw new DownhillError("format", cause.message, { cause }); // the file's fault, not the command's
  }
}

/** What a model's only output means, by its loss. */
export type Meaning = "classes" | "probability" | "numbers";

export function meaningOf(model: Model): Meaning {
  const { structure, compiled } = model.state;
  if (structure.inputs.length !== 1 || structure.outputs.length !== 1)
    throw argumentError(
      "model",
      "one input and one output",
      `${structure.inputs.length} and ${structure.outputs.length}`,
    );
  const loss = compiled?.losses[0]?.config;
  if (loss?.type === "binaryCrossEntropy") return "probability";
  if (loss ? loss.type === "softmaxCrossEntropy" : model.metadata["classes"] !== undefined) return "classes";
  return "numbers";
}

/** The same numbers in the shape that the model takes. */
export function fitted(model: Model, x: Inputs): Inputs {
  const { shape } = model.state.structure.inputs[0]!.value;
  const rows = x.shape[0]!;
  return x.data.length === rows * sizeOf(shape) ? ({ data: x.data, shape: [rows, ...shape] } as Inputs) : x;
}

/** Probabilities of classes, or numbers, a row an example. */
export function scores(model: Model, x: Inputs): NDArray {
  const output = model.predict(fitted(model, x)) as NDArray;
  const meaning = meaningOf(model);
  const shape = output.shape.slice(1);
  const fromLogits = model.state.compiled?.losses[0]?.config["fromLogits"] !== false;
  if (meaning === "numbers" || (meaning === "probability" && !fromLogits)) return output;
  const squash = sequential([meaning === "classes" ? softmax({ inputShape: shape }) : sigmoid({ inputShape: shape })]);
  try {
    return squash.predict(output);
  } finally {
    squash.dispose();
  }
}

export const classNames = (model: Model, width: number): string[] => {
  const names = model.metadata["classes"];
  return names === undefined ? Array.from({ length: width }, (_, c) => `${c}`) : (JSON.parse(names) as string[]);
};

/** Loss and metrics for each part, as a table. */
export async function figuresText(model: Model, parts: readonly [string, Examples][]): Promise<string> {
  const rows: string[][] = [];
  for (const [name, examples] of parts) {
    const logs = await model.evaluate({ x: fitted(model, examples.x), y: examples.y });
    const shown = Object.entries(logs).filter(([key]) => key !== "dataLoss" && key !== "penalty");
    if (rows.length === 0) rows.push(["", "examples", ...shown.map(([key]) => key)]);
    const value = (key: string, v: number) => (/accuracy$/i.test(key) ? percent(v) : figure(v));
    rows.push([name, `${examples.x.shape[0]}`, ...shown.map(([key, v]) => value(key, v))]);
  }
  return columns(rows);
}

/** How well the examples are predicted: in detail, and in one line that begins with `name`. */
export function judge(model: Model, examples: Examples, name: string): { detail: string; verdict: string } {
  const { x, y } = examples;
  const output = model.predict(fitted(model, x)) as NDArray;
  if (meaningOf(model) === "classes") {
    if (!(y.data instanceof Int32Array)) throw new DownhillError("data", `${name}: expected class labels, got numbers`);
    const classes = classNames(model, output.shape[1]!);
    const counts = confusionMatrix(y.data, mostLikely(output), classes.length);
    return { detail: confusionText(counts, classes), verdict: `${name} accuracy ${percent(accuracyOf(counts))}` };
  }
  if (output.data.length !== y.data.length)
    throw new DownhillError(
      "shape",
      `${name}: expected one target an output, got ${y.data.length} for ${output.data.length}`,
    );
  const errors = regressionErrors(Float32Array.from(y.data), output.data);
  const detail = columns([
    ["root mean square error", figure(errors.rootMeanSquare)],
    ["mean absolute error", figure(errors.meanAbsolute)],
  ]);
  return { detail, verdict: `${name} R² ${errors.rSquared.toFixed(3)}` };
}
