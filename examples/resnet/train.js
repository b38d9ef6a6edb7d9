// A small residual net on handwritten digits: the embedded ones (8 × 8), or MNIST where MNIST_DIR names its folder.
//
//   node examples/resnet/train.js                            10 epochs, seconds on one core
//   MNIST_DIR=path/to/mnist node examples/resnet/train.js 3  as many epochs

import {
  add,
  batchNorm,
  conv2d,
  cosineDecay,
  dense,
  digits,
  functional,
  globalAveragePool2d,
  idx,
  input,
  relu,
  rescaling,
  reshape,
  sgd,
  softmaxCrossEntropy,
  warmup,
} from "downhill";

const [EPOCHS = 10] = process.argv.slice(2).map(Number);
const BATCH = 64;
const MNIST = process.env.MNIST_DIR;

const { train, test } = MNIST ? await idx(MNIST) : digits();
const side = MNIST ? 28 : 8;
const widths = MNIST ? [16, 32, 64] : [16, 32];

/** A convolution without bias (batch norm has one) and batch norm. */
const normalized = (x, width, size, strides) =>
  batchNorm()(conv2d(width, size, { strides, padding: "same", useBias: false })(x));

/** x and what two convolutions make of it, added; where the shape changes x goes through one of 1 × 1. */
function block(x, width, strides) {
  const changed = normalized(relu()(normalized(x, width, 3, strides)), width, 3, 1);
  const same = strides === 1 && x.shape.at(-1) === width;
  return relu()(add()([same ? x : normalized(x, width, 1, strides), changed]));
}

const x = input(MNIST ? [side, side, 1] : [side * side]);
let h = MNIST ? rescaling({ scale: 1 / 255 })(x) : reshape([side, side, 1])(x);
h = relu()(normalized(h, widths[0], 3, 1));
widths.forEach((width, i) => {
  h = block(h, width, i === 0 ? 1 : 2);
});
const model = functional({ inputs: x, outputs: dense(10)(globalAveragePool2d()(h)) });
console.log(model.summary());

const steps = EPOCHS * Math.ceil(train.y.data.length / BATCH);
const learningRate = warmup({ steps: Math.ceil(steps / 10), then: cosineDecay({ initial: 0.1, steps }) });
model.compile({
  optimizer: sgd({ learningRate, momentum: 0.9, nesterov: true, weightDecay: 5e-4 }),
  loss: softmaxCrossEntropy(),
  metrics: ["accuracy"],
});
await model.fit(train, {
  epochs: EPOCHS,
  batchSize: BATCH,
  callbacks: [
    {
      onEpochEnd: (epoch, { loss, accuracy }) =>
        console.log(`epoch ${epoch + 1}: loss ${loss.toFixed(4)}, accuracy ${accuracy.toFixed(4)}`),
    },
  ],
});
const { accuracy } = await model.evaluate(test);
console.log(`test accuracy ${accuracy.toFixed(4)}`);
