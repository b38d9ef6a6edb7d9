import { writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  adam,
  add,
  binaryCrossEntropy,
  concatenate,
  conv2d,
  dense,
  embedding,
  flatten,
  functional,
  hinge,
  input,
  type Model,
  multiHeadAttention,
  type Profile,
  poisson,
  saveModel,
  sequential,
  sgd,
  softmaxCrossEntropy,
} from "../../ts";
import { downhill, folder } from "./run";

const at = folder();
const profiled = async (...args: string[]): Promise<Profile> => {
  const { code, stdout, stderr } = await downhill("profile", ...args, "--json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
};

describe("profile", () => {
  test("of the recipe on the digits: a table", async () => {
    const { code, stdout, stderr } = await downhill("profile");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^training step of 64: [\d.]+ µs; 1 thread, strict\n\ngather\n/);
    expect(stdout).toMatch(/^ {2}dense_1 +gemm .* \[64,256\] ← \[64,64\] \[64,256\]$/m);
    expect(stdout).toMatch(/\n\nlimits\n {2}matrix product +1 thread +[\d.]+ GFLOP\/s\n/);
  });

  test("options shape the model, the batch and the runtime", async () => {
    const args = [
      "--hidden",
      "32,16",
      "--no-batch-norm",
      "--dropout",
      "0",
      "--optimizer",
      "sgd",
      "--batch-size",
      "10000",
    ];
    const profile = await profiled(...args, "--threads", "2");
    expect(profile).toMatchObject({ threads: 2, fastMath: false, batchSize: 1437 });
    expect(Object.keys(profile.layers).filter((name) => /batchNorm|dropout/.test(name))).toEqual([]);
    expect(profile.instructions[2]).toMatchObject({ layer: "dense_1", op: "gemm", outputs: [[1437, 32]] });
  });

  test("of a saved model, and of a table", async () => {
    writeFileSync(
      at("t.csv"),
      `a,b,c\n${Array.from({ length: 40 }, (_, i) => `${i % 7},${i % 5},${i % 2 ? "x" : "y"}`).join("\n")}\n`,
    );
    const table = ["--data", at("t.csv")];
    const built = await profiled(...table, "--target", "c", "--hidden", "8");
    const saved = at("t.safetensors");
    await downhill("train", ...table, "--target", "c", "--hidden", "8", "--epochs", "1", "--save", saved);
    const found = await profiled(saved, ...table, "--batch-size", "20");
    expect(built.batchSize).toBe(40);
    expect(found.batchSize).toBe(20);
    expect(found.instructions.map(({ op }) => op)).toEqual(built.instructions.map(({ op }) => op));
  });

  const models: [string, () => Model, string[]][] = [
    [
      "token ids, attention, a class a step",
      () => {
        const ids = input([6]);
        const x = embedding(11, 8)(ids);
        const h = add()([x, multiHeadAttention(2, 4)(x)]);
        const model = functional({ inputs: ids, outputs: dense(11)(h) });
        model.compile({ optimizer: adam(), loss: softmaxCrossEntropy() });
        return model as Model;
      },
      ["embedding_1", "multiHeadAttention_1", "dense_1"],
    ],
    [
      "several inputs and outputs, losses that take few targets",
      () => {
        const inputs = { a: input([4]), ids: input([3]) };
        const h = concatenate()([dense(5)(inputs.a), flatten()(embedding(7, 2)(inputs.ids))]);
        const outputs = { sides: dense(2)(h), odds: dense(1)(h), counts: dense(1, { activation: "softplus" })(h) };
        const model = functional({ inputs, outputs });
        model.compile({
          optimizer: sgd(),
          loss: { sides: hinge(), odds: binaryCrossEntropy(), counts: poisson() },
        });
        return model as Model;
      },
      ["sides", "odds", "counts", "embedding_1"],
    ],
    [
      "images",
      () => {
        const model = sequential([conv2d(4, 3, { inputShape: [9, 9, 2] }), flatten(), dense(3)]);
        model.compile({ optimizer: adam(), loss: softmaxCrossEntropy() });
        return model as Model;
      },
      ["conv2d_1", "dense_1"],
    ],
  ];

  test.each(models)("of a saved model on made-up examples that fit it: %s", async (_, make, layers) => {
    const file = at("model.safetensors");
    await saveModel(make(), file);
    const profile = await profiled(file, "--batch-size", "12");
    expect(profile.batchSize).toBe(12);
    expect(Object.keys(profile.layers)).toEqual(expect.arrayContaining(layers));
  });

  test("of a saved model that is not compiled", async () => {
    const file = at("bare.safetensors");
    await saveModel(sequential([dense(3, { inputShape: [4] })]), file);
    const { code, stderr } = await downhill("profile", file);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: "downhill: profile: the model is not compiled; call compile() first\n",
    });
  });
});
