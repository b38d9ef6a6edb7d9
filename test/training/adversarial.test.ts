// attack, and compile's `adversarial`: the arithmetic is held against PyTorch's in test/oracle/adversarial.test.ts; here is what
// they promise beside it.

import { describe, expect, it } from "vitest";
import { LabelKind, SourceType } from "../../assembly/isa";
import {
  adam,
  attack,
  batchNorm,
  binaryCrossEntropy,
  dense,
  digits,
  dropout,
  fgsm,
  functional,
  init,
  input,
  l1,
  l2,
  loadModel,
  type Model,
  meanSquaredError,
  mixup,
  type NDArray,
  pgd,
  relu,
  rescaling,
  saveModel,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
  weightsHash,
} from "../../ts/index";
import { buildProgram, type ProgramSpec } from "../../ts/training/program";
import { any, bitsOf, thrown, weightBits } from "../support/contract";
import { examples } from "../support/examples";
import "../support/everyTeam";

const { x, y } = examples(203);
const rows = (from: number, to: number) => ({
  x: { data: x.data.slice(from * 12, to * 12), shape: [to - from, 12] },
  y: y.slice(from, to),
});

const mlp = (seed = 4) => {
  setSeed(seed);
  return sequential([dense(17, { inputShape: [12] }), relu(), dense(3)]);
};
const compiled = (options: object = {}, make: () => Model<NDArray> = mlp) => {
  const model = make();
  model.compile({
    optimizer: adam({ learningRate: 0.01 }),
    loss: softmaxCrossEntropy(),
    metrics: ["accuracy"],
    ...options,
  });
  return model;
};

const ATTACKS = {
  fgsm: fgsm({ epsilon: 0.2 }),
  "fgsm, clipped": fgsm({ epsilon: 0.2, clip: [-0.5, 0.75] }),
  pgd: pgd({ epsilon: 0.2, steps: 4 }),
  "pgd, clipped": pgd({ epsilon: 0.2, steps: 4, clip: [-0.5, 0.75] }),
  "pgd l2": pgd({ epsilon: 0.5, steps: 4, norm: "l2" }),
  "pgd l2, clipped, a large step": pgd({ epsilon: 0.5, stepSize: 2, steps: 4, norm: "l2", clip: [-1, 1] }),
};

