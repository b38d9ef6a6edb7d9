import { test } from "vitest";
import { sequential, dense, batchNorm, relu, dropout, softmaxCrossEntropy, adam, l2, init } from "../../ts/index";
test("x", async () => {
  for (const threads of [1,2]) {
  await init({threads});
  const model = sequential([dense(512, { inputShape: [784], kernelRegularizer: l2(1e-4) }), batchNorm(), relu(), dropout(0.5), dense(10)]);
  model.compile({ optimizer: adam(), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
  const x = new Float32Array(128*784).map((_, i) => (i % 17) / 17), y = new Int32Array(128).map((_, i) => i % 10);
  const t = performance.now();
  const p = model.profile({ data: x, shape: [128, 784] }, y);
  console.log(performance.now() - t, JSON.stringify(p.instructions.map(i => [i.layer,i.op,i.ms.toFixed(4),i.gflops.toFixed(1),i.gbs.toFixed(1),i.share.toFixed(2),i.bound[0],i.team].join(" ")), null, 1), p.step, p.layers, p.spans, p.limits);
  }
}, 60000);
