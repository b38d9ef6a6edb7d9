// Landscapes: values and gradients against closed forms, paths against the optimizers' formulas in float64.

import { describe, expect, test } from "vitest";
import { adam, DownhillError, init, type NDArray, rmsprop, setSeed, sgd } from "../ts/index";
import * as landscapes from "../ts/landscapes";
import {
  beale,
  cliff,
  descend,
  himmelblau,
  type Landscape,
  monkeySaddle,
  type Point,
  plateau,
  quadratic,
  rastrigin,
  rosenbrock,
  saddle,
} from "../ts/landscapes";
import "./support/everyTeam";

const { exp, cos, sin, PI } = Math;

/** f, ∂f/∂x, ∂f/∂y in float64. */
type Closed = (x: number, y: number) => readonly [number, number, number];

const CLOSED: [Landscape, Closed][] = [
  [quadratic(), (x, y) => [(x * x + 100 * y * y) / 2, x, 100 * y]],
  [quadratic({ condition: 7 }), (x, y) => [(x * x + 7 * y * y) / 2, x, 7 * y]],
  [saddle(), (x, y) => [x * x - y * y, 2 * x, -2 * y]],
  [monkeySaddle(), (x, y) => [x ** 3 - 3 * x * y * y, 3 * x * x - 3 * y * y, -6 * x * y]],
  [
    cliff(),
    (x, y) => {
      const s = 1 / (1 + exp(-25 * x));
      return [0.05 * ((x - 3) ** 2 + y * y) + 4 * Math.log(1 + exp(25 * x)), 0.1 * (x - 3) + 100 * s, 0.1 * y];
    },
  ],
  [
    rosenbrock(),
    (x, y) => [(1 - x) ** 2 + 100 * (y - x * x) ** 2, -2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)],
  ],
  [
    rosenbrock({ a: 2, b: 5 }),
    (x, y) => [(2 - x) ** 2 + 5 * (y - x * x) ** 2, -2 * (2 - x) - 20 * x * (y - x * x), 10 * (y - x * x)],
  ],
  [
    beale(),
    (x, y) => {
      const [a, b, c] = [1.5 - x + x * y, 2.25 - x + x * y ** 2, 2.625 - x + x * y ** 3];
      return [
        a * a + b * b + c * c,
        2 * a * (y - 1) + 2 * b * (y * y - 1) + 2 * c * (y ** 3 - 1),
        2 * a * x + 4 * b * x * y + 6 * c * x * y * y,
      ];
    },
  ],
  [
    himmelblau(),
    (x, y) => {
      const [a, b] = [x * x + y - 11, x + y * y - 7];
      return [a * a + b * b, 4 * a * x + 2 * b, 2 * a + 4 * b * y];
    },
  ],
  [
    rastrigin(),
    (x, y) => [
      20 + x * x + y * y - 10 * (cos(2 * PI * x) + cos(2 * PI * y)),
      2 * x + 20 * PI * sin(2 * PI * x),
      2 * y + 20 * PI * sin(2 * PI * y),
    ],
  ],
  [
    plateau(),
    (x, y) => {
      const e = exp(-(x * x + y * y) / 2);
      return [1 - e, x * e, y * e];
    },
  ],
];

const close = (got: ArrayLike<number>, want: number[], relative = 2e-6) => {
  const size = Math.max(1, ...want.map(Math.abs));
  expect(got.length).toBe(want.length);
  for (const [i, w] of want.entries()) expect(Math.abs(got[i]! - w)).toBeLessThan(relative * (size + Math.abs(w)));
};

