// Models of every layer, for tests of files that go elsewhere.

import * as d from "../../ts/index";
import { floats } from "./contract";

const image = { inputShape: [7, 6, 4] };
const sequence = { inputShape: [5, 6] };
const row = { inputShape: [9] };

/** Layers one behind the other. */
const stack = (...layers: d.Layer[]) => [d.sequential(layers)];
/** A layer on images, sequences and rows of numbers: first, and behind a convolution, where channels come first. */
const anywhere = (make: () => d.Layer) => [
  d.sequential([d.dense(8, row), make()]),
  d.sequential([d.dense(8, sequence), make()]),
  d.sequential([d.conv2d(8, 3, image), make(), d.conv2d(3, 2)]),
  d.sequential([d.activation("linear", { inputShape: [4, 4, 8] }), make()]),
];
/** A layer of two inputs, of each kind. */
const merged = (make: () => d.Layer) =>
  [row, sequence, image].map(({ inputShape }) => {
    const [a, b] = [d.input(inputShape), d.input(inputShape)];
    const second = inputShape.length === 3 ? d.conv2d(4, 3, { padding: "same" })(b) : d.dense(inputShape.at(-1)!)(b);
    return d.functional({ inputs: [a, b], outputs: make()([a, second]) });
  });
const ids = (n: number, seed?: number) => floats(n, seed).map((v) => Math.floor((v + 1) * 4.99));
const recurrent = (make: (options: object) => d.Layer) => [
  ...stack(make(sequence)),
  ...stack(make({ ...sequence, returnSequences: true }), make({ returnSequences: true, useBias: false }), make({})),
];

/** Models, and numbers for their inputs. */
export interface Case {
  models: () => d.Model[];
  data?: (n: number, seed?: number) => Float32Array;
}

const ACTIVATIONS = [
  ...([
    "linear",
    "relu",
    "leakyRelu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "sigmoid",
    "tanh",
    "softplus",
    "softmax",
  ] as const),
];

