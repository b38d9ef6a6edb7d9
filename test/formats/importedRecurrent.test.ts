// The recurrent nets that TF.js makes by default, step by step: values and gradients against float64, equal bits, files, limits.
// Against TF.js itself: tfjs/gates.

import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import * as d from "../../ts/index";
import { type ImportedRecurrentOptions, importedRecurrent } from "../../ts/layers/importedRecurrent";
import { any, bitsOf, floats, thrown, weightBits } from "../support/contract";
import "../support/builds"; // relaxed SIMD on Node 20
import "../support/everyTeam";
import { teamsOf } from "../support/teams";

const [T, IN, UNITS] = [5, 3, 2];
const GATES = { lstm: 4, gru: 3 };

type Weights = Record<string, ArrayLike<number>>;

/** All states of one direction of one example, x [T, in]. */
function statesOf(x: number[][], w: Weights, { cell, slope, activation }: ImportedRecurrentOptions): number[][] {
  const width = GATES[cell] * UNITS;
  const gate = (v: number) =>
    slope === undefined ? 1 / (1 + Math.exp(-v)) : Math.min(Math.max(slope * v + 0.5, 0), 1);
  const squash = activation === "relu" ? (v: number) => Math.max(v, 0) : Math.tanh;
  const times = (v: number[], name: string, column: number) =>
    v.reduce((sum, vi, i) => sum + vi * w[name]![i * width + column]!, 0);
  let h = new Array<number>(UNITS).fill(0);
  let c = h;
  return x.map((xt) => {
    const given = (g: number, k: number) => times(xt, "kernel", g * UNITS + k) + (w["bias"]?.[g * UNITS + k] ?? 0);
    const whole = (g: number, k: number) => given(g, k) + times(h, "recurrentKernel", g * UNITS + k);
    const units = h.map((_, k) => k);
    if (cell === "lstm") {
      c = units.map((k) => gate(whole(1, k)) * c[k]! + gate(whole(0, k)) * squash(whole(2, k)));
      h = units.map((k) => gate(whole(3, k)) * squash(c[k]!));
    } else {
      const kept = units.map((k) => gate(whole(1, k)) * h[k]!);
      const fresh = units.map((k) => squash(given(2, k) + times(kept, "recurrentKernel", 2 * UNITS + k)));
      h = units.map((k) => gate(whole(0, k)) * h[k]! + (1 - gate(whole(0, k))) * fresh[k]!);
    }
    return h;
  });
}

const prefixed = (w: Weights, prefix: string): Weights =>
  Object.fromEntries(
    Object.entries(w).flatMap(([key, v]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), v]] : [])),
  );

/** What the layer makes of examples, x [n, T, in]. */
function outputs(x: ArrayLike<number>, w: Weights, options: ImportedRecurrentOptions): number[] {
  const rows = Array.from({ length: x.length / IN }, (_, i) => Array.from(x).slice(i * IN, (i + 1) * IN));
  return Array.from({ length: rows.length / T }, (_, n) => {
    const steps = rows.slice(n * T, (n + 1) * T);
    const ahead = statesOf(steps, options.both ? prefixed(w, "forward/") : w, options);
    const back = options.both ? statesOf([...steps].reverse(), prefixed(w, "backward/"), options) : undefined;
    if (!options.returnSequences) return [...ahead.at(-1)!, ...(back?.at(-1) ?? [])];
    return ahead.flatMap((h, t) => [...h, ...(back?.[T - 1 - t] ?? [])]);
  }).flat();
}

const cases: Record<string, ImportedRecurrentOptions> = {
  "LSTM, hard sigmoid": { cell: "lstm", slope: 0.2 },
  "LSTM, Keras 3's hard sigmoid, all states": { cell: "lstm", slope: 1 / 6, returnSequences: true },
  "LSTM, σ and relu, without bias": { cell: "lstm", activation: "relu", useBias: false },
  "GRU, hard sigmoid": { cell: "gru", slope: 0.2 },
  "GRU, σ, all states": { cell: "gru", returnSequences: true },
  "LSTM both ways": { cell: "lstm", slope: 0.2, both: true },
  "GRU both ways, all states": { cell: "gru", slope: 0.2, both: true, returnSequences: true },
};

const x = { data: floats(2 * T * IN).map((v) => 1.5 * v), shape: [2, T, IN] };

function modelOf(options: ImportedRecurrentOptions, runtime?: d.Runtime) {
  d.setSeed(7);
  const shared = { ...options, name: "r", biasInitializer: d.randomNormal({ stddev: 0.5 }), inputShape: [T, IN] };
  const model = d.sequential([importedRecurrent(UNITS, shared)], runtime ? { runtime } : {});
  model.compile({ optimizer: d.adam({ learningRate: 0.02 }), loss: d.meanSquaredError() });
  return model;
}

const weightsOf = (model: d.Model): Weights =>
  Object.fromEntries(Object.entries(model.getWeights()).map(([key, { data }]) => [key.slice(2), data]));