describe.each(CLOSED.map(([landscape, closed]) => [landscape.name, landscape, closed] as const))(
  "%s",
  (_, landscape, closed) => {
    const [[x0, x1], [y0, y1]] = landscape.bounds;
    const points = Array.from({ length: 35 }, (_, i) => [
      x0 + ((x1 - x0) * (i % 7)) / 6,
      y0 + ((y1 - y0) * Math.floor(i / 7)) / 4,
    ]);
    const rounded = points.map((p) => p.map(Math.fround)) as [number, number][];

    test("has its closed form's values and gradients", () => {
      const { data, shape } = landscape.value(points);
      expect(shape).toEqual([35]);
      close(
        data,
        rounded.map(([x, y]) => closed(x, y)[0]),
      );
      const gradient = landscape.gradient(points);
      expect(gradient.shape).toEqual([35, 2]);
      close(
        gradient.data,
        rounded.flatMap(([x, y]) => closed(x, y).slice(1)),
      );
    });

    test("is lowest, with no slope, where it says", () => {
      for (const [x, y] of landscape.minima) {
        const [f, dx, dy] = closed(x, y);
        expect(Math.abs(dx) + Math.abs(dy)).toBeLessThan(2e-3);
        for (const [px, py] of rounded) expect(closed(px, py)[0]).toBeGreaterThanOrEqual(f - 1e-6);
        for (const [h, k] of [
          [1e-2, 0],
          [-1e-2, 0],
          [0, 1e-2],
          [0, -1e-2],
        ] as const)
          expect(closed(x + h, y + k)[0]).toBeGreaterThan(f);
      }
      expect(landscape.minima.length).toBe(/addle/.test(landscape.name) ? 0 : landscape.name === "himmelblau" ? 4 : 1);
    });

    test("starts within its bounds, and an optimizer goes down from there", () => {
      const [x, y] = landscape.start;
      expect(x >= x0 && x <= x1 && y >= y0 && y <= y1).toBe(true);
      const { path, losses, diverged } = descend(landscape, { optimizer: adam({ learningRate: 0.02 }), steps: 60 });
      expect(diverged).toBe(false);
      expect(path.shape).toEqual([61, 2]);
      expect(losses.shape).toEqual([61]);
      expect([...path.data.subarray(0, 2)]).toEqual([x, y].map(Math.fround));
      expect(losses.data.at(-1)).toBeLessThan(losses.data[0]!);
    });
  },
);

/** w and slots after each step, in float64. */
function follow(
  closed: Closed,
  start: Point,
  steps: number,
  update: (w: number, g: number, slots: number[], t: number) => number,
) {
  let at = [...start];
  const slots: number[][] = [[], []];
  const path = [...at];
  for (let t = 1; t <= steps; t++) {
    const g = closed(at[0]!, at[1]!).slice(1);
    at = at.map((w, i) => update(w, g[i]!, slots[i]!, t));
    path.push(...at);
  }
  return path;
}

test("Adam's, SGD's and RMSProp's paths are those of their formulas", () => {
  const at = (name: string) => CLOSED.find(([landscape]) => landscape.name === name)!;
  const momentum = follow(at("himmelblau")[1], [0, 0], 40, (w, g, s) => {
    s[0] = 0.8 * (s[0] ?? 0) + g;
    return w - 0.002 * s[0];
  });
  close(
    descend(himmelblau(), { optimizer: sgd({ learningRate: 0.002, momentum: 0.8 }), steps: 40 }).path.data,
    momentum,
    1e-4,
  );
  const moments = follow(at("rosenbrock")[1], [-1.2, 1], 100, (w, g, s, t) => {
    s[0] = 0.9 * (s[0] ?? 0) + 0.1 * g;
    s[1] = 0.999 * (s[1] ?? 0) + 0.001 * g * g;
    return w - (0.05 * (s[0] / (1 - 0.9 ** t))) / (Math.sqrt(s[1] / (1 - 0.999 ** t)) + 1e-8);
  });
  close(descend(rosenbrock(), { optimizer: adam({ learningRate: 0.05 }), steps: 100 }).path.data, moments, 1e-3);
  const squares = follow(at("beale")[1], [1, 1], 50, (w, g, s) => {
    s[0] = 0.99 * (s[0] ?? 0) + 0.01 * g * g;
    return w - (0.01 * g) / (Math.sqrt(s[0]) + 1e-8);
  });
  close(descend(beale(), { optimizer: rmsprop({ learningRate: 0.01 }), steps: 50 }).path.data, squares, 1e-3);
});

const largestStep = ({ data, shape }: NDArray) =>
  Math.max(
    ...Array.from({ length: shape[0]! - 1 }, (_, k) =>
      Math.hypot(data[2 * k + 2]! - data[2 * k]!, data[2 * k + 3]! - data[2 * k + 1]!),
    ),
  );

test("the cliff throws momentum far back, and a clipped gradient does not", () => {
  const optimizer = sgd({ learningRate: 0.3, momentum: 0.9 });
  const plain = descend(cliff(), { optimizer, steps: 200 });
  expect(largestStep(plain.path)).toBeGreaterThan(5);
  for (const clip of [{ clipNorm: 0.5 }, { clipValue: 0.5 }]) {
    const { path, losses } = descend(cliff(), { optimizer, steps: 200, ...clip });
    expect(largestStep(path)).toBeLessThan(2);
    expect(losses.data.at(-1)).toBeLessThan(0.56);
  }
});

