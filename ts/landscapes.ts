// downhill/landscapes: functions of two numbers that show what optimizers have to deal with, written in primitive ops. Any
// optimizer of the library runs on them, in the core, and leaves its path. Made of the public API alone.

import {
  type ArrayLike,
  type CompileOptions,
  DownhillError,
  defineLayer,
  defineLoss,
  gaussianNoise,
  type Layer,
  type Model,
  type NDArray,
  type Ops,
  sequential,
  sgd,
  type Value,
} from "./index";

/** A point (x, y). */
export type Point = readonly [x: number, y: number];

/** A function f(x, y) to descend. */
export interface Landscape {
  /** What it is called: `"ravine"`, … */
  readonly name: string;
  /** Where `descend` starts unless told otherwise. */
  readonly start: Point;
  /** The part worth looking at: [x from, x to], [y from, y to]. */
  readonly bounds: readonly [Point, Point];
  /** Its lowest points; none where it falls for ever. */
  readonly minima: readonly Point[];
  /** f at points [n, 2] → [n]. */
  value(points: ArrayLike): NDArray;
  /** ∂f/∂(x, y) at points [n, 2] → [n, 2]. */
  gradient(points: ArrayLike): NDArray;
  /** @internal A layer whose parameter `at` is a point: f there, and x·at for x [n, 2], so that x is added to f's gradient. */
  readonly descent: () => Layer;
}

/** Options of `descend`. */
export interface DescendOptions extends Pick<CompileOptions, "optimizer" | "clipNorm" | "clipValue"> {
  /** Default: the landscape's own. */
  start?: Point | Float32Array | Float64Array;
  /** Updates. Default 100. */
  steps?: number;
  /** Standard deviation of normal noise on each component of each gradient: as of minibatches. Default 0. */
  noise?: number;
}

/** What `descend` leaves. */
export interface Descent {
  /** The start and the point after each update, [k + 1, 2]. */
  path: NDArray;
  /** f at each of these, [k + 1]. */
  losses: NDArray;
  /** Whether f was not finite in the end: then k < steps, and the path ends before that. */
  diverged: boolean;
}

/** As it would be written, so far as it is plain data. */
const show = (value: unknown): string =>
  typeof value === "function"
    ? `a function${value.name && `; call it: ${value.name}()`}`
    : typeof value === "object" || typeof value === "string"
      ? JSON.stringify(value)
      : String(value);
const fail = (who: string, expected: string, got: unknown) =>
  new DownhillError("argument", `${who}: expected ${expected}, got ${show(got)}`);

/** The options that a factory or call was given; throws where there are others than it knows. */
function read<T extends object>(who: string, given: T | undefined, ...known: (keyof T & string)[]): Partial<T> {
  if (given !== undefined && (typeof given !== "object" || given === null || Array.isArray(given)))
    throw fail(who, "options as an object", given);
  const other = Object.entries(given ?? {}).find(([key, v]) => v !== undefined && !known.includes(key as never));
  if (other) throw fail(who, known.length ? `options ${known.join(", ")}` : "no options", other[0]);
  return { ...given } as Partial<T>;
}

/** The loss whose value is the prediction. */
const height = /* @__PURE__ */ defineLoss({ type: "height", call: (_, f) => f });

const isPoint = (value: unknown): value is Point =>
  (Array.isArray(value) || value instanceof Float32Array || value instanceof Float64Array) &&
  value.length === 2 &&
  [...value].every(Number.isFinite);

/** A factory of landscapes f(x, y, ops). */
function landscape(
  name: string,
  facts: Pick<Landscape, "start" | "bounds" | "minima">,
  f: (x: Value, y: Value, ops: Ops) => Value,
): Landscape {
  const layer = defineLayer({
    type: name,
    call: (points, _, ops) => f(ops.slice(points, [0, 0], [-1, 1]), ops.slice(points, [0, 1], [-1, 1]), ops),
  });
  const descent = defineLayer({
    type: `${name}Descent`,
    parameters: () => ({ at: { shape: [2] } }),
    call(noise, { at }, ops) {
      const points = ops.add(ops.multiply(noise, 0), at);
      const value = f(ops.slice(points, [0, 0], [-1, 1]), ops.slice(points, [0, 1], [-1, 1]), ops);
      return ops.add(value, ops.sum(ops.multiply(noise, points), 1, true));
    },
  });
  const using = <T>(use: (model: Model<NDArray>) => T): T => {
    const model = sequential([layer({ inputShape: [2], name })]);
    try {
      return use(model);
    } finally {
      model.dispose();
    }
  };
  return {
    name,
    ...facts,
    descent: () => descent({ inputShape: [2], name }),
    value: (points) =>
      using((model) => {
        const { data, shape } = model.predict(points);
        return { data, shape: shape.slice(0, 1) };
      }),
    gradient: (points) =>
      using((model) => {
        const n = model.predict(points).shape[0]!;
        model.compile({ optimizer: sgd(), loss: height() });
        const { data, shape } = model.gradients(points, new Float32Array(n)).inputs as NDArray;
        return { data: data.map((g) => g * n), shape }; // of the mean
      }),
  };
}

