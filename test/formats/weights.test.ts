// Weights by name in and out of files of other tools. The files are PyTorch's own: test/oracle/torchWeights.py.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { encodeSafetensors, openSafetensors } from "../../ts/formats/safetensors";
import * as d from "../../ts/index";
import { any, floats, rejected, weightBits } from "../support/contract";

const at = (name: string) => new URL(`torch/${name}`, import.meta.url);
const bytesOf = (name: string) => new Uint8Array(readFileSync(at(`${name}.safetensors`)));
const valuesOf = (name: string) => JSON.parse(readFileSync(at(`${name}.json`), "utf8"));
const array = ({ data, shape }: { data: number[]; shape: number[] }) => ({ data: Float32Array.from(data), shape });

function near(y: d.NDArray, expected: readonly number[], tolerance = 1e-5) {
  expect(y.data.length).toBe(expected.length);
  expect(Math.max(...expected.map((v, i) => Math.abs(v - y.data[i]!)))).toBeLessThan(tolerance);
}

const predicted = (model: d.Model, x: { data: number[]; shape: number[] }) => model.predict(array(x)) as d.NDArray;

const mlp = () =>
  d.sequential([
    ...[d.dense(8, { inputShape: [6], activation: "tanh" }), d.dense(8, { activation: "tanh" }), d.dense(8)],
    ...[d.layerNorm(), d.dense(3)],
  ]);

/** PyTorch's nets in downhill's layers. */
const NETS: Record<string, { make: () => d.Model; rename?: Record<string, string> }> = {
  mlp: { make: mlp },
  deep: {
    make: () => d.sequential(Array.from({ length: 12 }, () => d.dense(4, { inputShape: [4], activation: "tanh" }))),
  },
  cnn: {
    make: () =>
      d.sequential([
        ...[d.conv2d(4, 3, { padding: "same", inputShape: [8, 7, 2] }), d.batchNorm(), d.relu()],
        ...[d.conv2d(8, [3, 2], { groups: 2, useBias: false }), d.prelu(), d.maxPool2d(2)],
        ...[d.depthwiseConv2d(3, { depthMultiplier: 2, padding: "same" }), d.groupNorm(4)],
        ...[d.conv2dTranspose(3, 3, { strides: 2 }), d.prelu(), d.flatten(), d.batchNorm(), d.relu(), d.dropout(0.5)],
        d.dense(5),
      ]),
  },
  recurrent: {
    make: () =>
      d.sequential([
        ...[d.embedding(11, 5, { inputShape: [7] }), d.lstm(6, { returnSequences: true })],
        ...[d.lstm(6, { returnSequences: true }), d.simpleRnn(4), d.dense(3)],
      ]),
  },
  gru: {
    make: () =>
      d.sequential([
        d.bidirectional(d.gru(5, { returnSequences: true }), { inputShape: [6, 3] }),
        ...[d.bidirectional(d.gru(4)), d.dense(2)],
      ]),
  },
  attention: {
    make: () => {
      const x = d.input([5, 8]);
      const h = d.multiHeadAttention(2, 4)(d.layerNorm()(x));
      return any(d.functional({ inputs: x, outputs: d.dense(3)(d.add()([x, h])) }));
    },
  },
  convolved: {
    make: () => d.sequential([d.conv1d(4, 3, { activation: "tanh", inputShape: [8, 3] }), d.flatten(), d.dense(2)]),
  },
};

