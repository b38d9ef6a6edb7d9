// The reference run: what every engine and every number of threads has to end with the same bits of. It takes the library
// as an argument, so that sources, dist/ and dist/browser/ all run this very file.

import type * as Downhill from "../../ts/index";

type Library = Pick<
  typeof Downhill,
  | "sequential"
  | "dense"
  | "batchNorm"
  | "relu"
  | "dropout"
  | "softmaxCrossEntropy"
  | "adam"
  | "l2"
  | "orthogonal"
  | "weightsHash"
>;

const ROWS = 1037;
const FEATURES = 203;
const CLASSES = 7;

/** Rows of random bytes over 64, labels that can be learned from them. */
export function referenceData() {
  let seed = 7;
  const next = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed >>> 24;
  };
  const data = new Float32Array(ROWS * FEATURES).map(() => next() / 64);
  const labels = new Int32Array(ROWS).map((_, i) => {
    let best = 0;
    for (let c = 1; c < CLASSES; c++) if (data[i * FEATURES + c]! > data[i * FEATURES + best]!) best = c;
    return best;
  });
  return { x: { data, shape: [ROWS, FEATURES] }, y: labels };
}

/** Batch norm, dropout, clipping, Adam, of sizes that no number of threads divides. */
export function referenceModel(library: Library, runtime?: Downhill.Runtime) {
  const { sequential, dense, batchNorm, relu, dropout, softmaxCrossEntropy, adam, l2, orthogonal } = library;
  const model = sequential(
    [
      dense(301, { inputShape: [FEATURES], kernelRegularizer: l2(1e-3) }),
      batchNorm(),
      relu(),
      dropout(0.3),
      dense(151, { activation: "tanh", kernelInitializer: orthogonal() }), // of the extension,
      batchNorm(),
      dense(CLASSES),
    ],
    runtime && { runtime },
  );
  model.compile({
    optimizer: adam({ learningRate: 2e-3 }),
    loss: softmaxCrossEntropy(),
    metrics: ["accuracy"],
    clipNorm: 1,
  });
  return model;
}

/** How it is trained. */
export const REFERENCE_FIT = { epochs: 10, batchSize: 53, stepsPerEpoch: 20 };

/** 200 steps of the reference model: the hash of its weights, and the last epoch's loss. */
export async function referenceRun(
  library: Library,
  runtime?: Downhill.Runtime,
  batchSize = REFERENCE_FIT.batchSize,
): Promise<{ hash: string; loss: number }> {
  const model = referenceModel(library, runtime);
  const { epochs } = await model.fit(referenceData(), { ...REFERENCE_FIT, batchSize });
  const hash = await library.weightsHash(model);
  model.dispose();
  return { hash, loss: epochs.at(-1)!.loss };
}

type Ensembles = Library & Pick<typeof Downhill, "bagging" | "setSeed" | "prelu" | "rmsprop">;

/**
 * An ensemble: the hashes of its models, and the out-of-bag score. Its models need the core's extension, which a page's
 * worker has of its own.
 */
export async function baggingRun(library: Ensembles, parallel: number) {
  const { sequential, dense, batchNorm, dropout, prelu, rmsprop, softmaxCrossEntropy } = library;
  library.setSeed(0);
  const make = () => {
    const model = sequential([
      dense(67, { inputShape: [FEATURES] }),
      batchNorm(),
      prelu(),
      dropout(0.3),
      dense(CLASSES),
    ]);
    model.compile({ optimizer: rmsprop(), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
    return model;
  };
  const ensemble = library.bagging(make, { estimators: 3, parallel });
  const { failed } = await ensemble.fit(referenceData(), { epochs: 2, batchSize: 53 });
  const hashes = await Promise.all(ensemble.models.map((model) => library.weightsHash(model)));
  const score = await ensemble.oobScore();
  ensemble.dispose();
  return { hashes, score, failed: failed.length };
}
