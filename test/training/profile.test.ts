import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import {
  adam,
  adamw,
  add,
  batchNorm,
  bidirectional,
  concatenate,
  conv2d,
  dense,
  depthwiseConv2d,
  dropout,
  earlyStopping,
  embedding,
  explain,
  fgsm,
  flatten,
  functional,
  gru,
  init,
  input,
  l1,
  l2,
  layerNorm,
  lion,
  lstm,
  type Model,
  maxNorm,
  maxPool2d,
  meanSquaredError,
  multiHeadAttention,
  type Profile,
  pgd,
  positionEmbedding,
  profileText,
  prune,
  type Runtime,
  relu,
  rmsprop,
  saveModel,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
  weightsHash,
} from "../../ts/index";
import "../support/builds"; // relaxed SIMD on Node 20
import { any, classifier, floats, labels, rejected, thrown, withNorm } from "../support/contract";

const ROWS = 24;
const X = floats(ROWS * 4);
const Y = labels(ROWS, 3);

/** A clock that goes on by 20 ms whenever it is read: what the profile does is the same, in few repetitions. */
function hasten(): void {
  let now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => (now += 20));
}
afterEach(() => {
  vi.restoreAllMocks();
});

/** All of a model that outlives a call, as text. */
const fileOf = async (model: Model) => Buffer.from(await saveModel(model)).toString("base64");

const sum = (numbers: Iterable<number>) => [...numbers].reduce((a, b) => a + b, 0);

const of = (profile: Profile, op: string) => profile.instructions.filter((instruction) => instruction.op === op);

