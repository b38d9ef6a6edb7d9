// A convolutional net with augmentation: 99.4 % of MNIST's test images after 12 epochs, where MNIST_DIR names its folder; else the
// embedded digits, 8 × 8, shown three times as large.
//
//   node examples/mnist/train.js                            12 epochs of 1,437 digits
//   MNIST_DIR=path/to/mnist node examples/mnist/train.js 3  as many epochs of 60,000

import {
  adam,
  conv2d,
  cosineDecay,
  dense,
  digits,
  flatten,
  idx,
  init,
  maxPool2d,
  randomRotate,
  randomTranslate,
  randomZoom,
  rescaling,
  sequential,
  softmaxCrossEntropy,
  upSampling2d,
} from "downhill";

const [EPOCHS = 12] = process.argv.slice(2).map(Number);
const BATCH = 64;
const MNIST = process.env.MNIST_DIR;

await init({ threads: "auto" });
const { train, test } = MNIST ? await idx(MNIST) : images(digits());

const model = sequential([
  MNIST
    ? rescaling({ scale: 1 / 255, inputShape: [28, 28, 1] })
    : upSampling2d(3, { interpolation: "bilinear", inputShape: [8, 8, 1] }),
  conv2d(32, 3, { activation: "relu" }),
  maxPool2d(2),
  conv2d(64, 3, { activation: "relu" }),
  maxPool2d(2),
  flatten(),
  dense(128, { activation: "relu" }),
  dense(10),
]);
console.log(model.summary());

const steps = EPOCHS * Math.ceil(train.y.data.length / BATCH);
model.compile({
  optimizer: adam({ learningRate: cosineDecay({ initial: 2e-3, steps }) }),
  loss: softmaxCrossEntropy(),
  metrics: ["accuracy"],
});
// movements that follow one another are one: the image is interpolated once
const augment = [
  randomRotate({ factor: 0.03 }),
  randomZoom({ heightFactor: 0.1 }),
  randomTranslate({ heightFactor: 0.08, widthFactor: 0.08 }),
];
await model.fit(train, {
  epochs: EPOCHS,
  batchSize: BATCH,
  augment,
  callbacks: [
    {
      onEpochEnd: (epoch, { loss, accuracy }) =>
        console.log(`epoch ${epoch + 1}: loss ${loss.toFixed(4)}, accuracy ${accuracy.toFixed(4)}`),
    },
  ],
});
const { accuracy } = await model.evaluate(test);
console.log(`test accuracy ${accuracy.toFixed(4)}`);

/** The rows of digits() as images. */
function images(digits) {
  const shaped = ({ x, y }) => ({ x: { data: x.data, shape: [y.data.length, 8, 8, 1] }, y });
  return { train: shaped(digits.train), test: shaped(digits.test) };
}