describe("attack", () => {
  it("of a logistic regression is x + ε·sign((σ(z) − t)·w)", () => {
    const w = [0.5, -2, 0, 1];
    const model = sequential([dense(1, { inputShape: [4] })]);
    model.setWeights({
      "dense_1/kernel": { data: Float32Array.from(w), shape: [4, 1] },
      "dense_1/bias": { data: Float32Array.of(0.25), shape: [1] },
    });
    model.compile({ optimizer: sgd(), loss: binaryCrossEntropy() });
    const x = { data: Float32Array.from({ length: 12 }, (_, i) => Math.fround(i / 7 - 1)), shape: [3, 4] };
    const t = [1, 0, 1];
    const moved = attack(model, x, [[1], [0], [1]], fgsm({ epsilon: 0.125 }));
    // σ(z) − t has the sign of ½ − t
    const want = x.data.map((v, i) => Math.fround(v + 0.125 * Math.sign((0.5 - t[i >> 2]!) * w[i & 3]!)));
    expect(moved).toEqual({ data: want, shape: [3, 4] });
  });

  it.each(Object.entries(ATTACKS))("%s stays in the ball and the box, and raises the loss", (_, how) => {
    const model = compiled();
    model.trainOnBatch(x, y);
    const moved = attack(model, x, y, how);
    const clip = any(how)["clip"] ?? [-Infinity, Infinity];
    const { epsilon, norm = "inf" } = any(how);
    let beyond = 0;
    for (let r = 0; r < 203; r++) {
      const delta = Array.from(moved.data.subarray(r * 12, r * 12 + 12), (v, i) => v - x.data[r * 12 + i]!);
      const inBox = x.data.subarray(r * 12, r * 12 + 12).every((v) => v >= clip[0] && v <= clip[1]);
      const length = norm === "l2" ? Math.hypot(...delta) : Math.max(...delta.map(Math.abs));
      if (inBox) expect(length).toBeLessThanOrEqual(epsilon * (1 + 1e-6));
      if (length > 0.99 * epsilon) beyond++;
    }
    expect(beyond).toBeGreaterThan(100); // and many go as far as they may
    for (const v of moved.data) expect(v >= clip[0] && v <= clip[1]).toBe(true);
    const clean = Float32Array.from(x.data, (v) => Math.min(Math.max(v, clip[0]), clip[1]));
    expect(model.testOnBatch(moved, y).loss).toBeGreaterThan(model.testOnBatch({ ...x, data: clean }, y).loss);
    model.dispose();
  });

  it.each(Object.entries(ATTACKS))("%s equals the inner loop of training, bit for bit", (_, how) => {
    const inner = compiled({ adversarial: { attack: how, weight: 1 } });
    const plain = compiled();
    for (let step = 0; step < 3; step++) {
      const batch = rows(step * 37, (step + 1) * 37);
      const moved = attack(plain, batch.x, batch.y, how);
      expect(bitsOf(attack(inner, batch.x, batch.y, how))).toEqual(bitsOf(moved));
      inner.trainOnBatch(batch.x, batch.y);
      plain.trainOnBatch(moved, batch.y);
      expect(weightBits(inner)).toEqual(weightBits(plain));
    }
  });

  it("does not depend on the batch, on sample weights or on where 256 rows end; random starts differ by row and by step", () => {
    const model = compiled();
    const big = examples(300);
    for (const how of Object.values(ATTACKS)) {
      const whole = attack(model, big.x, big.y, how);
      const some = attack(model, rows(0, 5).x, rows(0, 5).y, how);
      expect(bitsOf(some)).toEqual(bitsOf(whole).slice(0, 60));
    }
    const how = pgd({ epsilon: 0.25, stepSize: 1e-9, steps: 1 });
    const zeros = { data: new Float32Array(24), shape: [2, 12] };
    const [first] = [attack(model, zeros, [0, 0], how).data];
    expect(attack(model, zeros, [0, 0], how).data).toEqual(first);
    expect(first.slice(0, 12)).not.toEqual(first.slice(12));
    model.trainOnBatch(x, y);
    expect(attack(model, zeros, [0, 0], how).data).not.toEqual(first);
  });

  it("changes nothing, takes bytes, lists and records, and leaves unlabelled examples where they are", () => {
    setSeed(1);
    const model = sequential([
      rescaling({ scale: 1 / 255, inputShape: [3] }),
      dense(4),
      batchNorm(),
      dropout(0.5),
      dense(2),
    ]);
    model.compile({ optimizer: adam(), loss: softmaxCrossEntropy() });
    const bytes = { data: Uint8Array.of(0, 128, 255, 1, 2, 3), shape: [2, 3] };
    const before = weightBits(model);
    const moved = attack(model, bytes, [0, -1], fgsm({ epsilon: 8, clip: [0, 255] }));
    expect(weightBits(model)).toEqual(before);
    expect(moved.shape).toEqual([2, 3]);
    expect(moved.data).toBeInstanceOf(Float32Array);
    expect([...moved.data.slice(3)]).toEqual([1, 2, 3]);
    expect([0, 8]).toContain(moved.data[0]);
    expect([120, 128, 136]).toContain(moved.data[1]);

    const v = input([12]);
    const record = functional({ inputs: { u: v }, outputs: { a: dense(3)(v), b: dense(1)(v) } });
    record.compile({
      optimizer: sgd(),
      loss: { a: softmaxCrossEntropy(), b: meanSquaredError() },
      lossWeights: { a: 0, b: 1 },
    });
    const t = { data: new Float32Array(203), shape: [203, 1] };
    const both = attack(record, { u: x }, { a: y, b: t }, fgsm({ epsilon: 0.1 }));
    const alone = functional({ inputs: v, outputs: dense(1)(v) });
    alone.setWeights({
      "dense_1/kernel": record.getWeights()["dense_2/kernel"]!,
      "dense_1/bias": record.getWeights()["dense_2/bias"]!,
    });
    alone.compile({ optimizer: sgd(), loss: meanSquaredError() });
    expect(both.data).toEqual(attack(alone, x, t, fgsm({ epsilon: 0.1 })).data);
  });

  it("refuses what is no attack, no model, more than one input, and what is not compiled", () => {
    const model = compiled();
    thrown("argument", () => attack(model, x, y, any(fgsm)));
    thrown("argument", () => attack(model, x, y, any(adam())));
    thrown("argument", () => attack(any({}), x, y, fgsm({ epsilon: 0.1 })));
    thrown("state", () => attack(mlp(), x, y, fgsm({ epsilon: 0.1 })));
    thrown("shape", () => attack(model, [[1, 2]], [0], fgsm({ epsilon: 0.1 })));
    thrown("data", () => attack(model, rows(0, 1).x, [5], fgsm({ epsilon: 0.1 })));
    const [a, b] = [input([2]), input([2])];
    const two = functional({ inputs: { a, b }, outputs: { a: dense(1)(a), b: dense(1)(b) } });
    const loss = { a: meanSquaredError(), b: meanSquaredError() };
    two.compile({ optimizer: sgd(), loss });
    thrown("argument", () =>
      attack(two, any({ a: [[1, 2]], b: [[1, 2]] }), any({ a: [[1]], b: [[1]] }), fgsm({ epsilon: 0.1 })),
    );
    thrown("argument", () => two.compile({ optimizer: sgd(), loss, adversarial: { attack: fgsm({ epsilon: 0.1 }) } }));
    model.dispose();
    thrown("state", () => attack(model, x, y, fgsm({ epsilon: 0.1 })));
  });
});

