import { test } from "vitest";
import { sequential, dense, batchNorm, tanh, relu, dropout, softmaxCrossEntropy, meanSquaredError, adam, sgd, l2, init } from "../../ts/index";
test("x", async () => {
  const models = {
    W1: () => { const m = sequential([dense(16, { inputShape: [2], activation: "tanh" }), dense(16, {activation: "tanh"}), dense(1)]); m.compile({optimizer: adam(), loss: meanSquaredError()}); return m; },
    W3: () => { const m = sequential([dense(512, { inputShape: [784], kernelRegularizer: l2(1e-4) }), batchNorm(), relu(), dropout(0.5), dense(512), batchNorm(), relu(), dropout(0.5), dense(10)]);
  m.compile({ optimizer: adam(), loss: softmaxCrossEntropy(), metrics: ["accuracy"] }); return m; }
  };
  const data = { W1: [new Float32Array(64).map((_, i) => (i % 17) / 17), new Float32Array(32), [32,2], [32,1]],  W3: [new Float32Array(128*784).map((_, i) => (i % 17) / 17), new Int32Array(128).map((_, i) => i % 10), [128,784], [128]] };
  for (const k of ["W1","W3"]) {
  for (const threads of [1]) {
  await init({threads});
  const model = models[k]();
  const d = data[k];
  const t = performance.now();
  const p = model.profile({ data: d[0], shape: d[2] }, { data: d[1], shape: d[3] });
  console.log(performance.now() - t, JSON.stringify(p.instructions.map(i => [i.layer,i.op,i.ms.toFixed(6),i.gflops.toFixed(1),i.gbs.toFixed(1),i.share.toFixed(2),i.bound[0],i.team].join(" ")), null, 1), p.step, p.layers, p.spans, p.limits);
  }}
}, 60000);
