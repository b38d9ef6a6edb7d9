// Augmentation in fit: what the model sees, how labels are mixed, and that bits depend on nothing they must not.

import { describe, expect, test } from "vitest";
import {
  adam,
  augmentBatch,
  binaryCrossEntropy,
  cosineSimilarity,
  cutmix,
  dataset,
  defineLoss,
  dense,
  dropout,
  embedding,
  type FitOptions,
  fgsm,
  flatten,
  functional,
  hinge,
  huber,
  init,
  input,
  kullbackLeibler,
  loadModel,
  type Model,
  meanAbsoluteError,
  meanSquaredError,
  mixup,
  type NDArray,
  pgd,
  poisson,
  randomBrightness,
  randomContrast,
  randomCrop,
  randomErasing,
  randomFlip,
  randomNoise,
  randomRotate,
  randomShear,
  randomTranslate,
  randomZoom,
  relu,
  rescaling,
  saveModel,
  sequential,
  setSeed,
  sgd,
  softmax,
  softmaxCrossEntropy,
  weightsHash,
  zeros,
} from "../../ts/index";
import { mixOf, opOf, START } from "../support/augmentation";
import { any, floats, labels, rejected, weightBits } from "../support/contract";
import "../support/everyTeam";

const [H, W] = [6, 5];
const images = (n: number, seed = 1): NDArray => ({ data: floats(n * H * W, seed).map(Math.abs), shape: [n, H, W] });

/** Of each family; none of the two that mix. */
const PIPELINE = [
  randomTranslate(),
  randomRotate(),
  randomZoom(),
  randomShear(),
  randomFlip(),
  randomErasing(),
  randomCrop({ fillMode: "reflect" }),
  randomBrightness(),
  randomContrast(),
  randomNoise(),
];

/**
 * What the first update sees of x: with kernel 0 and targets e₁ … eₙ the mean squared error's gradient of column j is
 * −2/n²·(the examples of label j), n a power of two and all exact.
 */
async function seen(x: NDArray, options: FitOptions): Promise<number[][]> {
  const n = x.shape[0]!;
  const [size, bytes] = [x.data.length / n, (x.data as unknown) instanceof Uint8Array];
  setSeed(4);
  const model = sequential([
    flatten({ inputShape: x.shape.slice(1) }),
    dense(n, { kernelInitializer: zeros(), useBias: false }),
  ]);
  model.compile({ optimizer: sgd({ learningRate: (n * n) / 2 }), loss: meanSquaredError() });
  const y = { data: Float32Array.from({ length: n * n }, (_, i) => +(i % (n + 1) === 0)), shape: [n, n] };
  await model.fit({ x, y }, { batchSize: n, shuffle: false, ...options });
  const { data } = model.getWeights()["dense_1/kernel"]!;
  model.dispose();
  expect(bytes).toBe((x.data as unknown) instanceof Uint8Array);
  return Array.from({ length: n }, (_, j) => Array.from({ length: size }, (_, i) => data[i * n + j]!));
}

const rowsOf = ({ data, shape: [n] }: NDArray): number[][] =>
  Array.from({ length: n! }, (_, r) => [...data.subarray((r * data.length) / n!, ((r + 1) * data.length) / n!)]);

const apart = (a: number[][], b: number[][]) =>
  Math.max(...a.flatMap((row, r) => row.map((v, i) => Math.abs(v - b[r]![i]!))));