describe("PyTorch", () => {
  test.each(Object.keys(NETS))("%s: predicts as it does there", async (name) => {
    const { make } = NETS[name]!;
    const { x, y } = valuesOf(name);
    const model = make();
    expect(await d.loadWeights(model, bytesOf(name), { layout: "torch" })).toEqual({ missing: [], unused: [] });
    near(predicted(model, x), y.data);
  });

  test.each(Object.keys(NETS))("%s: written and read again, every bit is the same", async (name) => {
    const { make } = NETS[name]!;
    const model = make();
    await d.loadWeights(model, bytesOf(name), { layout: "torch" });
    for (const layout of ["torch", "keras", undefined] as const) {
      const other = make();
      const bytes = await d.saveWeights(model, undefined, layout && { layout });
      await d.loadWeights(other, bytes, layout && { layout });
      expect(weightBits(other)).toEqual(weightBits(model));
    }
  });

  test.each(["f16", "bf16", "f64"])("numbers in %s", async (kind) => {
    const model = mlp();
    await d.loadWeights(model, bytesOf(`mlp.${kind}`), { layout: "torch" });
    const values = valuesOf("mlp");
    near(predicted(model, values.x), values[kind]);
  });

  test("what is written has PyTorch's names, shapes and order of numbers", async () => {
    const model = NETS["cnn"]!.make();
    await d.loadWeights(model, bytesOf("cnn"), { layout: "torch" });
    const rename = {
      "features.0": "conv2d_1",
      ...{
        "features.1": "batchNorm_1",
        "features.3": "conv2d_2",
        "features.4": "prelu_1",
        "features.6": "depthwiseConv2d_1",
      },
      ...{ "features.7": "groupNorm_1", "features.8": "conv2dTranspose_1", "features.9": "prelu_2" },
      ...{ "classifier.1": "batchNorm_2", "classifier.4": "dense_1" },
    };
    const tensors = (bytes: Uint8Array) =>
      Object.fromEntries(
        openSafetensors(bytes, { F32: 4, I64: 8 })
          .entries.filter(({ name }) => !/num_batches|features\.9/.test(name)) // one alpha for all is one a channel here
          .map(({ name, shape, bytes }) => [name, { shape, bytes: [...bytes] }]),
      );
    const written = await d.saveWeights(model, undefined, { layout: "torch", rename });
    expect(tensors(written)).toEqual(tensors(bytesOf("cnn")));
    const again = NETS["cnn"]!.make();
    await d.loadWeights(again, written, { layout: "torch", rename });
    expect(weightBits(again)).toEqual(weightBits(model));
  });

  test("a separable convolution is PyTorch's two", async () => {
    const make = () => d.sequential([d.separableConv2d(3, 3, { inputShape: [5, 5, 2], depthMultiplier: 2 })]);
    const separable = make();
    const bytes = await d.saveWeights(separable, undefined, { layout: "torch" });
    const pair = d.sequential([
      d.depthwiseConv2d(3, { inputShape: [5, 5, 2], depthMultiplier: 2, useBias: false }),
      d.conv2d(3, 1),
    ]);
    const rename = { "separableConv2d_1.depthwise": "depthwiseConv2d_1", "separableConv2d_1.pointwise": "conv2d_1" };
    await d.loadWeights(pair, bytes, { layout: "torch", rename });
    const x = { data: floats(50), shape: [1, 5, 5, 2] };
    near(pair.predict(x), [...separable.predict(x).data]);
  });

  test("attention over other inputs has a matrix each", async () => {
    const make = () => {
      const [x, y] = [d.input([4, 6]), d.input([3, 5])];
      return any(d.functional({ inputs: [x, y], outputs: d.multiHeadAttention(2, 3, { useBias: false })([x, y]) }));
    };
    const model = make();
    const bytes = await d.saveWeights(model, undefined, { layout: "torch" });
    const shapes = openSafetensors(bytes, { F32: 4 }).entries.map(({ name, shape }) => [
      name.split(".").slice(1).join("."),
      shape,
    ]);
    expect(Object.fromEntries(shapes)).toEqual({
      q_proj_weight: [6, 6],
      k_proj_weight: [6, 5],
      v_proj_weight: [6, 5],
      "out_proj.weight": [6, 6],
    });
    const other = make();
    await d.loadWeights(other, bytes, { layout: "torch" });
    expect(weightBits(other)).toEqual(weightBits(model));
    const wide = d.sequential([d.multiHeadAttention(2, 8, { inputShape: [4, 6] })]);
    await rejected(
      "argument",
      d.saveWeights(wide, undefined, { layout: "torch" }),
      /expected heads·keyDim and heads·valueDim of 6/,
    );
  });
});

/** A file of numbers that are all different. */
const fileOf = (shapes: Record<string, number[]>) =>
  encodeSafetensors(
    Object.fromEntries(
      Object.entries(shapes).map(([name, shape], i) => [
        name,
        {
          data: floats(
            shape.reduce((a, b) => a * b, 1),
            i + 1,
          ),
          shape,
        },
      ]),
    ),
    {},
  );