/**
 * ½(x² + condition·y²): a long narrow valley. Plain gradient descent with a step that is stable across it, below 2/condition, crawls along
 * it. `condition` ≥ 1, default 100: the Hessian's condition number.
 */
export function quadratic(options?: { condition?: number }): Landscape {
  const { condition = 100 } = read("quadratic", options, "condition");
  if (!(condition >= 1 && Number.isFinite(condition))) throw fail("quadratic", "condition ≥ 1", condition);
  return landscape(
    "quadratic",
    {
      start: [-2, 1],
      bounds: [
        [-3, 3],
        [-1.5, 1.5],
      ],
      minima: [[0, 0]],
    },
    (x, y, ops) => ops.multiply(ops.add(ops.pow(x, 2), ops.multiply(ops.pow(y, 2), condition)), 0.5),
  );
}

/** x² − y²: a saddle at 0, which falls for ever along y. */
export const saddle = (): Landscape =>
  landscape(
    "saddle",
    {
      start: [-1.5, 1e-3],
      bounds: [
        [-2, 2],
        [-2, 2],
      ],
      minima: [],
    },
    (x, y, ops) => ops.subtract(ops.pow(x, 2), ops.pow(y, 2)),
  );

/** x³ − 3xy²: a saddle with three ways down; at 0 the Hessian is 0 too. */
export const monkeySaddle = (): Landscape =>
  landscape(
    "monkeySaddle",
    {
      start: [1, 0.01],
      bounds: [
        [-1.5, 1.5],
        [-1.5, 1.5],
      ],
      minima: [],
    },
    (x, y, ops) => ops.subtract(ops.pow(x, 3), ops.multiply(ops.multiply(x, ops.pow(y, 2)), 3)),
  );

/**
 * 0.05·((x − 3)² + y²) + 4·log(1 + e^25x): a gentle slope down to the foot of a cliff at x = 0. On the cliff the gradient is 300
 * times that of the slope: who comes near it with some speed is thrown far back.
 */
export const cliff = (): Landscape =>
  landscape(
    "cliff",
    {
      start: [-3, 1],
      bounds: [
        [-4, 0.4],
        [-2, 2],
      ],
      minima: [[-0.22929, 0]],
    },
    (x, y, ops) => {
      const bowl = ops.add(ops.pow(ops.subtract(x, 3), 2), ops.pow(y, 2));
      return ops.add(ops.multiply(bowl, 0.05), ops.multiply(ops.softplus(ops.multiply(x, 25)), 4));
    },
  );

/** (a − x)² + b·(y − x²)²: a bent valley. Defaults 1 and 100. (Rosenbrock 1960) */
export function rosenbrock(options?: { a?: number; b?: number }): Landscape {
  const { a = 1, b = 100 } = read("rosenbrock", options, "a", "b");
  if (!Number.isFinite(a)) throw fail("rosenbrock", "a finite a", a);
  if (!(b > 0 && Number.isFinite(b))) throw fail("rosenbrock", "b > 0", b);
  return landscape(
    "rosenbrock",
    {
      start: [-1.2, 1],
      bounds: [
        [-2, 2],
        [-1, 3],
      ],
      minima: [[a, a * a]],
    },
    (x, y, ops) => ops.add(ops.pow(ops.subtract(a, x), 2), ops.multiply(ops.pow(ops.subtract(y, ops.pow(x, 2)), 2), b)),
  );
}

/** (1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)²: flat, with steep walls. (Beale 1958) */
export const beale = (): Landscape =>
  landscape(
    "beale",
    {
      start: [1, 1],
      bounds: [
        [-4.5, 4.5],
        [-4.5, 4.5],
      ],
      minima: [[3, 0.5]],
    },
    (x, y, ops) => {
      const term = (c: number, power: number) =>
        ops.pow(ops.add(ops.subtract(c, x), ops.multiply(x, ops.pow(y, power))), 2);
      return ops.add(ops.add(term(1.5, 1), term(2.25, 2)), term(2.625, 3));
    },
  );

