// Models as ONNX files, for users. What makes them is a module of its own, which is loaded when somebody wants one.

import { argumentError } from "../../errors";
import { averagedWeights } from "../../training/averagedWeights";
import { Model } from "../../training/model";
import type { ExportOnnxOptions } from "./exportModel";

/**
 * The model as an ONNX file: its graph as `predict` computes it, with moving statistics, without masks and noise, at the weights of
 * `averagedWeights`. Inputs and outputs have the model's names and shapes (images [batch, h, w, c]); their first axis, `batch`, is of any size.
 * Works while a `fit` is pending, and sees the last finished step; equal models give equal bytes. `model.metadata` goes into the file's.
 *
 * Layers of your own are exported by the ops that they are written in. Outputs are those of `predict` but for rounding: about 1e-6 of
 * the largest, where ONNX Runtime computes them.
 *
 * @returns a promise of the bytes: opset 20, IR version 9
 * @example await exportOnnx(model, { target: "digits.onnx", softmax: true })
 * @throws DownhillError `argument` for a bad option, and where a layer of your own needs the number of examples, or a part of them;
 * `data` where the path cannot be written, `state`, `memory` beyond 2 GiB
 */
export async function exportOnnx(model: Model, options?: ExportOnnxOptions): Promise<Uint8Array> {
  if (!(model instanceof Model)) throw argumentError("exportOnnx", "a model", model);
  const { state } = model;
  const weights = averagedWeights(model); // as they are now, not when the module has come
  const metadata = { ...model.metadata };
  const { encodeOnnx } = await import("./exportModel");
  return encodeOnnx(state, weights, metadata, options);
}