const tensorsIn = (bytes: Uint8Array) =>
  Object.fromEntries(
    openSafetensors(bytes, { F32: 4 }).entries.map(({ name, bytes }) => [
      name,
      new Float32Array(new Uint8Array(bytes).buffer),
    ]),
  );

describe("Keras", () => {
  test("names of variables, those of cells and with :0 too; a GRU's gates are z r h there", async () => {
    const model = d.sequential([
      d.gru(2, { inputShape: [4, 3], returnSequences: true }),
      ...[d.bidirectional(d.lstm(2)), d.batchNorm(), d.dense(2)],
    ]);
    const bytes = fileOf({
      ...{ "gru/gru_cell/kernel:0": [3, 6], "gru/gru_cell/recurrent_kernel:0": [2, 6], "gru/gru_cell/bias:0": [2, 6] },
      ...{
        "bidirectional/forward_lstm/lstm_cell_1/kernel:0": [2, 8],
        "bidirectional/forward_lstm/lstm_cell_1/recurrent_kernel:0": [2, 8],
      },
      ...{
        "bidirectional/backward_lstm/lstm_cell_2/kernel:0": [2, 8],
        "bidirectional/backward_lstm/lstm_cell_2/recurrent_kernel:0": [2, 8],
      },
      ...{
        "bidirectional/forward_lstm/lstm_cell_1/bias:0": [8],
        "bidirectional/backward_lstm/lstm_cell_2/bias:0": [8],
      },
      ...{ "bn/gamma:0": [4], "bn/beta:0": [4], "bn/moving_mean:0": [4], "bn/moving_variance:0": [4] },
      ...{ "dense/kernel:0": [4, 2], "dense/bias:0": [2] },
    });
    await d.loadWeights(model, bytes, { layout: "keras" });
    const [w, file] = [model.getWeights(), tensorsIn(bytes)];
    const zrh = file["gru/gru_cell/bias:0"]!;
    expect([...w["gru_1/bias"]!.data]).toEqual([2, 3, 0, 1, 4, 5].map((i) => zrh[i]));
    expect([...w["gru_1/recurrentBias"]!.data]).toEqual([8, 9, 6, 7, 10, 11].map((i) => zrh[i]));
    expect(w["gru_1/kernel"]!.data.subarray(6, 8)).toEqual(file["gru/gru_cell/kernel:0"]!.subarray(8, 10));
    expect(w["bidirectional_1/backward/bias"]!.data).toEqual(file["bidirectional/backward_lstm/lstm_cell_2/bias:0"]);
    expect(w["batchNorm_1/movingVariance"]!.data).toEqual(file["bn/moving_variance:0"]);
  });

  test("dense comes before dense_1, which is not our dense_1", async () => {
    const model = d.sequential([d.dense(3, { inputShape: [3] }), d.dense(3), d.dense(3)]);
    const bytes = fileOf(
      Object.fromEntries(
        ["dense_1", "dense", "dense_2"].flatMap((name) => [
          [`${name}/kernel`, [3, 3]],
          [`${name}/bias`, [3]],
        ]),
      ),
    );
    await d.loadWeights(model, bytes, { layout: "keras" });
    const [w, file] = [model.getWeights(), tensorsIn(bytes)];
    for (const [ours, theirs] of [
      ["dense_1", "dense"],
      ["dense_2", "dense_1"],
      ["dense_3", "dense_2"],
    ])
      expect(w[`${ours}/kernel`]!.data).toEqual(file[`${theirs}/kernel`]);
  });

  test("attention and depthwise kernels", async () => {
    const x = d.input([4, 6]);
    const model = any(d.functional({ inputs: x, outputs: d.multiHeadAttention(2, 3)(x) }));
    const names = tensorsIn(await d.saveWeights(model, undefined, { layout: "keras" }));
    expect(Object.keys(names)).toContain("multiHeadAttention_1/attention_output/kernel");
    const deep = d.sequential([d.depthwiseConv2d(3, { inputShape: [5, 5, 2] }), d.separableConv2d(2, 2)]);
    const written = tensorsIn(await d.saveWeights(deep, undefined, { layout: "keras" }));
    expect(Object.keys(written)).toEqual([
      ...["depthwiseConv2d_1/bias", "depthwiseConv2d_1/depthwise_kernel", "separableConv2d_1/bias"],
      ...["separableConv2d_1/depthwise_kernel", "separableConv2d_1/pointwise_kernel"],
    ]);
    await d.loadWeights(
      deep,
      fileOf({
        "a/kernel": [3, 3, 2, 1],
        "a/bias": [2],
        "b/depthwise_kernel": [2, 2, 2, 1],
        "b/pointwise_kernel": [1, 1, 2, 2],
        "b/bias": [2],
      }),
      { layout: "keras" },
    );
  });
});

