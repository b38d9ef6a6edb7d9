// Noise and dropout's kind as layers, and Monte-Carlo inference.

import { describe, expect, it, test } from "vitest";
import {
  alphaDropout,
  batchNorm,
  dense,
  dropout,
  functional,
  gaussianDropout,
  gaussianNoise,
  input,
  type Layer,
  loadModel,
  type Model,
  meanSquaredError,
  type NDArray,
  saveModel,
  sequential,
  setSeed,
  sgd,
  spatialDropout2d,
} from "../../ts/index";
import type { LayerOptions } from "../../ts/layers/layer";
import { any, bitsOf, floats, thrown, weightBits } from "../support/contract";

const noises: Record<string, (options?: LayerOptions) => Layer> = {
  gaussianNoise: (options) => gaussianNoise(0.4, options),
  gaussianDropout: (options) => gaussianDropout(0.3, options),
  alphaDropout: (options) => alphaDropout(0.2, options),
  spatialDropout2d: (options) => spatialDropout2d(0.5, options),
};

/** What a layer makes of x, in training. */
function trained(layer: (options: LayerOptions) => Layer, x: NDArray, seed = 1): Float32Array {
  setSeed(seed);
  using model = sequential([layer({ inputShape: x.shape.slice(1) })]);
  return model.predict(x, { training: true, batchSize: x.shape[0]! }).data;
}

const N = 2 ** 16;
const column = (data: ArrayLike<number>): NDArray => ({ data: Float32Array.from(data), shape: [data.length, 1] });
const constant = (value: number) => column(new Array(N).fill(value));

/** |z| of the mean of n numbers that should have this mean and variance. */
function zOf(values: ArrayLike<number>, mean: number, variance: number): number {
  const sum = Array.from(values).reduce((s, v) => s + v, 0);
  return Math.abs(sum / values.length - mean) / Math.sqrt(variance / values.length);
}

describe.each(Object.entries(noises))("%s", (_, make) => {
  const images: NDArray = { data: floats(37 * 24), shape: [37, 2, 3, 4] };

  it("is nothing outside of training", () => {
    using model = sequential([make({ inputShape: [2, 3, 4] })]);
    expect(model.predict(images).data).toEqual(images.data);
    expect(model.predict(images, { training: true }).data).not.toEqual(images.data);
  });

  it("is a function of the seed, the layer and the row: not of the batch size", () => {
    setSeed(4);
    using model = sequential([make({ inputShape: [2, 3, 4] }), make()]);
    const want = bitsOf(model.predict(images, { training: true }));
    for (const batchSize of [1, 2, 5, 36, 37])
      expect(bitsOf(model.predict(images, { training: true, batchSize }))).toEqual(want);
    expect([...trained(make, images, 4)]).not.toEqual([...trained(make, images, 5)]);
  });

  it("changes from step to step, and is the backward pass's too", () => {
    setSeed(2);
    using model = sequential([make({ inputShape: [2, 3, 4] })]);
    model.compile({ optimizer: sgd(), loss: meanSquaredError() });
    const [h, size] = [0.01, images.data.length];
    const y: NDArray = { data: new Float32Array(size), shape: images.shape };
    // by x[k] at a few places: the loss is quadratic, so central differences are exact but for rounding
    const { inputs, loss } = model.gradients(images, y);
    expect(model.gradients(images, y).loss).toBe(loss);
    for (const k of [0, 100, 500, size - 1]) {
      const at = (d: number) => {
        const data = images.data.slice();
        data[k]! += d;
        return model.gradients({ data, shape: images.shape }, y).loss * size;
      };
      expect((inputs as NDArray).data[k]! * size).toBeCloseTo((at(h) - at(-h)) / (2 * h), 0);
    }
    model.trainOnBatch(images, y);
    expect(model.gradients(images, y).loss).not.toBe(loss);
  });

  it("goes through a file", async () => {
    using model = sequential([make({ inputShape: [2, 3, 4], name: "noise" })]);
    using loaded = await loadModel(await saveModel(model as Model));
    expect(loaded.config).toEqual(model.config);
    expect(bitsOf(loaded.predict(images, { training: true }) as NDArray)).toEqual(
      bitsOf(model.predict(images, { training: true })),
    );
  });
});

