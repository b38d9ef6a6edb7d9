// Import → first training step done, W5, as TensorFlow.js's own API has it; its cpu backend is the sooner ready.

import * as tf from "@tensorflow/tfjs";

await tf.setBackend("cpu");
const model = tf.sequential({
  layers: [tf.layers.dense({ units: 32, inputShape: [64], activation: "relu" }), tf.layers.dense({ units: 10 })],
});
model.compile({
  optimizer: tf.train.momentum(0.01, 0.9),
  loss: (labels, logits) => tf.losses.softmaxCrossEntropy(labels, logits),
});
const x = tf.tensor(new Float32Array(16 * 64).fill(0.5), [16, 64]);
const y = tf.oneHot(tf.zeros([16], "int32"), 10);
const loss = await model.trainOnBatch(x, y);
console.log(JSON.stringify({ ready: performance.now(), loss }));
process.exit();