const net = () => d.sequential([d.dense(4, { inputShape: [4] }), d.relu(), d.dense(4), d.relu(), d.dense(2)]);
const shapes = (...names: [string, string, string]) => {
  const [a, b, c] = names;
  return {
    [`${a}.weight`]: [4, 4],
    [`${a}.bias`]: [4],
    [`${b}.weight`]: [4, 4],
    [`${b}.bias`]: [4],
    [`${c}.weight`]: [2, 4],
    [`${c}.bias`]: [2],
  };
};

describe("rename", () => {
  const named = { hidden: "dense_1", "out.0": "dense_2", out: "dense_3" }; // the longest counts
  const file = fileOf(shapes("hidden", "out.0", "out"));
  const check = (model: d.Model) => {
    const [w, tensors] = [model.getWeights(), tensorsIn(file)];
    for (const [theirs, ours] of Object.entries(named))
      expect(w[`${ours}/bias`]!.data).toEqual(tensors[`${theirs}.bias`]);
    const [kernel, weight] = [w["dense_3/kernel"]!.data, tensors["out.weight"]!];
    expect([...kernel]).toEqual([0, 4, 1, 5, 2, 6, 3, 7].map((i) => weight[i]));
  };

  test("a record of modules, or of tensors", async () => {
    const model = net();
    await d.loadWeights(model, file, { layout: "torch", rename: named });
    check(model);
    const each = Object.fromEntries(
      Object.entries(named).flatMap(([from, to]) => [
        [`${from}.weight`, `${to}/weight`],
        [`${from}.bias`, `${to}.bias`],
      ]),
    );
    const other = net();
    await d.loadWeights(other, file, { layout: "torch", rename: each });
    check(other);
  });

  test("a function, which may leave tensors out", async () => {
    const model = net();
    const more = fileOf({ ...shapes("hidden", "out.0", "out"), "head.weight": [3] });
    const rename = (name: string) => {
      const module = Object.keys(named).find((from) => name.replace(/\.\w+$/, "") === from);
      return module && named[module as keyof typeof named] + name.slice(module.length);
    };
    expect(await d.loadWeights(model, more, { layout: "torch", rename })).toEqual({ missing: [], unused: [] });
    expect(rename("head.weight")).toBeUndefined();
    const back = await d.saveWeights(model, undefined, {
      rename: (name) => (name.endsWith("bias") ? undefined : `my/${name}`),
    });
    expect(Object.keys(tensorsIn(back))).toEqual(["my/dense_1/kernel", "my/dense_2/kernel", "my/dense_3/kernel"]);
  });

  test("a record that leads nowhere, or from nowhere", async () => {
    const make = () => d.sequential([d.dense(3, { inputShape: [2], name: "one" }), d.dense(3, { name: "two" })]);
    const model = make();
    const bits = weightBits(model);
    const good = { "net.0": "one", "net.2": "two" };
    const file = await d.saveWeights(make(), undefined, { layout: "torch", rename: good });
    const load = (rename: Record<string, string>, strict = true) =>
      d.loadWeights(model, file, { layout: "torch", rename, strict });
    await rejected(
      "argument",
      load({ ...good, "net.2": "too" }),
      'loadWeights: rename: net.2: expected a layer of the model (one, two), got "too"',
    );
    await rejected(
      "format",
      load({ "net.0": "one", "net.1": "two" }),
      /has net\.2.* too; strict: false leaves them out; rename has net\.1, which the file has not$/,
    );
    await rejected(
      "argument",
      load({ ...good, "net.4": "two" }),
      'loadWeights: rename: expected names of the file (net.0.bias, net.0.weight, net.2.bias, net.2.weight), got "net.4"',
    );
    expect(weightBits(model)).toEqual(bits);
    expect((await load({ ...good, "net.4": "two", "net.2": "dropped" }, false)).unused.length).toBe(2);
    await load({ net: "one", "net.0.weight": "one.weight", "net.0.bias": "one.bias", "net.2": "two" });
    expect(weightBits(model)).not.toEqual(bits);
  });

  test("what is no rename, or gives two tensors one name", async () => {
    const model = net();
    for (const rename of [3, ["a"], { a: 1 }]) {
      await rejected(
        "argument",
        d.loadWeights(model, file, { rename: any(rename) }),
        /rename must be a function or a record/,
      );
      await rejected("argument", d.saveWeights(model, undefined, { rename: any(rename) }), /rename must be/);
    }
    await rejected(
      "argument",
      d.loadWeights(model, file, { rename: () => any(3) }),
      "loadWeights: rename: expected a name or undefined, got 3",
    );
    await rejected(
      "argument",
      d.loadWeights(model, file, { rename: () => "a/b" }),
      /rename: expected one tensor for "a\/b", got hidden/,
    );
    await rejected(
      "argument",
      d.saveWeights(model, undefined, { rename: () => "a" }),
      /rename: expected a name for each tensor, got "a"/,
    );
    const own = new Error("mine");
    await expect(
      d.loadWeights(model, file, {
        rename: () => {
          throw own;
        },
      }),
    ).rejects.toBe(own);
  });
});