describe("what it tells", () => {
  const model = withNorm();
  const profile = model.profile(X, Y);
  const { instructions, step, layers, spans, limits } = profile;

  test("each instruction once, in the order of the spans; plain data", () => {
    const order = instructions.map(({ span }) => ["gather", "forward", "backward", "update"].indexOf(span));
    expect(order).toEqual([...order].sort());
    expect(new Set(order)).toEqual(new Set([0, 1, 2, 3]));
    expect(instructions.map(({ op }) => op)).toContain("guard");
    expect(of(profile, "optimizerStep")).toHaveLength(1);
    expect(profile).toMatchObject({ threads: 1, fastMath: false, batchSize: ROWS });
    expect(JSON.parse(JSON.stringify(profile))).toEqual(profile);
  });

  test("times are positive, and sums are sums", () => {
    for (const { ms, share } of instructions) {
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(share).toBeGreaterThanOrEqual(0);
      expect(share).toBeLessThan(Infinity);
      if (ms < 5e-5) expect(share).toBe(0); // no clock tells it from nothing
    }
    const total = sum(instructions.map(({ ms }) => ms));
    expect(step.instructions).toBeCloseTo(total, 9);
    expect(sum(Object.values(layers))).toBeCloseTo(total, 9);
    expect(sum(Object.values(spans))).toBeCloseTo(total, 9);
    expect(Object.keys(spans)).toEqual(["gather", "forward", "backward", "update"]);
    expect(layers["dense_1"]).toBeCloseTo(
      sum(instructions.filter(({ layer }) => layer === "dense_1").map(({ ms }) => ms)),
      9,
    );
    expect(step.ms).toBeGreaterThan(0);
    expect(step.run).toBeGreaterThan(0);
  });

  test("shapes; FLOPs of products; bytes of what is read and written, twice of what stays", () => {
    const [product] = of(profile, "gemm") as [Profile["instructions"][number]];
    const [[m, n], [, k]] = [product.outputs[0]!, product.inputs[0]!] as [[number, number], [number, number]];
    expect(product.inputs[1]).toEqual([k, n]);
    expect(product.gflops * product.ms * 1e6).toBeCloseTo(2 * m * n * k, 3);
    expect(product.gbs * product.ms * 1e6).toBeCloseTo(4 * (m * n + m * k + k * n + (product.inputs[2] ? n : 0)), 3);
    const [update] = of(profile, "optimizerStep") as [Profile["instructions"][number]];
    const floats = update.outputs[0]![0]!;
    expect(update.gflops).toBe(0);
    expect(update.bound).toBe("memory");
    const moved = update.gbs * update.ms * 1e6; // adam: reads and writes w, m, v, reads g, and a table
    expect(moved).toBeGreaterThanOrEqual(7 * 4 * floats - 1);
    expect(moved).toBeLessThan(7 * 4 * floats + 1000);
  });

  test("shares are of limits of the same run, the nearer one", () => {
    const [product] = limits.filter(({ bytes }) => bytes === 0);
    expect(limits.filter(({ bytes }) => bytes > 0).length).toBeGreaterThan(0);
    for (const { threads, rate } of limits) {
      expect(threads).toBe(1);
      expect(rate).toBeGreaterThan(0.1);
    }
    for (const { gflops, bound, share } of instructions)
      if (bound === "compute") expect(share).toBeCloseTo(gflops / product!.rate, 6);
      else expect(share).toBeGreaterThanOrEqual(gflops / product!.rate);
  });

  test("as text", () => {
    const text = profileText(profile);
    expect(text).toMatch(/^training step of 24: [\d.]+ µs; 1 thread, strict\n\ngather\n {2}/);
    for (const heading of ["forward", "backward", "update", "by layer", "by span", "limits"])
      expect(text).toContain(`\n\n${heading}\n`);
    expect(text).toMatch(
      /^ {2}dense_1 +gemm +[\d.]+ µs +[\d.]+ % +[\d.]+ G\S+ +[\d.]+ % +\[24,\d+\] ← \[24,4\] \[4,\d+\]/m,
    );
    expect(text).toMatch(/^ {2}dispatch +-?[\d.]+ µs +-?[\d.]+ %\n {2}JavaScript +-?[\d.]+ µs/m);
    expect(text).toMatch(/^ {2}matrix product +1 thread +[\d.]+ GFLOP\/s\n {2}16.0 KiB +1 thread +[\d.]+ GB\/s$/m);
    expect(text.split("\n").filter((line) => /^ {2}.* [GF].*B\/s|GFLOP/.test(line)).length).toBeGreaterThan(10);
    expect(text).not.toMatch(/NaN|Infinity|undefined/);
  });

  test("recurrent nets: every step's products", () => {
    const net = sequential([lstm(4, { inputShape: [5, 3] }), dense(2)]);
    net.compile({ optimizer: sgd(), loss: softmaxCrossEntropy() });
    const found = net.profile({ data: floats(2 * 15), shape: [2, 5, 3] }, labels(2, 2));
    expect(profileText(found)).toMatch(/^ {2}lstm_1 +recurrent ×\d /m);
    const flops = found.instructions.map(({ gflops, ms }) => gflops * ms * 1e6);
    // x·W and h·U of 5 steps, with their gradients (none for x; U's in the first step, too: h = 0), and the dense layer's
    expect(sum(flops)).toBeGreaterThan(2 * 2 * 16 * (2 * 5 * 3 + 3 * 4 * 4));
    expect(of(found, "gemm").length + of(found, "lstm").length).toBeGreaterThan(0);
  });
});