describe("distributions (each |z| < 3.29: p = 0.001 for one draw; seeds are fixed; n = 2¹⁶)", () => {
  it("gaussianNoise: mean x, variance stddev², kurtosis 3", () => {
    const y = trained((o) => gaussianNoise(0.5, o), constant(3));
    expect(zOf(y, 3, 0.25)).toBeLessThan(3.29);
    // (y − 3)² has mean σ², variance 2σ⁴; (y − 3)⁴ mean 3σ⁴, variance 96σ⁸
    expect(
      zOf(
        y.map((v) => (v - 3) ** 2),
        0.25,
        2 * 0.25 ** 2,
      ),
    ).toBeLessThan(3.29);
    expect(
      zOf(
        y.map((v) => (v - 3) ** 4),
        3 * 0.25 ** 2,
        96 * 0.25 ** 4,
      ),
    ).toBeLessThan(3.29);
  });

  it("gaussianDropout: mean x, variance x²·rate/(1 − rate)", () => {
    const y = trained((o) => gaussianDropout(0.2, o), constant(-2));
    expect(zOf(y, -2, 4 * 0.25)).toBeLessThan(3.29);
    expect(
      zOf(
        y.map((v) => (v + 2) ** 2),
        1,
        2,
      ),
    ).toBeLessThan(3.29);
  });

  it("neighbours are independent: products of pairs have mean 0", () => {
    const y = trained((o) => gaussianNoise(1, o), constant(0));
    for (const lag of [1, 2, 3, 4, 8])
      expect(
        zOf(
          Float64Array.from({ length: N - lag }, (_, i) => y[i]! * y[i + lag]!),
          0,
          1,
        ),
        `${lag}`,
      ).toBeLessThan(3.29);
  });

  it("alphaDropout: what is standard normal keeps mean 0 and variance 1", () => {
    const x = trained((o) => gaussianNoise(1, o), constant(0), 3);
    const rate = 0.2;
    const y = trained((o) => alphaDropout(rate, o), column(x), 4);
    expect(zOf(y, 0, 1)).toBeLessThan(3.29);
    // y is α″ = a·α′ + b with probability 0.2, else a·x + b; its fourth moment gives the variance of y²
    const floor = -1.7580993408473766;
    const a = ((1 - rate) * (1 + rate * floor ** 2)) ** -0.5;
    const b = -a * rate * floor;
    const fourth = rate * (a * floor + b) ** 4 + (1 - rate) * (3 * a ** 4 + 6 * a * a * b * b + b ** 4);
    expect(
      zOf(
        y.map((v) => v * v),
        1,
        fourth - 1,
      ),
    ).toBeLessThan(3.29);
  });
});

test("alphaDropout: a·x + b, or a·α′ + b in the fraction that is dropped (Keras's formula)", () => {
  const rate = 0.25;
  const floor = -1.7580993408473766;
  const a = ((1 - rate) * (1 + rate * floor ** 2)) ** -0.5;
  const b = -a * rate * floor;
  const x = column(floats(N));
  let dropped = 0;
  trained((o) => alphaDropout(rate, o), x).forEach((v, i) => {
    if (Math.abs(v - (a * floor + b)) < 2e-6) dropped++;
    else expect(Math.abs(v - (a * x.data[i]! + b))).toBeLessThan(2e-6);
  });
  expect(Math.abs(dropped - N * rate) / Math.sqrt(N * rate * (1 - rate))).toBeLessThan(3.29);
});

test("spatialDropout2d drops whole channels, at the rate", () => {
  const shape = [256, 3, 5, 16];
  const y = trained((o) => spatialDropout2d(0.3, o), { data: new Float32Array(256 * 240).fill(1), shape });
  let dropped = 0;
  for (let n = 0; n < 256; n++)
    for (let c = 0; c < 16; c++) {
      const first = y[n * 240 + c]!;
      for (let p = 1; p < 15; p++) expect(y[n * 240 + p * 16 + c]).toBe(first);
      if (first === 0) dropped++;
      else expect(first).toBeCloseTo(1 / 0.7, 4);
    }
  expect(Math.abs(dropped - 4096 * 0.3) / Math.sqrt(4096 * 0.21)).toBeLessThan(3.29);
});