describe("without rename", () => {
  test("by name where names agree, whatever the order", async () => {
    const model = net();
    const file = fileOf(shapes("dense_2", "dense_1", "dense_3"));
    await d.loadWeights(model, file, { layout: "torch" });
    expect(model.getWeights()["dense_1/bias"]!.data).toEqual(tensorsIn(file)["dense_1.bias"]);
  });

  test("names that differ only in numbers are taken in their order", async () => {
    const model = net();
    const file = fileOf(shapes("layers.10.fc", "layers.9.fc", "head"));
    await d.loadWeights(model, file, { layout: "torch" });
    expect(model.getWeights()["dense_1/bias"]!.data).toEqual(tensorsIn(file)["layers.9.fc.bias"]);
  });

  test("where two modules could be either layer, both lists are printed", async () => {
    const model = net();
    const before = weightBits(model);
    await rejected(
      "format",
      d.loadWeights(model, fileOf(shapes("up", "down", "out")), { layout: "torch" }),
      "loadWeights: cannot tell which module of the file is which layer; say it with rename, from the file's name to the model's. " +
        "The file has down (bias [4], weight [4, 4]), out (bias [2], weight [2, 4]), up (bias [4], weight [4, 4]); the model has " +
        "dense_1 (weight [4, 4], bias [4]), dense_2 (weight [4, 4], bias [4]), dense_3 (weight [2, 4], bias [2])",
    );
    expect(weightBits(model)).toEqual(before);
  });
});