/** Models of each kind, with a batch. */
const kinds: [string, (runtime: Runtime) => [Model, unknown, unknown], string[]][] = [
  [
    "token ids, attention, a class a step",
    (runtime) => {
      const ids = input([6]);
      const x = positionEmbedding()(embedding(11, 8)(ids));
      const h = layerNorm()(add()([x, multiHeadAttention(2, 4, { causal: true })(x)]));
      const model = functional({ inputs: ids, outputs: dense(11)(h) }, { runtime });
      model.compile({ optimizer: adamw(), loss: softmaxCrossEntropy() });
      return [any(model), { data: labels(30, 11), shape: [5, 6] }, { data: labels(30, 11), shape: [5, 6] }];
    },
    ["embedding_1", "positionEmbedding_1", "multiHeadAttention_1", "add_1", "layerNorm_1", "dense_1"],
  ],
  [
    "recurrent, both ways",
    (runtime) => {
      const model = sequential([bidirectional(gru(4), { inputShape: [5, 3] }), dense(2)], { runtime });
      model.compile({ optimizer: rmsprop(), loss: softmaxCrossEntropy(), clipNorm: 1 });
      return [any(model), { data: floats(60), shape: [4, 5, 3] }, labels(4, 2)];
    },
    ["bidirectional_1", "dense_1"],
  ],
  [
    "several inputs and outputs",
    (runtime) => {
      const inputs = [input([4]), input([2])];
      const h = concatenate()([dense(5)(inputs[0]!), dense(3)(inputs[1]!)]);
      const model = functional({ inputs, outputs: [dense(3)(h), dense(1)(h)] }, { runtime });
      model.compile({
        optimizer: sgd(),
        loss: [softmaxCrossEntropy(), meanSquaredError()],
        metrics: [["accuracy"], []],
      });
      return [any(model), [floats(32), floats(16)], [labels(8, 3), floats(8)]];
    },
    ["dense_1", "dense_2", "concatenate_1", "dense_3", "dense_4"],
  ],
  [
    "adversarial training",
    (runtime) => {
      const model = sequential([dense(6, { inputShape: [4], activation: "relu" }), dense(3)], { runtime });
      const adversarial = { attack: pgd({ epsilon: 0.1, steps: 2 }) };
      model.compile({ optimizer: adam(), loss: softmaxCrossEntropy(), adversarial, ema: 0.9, weightNoise: 0.01 });
      return [any(model), X, Y];
    },
    ["dense_1", "dense_2"],
  ],
  [
    "convolution, pooling, normalization",
    (runtime) => {
      const model = sequential(
        [conv2d(4, 3, { inputShape: [8, 8, 1] }), batchNorm(), maxPool2d(2), flatten(), dense(2)],
        { runtime },
      );
      model.compile({ optimizer: lion(), loss: softmaxCrossEntropy() });
      return [any(model), { data: floats(4 * 64), shape: [4, 8, 8, 1] }, labels(4, 2)];
    },
    ["conv2d_1", "batchNorm_1", "maxPool2d_1", "dense_1"],
  ],
];

describe.each([
  ["one thread", {}],
  ["two threads", { threads: 2 }],
  ["fastMath", { fastMath: true }],
])("%s", (_, options) => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await init(options);
  });
  afterAll(() => runtime.dispose());

  test.each(kinds)("%s: each instruction of the step, and the sums", (_, make, named) => {
    hasten();
    const [model, x, y] = make(runtime);
    const before = model.trainOnBatch(any(x), any(y));
    const profile = model.profile(any(x), any(y));
    const { instructions, layers, spans, step } = profile;
    expect(profile.threads).toBe(runtime.threads);
    expect(profile.fastMath).toBe(runtime.fastMath);
    // explain has a line for each, which begins with the layer, if there is one, and the op
    const told = explain(model, { batchSize: profile.batchSize }).match(/^ {2,}\w.*$/gm)!;
    expect(told.map((line, i) => line.includes(instructions[i]?.op ?? "nothing"))).toEqual(
      instructions.map(() => true),
    );
    for (const { ms, gflops, gbs, share } of instructions)
      for (const figure of [ms, gflops, gbs, share]) expect(figure).toBeGreaterThanOrEqual(0);
    const total = sum(instructions.map(({ ms }) => ms));
    for (const figure of [step.instructions, sum(Object.values(layers)), sum(Object.values(spans))])
      expect(figure).toBeCloseTo(total, 6);
    expect(Object.keys(layers)).toEqual(expect.arrayContaining(named));
    expect(profileText(profile)).not.toMatch(/NaN|Infinity|undefined/);
    expect(Object.keys(model.trainOnBatch(any(x), any(y)))).toEqual(Object.keys(before));
  });
});