describe("adversarial training", () => {
  it("moves statistics by the clean pass alone, and reports its metrics", () => {
    const net = () => {
      setSeed(2);
      return sequential([dense(9, { inputShape: [12] }), batchNorm(), relu(), dropout(0.25), dense(3)]);
    };
    const plain = compiled({}, net);
    const how = pgd({ epsilon: 0.3, steps: 3 });
    for (const weight of [0, 0.5, 1]) {
      const mixed = compiled({ adversarial: { attack: how, weight } }, net);
      const before = plain.getWeights();
      mixed.setWeights(before);
      const statistics = (model: Model<NDArray>) =>
        Object.entries(weightBits(model)).filter(([key]) => key.includes("moving"));
      const logs = mixed.trainOnBatch(x, y);
      const other = compiled({}, net);
      other.setWeights(before);
      const clean = other.trainOnBatch(x, y);
      expect(statistics(mixed)).toEqual(statistics(other));
      expect(logs["accuracy"]).toBe(clean["accuracy"]);
      expect(logs.loss).toBe(Math.fround(logs.dataLoss + logs.penalty));
      if (weight) expect(logs.loss).toBeGreaterThan(clean.loss);
      else {
        expect(logs.loss).toBe(clean.loss);
        expect(weightBits(mixed)).toEqual(weightBits(other));
      }
    }
  });

  it("draws other masks in the adversarial pass", () => {
    const net = () => {
      setSeed(2);
      return sequential([dropout(0.5, { inputShape: [12] }), dense(3)]);
    };
    const tiny = { attack: fgsm({ epsilon: 1e-30 }) };
    const [plain, half, one] = [{}, { adversarial: tiny }, { adversarial: { ...tiny, weight: 1 } }].map((options) =>
      compiled(options, net).gradients(x, y),
    );
    expect(one!.loss).not.toBe(plain!.loss);
    expect(half!.loss).toBeCloseTo((one!.loss + plain!.loss) / 2, 5);
  });

  it("is the same objective in gradients, which applyGradients makes a step of", () => {
    const options = {
      adversarial: { attack: pgd({ epsilon: 0.3, steps: 2 }), weight: 0.3 },
      weightNoise: 0.01,
      clipNorm: 0.5,
    };
    const net = () => {
      setSeed(5);
      return sequential([
        dense(9, { inputShape: [12], kernelRegularizer: l2(0.01), activityRegularizer: l1(0.01) }),
        batchNorm(),
        relu(),
        dropout(0.25),
        dense(3),
      ]);
    };
    const [a, b] = [compiled(options, net), compiled(options, net)];
    for (let i = 0; i < 3; i++) {
      const { loss, parameters } = a.gradients(x, y);
      const evaluated = a.testOnBatch(x, y);
      expect(evaluated.loss).not.toBe(loss);
      // gradients() moves no statistics
      const moved = b.trainOnBatch(x, y);
      expect(moved.loss).toBe(loss);
      a.applyGradients(parameters);
      const [wa, wb] = [weightBits(a), weightBits(b)];
      for (const key of Object.keys(wa)) if (!key.includes("moving")) expect(wa[key]).toEqual(wb[key]);
      a.setWeights(b.getWeights());
    }
  });

  it("adds up over the batches of a group", async () => {
    const options = {
      optimizer: sgd({ learningRate: 0.1 }),
      adversarial: { attack: pgd({ epsilon: 0.3, steps: 3 }), weight: 0.5 },
    };
    const [a, b] = [compiled(options), compiled(options)];
    const batch = rows(0, 96);
    const one = await a.fit(batch, { batchSize: 96, shuffle: false, epochs: 2 });
    const many = await b.fit(batch, { batchSize: 32, accumulate: 3, shuffle: false, epochs: 2 });
    for (const [i, { loss, dataLoss }] of one.epochs.entries()) {
      expect(many.epochs[i]!.loss).toBeCloseTo(loss, 5);
      expect(many.epochs[i]!.dataLoss).toBeCloseTo(dataLoss, 5);
    }
    for (const [key, { data }] of Object.entries(a.getWeights()))
      data.forEach((v, i) => {
        expect(b.getWeights()[key]!.data[i]).toBeCloseTo(v, 5);
      });
  });

  it("has the same bits on 1, 2 and 3 threads", async () => {
    const hashes: string[] = [];
    const { train } = digits();
    const part = { x: { data: train.x.data.slice(0, 256 * 64), shape: [256, 64] }, y: train.y.data.slice(0, 256) };
    for (const threads of [1, 2, 3]) {
      const runtime = await init({ threads, seed: 3 });
      const net = sequential([dense(128, { inputShape: [64] }), batchNorm(), relu(), dropout(0.2), dense(10)]);
      net.compile({
        optimizer: adam(),
        loss: softmaxCrossEntropy(),
        weightNoise: 0.02,
        adversarial: { attack: pgd({ epsilon: 0.2, steps: 3, norm: "l2", clip: [0, 1] }) },
      });
      await net.fit(part, { batchSize: 96, epochs: 2 });
      const moved = attack(net, part.x, part.y, pgd({ epsilon: 0.2, steps: 3, clip: [0, 1] }));
      hashes.push(`${await weightsHash(net)} ${bitsOf(moved).reduce((h, v) => (Math.imul(h, 31) + v) | 0, 0)}`);
      runtime.dispose();
    }
    expect(new Set(hashes).size).toBe(1);
    await init({ threads: 1, seed: 0 });
  });

  it("goes on from a file to the bit", async () => {
    const options = {
      adversarial: { attack: pgd({ epsilon: 0.3, steps: 2, clip: [-1, 1] }), weight: 0.25 },
      weightNoise: 0.01,
    };
    const model = compiled(options);
    await model.fit({ x, y }, { epochs: 2, batchSize: 64 });
    const bytes = await saveModel(model);
    const loaded = await loadModel(bytes);
    expect(await saveModel(loaded)).toEqual(bytes);
    for (const m of [model, loaded as typeof model])
      await m.fit({ x, y }, { initialEpoch: 2, epochs: 3, batchSize: 64 });
    expect(weightBits(loaded)).toEqual(weightBits(model));
    expect((await loaded.evaluate({ x, y })).loss).toBe((await model.evaluate({ x, y })).loss);
  });

  it("logs fit's epochs as the mixed objective, and evaluate's as the plain one", async () => {
    const how = fgsm({ epsilon: 0.2 });
    const model = compiled({ optimizer: sgd({ learningRate: 0 }), adversarial: { attack: how, weight: 0.25 } });
    const clean = await model.evaluate({ x, y });
    const moved = await model.evaluate({ x: attack(model, x, y, how), y });
    const { epochs } = await model.fit({ x, y }, { batchSize: 50, validationData: { x, y } });
    expect(epochs[0]!.loss).toBeCloseTo(0.75 * clean.loss + 0.25 * moved.loss, 5);
    expect(epochs[0]!["valLoss"]).toBeCloseTo(clean.loss, 6);
    expect(epochs[0]!["accuracy"]).toBeCloseTo(clean["accuracy"]!, 6);
  });

  it("cuts a batch of 40 inner steps into slices, builds it in under a second and reuses the memory of each step", () => {
    const make = (steps: number) => {
      const model = sequential([
        dense(512, { inputShape: [784], activation: "relu" }),
        dense(512, { activation: "relu" }),
        dense(10),
      ]);
      model.compile({
        optimizer: adam(),
        loss: softmaxCrossEntropy(),
        adversarial: { attack: pgd({ epsilon: 0.1, steps }) },
      });
      const spec: ProgramSpec = {
        kind: "train",
        rows: 128,
        inputs: [SourceType.float32],
        targets: [{ kind: LabelKind.index, shape: [], weighted: false }],
        training: true,
        accumulate: 0,
      };
      const { state } = model;
      const begun = performance.now();
      const program = buildProgram(state, state.lane("training"), spec);
      const time = performance.now() - begun;
      model.dispose();
      return { ...program, time };
    };
    const [one, forty] = [make(1), make(40)];
    expect(forty.time).toBeLessThan(1000);
    expect(forty.arenaBytes).toBeLessThanOrEqual(one.arenaBytes * 1.05);
    expect(forty.slices.length).toBeGreaterThan(5);
    for (const { work } of forty.slices.slice(0, -1)) expect(work).toBeLessThanOrEqual(8e6);
  });

  it("goes with mixup: what is attacked is the mixed example", async () => {
    const model = compiled({ adversarial: { attack: fgsm({ epsilon: 0.3 }), weight: 1 } });
    const { epochs } = await model.fit({ x, y }, { epochs: 30, batchSize: 64, augment: [mixup({ alpha: 0.4 })] });
    expect(epochs.at(-1)!.loss).toBeLessThan(epochs[0]!.loss);
    expect(epochs.every(({ loss, dataLoss }) => Number.isFinite(loss) && loss === dataLoss)).toBe(true);
  });

  it("refuses bad options, and leaves the earlier compile in force", () => {
    for (const epsilon of [0, -1, Number.NaN, Infinity, "1", undefined, null]) {
      thrown("argument", () => fgsm(any({ epsilon })));
      thrown("argument", () => pgd(any({ epsilon })));
    }
    thrown("argument", () => any(fgsm)());
    for (const clip of [[1, 0], [0], [0, 1, 2], 1, [0, Number.NaN], [0, Infinity], "01"])
      thrown("argument", () => pgd(any({ epsilon: 0.1, clip })), /clip/);
    for (const options of [
      { steps: 0 },
      { steps: 1.5 },
      { stepSize: 0 },
      { norm: "l1" },
      { randomStart: 1 },
      { step: 1 },
    ])
      thrown("argument", () => pgd(any({ epsilon: 0.1, ...options })));
    const model = compiled();
    const how = fgsm({ epsilon: 0.1 });
    for (const weight of [-0.1, 1.1, Number.NaN, "0.5"])
      thrown("argument", () =>
        model.compile(any({ optimizer: sgd(), loss: softmaxCrossEntropy(), adversarial: { attack: how, weight } })),
      );
    for (const adversarial of [how, { attack: fgsm }, { attack: adam() }, {}, [], 1, { attack: how, wait: 1 }])
      thrown("argument", () => model.compile(any({ optimizer: sgd(), loss: softmaxCrossEntropy(), adversarial })));
    expect(model.learningRate).toBe(0.01);
    expect(structuredClone(how)).toEqual({ type: "fgsm", epsilon: 0.1 });
  });
});
