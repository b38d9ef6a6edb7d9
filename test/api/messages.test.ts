// What a newcomer's first mistakes are told: the call, the argument, and what to write instead.

import { describe, expect, it, vi } from "vitest";
import {
  activation,
  adam,
  binaryCrossEntropy,
  conv2d,
  dense,
  type Layer,
  l2,
  meanSquaredError,
  relu,
  sequential,
  sgd,
  sigmoid,
  softmax,
  softmaxCrossEntropy,
} from "../../ts/index";
import { any, classifier, floats, labels, rejected, thrown } from "../support/contract";

const x = floats(32);
const y = labels(8, 3);
const wide = { data: floats(40), shape: [8, 5] };
const regression = () => {
  const model = sequential([dense(2, { inputShape: [4] })]);
  model.compile({ optimizer: adam(), loss: meanSquaredError() });
  return model;
};

describe("shapes name the call, the argument and the layer", () => {
  it("x", async () => {
    const text = (call: string) => `${call}: x: dense_1: expected input of shape [n, 4], got [8, 5]`;
    const m = classifier();
    await rejected("shape", m.fit({ x: wide, y }), text("fit"));
    await rejected("shape", m.fit({ x, y }, { validationData: { x: wide, y } }), text("fit: validationData"));
    await rejected("shape", m.evaluate({ x: wide, y }), text("evaluate"));
    thrown("shape", () => m.predict(wide), text("predict"));
    thrown("shape", () => m.trainOnBatch(wide, y), text("trainOnBatch"));
    thrown("shape", () => m.predict(floats(9)), "predict: x: dense_1: expected input of shape [n, 4], got [9]");
  });

  it("y", async () => {
    const m = regression();
    const got = { data: floats(24), shape: [8, 3] };
    await rejected("shape", m.fit({ x, y: got }), "fit: y: expected targets of shape [n, 2], got [8, 3]");
    const maps = sequential([conv2d(4, 3, { inputShape: [8, 8, 1] }), dense(10)]);
    maps.compile({ optimizer: sgd(), loss: softmaxCrossEntropy() });
    const unflattened = maps.fit({ x: { data: new Float32Array(128), shape: [2, 8, 8, 1] }, y: [1, 2] });
    const hint = "fit: y: expected targets of shape [n, 6, 6], got [2] (one class an example: flatten() the output)";
    await rejected("shape", unflattened, hint);
    thrown("shape", () => m.testOnBatch(x, floats(15)), /^testOnBatch: y: expected targets of shape \[n, 2\]/);
  });
});

describe("a factory that was not called", () => {
  it("is told to be called", () => {
    const m = classifier();
    const loss = softmaxCrossEntropy();
    thrown(
      "argument",
      () => m.compile({ optimizer: any(adam), loss }),
      "compile: optimizer must be an optimizer such as adam(), got a factory; call it: adam()",
    );
    thrown("argument", () => sequential([any(relu)]), /got a factory; call it: relu\(\)$/);
    thrown("argument", () => dense(3, { kernelRegularizer: any(l2) }), /got a factory; call it: l2\(\)$/);
  });
  it("a layer, and a function of one's own, are what they are", () => {
    thrown("argument", () => sequential(any(dense(1))), "sequential: expected a list such as [dense(10)], got dense()");
    thrown("argument", () => classifier().compile(any({ optimizer: relu() })), /got relu\(\)$/);
    thrown("argument", () => sequential([any(function own() {})]), /got the function own$/);
  });
});

describe("a loss that takes logits, behind probabilities", () => {
  const warnings = (layers: Layer[], loss: ReturnType<typeof meanSquaredError>) => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    sequential([dense(4, { inputShape: [4] }), ...layers]).compile({ optimizer: adam(), loss });
    const said = warn.mock.calls.map(String);
    warn.mockRestore();
    return said;
  };
  const crossEntropy = softmaxCrossEntropy();
  it("is warned of, once a compile", () => {
    const warning = (loss: string, layer: string) => [`downhill: ${loss} takes logits, but ${layer}`];
    const [classes, binary] = ["softmaxCrossEntropy", "binaryCrossEntropy"] as const;
    expect(warnings([softmax()], crossEntropy)).toEqual(warning(classes, "softmax_1 ends in softmax"));
    expect(warnings([activation("softmax")], crossEntropy)).toEqual(warning(classes, "activation_1 ends in softmax"));
    expect(warnings([dense(3, { activation: "softmax" })], crossEntropy)).toEqual(
      warning(classes, "dense_2 ends in softmax"),
    );
    expect(warnings([sigmoid()], binaryCrossEntropy())).toEqual(warning(binary, "sigmoid_1 ends in sigmoid"));
  });
  it("and nothing else is", () => {
    expect(warnings([], crossEntropy)).toEqual([]);
    expect(warnings([softmax(), dense(3)], crossEntropy)).toEqual([]);
    expect(warnings([relu()], crossEntropy)).toEqual([]);
    expect(warnings([sigmoid()], binaryCrossEntropy({ fromLogits: false }))).toEqual([]);
    expect(warnings([sigmoid()], meanSquaredError())).toEqual([]);
  });
});

describe("x and y by position", () => {
  const expected = /^(fit|evaluate): expected data as one object \{ x, y \}, /;
  it.each([
    ["typed arrays", x, y],
    ["nested arrays", [[1, 2, 3, 4]], [0]],
    ["flat arrays", [1, 2, 3, 4], [0]],
    ["NDArrays", { data: x, shape: [8, 4] }, { data: y, shape: [8] }],
  ])("%s", async (_, x, y) => {
    const m = classifier();
    await rejected("argument", m.fit(any(x), any(y)), expected);
    await rejected("argument", m.evaluate(any(x), any(y)), expected);
  });
  it("batches in a list are no mistake", async () => {
    expect((await classifier().fit([{ x, y }])).epochs).toHaveLength(1);
  });
});