test.each([
  ["direct, and implicit products", conv2d(8, 3, { inputShape: [9, 9, 4] }), 4, 2 * 7 * 7 * 9 * 4 * 8],
  ["depthwise", depthwiseConv2d(3, { inputShape: [9, 9, 4] }), 4, 2 * 7 * 7 * 9 * 4],
  ["Winograd's", conv2d(16, 3, { inputShape: [10, 10, 16] }), 16, 2 * 8 * 8 * 9 * 16 * 16],
])("convolutions count as direct ones, forward and to the kernel: %s", (_, layer, channels, each) => {
  const [batch, side] = [8, (any(layer).config.inputShape as number[])[0]!];
  const model = sequential([layer, flatten(), dense(2)]);
  model.compile({ optimizer: sgd(), loss: softmaxCrossEntropy() });
  const shape = [batch, side, side, channels];
  const { instructions } = model.profile({ data: floats(batch * side * side * channels), shape }, labels(batch, 2));
  const found = instructions.filter(({ layer }) => /onv/.test(layer));
  const flops = sum(found.map(({ gflops, ms }) => gflops * ms * 1e6));
  expect(flops).toBeGreaterThan(2 * batch * each - 1);
  expect(flops).toBeLessThan(2.6 * batch * each); // chunks of a kernel's gradient are whole rows
});

/** Models with all that a step writes. */
const models: [string, () => Model][] = [
  ["batch norm, dropout, L2, Adam", withNorm],
  [
    "momentum, clipping, a mean of the weights, noise on them, a constraint, a frozen layer",
    () => {
      const model = sequential([
        dense(8, {
          inputShape: [4],
          kernelConstraint: maxNorm({ maxValue: 1 }),
          kernelRegularizer: l1(1e-3, { proximal: true }),
        }),
        batchNorm(),
        relu(),
        dense(6, { trainable: false, activation: "tanh", activityRegularizer: l2(0.01) }),
        dense(3),
      ]);
      model.compile({
        optimizer: sgd({ momentum: 0.9 }),
        loss: softmaxCrossEntropy(),
        metrics: ["accuracy"],
        ...{ clipNorm: 0.5, clipValue: 0.1, ema: 0.9, weightNoise: 0.01 },
      });
      return model;
    },
  ],
  [
    "adversarial training of a pruned model",
    () => {
      const model = sequential([dense(8, { inputShape: [4], activation: "relu" }), dropout(0.2), dense(3)]);
      model.compile({
        optimizer: adam({ amsgrad: true }),
        loss: softmaxCrossEntropy(),
        adversarial: { attack: fgsm({ epsilon: 0.1 }), weight: 0.5 },
      });
      prune(model, { sparsity: 0.5 });
      return model;
    },
  ],
];

describe("changes nothing", () => {
  test.each(models)("%s", async (_, make) => {
    hasten();
    setSeed(3);
    const model = make();
    setSeed(3);
    const twin = make();
    for (let i = 0; i < 3; i++) {
      const before = await fileOf(model);
      const hash = await weightsHash(model);
      model.profile(X, Y);
      expect(await weightsHash(model)).toBe(hash);
      expect(await fileOf(model)).toBe(before);
      expect(model.trainOnBatch(X, Y)).toEqual(twin.trainOnBatch(X, Y));
      expect(model.gradients(X, Y)).toEqual(twin.gradients(X, Y));
    }
    const options = { batchSize: 8, epochs: 2 };
    expect(await model.fit({ x: X, y: Y }, options)).toEqual(await twin.fit({ x: X, y: Y }, options));
    expect(await weightsHash(model)).toBe(await weightsHash(twin));
  });

  test("weights that a callback has set aside stay so", async () => {
    hasten();
    const model = classifier();
    const stop = earlyStopping({ monitor: "loss", mode: "max", patience: 1, restoreBestWeights: true });
    await model.fit({ x: X, y: Y }, { epochs: 5, batchSize: 8, callbacks: [stop] });
    const before = await fileOf(model);
    expect(model.state.lastWeights).toBeDefined();
    model.profile(X, Y);
    expect(await fileOf(model)).toBe(before);
  });

  test("nor does memory stay taken, or the plan that summary tells become another", () => {
    hasten();
    const model = withNorm();
    model.trainOnBatch(X, Y);
    const [{ used }, summary] = [model.state.runtime.memory(), model.summary()];
    model.profile(X, Y);
    expect(model.state.runtime.memory().used).toBe(used);
    expect(model.summary()).toBe(summary);
  });

  test("nor does a step that fails", async () => {
    hasten();
    const model = withNorm();
    model.trainOnBatch(X, Y);
    const before = await fileOf(model);
    const { used } = model.state.runtime.memory();
    thrown("data", () => model.profile(X.slice().fill(Number.NaN, 5, 6), Y), /^profile: x: .*NaN/);
    thrown("numeric", () => model.profile(X.slice().fill(3e38), Y), /^profile: the loss is /);
    expect(model.state.runtime.memory().used).toBe(used);
    expect(await fileOf(model)).toBe(before);
  });
});

