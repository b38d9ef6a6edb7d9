// Import → first training step done, W5.

import { dense, sequential, sgd, softmaxCrossEntropy } from "../../../dist/downhill.js";

const model = sequential([dense(32, { inputShape: [64], activation: "relu" }), dense(10)]);
model.compile({ optimizer: sgd({ learningRate: 0.01, momentum: 0.9 }), loss: softmaxCrossEntropy() });
const { loss } = model.trainOnBatch(new Float32Array(16 * 64).fill(0.5), new Int32Array(16));
console.log(JSON.stringify({ ready: performance.now(), loss }));
