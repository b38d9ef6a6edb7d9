// Outputs and gradients of recurrent layers, against PyTorch's (recurrent.py); weights come in PyTorch's layout.

import { expect, test } from "vitest";
import {
  bidirectional,
  gru,
  type Layer,
  lstm,
  meanSquaredError,
  type NDArray,
  sequential,
  sgd,
  simpleRnn,
} from "../../ts/index";
import { array, expectClose, fixture, type Nested } from "../support/oracle";

type Tensors = Record<string, Nested>;

interface Case {
  cell: "simpleRnn" | "lstm" | "gru";
  options: { useBias: boolean; activation?: "tanh" | "relu" };
  units: number;
  bidirectional: boolean;
  sequences: boolean;
  layers: number;
  x: Nested;
  weights: Tensors;
  target: Nested;
  y: Nested;
  loss: number;
  dx: Nested;
  gradients: Tensors;
}

const { cases } = fixture<{ cases: Case[] }>("recurrent");

const transposed = (a: Nested): Nested => {
  const rows = a as number[][];
  return rows[0]!.map((_, j) => rows.map((row) => row[j]!));
};
const sum = (a: Nested, b: Nested): Nested => (a as number[]).map((v, i) => v + (b as number[])[i]!);

/** PyTorch's tensors under downhill's names; `bias`: what becomes of two that are one here. */
function fromPyTorch({ cell, layers, bidirectional, options }: Case, tensors: Tensors, bias: typeof sum): Tensors {
  const found: Tensors = {};
  for (let i = 0; i < layers; i++)
    for (const suffix of bidirectional ? ["", "_reverse"] : [""]) {
      const of = (name: string) => tensors[`${name}_l${i}${suffix}`]!;
      const prefix = bidirectional ? `bidirectional_${i + 1}/${suffix ? "backward" : "forward"}/` : `${cell}_${i + 1}/`;
      found[`${prefix}kernel`] = transposed(of("weight_ih"));
      found[`${prefix}recurrentKernel`] = transposed(of("weight_hh"));
      if (!options.useBias) continue;
      const [b, c] = [of("bias_ih"), of("bias_hh")];
      found[`${prefix}bias`] = cell === "gru" ? b : bias(b, c);
      if (cell === "gru") found[`${prefix}recurrentBias`] = c;
    }
  return found;
}

function modelOf({ x, cell, units, options, sequences, layers, bidirectional: both }: Case) {
  const inputShape = array(x).shape.slice(1);
  const factories: Record<string, (units: number, options: object) => Layer> = { simpleRnn, lstm, gru };
  return sequential(
    Array.from({ length: layers }, (_, i) => {
      const layer = factories[cell]!(units, { ...options, inputShape, returnSequences: sequences || i < layers - 1 });
      return both ? bidirectional(layer) : layer;
    }),
  );
}

const show = ({ cell, options, units, bidirectional, sequences, layers, x }: Case) =>
  `${layers} × ${bidirectional ? "bidirectional " : ""}${cell}(${units}) ${JSON.stringify({ ...options, sequences })} of [${array(x).shape}]`;

test.each(cases.map((c) => [show(c), c] as const))("%s", (_, c) => {
  using model = modelOf(c);
  model.compile({ optimizer: sgd({ learningRate: 0 }), loss: meanSquaredError() });
  const weights = fromPyTorch(c, c.weights, sum);
  model.setWeights(Object.fromEntries(Object.entries(weights).map(([key, value]) => [key, array(value)])));
  const [x, target] = [array(c.x), array(c.target)];
  const predicted = model.predict(x);
  expect(predicted.shape).toEqual(array(c.y).shape);
  expectClose("y", predicted.data, c.y, { absolute: 3e-7, relative: 2e-6 });
  const { loss, inputs, parameters } = model.gradients(x, target);
  expectClose("loss", [loss], [c.loss], { absolute: 0, relative: 2e-6 });
  const tolerance = { absolute: 5e-7, relative: 1e-5 };
  expectClose("dx", (inputs as NDArray).data, c.dx, tolerance);
  const gradients = fromPyTorch(c, c.gradients, (b) => b);
  expect(Object.keys(parameters).sort()).toEqual(Object.keys(gradients).sort());
  for (const [key, expected] of Object.entries(gradients)) {
    expect(parameters[key]!.shape).toEqual(array(expected).shape);
    expectClose(`gradient of ${key}`, parameters[key]!.data, expected, tolerance);
  }
});