describe("what a step sees", () => {
  test("is what augmentBatch shows: the first model's first batch", async () => {
    for (const x of [images(8), any({ ...images(8), data: Uint8Array.from(images(8).data, (v) => 255 * v) })])
      for (const augment of [PIPELINE, [randomErasing()], [randomNoise(), randomRotate({ fillMode: "wrap" })], []])
        expect(await seen(x, { augment })).toEqual(rowsOf(augmentBatch(x, augment, { seed: 4 })));
  });

  test("does not depend on the cut into slices: accumulated, it is the whole batch's", async () => {
    const x = images(8);
    const whole = rowsOf(augmentBatch(x, PIPELINE, { seed: 4 }));
    expect(apart(await seen(x, { augment: PIPELINE, batchSize: 2, accumulate: 4 }), whole)).toBeLessThan(1e-6);
    expect(apart(await seen(x, { augment: PIPELINE, batchSize: 3, accumulate: 3 }), whole)).toBeLessThan(1e-6);
  });

  test("with mixup and cutmix: images and labels with the same shares", async () => {
    const x = images(8);
    const position = { ...START, seed: 4 };
    for (const [augment, alpha, cut] of [
      [[mixup({ alpha: 0.5 })], 0.5, false],
      [[cutmix()], 1, [H, W]],
    ] as const) {
      const shown = rowsOf(augmentBatch(x, augment, { seed: 4 }));
      const expected = shown.map((row) => row.map(() => 0));
      for (let r = 0; r < 8; r++) {
        const { share, partner } = mixOf(r, 8, opOf(0), position, alpha, cut);
        shown[r]!.forEach((v, i) => {
          expected[r]![i]! += share * v;
          expected[partner]![i]! += (1 - share) * v;
        });
      }
      expect(apart(await seen(x, { augment }), expected)).toBeLessThan(1e-6);
    }
  });

  test("with one mixing after another: four labels a row", async () => {
    const x = images(8);
    const position = { ...START, seed: 4 };
    const augment = [cutmix(), randomFlip(), mixup({ alpha: 2 })];
    const shown = rowsOf(augmentBatch(x, augment, { seed: 4 }));
    const expected = shown.map((row) => row.map(() => 0));
    const first = shown.map((_, r) => mixOf(r, 8, opOf(0), position, 1, [H, W]));
    for (let r = 0; r < 8; r++) {
      const second = mixOf(r, 8, opOf(2), position, 2, false);
      for (const [row, share] of [
        [r, second.share],
        [second.partner, 1 - second.share],
      ] as const)
        shown[r]!.forEach((v, i) => {
          expected[row]![i]! += share * first[row]!.share * v;
          expected[first[row]!.partner]![i]! += share * (1 - first[row]!.share) * v;
        });
    }
    expect(apart(await seen(x, { augment }), expected)).toBeLessThan(2e-6);
  });

  test("changes from step to step, and from model to model", async () => {
    setSeed(2);
    const make = () => sequential([flatten({ inputShape: [H, W] }), dense(3)]);
    const [first, second] = [make(), make()];
    second.setWeights(first.getWeights());
    const losses: number[] = [];
    for (const model of [first, second]) {
      model.compile({ optimizer: sgd({ learningRate: 0 }), loss: softmaxCrossEntropy() });
      const { epochs } = await model.fit(
        { x: images(8), y: labels(8, 3) },
        { epochs: 4, shuffle: false, augment: [randomRotate({ factor: 0.5 })] },
      );
      losses.push(...epochs.map(({ loss }) => loss));
    }
    expect(new Set(losses).size).toBe(8);
  });
});

/** −log softmax(logits)[label] */
const crossEntropy = (logits: ArrayLike<number>, label: number) => {
  const list = Array.from(logits);
  return Math.log(list.reduce((sum, v) => sum + Math.exp(v), 0)) - list[label]!;
};