describe("what does not fit changes nothing", () => {
  const model = net();
  const before = weightBits(model);
  const rename = { a: "dense_1", b: "dense_2", c: "dense_3" };
  const good = shapes("a", "b", "c");
  const load = (file: Uint8Array, options: object = {}) =>
    d.loadWeights(model, file, { layout: "torch", rename, ...options });
  const unchanged = () => expect(weightBits(model)).toEqual(before);

  test("missing and unused tensors are listed", async () => {
    const { "a.bias": _, ...rest } = good;
    await rejected(
      "format",
      load(fileOf({ ...rest, "head.bias": [3], "c.scale": [2] })),
      "loadWeights: expected a file with the tensors of the model's weights, got one that lacks dense_1/bias (bias) and has c.scale, head.bias too; " +
        "strict: false leaves them out",
    );
    unchanged();
    const other = net();
    const kept = other.getWeights()["dense_1/bias"];
    const file = fileOf({ ...rest, "head.bias": [3] });
    expect(await d.loadWeights(other, file, { layout: "torch", rename, strict: false })).toEqual({
      missing: ["dense_1/bias (bias)"],
      unused: ["head.bias"],
    });
    expect(other.getWeights()["dense_1/bias"]).toEqual(kept);
    expect(other.getWeights()["dense_2/bias"]!.data).toEqual(tensorsIn(file)["b.bias"]);
  });

  test("a shape", async () => {
    const text = 'loadWeights: tensor "c.weight" for dense_3/kernel: expected shape [2, 4], got [4, 2]';
    await rejected("shape", load(fileOf({ ...good, "c.weight": [4, 2] })), text);
    await rejected("shape", load(fileOf({ ...good, "c.weight": [4, 2] }), { strict: false }), text);
    unchanged();
  });

  test("whole numbers, NaN, a damaged file, a name without end", async () => {
    const file = fileOf(good);
    const text = new TextDecoder("latin1").decode(file).replace('"dtype":"F32"', '"dtype":"I32"');
    const ints = Uint8Array.from(text, (c) => c.charCodeAt(0));
    await rejected(
      "format",
      load(ints),
      'loadWeights: tensor "a.bias" for dense_1/bias: expected F32, F16, BF16, F64, got I32',
    );
    const nan = file.slice();
    new DataView(nan.buffer).setUint32(nan.length - 4, 0x7fc00000, true);
    await rejected("data", load(nan), /^loadWeights: dense_3\/kernel: expected a finite number/);
    await rejected(
      "format",
      load(file.subarray(0, 40)),
      /^loadWeights: safetensors: expected a safetensors file, .* here at most 32 bytes, got/,
    );
    await rejected(
      "format",
      load(new Uint8Array(9)),
      "loadWeights: safetensors: expected a header of at least 2 bytes, got 0",
    );
    const path = fileURLToPath(import.meta.url);
    await rejected("format", d.loadWeights(model, path), new RegExp(`^loadWeights: ${path}: safetensors: expected`));
    await rejected("format", load(fileOf({ ["a".repeat(2000)]: [1] })), /names of at most 1000 characters, got 2000/);
    unchanged();
  });

  test("arguments and the moment", async () => {
    const file = fileOf(good);
    await rejected(
      "argument",
      d.loadWeights(any({}), file),
      "loadWeights: expected a model, got an object with keys []",
    );
    await rejected("argument", d.loadWeights(model, any(3)), /expected a path, a URL, bytes/);
    await rejected(
      "argument",
      load(file, { layout: "jax" }),
      /layout must be "torch" or "keras", got the string "jax"/,
    );
    await rejected("argument", load(file, { layuot: "torch" }), /did you mean layout/);
    await rejected("argument", d.saveWeights(model, any(3)), /target as a path/);
    await rejected("data", d.loadWeights(model, "/nowhere/a.safetensors"), /nowhere/);
    const busy = net();
    busy.compile({ optimizer: d.adam(), loss: d.meanSquaredError() });
    const x = { data: floats(4000), shape: [1000, 4] };
    const fit = busy.fit({ x, y: { data: floats(2000), shape: [1000, 2] } }, { epochs: 3 });
    await rejected("state", d.loadWeights(busy, file, { layout: "torch", rename }), /fit is under way/);
    await fit;
    unchanged();
  });
});

test("our own names, from a path, a Blob, a function; what saveModel wrote is taken too", async () => {
  const model = net();
  const bytes = await d.saveModel(model);
  for (const source of [bytes, new Blob([any(bytes)]), { load: () => bytes }, await d.saveWeights(model)]) {
    const other = net();
    other.setWeights(
      Object.fromEntries(Object.entries(other.getWeights()).map(([key, w]) => [key, { ...w, data: w.data.fill(0) }])),
    );
    await d.loadWeights(other, source);
    expect(weightBits(other)).toEqual(weightBits(model));
  }
  let given: Uint8Array | undefined;
  const saved = await d.saveWeights(model, (written) => {
    given = written;
  });
  expect(given).toBe(saved);
});
