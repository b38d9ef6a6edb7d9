// A training run that goes on from its checkpoint, if there is one. As a program: node resumable.mjs <path>; it prints a
// line at the end of each epoch, before the checkpoint is written.

import { existsSync } from "node:fs";
import {
  adam,
  batchNorm,
  cosineDecay,
  dense,
  dropout,
  earlyStopping,
  loadModel,
  modelCheckpoint,
  relu,
  sequential,
  softmaxCrossEntropy,
  weightsHash,
} from "../../ts/index";
import { examples } from "./examples";

export const EPOCHS = 24;

/** Trains to the end and gives the weights' hash. */
export async function run(path: string, onEpochEnd: (epoch: number) => void = () => {}): Promise<string> {
  let model = sequential([
    dense(201, { inputShape: [12] }),
    batchNorm(),
    relu(),
    dropout(0.3),
    dense(157),
    batchNorm(),
    relu(),
    dense(3),
  ]);
  model.compile({
    optimizer: adam({ learningRate: cosineDecay({ initial: 0.01, steps: 200 }) }),
    loss: softmaxCrossEntropy(),
    clipNorm: 1,
  });
  if (existsSync(path)) model = (await loadModel(path)) as typeof model;
  await model.fit(examples(), {
    initialEpoch: model.epoch,
    epochs: EPOCHS,
    validationSplit: 0.2,
    callbacks: [
      modelCheckpoint({ path }),
      earlyStopping({ patience: EPOCHS, restoreBestWeights: true }),
      { onEpochEnd },
    ],
  });
  return weightsHash(model);
}

if (process.argv[1]?.endsWith("resumable.mjs"))
  console.log(await run(process.argv[2]!, (epoch) => console.log(`epoch ${epoch}`)));