test("spatialDropout2d needs images", () => {
  thrown(
    "shape",
    () => spatialDropout2d(0.5, { name: "s" })(input([3, 4])),
    /^s: expected input of shape \[n, h, w, c\]/,
  );
});

test("rate 0 and stddev 0 are the identity in training, too", () => {
  const x: NDArray = { data: floats(48), shape: [2, 2, 3, 4] };
  for (const make of [gaussianNoise, gaussianDropout, alphaDropout, spatialDropout2d])
    expect(trained((o) => make(0, o), x)).toEqual(x.data);
});

describe("predict with samples", () => {
  const x: NDArray = { data: floats(301 * 4), shape: [301, 4] };
  const make = () => {
    setSeed(6);
    return sequential([dense(16, { inputShape: [4], activation: "relu" }), dropout(0.5), gaussianNoise(0.1), dense(3)]);
  };

  it("[samples, n, …], the first sample that of predict without, all different, the same every time", () => {
    using model = make();
    const { data, shape } = model.predict(x, { training: true, samples: 5 });
    expect(shape).toEqual([5, 301, 3]);
    const sample = (i: number) => data.slice(i * 903, (i + 1) * 903);
    expect(sample(0)).toEqual(model.predict(x, { training: true }).data);
    for (let i = 0; i < 5; i++) for (let j = 0; j < i; j++) expect(sample(i)).not.toEqual(sample(j));
    expect(model.predict(x, { training: true, samples: 5 }).data).toEqual(data);
    expect(model.predict(x, { training: true, samples: 1 }).shape).toEqual([1, 301, 3]);
    expect(model.predict(x).data).toEqual(make().predict(x).data);
  });

  it("whatever the batch size is", () => {
    using model = make();
    const want = bitsOf(model.predict(x, { training: true, samples: 3 }));
    for (const batchSize of [1, 7, 64, 300, 1000])
      expect(bitsOf(model.predict(x, { training: true, samples: 3, batchSize })), `${batchSize}`).toEqual(want);
  });

  it("their mean tends to what weight scaling predicts, of a linear model (|z| < 3.29 by the samples' own variance)", () => {
    setSeed(1);
    using model = sequential([dropout(0.5, { inputShape: [20] }), dense(1)]);
    const one = { data: floats(20), shape: [1, 20] };
    const samples = 4096;
    const { data } = model.predict(one, { training: true, samples });
    const mean = data.reduce((s, v) => s + v / samples, 0);
    const variance = data.reduce((s, v) => s + (v - mean) ** 2 / samples, 0);
    expect(zOf(data, model.predict(one).data[0]!, variance)).toBeLessThan(3.29);
  });

  it("without training all samples are the same", () => {
    using model = make();
    const { data, shape } = model.predict(x, { samples: 2 });
    expect(shape).toEqual([2, 301, 3]);
    const want = model.predict(x).data;
    expect([data.slice(0, 903), data.slice(903)]).toEqual([want, want]);
  });

  it("of several outputs, each", () => {
    const given = input([4]);
    const h = dropout(0.5)(given);
    using model = functional({ inputs: given, outputs: { a: dense(2)(h), b: dense(5)(h) } });
    const { a, b } = model.predict(x, { training: true, samples: 3 });
    expect([a.shape, b.shape]).toEqual([
      [3, 301, 2],
      [3, 301, 5],
    ]);
  });

  it("a frozen batch norm keeps its moving statistics, so that rows do not depend on one another", () => {
    setSeed(6);
    using model = sequential([dense(8, { inputShape: [4] }), batchNorm(), dropout(0.5), dense(3)]);
    model.getLayer("batchNorm_1").trainable = false;
    const want = bitsOf(model.predict(x, { training: true, samples: 2 }));
    expect(bitsOf(model.predict(x, { training: true, samples: 2, batchSize: 10 }))).toEqual(want);
  });

  it("samples is a positive integer; a bad call changes nothing", () => {
    using model = make();
    const before = weightBits(model);
    for (const samples of [0, -1, 1.5, Number.NaN, "3", null, 3n])
      thrown(
        "argument",
        () => model.predict(x, { training: true, samples: any(samples) }),
        /^predict: samples must be/,
      );
    thrown("memory", () => model.predict(x, { training: true, samples: 2 ** 40 }));
    expect(weightBits(model)).toEqual(before);
  });
});