/** (x² + y − 11)² + (x + y² − 7)²: four minima, all 0. (Himmelblau 1972) */
export const himmelblau = (): Landscape =>
  landscape(
    "himmelblau",
    {
      start: [0, 0],
      bounds: [
        [-5, 5],
        [-5, 5],
      ],
      minima: [
        [3, 2],
        [-2.805118, 3.131312],
        [-3.77931, -3.283186],
        [3.584428, -1.848126],
      ],
    },
    (x, y, ops) =>
      ops.add(
        ops.pow(ops.subtract(ops.add(ops.pow(x, 2), y), 11), 2),
        ops.pow(ops.subtract(ops.add(x, ops.pow(y, 2)), 7), 2),
      ),
  );

/** 20 + x² + y² − 10·(cos 2πx + cos 2πy): a minimum near every pair of whole numbers, the lowest at 0. (Rastrigin 1974) */
export const rastrigin = (): Landscape =>
  landscape(
    "rastrigin",
    {
      start: [2.3, -1.7],
      bounds: [
        [-5.12, 5.12],
        [-5.12, 5.12],
      ],
      minima: [[0, 0]],
    },
    (x, y, ops) => {
      const one = (v: Value) =>
        ops.subtract(ops.add(ops.pow(v, 2), 10), ops.multiply(ops.cos(ops.multiply(v, 2 * Math.PI)), 10));
      return ops.add(one(x), one(y));
    },
  );

/** 1 − exp(−(x² + y²)/2): a hole in a plain, on which the gradient is next to nothing. */
export const plateau = (): Landscape =>
  landscape(
    "plateau",
    {
      start: [-3, 1.5],
      bounds: [
        [-4, 4],
        [-4, 4],
      ],
      minima: [[0, 0]],
    },
    (x, y, ops) => ops.subtract(1, ops.exp(ops.multiply(ops.add(ops.pow(x, 2), ops.pow(y, 2)), -0.5))),
  );

/**
 * Runs an optimizer on a landscape, from `start` on: the parameters are x and y, the loss is f. `clipNorm` and `clipValue` are
 * `compile`'s.
 *
 * @example const { path, losses } = descend(rosenbrock(), { optimizer: adam({ learningRate: 0.05 }), steps: 300 });
 * @throws DownhillError `argument`
 */
export function descend(landscape: Landscape, options: DescendOptions): Descent {
  if (typeof landscape?.descent !== "function") throw fail("descend", "a landscape such as rosenbrock()", landscape);
  const {
    optimizer,
    clipNorm,
    clipValue,
    start = landscape.start,
    steps = 100,
    noise = 0,
  } = read("descend", options, "optimizer", "start", "steps", "clipNorm", "clipValue", "noise");
  if (!isPoint(start)) throw fail("descend", "start as two finite numbers", start);
  if (!(Number.isSafeInteger(steps) && steps > 0)) throw fail("descend", "steps as a positive integer", steps);
  if (!(noise >= 0 && noise < Infinity)) throw fail("descend", "noise ≥ 0", noise);
  const random = noise ? [gaussianNoise(noise, { inputShape: [2] })] : [];
  const model = sequential([...random, landscape.descent()]);
  const path = [...start];
  let diverged = false;
  try {
    model.compile({ optimizer, loss: height(), clipNorm, clipValue } as CompileOptions);
    const key = `${landscape.name}/at`;
    model.setWeights({ [key]: { data: Float32Array.from(start), shape: [2] } });
    for (let step = 0; step < steps; step++) {
      model.trainOnBatch([[0, 0]], [[0]]);
      const at = model.getWeights()[key]!.data;
      if (!at.every(Number.isFinite)) {
        diverged = true;
        break;
      }
      path.push(...at);
    }
  } catch (error) {
    if (!(error instanceof DownhillError)) throw error;
    if (error.code !== "numeric") throw new DownhillError(error.code, error.message.replace(/^compile:/, "descend:"));
    diverged = true;
  } finally {
    model.dispose();
  }
  const part = (list: Iterable<number>, count: number) => Float32Array.from(list).subarray(0, count).slice();
  const losses = landscape.value({ data: Float32Array.from(path), shape: [path.length / 2, 2] }).data;
  const bad = losses.findIndex((f) => !Number.isFinite(f));
  const k = bad < 0 ? losses.length : bad;
  return {
    path: { data: part(path, 2 * k), shape: [k, 2] },
    losses: { data: part(losses, k), shape: [k] },
    diverged: diverged || bad >= 0,
  };
}