test("bad calls", async () => {
  hasten();
  const bare = sequential([dense(3, { inputShape: [4] })]);
  thrown("state", () => bare.profile(X, Y), "profile: the model is not compiled; call compile() first");
  const model = classifier();
  thrown("shape", () => model.profile(X.slice(1), Y), /^profile: x/);
  thrown("shape", () => model.profile(X, Y.slice(1)), /^profile: y/);
  thrown("argument", () => model.profile(any("x"), Y), /^profile: x/);
  thrown("data", () => model.profile(X, Y.slice().fill(3)), /^profile: y/);
  const fitting = model.fit({ x: X, y: Y }, { epochs: 3 });
  thrown("state", () => model.profile(X, Y), "profile: a fit is under way on this model");
  vi.restoreAllMocks();
  await fitting;
  model.dispose();
  thrown("state", () => model.profile(X, Y), /disposed/);
});

test("several inputs and outputs are given as everywhere", () => {
  hasten();
  const [a, b] = [input([4], { name: "a" }), input([2], { name: "b" })];
  const outputs = { left: dense(3)(a), right: dense(1)(b) };
  const model = functional({ inputs: { a, b }, outputs });
  model.compile({ optimizer: sgd(), loss: { left: softmaxCrossEntropy(), right: meanSquaredError() } });
  const profile = model.profile(
    { a: floats(8), b: floats(4) } as never,
    { left: labels(2, 3), right: floats(2) } as never,
  );
  expect(profile.batchSize).toBe(2);
  expect(Object.keys(profile.layers)).toEqual(expect.arrayContaining(["left", "right", "dense_1", "dense_2"]));
});

test("too little memory for a working set is said before anything is changed", async () => {
  hasten();
  const runtime = await init({ maxMemory: 2 ** 21 });
  const model = sequential([dense(256, { inputShape: [64] }), dense(256)], { runtime });
  model.compile({ optimizer: adam(), loss: meanSquaredError() });
  const [x, y] = [floats(8 * 64), floats(8 * 256)];
  model.trainOnBatch(x, y);
  const before = await fileOf(model);
  const { used } = runtime.memory();
  thrown("memory", () => model.profile(x, y), /^profile: needs /);
  expect(runtime.memory().used).toBe(used);
  expect(await fileOf(model)).toBe(before);
  runtime.dispose();
  await rejected("state", model.evaluate({ x, y }));
});

test("a team of two: who runs what, limits of one thread and of two; and the same bits after it", async () => {
  hasten();
  const make = (runtime: Awaited<ReturnType<typeof init>>) => {
    const model = sequential([dense(256, { inputShape: [128] }), batchNorm(), relu(), dropout(0.5), dense(3)], {
      runtime,
    });
    model.compile({ optimizer: adam(), loss: softmaxCrossEntropy() });
    return model;
  };
  const [x, y] = [floats(64 * 128), labels(64, 3)];
  const two = await init({ threads: 2, seed: 5 });
  const shared = make(two);
  const profile = shared.profile(x, y);
  expect(profile.threads).toBe(2);
  expect(profile.instructions.some(({ team }) => team)).toBe(true);
  expect(new Set(profile.limits.map(({ threads }) => threads))).toEqual(new Set([1, 2]));
  expect(profileText(profile)).toMatch(/2 threads, strict\n(.|\n)* gemm .*‖(.|\n)*limits\n(.|\n)*2 threads/);
  const one = await init({ seed: 5 });
  const alone = make(one);
  for (const model of [shared, alone]) model.trainOnBatch(x, y);
  expect(await weightsHash(shared)).toBe(await weightsHash(alone));
  two.dispose();
  one.dispose();
});
