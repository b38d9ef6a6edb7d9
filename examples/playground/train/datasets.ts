// The data of a run. Equal settings give equal bits in every engine: random numbers are the core's own, and of arithmetic there is
// only what IEEE 754 fixes to the bit (+ − × ÷ √).

import type { digits } from "downhill";
import { philox4x32 } from "downhill/random";
import { EXTENT, type Settings } from "./settings";

/** Rows of an input and their classes. */
export interface Rows {
  x: Float32Array;
  labels: Int32Array;
}

export interface RunData {
  /** Shape of one input. */
  shape: readonly number[];
  classes: number;
  training: Rows;
  validation: Rows;
  test: Rows | null;
}

/** Streams of random numbers: one for what is drawn of the data, one for each thing that must not move them. */
const enum Stream {
  points,
  order,
  flips,
}

/** Random numbers of a seed and a stream. */
class Random {
  #block = 0;
  #words: number[] = [];

  constructor(
    readonly seed: number,
    readonly stream: Stream,
  ) {}

  /** Uniform in [0, 1). */
  uniform(): number {
    if (!this.#words.length) this.#words = [...philox4x32([this.#block++, 0, 0, 0], [this.seed, this.stream])];
    return this.#words.pop()! / 2 ** 32;
  }

  /** Nearly normal: the sum of twelve uniform numbers, less their mean. Variance 1. */
  normal(): number {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += this.uniform();
    return sum;
  }

  /** An integer in [0, n). */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }
}

/** [cos, sin] of 2πt, by their series within an eighth of a turn. */
export function turn(t: number): [cos: number, sin: number] {
  const quarter = Math.round(4 * t);
  const a = (t - quarter / 4) * 6.283185307179586;
  let [cos, sin] = [1, 1];
  for (let n = 18; n > 0; n -= 2) {
    cos = 1 - ((a * a) / (n * (n - 1))) * cos;
    sin = 1 - ((a * a) / (n * (n + 1))) * sin;
  }
  sin *= a;
  return [
    [cos, sin],
    [-sin, cos],
    [-cos, -sin],
    [sin, -cos],
  ][((quarter % 4) + 4) % 4] as [number, number];
}

type Generator = (label: number, random: Random) => [x: number, y: number];

/** How many classes, and a point of one of them. */
const GENERATORS: Record<string, readonly [classes: number, Generator]> = {
  /** A disc and a ring about it. */
  circles: [
    2,
    (label, random) => {
      const radius = label ? 1.7 + 0.7 * random.uniform() : Math.sqrt(random.uniform());
      const [cos, sin] = turn(random.uniform());
      return [radius * cos, radius * sin];
    },
  ],
  /** Two half circles that reach into one another. */
  moons: [
    2,
    (label, random) => {
      const [cos, sin] = turn(random.uniform() / 2);
      return label ? [0.75 - 1.5 * cos, 0.375 - 1.5 * sin] : [1.5 * cos - 0.75, 1.5 * sin - 0.375];
    },
  ],
  /** Two arms of a turn and a half. */
  spirals: [
    2,
    (label, random) => {
      const way = random.uniform();
      const [cos, sin] = turn(1.5 * way + label / 2);
      const radius = 0.25 + 2.35 * way;
      return [radius * cos, radius * sin];
    },
  ],
  /** Four squares, of one class those that meet in the middle only. */
  xor: [
    2,
    (label, random) => {
      const [x, y] = [0.1 + 2.4 * random.uniform(), 0.1 + 2.4 * random.uniform()];
      const side = random.below(2) ? 1 : -1;
      return [side * x, (label ? -side : side) * y];
    },
  ],
  /** Three heaps. */
  blobs: [
    3,
    (label) => {
      const [cos, sin] = turn(label / 3 + 0.25);
      return [1.5 * cos, 1.5 * sin];
    },
  ],
};

/** The data that settings ask for. */
export async function dataOf(settings: Settings): Promise<RunData> {
  const { data, seed, labelNoise } = settings;
  const made = data === "digits" ? digitRows(settings, (await import("./digits.js")).digits()) : planeRows(settings);
  const { training, classes } = made;
  const random = new Random(seed, Stream.flips);
  if (labelNoise > 0)
    training.labels.forEach((label, i) => {
      const [flips, to] = [random.uniform() < labelNoise, random.below(classes - 1)];
      if (flips) training.labels[i] = to < label ? to : to + 1;
    });
  return made;
}

function planeRows({ data, examples, noise, validation, points, seed }: Settings): RunData {
  const given = data === "points" ? points : generated(data, examples, noise, seed);
  // points are clicked class by class: those kept for validation are drawn among all of them
  const order = data === "points" ? shuffled(given.length, seed) : given.map((_, i) => i);
  const training = given.length - Math.floor(given.length * validation);
  const rows = (from: number, to: number): Rows => ({
    x: Float32Array.from(order.slice(from, to).flatMap((i) => [given[i]!.x, given[i]!.y])),
    labels: Int32Array.from(order.slice(from, to), (i) => given[i]!.label),
  });
  return {
    shape: [2],
    classes: given.reduce((most, { label }) => Math.max(most, label + 1), 2),
    training: rows(0, training),
    validation: rows(training, given.length),
    test: null,
  };
}

function generated(data: string, examples: number, noise: number, seed: number) {
  const random = new Random(seed, Stream.points);
  const [classes, generator] = GENERATORS[data]!;
  return Array.from({ length: examples }, (_, i) => {
    const label = i % classes;
    const [x, y] = generator(label, random);
    return { x: x + noise * random.normal(), y: y + noise * random.normal(), label };
  });
}

/** Numbers below n in an order of the seed. */
function shuffled(n: number, seed: number): number[] {
  const random = new Random(seed, Stream.order);
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

const PIXELS = 64;

function digitRows({ examples, validation, seed }: Settings, { train, test }: ReturnType<typeof digits>): RunData {
  const order = shuffled(train.y.data.length, seed); // those who wrote them come one after the other
  const n = Math.min(examples, order.length);
  const training = n - Math.floor(n * validation);
  const rows = (from: number, to: number): Rows => ({
    x: Float32Array.from({ length: (to - from) * PIXELS }, (_, k) => {
      return train.x.data[order[from + Math.floor(k / PIXELS)]! * PIXELS + (k % PIXELS)]!;
    }),
    labels: Int32Array.from(order.slice(from, to), (i) => train.y.data[i]!),
  });
  return {
    shape: [8, 8, 1],
    classes: 10,
    training: rows(0, training),
    validation: rows(training, n),
    test: { x: test.x.data, labels: test.y.data },
  };
}

/** A factor for each number of an input, from 1/stretch to stretch; for pixels in no order that the eye could see. */
export function scalesOf({ data, stretch }: Settings): Float32Array {
  if (data !== "digits") return Float32Array.of(1 / stretch, stretch);
  let root = stretch;
  for (let i = 0; i < 5; i++) root = Math.sqrt(root); // stretch^(1/32)
  return Float32Array.from({ length: PIXELS }, (_, j) => {
    let scale = 1 / stretch;
    for (let k = (j * 37) % PIXELS; k > 0; k--) scale *= root;
    return scale;
  });
}

/** The middles of size × size cells of the plane, row by row from the top left. */
export function gridOf(size: number): Float32Array {
  const middle = (i: number) => ((2 * i + 1) / size - 1) * EXTENT;
  return Float32Array.from({ length: 2 * size * size }, (_, k) => {
    const cell = k >> 1;
    return k % 2 ? -middle(Math.floor(cell / size)) : middle(cell % size);
  });
}