describe.each(Object.entries(cases))("%s", (_, options) => {
  test("its numbers, also in a file and in ONNX", async () => {
    const model = modelOf(options);
    const y = model.predict(x) as d.NDArray;
    const expected = outputs(x.data, weightsOf(model), options);
    const width = (options.both ? 2 : 1) * UNITS;
    expect(y.shape).toEqual(options.returnSequences ? [2, T, width] : [2, width]);
    expect(y.data.length).toBe(expected.length);
    expected.forEach((v, i) => {
      expect(y.data[i]).toBeCloseTo(v, 5);
    });
    const loaded = await d.loadModel(await d.saveModel(model));
    expect(bitsOf(any(loaded.predict(x)))).toEqual(bitsOf(y));
    const session = await InferenceSession.create(await d.exportOnnx(model), { logSeverityLevel: 4 });
    const [other] = Object.values(await session.run({ input_1: new Tensor("float32", x.data, x.shape) }));
    expect(other!.dims).toEqual(y.shape);
    expected.forEach((v, i) => {
      expect((other!.data as Float32Array)[i]).toBeCloseTo(v, 5);
    });
  });

  test("its gradients: central differences in float64", () => {
    const model = modelOf(options);
    const made = model.predict(x) as d.NDArray;
    const y = { ...made, data: made.data.map((v, i) => v - Math.cos(3 * i)) };
    const { parameters, inputs } = model.gradients(x, y);
    const weights = weightsOf(model);
    const loss = (data: ArrayLike<number>, w: Weights) => {
      const all = outputs(data, w, options);
      return all.reduce((sum, v, i) => sum + (v - y.data[i]!) ** 2, 0) / all.length;
    };
    const check = (given: ArrayLike<number>, numbers: ArrayLike<number>, of: (changed: number[]) => number) => {
      const h = 1e-6;
      const start = Array.from(numbers);
      start.forEach((v, i) => {
        const [more, less] = [v + h, v - h].map((u) => of(start.with(i, u))) as [number, number];
        expect(given[i]).toBeCloseTo((more - less) / (2 * h), 4);
      });
    };
    check((inputs as d.NDArray).data, x.data, (changed) => loss(changed, weights));
    const keys = Object.keys(parameters);
    expect(keys.length).toBe((options.both ? 2 : 1) * (options.useBias === false ? 2 : 3));
    for (const key of keys)
      check(parameters[key]!.data, weights[key.slice(2)]!, (changed) =>
        loss(x.data, { ...weights, [key.slice(2)]: changed }),
      );
  });

  test("Keras's names and layouts, there and back", async () => {
    const model = modelOf(options);
    const bits = weightBits(model);
    const file = await d.saveWeights(model, undefined, { layout: "keras" });
    expect(new TextDecoder().decode(file)).toContain(
      options.both ? '"r/forward/recurrent_kernel"' : '"r/recurrent_kernel"',
    );
    const other = modelOf(options);
    other.trainOnBatch(x, other.predict(x).data.map((v: number) => v + 1) as never);
    expect(weightBits(other)).not.toEqual(bits);
    await d.loadWeights(other, file, { layout: "keras" });
    expect(weightBits(other)).toEqual(bits);
  });
});

describe.each([false, true])("the same bits on 1, 2 and 3 threads, fastMath %s", (fastMath) => {
  const teams = teamsOf(fastMath);

  test.each(Object.entries(cases))("%s", (_, options) => {
    const many = { data: floats(40 * T * IN, 3), shape: [40, T, IN] };
    const trained = (runtime: d.Runtime) => {
      const model = modelOf(options, runtime);
      const y = model.predict(many) as d.NDArray;
      const target = { ...y, data: y.data.map((v, i) => v + Math.cos(i)) };
      const losses = Array.from({ length: 4 }, () => model.trainOnBatch(many, target)["loss"]!);
      const found = [losses, weightBits(model), bitsOf(any(model.predict(many)))] as const;
      model.dispose();
      return found;
    };
    const one = trained(teams[0]!);
    expect(one[0][3]).toBeLessThan(one[0][0]!);
    for (const team of teams.slice(1)) expect(trained(team)).toEqual(one);
  });
});

test("steps are bounded, and a layer's shape costs none of them", () => {
  const lstm = (steps: number) => () =>
    d.sequential([importedRecurrent(2, { cell: "lstm", slope: 0.2, inputShape: [steps, 3] })]);
  thrown("shape", lstm(2049), /importedRecurrent: expected input of shape \[n, T, 3\], T ≤ 2048, got \[n, 2049, 3\]/);
  const trials = Array.from({ length: 5 }, () => {
    const start = performance.now();
    for (let i = 0; i < 40; i++) lstm(2048)().dispose();
    return performance.now() - start;
  });
  expect(Math.min(...trials)).toBeLessThan(400); // some milliseconds; as ops they are 40,000 an LSTM
});