test("a path that leads to infinity ends before it", () => {
  const { path, losses, diverged } = descend(saddle(), {
    optimizer: sgd({ learningRate: 1 }),
    start: [1, 1],
    steps: 500,
  });
  expect(diverged).toBe(true);
  expect(path.shape[0]).toBeLessThan(500);
  expect(path.shape[0]).toBe(losses.shape[0]);
  expect([...path.data, ...losses.data].every(Number.isFinite)).toBe(true);
});

test("noise is normal, of its standard deviation, and the seed's", () => {
  const run = (seed: number) => {
    setSeed(seed);
    return descend(plateau(), { optimizer: sgd({ learningRate: 1 }), start: [40, 40], steps: 2000, noise: 0.1 }).path
      .data;
  };
  const path = run(5);
  const steps = Array.from(path.subarray(2), (v, i) => v - path[i]!);
  const mean = steps.reduce((a, b) => a + b) / steps.length;
  const variance = steps.reduce((a, b) => a + (b - mean) ** 2, 0) / steps.length;
  expect(Math.abs(mean)).toBeLessThan(4 * (0.1 / Math.sqrt(4000))); // p < 1e-4
  expect(Math.abs(variance / 0.01 - 1)).toBeLessThan(4 * Math.sqrt(2 / 4000));
  expect(run(5)).toEqual(path);
  expect(run(6)).not.toEqual(path);
  setSeed(0);
});

test("equal bits on 1, 2 and 3 threads, of each", async () => {
  const found = [];
  const points = Array.from({ length: 5000 }, (_, i) => [i / 2000 - 1, 1 - i / 1500] as const);
  for (const threads of [1, 2, 3]) {
    using _runtime = await init({ threads, seed: 0 });
    found.push(
      CLOSED.map(([landscape]) => [
        landscape.value(points).data,
        landscape.gradient(points).data,
        descend(landscape, { optimizer: adam(), steps: 20, clipNorm: 1, noise: 0.1 }).path.data,
      ]),
    );
  }
  await init();
  expect(found[1]).toEqual(found[0]);
  expect(found[2]).toEqual(found[0]);
});

test.each<[string, () => unknown, RegExp]>([
  [
    "no landscape",
    () => descend(rosenbrock as never, { optimizer: sgd() }),
    /^descend: expected a landscape such as rosenbrock\(\), got a function; call it: rosenbrock\(\)$/,
  ],
  ["no optimizer", () => descend(saddle(), {} as never), /^descend: optimizer must be an optimizer/],
  [
    "a start of three",
    () => descend(saddle(), { optimizer: sgd(), start: [1, 2, 3] as never }),
    /^descend: expected start as two finite numbers, got \[1,2,3\]$/,
  ],
  [
    "no steps",
    () => descend(saddle(), { optimizer: sgd(), steps: 0 }),
    /^descend: expected steps as a positive integer, got 0$/,
  ],
  ["negative noise", () => descend(saddle(), { optimizer: sgd(), noise: -1 }), /^descend: expected noise ≥ 0, got -1$/],
  [
    "an unknown option",
    () => descend(saddle(), { optimizer: sgd(), step: 3 } as never),
    /^descend: expected options .*got "step"$/,
  ],
  [
    "a bad clip",
    () => descend(saddle(), { optimizer: sgd(), clipNorm: 0 }),
    /^descend: clipNorm must be a number > 0, got 0$/,
  ],
  ["a condition below 1", () => quadratic({ condition: 0.5 }), /^quadratic: expected condition ≥ 1, got 0.5$/],
  ["an unknown one", () => quadratic({ c: 3 } as never), /^quadratic: expected options condition, got "c"$/],
  ["no object", () => rosenbrock(3 as never), /^rosenbrock: expected options as an object, got 3$/],
  ["a flat valley", () => rosenbrock({ b: 0 }), /^rosenbrock: expected b > 0, got 0$/],
  ["points of three", () => saddle().value([[1, 2, 3]]), /expected input of shape \[n, 2\], got \[1, 3\]/],
])("%s is refused", (_, call, message) => {
  expect(call).toThrow(message);
  expect(call).toThrow(DownhillError);
});

test("each of them is checked here", () => {
  const { descend: _, ...rest } = landscapes;
  const known = new Set(CLOSED.map(([{ name }]) => name));
  expect(Object.keys(rest).filter((name) => !known.has(name))).toEqual([]);
});