describe("mixed labels", () => {
  const n = 12;
  const x = images(n);
  const make = () => {
    setSeed(4);
    const model = sequential([flatten({ inputShape: [H, W] }), dense(3)]);
    model.compile({ optimizer: sgd({ learningRate: 0 }), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
    return model;
  };

  test("loss = Σ (λ·w·L(ŷ, y) + (1 − λ)·w′·L(ŷ, y′)) / Σ (λ + (1 − λ)) over what is labelled; accuracy is of the larger share's label", async () => {
    const y = labels(n, 3).map((c, i) => (i % 4 === 3 ? -1 : c));
    const sampleWeight = Float32Array.from({ length: n }, (_, i) => 0.5 + (i % 3));
    for (const [augment, alpha, cut] of [
      [[mixup({ alpha: 1.5 })], 1.5, false],
      [[cutmix()], 1, [H, W]],
    ] as const) {
      const model = make();
      const logits = rowsOf(model.predict(augmentBatch(x, augment, { seed: 4 })));
      let [loss, count, right, weight] = [0, 0, 0, 0];
      for (let r = 0; r < n; r++) {
        const { share, partner, winner } = mixOf(r, n, opOf(0), { ...START, seed: 4 }, alpha, cut);
        for (const [row, part] of [
          [r, share],
          [partner, 1 - share],
        ] as const)
          if (y[row]! >= 0) {
            loss += part * sampleWeight[row]! * crossEntropy(logits[r]!, y[row]!);
            count += part;
          }
        if (y[winner]! < 0) continue;
        weight += sampleWeight[winner]!;
        if (logits[r]!.indexOf(Math.max(...logits[r]!)) === y[winner]) right += sampleWeight[winner]!;
      }
      const { epochs } = await model.fit({ x, y, sampleWeight }, { batchSize: n, shuffle: false, augment });
      expect(epochs[0]!.loss).toBeCloseTo(loss / count, 5);
      expect(epochs[0]!["accuracy"]).toBeCloseTo(right / weight, 5);
    }
  });

  test("classes of a sequence's steps: the row's share is each step's", async () => {
    const t = 4;
    const sequences = { data: floats(n * t * 2), shape: [n, t, 2] };
    const y = {
      data: Int32Array.from({ length: n * t }, (_, i) => (i % 5) - 1).map((c) => Math.min(c, 2)),
      shape: [n, t],
    };
    const sampleWeight = Float32Array.from({ length: n }, (_, i) => 0.5 + (i % 3));
    setSeed(4);
    const model = sequential([dense(3, { inputShape: [t, 2] })]);
    model.compile({ optimizer: sgd({ learningRate: 0 }), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
    const augment = [mixup({ alpha: 1.5 })];
    const { data } = model.predict(augmentBatch(sequences, augment, { seed: 4 }));
    const logits = rowsOf({ data, shape: [n * t, 3] });
    let [loss, count, right, weight] = [0, 0, 0, 0];
    for (let r = 0; r < n; r++) {
      const { share, partner, winner } = mixOf(r, n, opOf(0), { ...START, seed: 4 }, 1.5, false);
      for (let step = 0; step < t; step++) {
        const own = logits[r * t + step]!;
        for (const [row, part] of [
          [r, share],
          [partner, 1 - share],
        ] as const) {
          const label = y.data[row * t + step]!;
          if (label < 0) continue;
          loss += part * sampleWeight[row]! * crossEntropy(own, label);
          count += part;
        }
        const label = y.data[winner * t + step]!;
        if (label < 0) continue;
        weight += sampleWeight[winner]!;
        if (own.indexOf(Math.max(...own)) === label) right += sampleWeight[winner]!;
      }
    }
    const { epochs } = await model.fit({ x: sequences, y, sampleWeight }, { batchSize: n, shuffle: false, augment });
    expect(epochs[0]!.loss).toBeCloseTo(loss / count, 5);
    expect(epochs[0]!["accuracy"]).toBeCloseTo(right / weight, 5);
  });

  test("rows of probabilities and elementwise losses: targets of mixed rows", async () => {
    const y = { data: floats(n * 2), shape: [n, 2] };
    setSeed(4);
    const model = sequential([flatten({ inputShape: [H, W] }), dense(2)]);
    model.compile({ optimizer: sgd({ learningRate: 0 }), loss: meanSquaredError() });
    const augment = [mixup({ alpha: 1 })];
    const outputs = rowsOf(model.predict(augmentBatch(x, augment, { seed: 4 })));
    let loss = 0;
    for (let r = 0; r < n; r++) {
      const { share, partner } = mixOf(r, n, opOf(0), { ...START, seed: 4 }, 1, false);
      for (let j = 0; j < 2; j++)
        loss +=
          share * (outputs[r]![j]! - y.data[2 * r + j]!) ** 2 +
          (1 - share) * (outputs[r]![j]! - y.data[2 * partner + j]!) ** 2;
    }
    const { epochs } = await model.fit({ x, y }, { batchSize: n, shuffle: false, augment });
    expect(epochs[0]!.loss).toBeCloseTo(loss / (2 * n), 5);
  });

  test("one-hot rows are as class numbers", async () => {
    const y = labels(n, 3);
    const rows = {
      data: Float32Array.from({ length: 3 * n }, (_, i) => +(y[Math.floor(i / 3)] === i % 3)),
      shape: [n, 3],
    };
    const losses = [];
    for (const targets of [y, rows]) {
      const { epochs } = await make().fit({ x, y: targets }, { batchSize: n, augment: [mixup({ alpha: 1 })] });
      losses.push(epochs[0]!);
    }
    expect(losses[1]!.loss).toBeCloseTo(losses[0]!.loss, 6);
    expect(losses[1]!["accuracy"]).toBe(losses[0]!["accuracy"]);
  });

  // each row's loss for one label, as the model has it alone
  const elementwise = { data: floats(n * 3), shape: [n, 3] };
  const shares = {
    data: Float32Array.from({ length: n * 3 }, (_, i) => [0.2, 0.3, 0.5][(i + Math.floor(i / 3)) % 3]!),
    shape: [n, 3],
  };
  const signs = { data: floats(n * 3).map(Math.sign), shape: [n, 3] };
  const own = defineLoss({
    type: "squareRoot",
    call: (yTrue, yPred, { abs, subtract, sqrt, add }) => sqrt(add(abs(subtract(yTrue, yPred)), 0.1)),
  });
  /** Largest difference between a step taken and −step. */
  const apart = (after: Float32Array, before: Float32Array, step: Float64Array) =>
    Math.max(...step.map((g, i) => Math.abs(after[i]! - before[i]! + g)));
  test.each([
    [softmaxCrossEntropy({ labelSmoothing: 0.1 }), labels(n, 3)],
    [softmaxCrossEntropy(), shares],
    [binaryCrossEntropy(), shares],
    [meanSquaredError(), elementwise],
    [meanAbsoluteError(), elementwise],
    [huber(), elementwise],
    [hinge(), signs],
    [poisson({ fromLog: true }), shares],
    [kullbackLeibler(), shares],
    [cosineSimilarity(), elementwise],
    [own(), elementwise],
  ])("$0.type: λ·L(ŷ, y) + (1 − λ)·L(ŷ, y′), and its gradient", async (loss, y) => {
    setSeed(4);
    const model = sequential([flatten({ inputShape: [H, W] }), dense(3), softmax()]);
    model.compile({ optimizer: sgd({ learningRate: 0 }), loss });
    const augment = [mixup({ alpha: 1 })];
    const shown = rowsOf(augmentBatch(x, augment, { seed: 4 }));
    const targetOf = (r: number) =>
      y instanceof Int32Array ? y.slice(r, r + 1) : [[...y.data.subarray(3 * r, 3 * r + 3)]];
    const before = model.getWeights()["dense_1/kernel"]!.data;
    const step = new Float64Array(before.length);
    let expected = 0;
    for (let r = 0; r < n; r++) {
      const { share, partner } = mixOf(r, n, opOf(0), { ...START, seed: 4 }, 1, false);
      for (const [of, part] of [
        [r, share],
        [partner, 1 - share],
      ] as const) {
        const example = { data: Float32Array.from(shown[r]!), shape: [1, H, W] };
        const { loss, parameters } = model.gradients(example, targetOf(of), { training: false });
        expected += part * loss;
        for (const [i, g] of parameters["dense_1/kernel"]!.data.entries()) step[i]! += (part * g) / n;
      }
    }
    const { epochs } = await model.fit({ x, y }, { batchSize: n, shuffle: false, augment });
    expect(epochs[0]!.loss).toBeCloseTo(expected / n, 5);
    // and its gradient is the step
    setSeed(4);
    const learning = sequential([flatten({ inputShape: [H, W] }), dense(3), softmax()]);
    learning.compile({ optimizer: sgd({ learningRate: 1 }), loss });
    await learning.fit({ x, y }, { batchSize: n, shuffle: false, augment });
    const after = learning.getWeights()["dense_1/kernel"]!.data;
    expect(apart(after, before, step)).toBeLessThan(1e-6 + 1e-4 * Math.max(...step.map(Math.abs)));
  });

  test("adversarial training starts from what is augmented, and climbs the mixed loss", async () => {
    const hashes: string[] = [];
    for (const augment of [[], [randomRotate()], [randomRotate(), mixup({ alpha: 1 })]])
      for (const weight of [0, 0.5]) {
        setSeed(4);
        const model = sequential([flatten({ inputShape: [H, W] }), dense(3)]);
        const adversarial = { attack: pgd({ epsilon: 0.1, stepSize: 0.05, steps: 2 }), weight };
        model.compile({ optimizer: sgd({ learningRate: 0.1 }), loss: softmaxCrossEntropy(), adversarial });
        await model.fit({ x, y: labels(n, 3) }, { batchSize: 6, augment });
        hashes.push(await weightsHash(model));
      }
    expect(new Set(hashes).size).toBe(6);
    // one step on one example: the augmented one, attacked with the labels that it has
    const one = { data: x.data.slice(0, H * W), shape: [1, H, W] };
    const pixels = [randomRotate(), randomNoise()];
    setSeed(4);
    const model = sequential([flatten({ inputShape: [H, W] }), dense(3)]);
    const twin = sequential([flatten({ inputShape: [H, W] }), dense(3)]);
    twin.setWeights(model.getWeights());
    const attacked = { attack: fgsm({ epsilon: 0.1 }), weight: 1 };
    for (const m of [model, twin])
      m.compile({ optimizer: sgd({ learningRate: 0.1 }), loss: softmaxCrossEntropy(), adversarial: attacked });
    await model.fit({ x: one, y: [1] }, { augment: pixels });
    twin.trainOnBatch(augmentBatch(one, pixels, { seed: 4 }), [1]);
    expect(weightBits(model)).toEqual(weightBits(twin));
  });

  test("several outputs have the same shares", async () => {
    setSeed(4);
    const i = input([H, W]);
    const h = flatten()(i);
    const model = functional({ inputs: i, outputs: { a: dense(3)(h), b: dense(1)(h) } });
    model.compile({ optimizer: sgd(), loss: { a: softmaxCrossEntropy(), b: meanSquaredError() } });
    const y = { a: labels(n, 3), b: floats(n) };
    const { epochs } = await model.fit({ x, y }, { augment: [cutmix(), mixup()], epochs: 2 });
    expect(epochs[1]!.loss).toBeLessThan(10);
  });
});

describe("bits", () => {
  const x = images(50);
  const data = { x, y: labels(50, 3) };
  const make = () => {
    setSeed(4);
    const model = sequential([flatten({ inputShape: [H, W] }), dense(16), relu(), dropout(0.3), dense(3)]);
    model.compile({ optimizer: adam({ learningRate: 0.01 }), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
    return model;
  };
  const augment = [...PIPELINE, cutmix(), mixup()];
  const options = { augment, epochs: 3, batchSize: 16 };

  async function hashAfter(given: unknown, more: FitOptions = {}): Promise<string> {
    const model = make();
    await model.fit(given as never, { ...options, ...more });
    const hash = await weightsHash(model);
    model.dispose();
    return hash;
  }

  test("are the same on 1, 2 and 3 threads, large batches too", async () => {
    const big = { x: images(4096), y: labels(4096, 3) };
    const alone = [await hashAfter(data), await hashAfter(big, { epochs: 1, batchSize: 2048 })];
    for (const threads of [2, 3]) {
      using runtime = await init({ threads });
      expect(runtime.threads).toBe(threads);
      expect([await hashAfter(data), await hashAfter(big, { epochs: 1, batchSize: 2048 })]).toEqual(alone);
    }
  });

  test("are the same from a dataset, a resident set and a set that is staged batch by batch", async () => {
    const big = { x: images(4000), y: labels(4000, 3) };
    const resident = await hashAfter(big, { epochs: 1 });
    expect(await hashAfter(dataset(big), { epochs: 1 })).toBe(resident);
    using _runtime = await init({ maxMemory: 1 << 20 });
    expect(await hashAfter(big, { epochs: 1 })).toBe(resident);
  });

  test("change with the pipeline and its order; without one nothing is changed", async () => {
    const none = await hashAfter(data, { augment: undefined as never });
    expect(await hashAfter(data, { augment: [] })).toBe(none);
    const hashes = [none, await hashAfter(data)];
    for (const pipeline of [
      [randomRotate()],
      [randomRotate({ factor: 0.1 })],
      [randomRotate(), randomNoise()],
      [randomNoise(), randomRotate()],
    ])
      hashes.push(await hashAfter(data, { augment: pipeline }));
    expect(new Set(hashes).size).toBe(6);
  });

  test("go on where training is resumed, and after save and load", async () => {
    const whole = await hashAfter(data);
    const parts = make();
    await parts.fit(data, { ...options, epochs: 1 });
    const loaded = await loadModel(await saveModel(parts as Model));
    for (const model of [parts, loaded]) {
      model.predict(x);
      await model.evaluate(data);
      await model.fit(data, { ...options, initialEpoch: 1 });
      expect(await weightsHash(model as Model)).toBe(whole);
    }
  });

  test("of batches of one, of all, of slices of batch gradient descent", async () => {
    const big = { x: images(2100), y: labels(2100, 3) };
    for (const batchSize of [1, "full"] as const) {
      const hash = await hashAfter(data, { batchSize, epochs: 1 });
      expect(await hashAfter(data, { batchSize, epochs: 1 })).toBe(hash);
    }
    expect(await hashAfter(big, { batchSize: "full" })).toBe(await hashAfter(big, { batchSize: "full" }));
  });

  test("evaluation, validation, trainOnBatch, gradients see plain examples", async () => {
    const [a, b] = [make(), make()];
    await a.fit(data, { ...options, epochs: 1, validationData: data });
    const { epochs } = await b.fit(data, { ...options, epochs: 1, validationSplit: 0 });
    expect(weightBits(a)).toEqual(weightBits(b));
    const plain = await a.evaluate(data);
    const again = await a.fit(data, { ...options, epochs: 2, initialEpoch: 1, validationData: data });
    const after = await a.evaluate(data);
    expect(again.epochs[0]!["valLoss"]).toBe(after.loss);
    expect(plain.loss).not.toBe(epochs[0]!.loss);
    a.setWeights(b.getWeights());
    expect(a.gradients(x, data.y, { training: false })).toEqual(b.gradients(x, data.y, { training: false }));
    expect(a.testOnBatch(x, data.y)).toEqual(b.testOnBatch(x, data.y));
  });

  test("rescaling first, of bytes: the same as rescaled images", async () => {
    const bytes = { data: Uint8Array.from({ length: 50 * H * W }, (_, i) => (i * 37) % 256), shape: [50, H, W] };
    const net = (scaled: boolean) => {
      setSeed(4);
      const layers = [flatten({ inputShape: [H, W] }), dense(3)];
      const first = rescaling({ scale: 1 / 256, inputShape: [H, W] });
      const model = sequential(scaled ? [first, ...layers] : layers);
      model.compile({ optimizer: sgd(), loss: softmaxCrossEntropy() });
      return model;
    };
    const geometry = [randomRotate(), randomErasing(), mixup()];
    const unit = { data: Float32Array.from(bytes.data, (v) => v / 256), shape: bytes.shape };
    const [a, b] = [net(true), net(false)];
    const [of, other] = [
      await a.fit({ x: bytes, y: data.y }, { augment: geometry, epochs: 2 }),
      await b.fit({ x: unit, y: data.y }, { augment: geometry, epochs: 2 }),
    ];
    expect(of.epochs[1]!.loss).toBeCloseTo(other.epochs[1]!.loss, 5);
  });
});

describe("bad arguments change nothing", () => {
  const flat = () => {
    setSeed(4);
    const model = sequential([dense(3, { inputShape: [30] })]);
    model.compile({ optimizer: sgd(), loss: softmaxCrossEntropy() });
    return model;
  };

  test("no images: shape, before the first step", async () => {
    const model = flat();
    const before = weightBits(model);
    const data = { x: floats(300), y: labels(10, 3) };
    for (const config of [randomRotate(), cutmix(), randomErasing(), randomFlip()])
      await rejected(
        "shape",
        model.fit(data, { augment: [randomNoise(), config] }),
        /expected images .* got \[n, 30\]$/,
      );
    expect(weightBits(model)).toEqual(before);
    await model.fit(data, { augment: [randomNoise(), randomBrightness(), randomContrast(), mixup()] });
    expect(weightBits(model)).not.toEqual(before);
  });

  test("what is no pipeline; several inputs", async () => {
    const model = flat();
    const data = { x: floats(300), y: labels(10, 3) };
    for (const augment of [randomFlip(), [randomFlip], ["mixup"], [sgd()], 3, {}, null])
      await rejected("argument", model.fit(data, { augment: any(augment) }), /augmentation such as randomFlip\(\)/);
    const [p, q] = [input([4]), input([4])];
    setSeed(1);
    const two = functional({ inputs: [p, q], outputs: [dense(2)(p), dense(2)(q)] });
    two.compile({ optimizer: sgd(), loss: [meanSquaredError(), meanSquaredError()] });
    const x = [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ];
    const y = [
      [1, 2],
      [3, 4],
    ];
    await rejected("argument", two.fit({ x: [x, x], y: [y, y] }, { augment: [mixup()] }), /one input/);
  });

  test("is not for whole numbers that an embedding reads: a mean of two is another thing", async () => {
    const model = sequential([embedding(9, 4, { inputShape: [6] }), flatten(), dense(2)]);
    model.compile({ optimizer: sgd(), loss: softmaxCrossEntropy() });
    const data = { x: { data: new Int32Array(24).fill(3), shape: [4, 6] }, y: [0, 1, 0, 1] };
    const before = model.getWeights();
    for (const augment of [[mixup()], [randomNoise()], [mixup(), randomNoise()]])
      await rejected("argument", model.fit(data, { augment }), /(mixup|randomNoise): .*got those of embedding_1/);
    expect(model.getWeights()).toEqual(before);
    await model.fit(data);
  });

  test("a number that is not finite, a loss that is not: as without", async () => {
    setSeed(4);
    const model = sequential([flatten({ inputShape: [H, W] }), dense(1)]);
    model.compile({ optimizer: sgd({ learningRate: 1e30 }), loss: meanSquaredError() });
    const x = images(4);
    await rejected("numeric", model.fit({ x, y: floats(4) }, { epochs: 20, augment: [mixup()] }));
    x.data[3] = Number.NaN;
    await rejected("data", model.fit({ x, y: floats(4) }, { augment: [mixup()] }));
  });
});