/** By layers' names. */
export const CASES: Record<string, Case["models"] | Case> = {
  input: () => {
    const x = d.input([3], { name: "given" });
    return [d.functional({ inputs: x, outputs: x }), d.functional({ inputs: { x }, outputs: { x, y: x } })];
  },
  dense: () => [
    ...stack(d.dense(5, row), d.dense(3, { useBias: false })),
    ...stack(d.dense(5, { ...sequence, activation: "relu" })),
    ...stack(d.dense(5, image)),
    ...ACTIVATIONS.flatMap((activation) => stack(d.dense(5, { ...row, activation }))),
  ],
  conv1d: () => [
    ...stack(
      d.conv1d(6, 3, { inputShape: [11, 4], padding: "same", strides: 2 }),
      d.conv1d(4, 3, { activation: "relu" }),
    ),
    ...stack(d.conv1d(6, 3, { inputShape: [11, 4], dilationRate: 2, groups: 2 }), d.flatten(), d.dense(2)),
  ],
  conv2d: () => [
    ...stack(d.conv2d(5, 3, image)),
    ...stack(d.conv2d(6, [2, 3], { ...image, padding: "same", groups: 2, activation: "relu" })),
    ...stack(d.conv2d(5, [3, 2], { ...image, padding: "same", strides: 2, useBias: false })),
    ...stack(d.conv2d(5, 2, { ...image, padding: "same", strides: [1, 2], dilationRate: [2, 1] })),
    ...stack(d.conv2d(4, 1, { ...image, strides: 3 }), d.conv2d(4, 1)),
    ...stack(d.conv2d(8, 3, { ...image, padding: "same", algorithm: "winograd4" }), d.maxPool2d(2), d.relu()),
  ],
  depthwiseConv2d: () => [
    ...stack(d.depthwiseConv2d(3, image)),
    ...stack(
      d.depthwiseConv2d([3, 2], { ...image, depthMultiplier: 3, padding: "same", strides: 2, activation: "elu" }),
    ),
  ],
  separableConv2d: () => [
    ...stack(d.separableConv2d(5, 3, image)),
    ...stack(d.separableConv2d(5, 3, { ...image, depthMultiplier: 2, padding: "same", dilationRate: 2 })),
  ],
  conv2dTranspose: () => [
    ...stack(d.conv2dTranspose(5, 3, image)),
    ...stack(d.conv2dTranspose(5, 3, { ...image, strides: 2, padding: "same", activation: "relu" })),
    ...stack(d.conv2dTranspose(5, 2, { ...image, strides: 3 })),
    ...stack(d.conv2dTranspose(5, [2, 4], { ...image, strides: [3, 1], padding: "same", dilationRate: [1, 2] })),
  ],
  maxPool2d: () => [
    ...stack(d.maxPool2d(2, image)),
    ...stack(d.conv2d(6, 3, { ...image, activation: "relu" }), d.maxPool2d([2, 3], { strides: 1, padding: "same" })),
    ...stack(d.maxPool2d(3, { ...image, strides: 2, padding: "same" })),
  ],
  averagePool2d: () => [
    ...stack(d.averagePool2d(2, image)),
    ...stack(d.averagePool2d(3, { ...image, strides: 2, padding: "same" })),
    ...stack(d.averagePool2d([2, 4], { ...image, strides: 1, padding: "same" })),
  ],
  globalAveragePool2d: () => [
    ...stack(d.globalAveragePool2d(image)),
    ...stack(d.conv2d(5, 3, image), d.globalAveragePool2d(), d.dense(3)),
  ],
  globalMaxPool2d: () => [
    ...stack(d.globalMaxPool2d(image)),
    ...stack(d.conv2d(5, 3, { ...image, activation: "relu" }), d.globalMaxPool2d(), d.dense(3)),
  ],
  upSampling2d: () => [
    ...stack(d.upSampling2d(2, image)),
    ...stack(d.upSampling2d([1, 3], { ...image })),
    ...stack(d.upSampling2d(2, { ...image, interpolation: "bilinear" })),
    ...stack(d.upSampling2d([3, 2], { ...image, interpolation: "bilinear" }), d.conv2d(3, 2)),
  ],
  zeroPadding2d: () => [
    ...stack(d.zeroPadding2d(1, image)),
    ...stack(
      d.conv2d(3, 2, image),
      d.zeroPadding2d([
        [1, 0],
        [2, 3],
      ]),
      d.conv2d(2, 2),
    ),
  ],
  flatten: () => [
    ...stack(d.flatten(image), d.dense(3)),
    ...stack(d.conv2d(3, 2, image), d.flatten()),
    ...stack(d.flatten(row)),
  ],
  reshape: () => [
    ...stack(d.reshape([6, -1], image), d.dense(3)),
    ...stack(d.conv2d(3, 2, image), d.reshape([3, 30]), d.reshape([6, 5, 3]), d.conv2d(2, 2)),
  ],
  permute: () => [
    ...stack(d.permute([2, 1], sequence)),
    ...stack(d.permute([3, 1, 2], image)),
    ...stack(d.conv2d(3, 2, image), d.permute([3, 1, 2])),
    ...stack(d.conv2d(3, 2, image), d.permute([2, 1, 3]), d.conv2d(2, 2)),
  ],
  rescaling: () => [
    ...anywhere(() => d.rescaling({ scale: 0.3, offset: -1 })),
    ...stack(d.rescaling({ ...row, scale: 1 / 255 })),
    ...stack(d.rescaling({ ...row, offset: 0.5 })),
    ...stack(d.rescaling(row)),
  ],
  embedding: {
    models: () => [
      ...stack(d.embedding(10, 4, { inputShape: [5] }), d.dense(3)),
      ...stack(d.embedding(10, 4, { inputShape: [5, 2] }), d.flatten(), d.dense(2)),
      ...stack(d.rescaling({ inputShape: [5], scale: 2, offset: -5 }), d.embedding(6, 4)),
    ],
    data: ids,
  },
  positionEmbedding: () => stack(d.positionEmbedding(sequence)),
  simpleRnn: () => [
    ...recurrent((options) => d.simpleRnn(7, options)),
    ...(["relu", "sigmoid", "linear"] as const).flatMap((activation) =>
      recurrent((o) => d.simpleRnn(7, { ...o, activation })),
    ),
  ],
  lstm: () => recurrent((options) => d.lstm(7, options)),
  gru: () => recurrent((options) => d.gru(7, options)),
  bidirectional: () =>
    [d.simpleRnn, d.lstm, d.gru].flatMap((make) => [
      ...recurrent(({ inputShape, ...options }: { inputShape?: number[] }) =>
        d.bidirectional(make(5, options), inputShape ? { inputShape } : {}),
      ),
    ]),
  multiHeadAttention: () => {
    const [q, v] = [d.input([5, 6]), d.input([4, 3])];
    return [
      ...stack(d.multiHeadAttention(3, 4, { ...sequence, causal: true, dropout: 0.3 })),
      ...stack(d.multiHeadAttention(2, 4, { ...sequence, valueDim: 3, useBias: false }), d.layerNorm()),
      d.functional({ inputs: [q, v], outputs: d.multiHeadAttention(2, 5)([q, v]) }),
    ];
  },
  batchNorm: () => anywhere(() => d.batchNorm({ epsilon: 1e-3 })),
  layerNorm: () => anywhere(() => d.layerNorm()),
  groupNorm: () =>
    [...anywhere(() => d.groupNorm(4)), ...anywhere(() => d.groupNorm(1)), ...anywhere(() => d.groupNorm(8))].filter(
      (_, i) => i !== 8,
    ),
  dropout: () => anywhere(() => d.dropout(0.5)),
  spatialDropout2d: () => stack(d.spatialDropout2d(0.5, image), d.conv2d(2, 2)),
  gaussianNoise: () => anywhere(() => d.gaussianNoise(0.5)),
  gaussianDropout: () => anywhere(() => d.gaussianDropout(0.5)),
  alphaDropout: () => anywhere(() => d.alphaDropout(0.5)),
  activation: () => ACTIVATIONS.flatMap((name) => anywhere(() => d.activation(name))),
  relu: () => anywhere(d.relu),
  leakyRelu: () => [...anywhere(d.leakyRelu), ...anywhere(() => d.leakyRelu({ negativeSlope: 0.2 }))],
  prelu: () => anywhere(d.prelu),
  elu: () => [...anywhere(d.elu), ...anywhere(() => d.elu({ alpha: 0.3 }))],
  selu: () => anywhere(d.selu),
  gelu: () => [...anywhere(d.gelu), ...anywhere(() => d.gelu({ approximate: true }))],
  silu: () => anywhere(d.silu),
  sigmoid: () => anywhere(d.sigmoid),
  tanh: () => anywhere(d.tanh),
  softplus: () => anywhere(d.softplus),
  softmax: () => anywhere(d.softmax),
  add: () => merged(d.add),
  subtract: () => merged(d.subtract),
  multiply: () => merged(d.multiply),
  average: () => merged(d.average),
  maximum: () => merged(d.maximum),
  concatenate: () => [...merged(d.concatenate), ...merged(() => d.concatenate({ axis: 1 }))],
};
