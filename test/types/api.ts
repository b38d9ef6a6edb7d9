// What compiles and what must not. Nothing here runs: `tsc -p .` reads it, and test/types/types.test.ts has it read.

import { expectTypeOf } from "vitest";
import { defineOp } from "../../ts/graph/graph";
import * as downhill from "../../ts/index";

const {
  dense,
  functional,
  input,
  sequential,
  adam,
  sgd,
  softmaxCrossEntropy,
  dropout,
  batchNorm,
  init,
  defineLayer,
  defineLoss,
} = downhill;
type NDArray = downhill.NDArray;

export async function predictions() {
  const x = input([4]);
  const [a, b] = [dense(2)(x), dense(3)(x)];
  expectTypeOf(sequential([dense(2, { inputShape: [4] })]).predict([[1, 2, 3, 4]])).toEqualTypeOf<NDArray>();
  expectTypeOf(functional({ inputs: x, outputs: a }).predict([[1, 2, 3, 4]])).toEqualTypeOf<NDArray>();
  expectTypeOf(functional({ inputs: x, outputs: [a, b] }).predict([[1, 2, 3, 4]])).toEqualTypeOf<NDArray[]>();
  const { left, right } = functional({ inputs: x, outputs: { left: a, right: b } }).predict([[1, 2, 3, 4]]);
  expectTypeOf(left).toEqualTypeOf<NDArray>();
  expectTypeOf(right.data).toEqualTypeOf<Float32Array>();
  // @ts-expect-error: no output of that name
  functional({ inputs: x, outputs: { left: a } }).predict([[1, 2, 3, 4]]).right;
  const model = sequential([dense(2, { inputShape: [4] })]);
  expectTypeOf(await model.fit({ x: [[1]], y: [1] })).toEqualTypeOf<downhill.History>();
  expectTypeOf(model.predict([[1]], { training: true, samples: 3 })).toEqualTypeOf<NDArray>();
  // @ts-expect-error: samples are a number
  model.predict([[1]], { samples: "3" });
  expectTypeOf(downhill.add()([a, b])).toEqualTypeOf<downhill.Symbolic>();
  expectTypeOf(model.getWeights()).toEqualTypeOf<Record<string, NDArray>>();
  expectTypeOf((await init()).memory()).toEqualTypeOf<{ used: number; reserved: number; max: number }>();
}

export async function ensembles() {
  const make = () => sequential([dense(2, { inputShape: [4] })]);
  const one = downhill.bagging(make, { estimators: 3 });
  expectTypeOf(one.predict([[1, 2, 3, 4]])).toEqualTypeOf<NDArray>();
  expectTypeOf(await one.oobScore()).toEqualTypeOf<number>();
  expectTypeOf(await one.evaluate({ x: [[1]], y: [1] })).toEqualTypeOf<downhill.Logs>();
  const { members, failed } = await one.fit(
    { x: [[1]], y: [1] },
    { epochs: 3, callbacks: (member) => [{ onEpochEnd: (epoch) => member + epoch }] },
  );
  expectTypeOf(members).toEqualTypeOf<(downhill.History | undefined)[]>();
  expectTypeOf(failed[0]!.member).toEqualTypeOf<number>();
  const x = input([4]);
  const several = downhill.bagging(() => functional({ inputs: x, outputs: { left: dense(2)(x) } }), { estimators: 2 });
  expectTypeOf(several.predict([[1, 2, 3, 4]]).left).toEqualTypeOf<NDArray>();
  // @ts-expect-error: how many is not guessed
  downhill.bagging(make);
  // @ts-expect-error: no such vote
  downhill.bagging(make, { estimators: 2, vote: "mean" });
  // @ts-expect-error: no such option
  one.fit({ x: [[1]], y: [1] }, { epoch: 3 });
  const remote = await downhill.inWorker(make(), { threads: 2 });
  expectTypeOf(await remote.predict([[1, 2, 3, 4]])).toEqualTypeOf<NDArray>();
  expectTypeOf(await remote.getWeights()).toEqualTypeOf<Record<string, NDArray>>();
  expectTypeOf(await remote.fit({ x: [[1]], y: [1] }, { epochs: 2 })).toEqualTypeOf<downhill.History>();
  expectTypeOf(await remote.learningRate).toEqualTypeOf<number>();
  remote.learningRate = 0.1;
  // @ts-expect-error: a rate is a number
  remote.learningRate = "0.1";
}

