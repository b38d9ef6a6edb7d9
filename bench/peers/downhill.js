// downhill itself, the built package: strict, or with --fastMath.

import { modelOf } from "./model.js";
import { compete } from "./protocol.js";

compete(async ({ workload, weights, threads, options }) => {
  const downhill = await import("../../dist/downhill.js");
  const { fastMath, algorithm } = options;
  const runtime = await downhill.init({ threads, fastMath });
  if (runtime.fastMath !== fastMath) throw new Error(`Node ${process.versions.node} has no relaxed SIMD`);
  if (runtime.threads !== threads) throw new Error(`there are only ${runtime.threads} threads`);
  const model = modelOf(downhill, workload, weights, runtime, algorithm);
  return {
    step: (x, y) => model.trainOnBatch(x, y).dataLoss,
    predict: (x) => model.predict(x).data,
    versions: {},
  };
});