export function joined() {
  const make = () => sequential([dense(2, { inputShape: [4] })]);
  const [a, b] = [make(), make()];
  const both = downhill.jointly({ a, b });
  expectTypeOf(both.predict({ a: [[1, 2, 3, 4]], b: [[1, 2, 3, 4]] }).b).toEqualTypeOf<NDArray>();
  // @ts-expect-error: no model of that name
  both.predict({ a: [[1, 2, 3, 4]], b: [[1, 2, 3, 4]] }).c;
  const attack = downhill.pgd({ epsilon: 0.1, norm: "l2", clip: [0, 1] });
  expectTypeOf(downhill.attack(a, [[1, 2, 3, 4]], [0], attack)).toEqualTypeOf<NDArray>();
  const penalties = [downhill.tied(a.getLayer("dense_1"), "dense_2", 0.1)];
  a.compile({ optimizer: adam(), loss: softmaxCrossEntropy(), penalties, weightNoise: 0.1, adversarial: { attack } });
  // @ts-expect-error: how far is not guessed
  downhill.fgsm();
  // @ts-expect-error: no such norm
  downhill.pgd({ epsilon: 0.1, norm: "l1" });
}

export function options() {
  // @ts-expect-error: no such option
  dense(4, { kernelRegulariser: downhill.l2(0.1) });
  // @ts-expect-error: units are a number
  dense("4");
  // @ts-expect-error: units are needed
  dense();
  // @ts-expect-error: an activation's name is one of a list
  dense(4, { activation: "rellu" });
  // @ts-expect-error: a rate is needed
  dropout();
  // @ts-expect-error: no such option
  batchNorm({ axis: 1 });
  // @ts-expect-error: a standard deviation is needed
  downhill.gaussianNoise();
  // @ts-expect-error: a number of groups is needed
  downhill.groupNorm({ epsilon: 1e-3 });
  // @ts-expect-error: it has no moving statistics
  downhill.layerNorm({ momentum: 0.9 });
  // @ts-expect-error: an axis is a number
  downhill.concatenate({ axis: "last" });
  // @ts-expect-error: a list of axes
  downhill.permute(2, 1);
  // @ts-expect-error: momentum is SGD's
  adam({ momentum: 0.9 });
  // @ts-expect-error: beta1 is Adam's
  sgd({ beta1: 0.9 });
  // @ts-expect-error: no such option
  init({ workers: 2 });
  const model = sequential([dense(2, { inputShape: [4] })]);
  // @ts-expect-error: an optimizer is needed
  model.compile({ loss: softmaxCrossEntropy() });
  // @ts-expect-error: a name is not an optimizer
  model.compile({ optimizer: "adam", loss: softmaxCrossEntropy() });
  // @ts-expect-error: of names, only accuracy's is a metric's
  model.compile({ optimizer: adam(), loss: softmaxCrossEntropy(), metrics: ["precision"] });
  // @ts-expect-error: no such option
  model.fit({ x: [[1]], y: [1] }, { epoch: 3 });
  // @ts-expect-error: a layer's factory is not a layer
  sequential([dense]);
}

export function ops() {
  const shape = (inputs: (readonly number[])[]) => [inputs[0]!];
  defineOp<object>({ name: "whole", shape, gradient: null, lower() {} });
  // @ts-expect-error: an op says how it is differentiated, if only that it is not
  defineOp<object>({ name: "withoutGradient", shape, lower() {} });
  // @ts-expect-error: an op says how it is lowered
  defineOp<object>({ name: "withoutLowering", shape, gradient: null });
  // @ts-expect-error: an op says what shapes it gives
  defineOp<object>({ name: "withoutShape", gradient: null, lower() {} });
  // @ts-expect-error: no such rule
  defineOp<object>({ name: "withAnother", shape, gradient: null, lower() {}, backward() {} });
}

export function custom() {
  const swiglu = defineLayer({
    type: "swiglu",
    options: { units: 8 },
    parameters: ([width], { units }) => ({ gate: { shape: [width, units] }, shift: [width] }),
    call: (x, { gate }, ops, { options, training }) => (training ? ops.matmul(x, gate) : ops.add(x, options.units)),
  });
  sequential([swiglu({ units: 3, inputShape: [4], name: "s" })]);
  const focal = defineLoss({ type: "focal", options: { gamma: 2 }, call: (t, p, ops) => ops.subtract(t, p) });
  focal({ gamma: 1 });
  // @ts-expect-error: no such option
  swiglu({ width: 3 });
  // @ts-expect-error: a number is asked for
  focal({ gamma: "2" });
  // @ts-expect-error: no such op
  defineLoss({ type: "a", call: (t, _, ops) => ops.tan(t) });
  // @ts-expect-error: a tensor must come back
  defineLoss({ type: "a", call: () => 1 });
}

export async function files() {
  const x = input([4]);
  const model = functional({ inputs: { x }, outputs: { a: dense(2)(x), b: dense(3)(x) } });
  expectTypeOf(await downhill.exportOnnx(model)).toEqualTypeOf<Uint8Array>();
  await downhill.exportOnnx(sequential([dense(2, { inputShape: [4] })]), { target: "model.onnx", softmax: true });
  await downhill.exportOnnx(model, {
    softmax: ["a"],
    inputType: { x: "uint8" },
    opset: 21,
    target: (bytes) => bytes.length,
  });
  // @ts-expect-error: no such type
  await downhill.exportOnnx(model, { inputType: "float64" });
}
