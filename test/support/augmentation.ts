// Augmentation in plain JavaScript, in float64: the contract in assembly/kernels/augment.ts.

import { philox } from "./philox";

/** Where numbers are drawn. */
export interface Position {
  seed: number;
  stream: number;
  step: number;
  pass: number;
}

export const START: Position = { seed: 0, stream: 0, step: 0, pass: 0 };

/** The counter's `op` of a pipeline's i-th augmentation. */
export const opOf = (i: number): number => 0xa0000000 + i;

/** Four numbers in [0, 1): block `element` of random op `op`. */
export const units = (element: number, op: number, { seed, stream, step, pass }: Position): number[] =>
  philox([element, op, step, pass], [seed, stream]).map((w) => w / 2 ** 32);

export const between = ([lower, upper]: readonly [number, number], u: number): number => lower + (upper - lower) * u;

/** (a b t; c d s) */
export type Matrix = [number, number, number, number, number, number];

export const times = (m: Matrix, n: Matrix): Matrix => [
  m[0] * n[0] + m[1] * n[3],
  m[0] * n[1] + m[1] * n[4],
  m[0] * n[2] + m[1] * n[5] + m[2],
  m[3] * n[0] + m[4] * n[3],
  m[3] * n[1] + m[4] * n[4],
  m[3] * n[2] + m[4] * n[5] + m[5],
];

/** p ↦ A·(p − centre) + centre − shift */
export function about(
  [a, b, c, d]: [number, number, number, number],
  height: number,
  width: number,
  [down, right] = [0, 0],
): Matrix {
  const [x, y] = [(width - 1) / 2, (height - 1) / 2];
  return [a, b, x - a * x - b * y - right!, c, d, y - c * x - d * y - down!];
}

export type Fill = "constant" | "nearest" | "reflect" | "wrap";

/** Where an extended row of n has its i-th, or −1. */
export function placeOf(i: number, n: number, fill: Fill): number {
  if (i >= 0 && i < n) return i;
  if (fill === "constant") return -1;
  if (fill === "nearest") return i < 0 ? 0 : n - 1;
  const period = fill === "wrap" ? n : 2 * n;
  const k = ((i % period) + period) % period;
  return k < n ? k : period - 1 - k;
}

/** One image (height, width, channels) at a matrix. */
export function resampled(
  x: ArrayLike<number>,
  [height, width, channels]: readonly [number, number, number],
  m: ArrayLike<number>,
  fill: Fill,
  fillValue: number,
): number[] {
  const y: number[] = [];
  const at = (row: number, column: number, channel: number) => {
    const i = placeOf(column, width, fill);
    const j = placeOf(row, height, fill);
    return i < 0 || j < 0 ? fillValue : x[(j * width + i) * channels + channel]!;
  };
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const sx = m[0]! * column + m[1]! * row + m[2]!;
      const sy = m[3]! * column + m[4]! * row + m[5]!;
      const [i, j] = [Math.floor(sx), Math.floor(sy)];
      const [u, v] = [sx - i, sy - j];
      for (let k = 0; k < channels; k++)
        y.push(
          (1 - v) * ((1 - u) * at(j, i, k) + u * at(j, i + 1, k)) +
            v * ((1 - u) * at(j + 1, i, k) + u * at(j + 1, i + 1, k)),
        );
    }
  return y;
}

/** What `erase` draws: [top, left, bottom, right], or nothing. */
export function erasedBox(
  row: number,
  op: number,
  position: Position,
  height: number,
  width: number,
  probability: number,
  area: readonly [number, number],
  ratio: readonly [number, number],
): [number, number, number, number] | undefined {
  const [whether, share, shape, above] = units(2 * row, op, position) as [number, number, number, number];
  const [before] = units(2 * row + 1, op, position) as [number];
  if (whether >= probability) return undefined;
  const pixels = between(area, share) * height * width;
  const r = Math.exp(between([Math.log(ratio[0]), Math.log(ratio[1])], shape));
  const high = Math.min(height, Math.round(Math.sqrt(pixels * r)));
  const wide = Math.min(width, Math.round(Math.sqrt(pixels / r)));
  const top = Math.floor(above * (height - high + 1));
  const left = Math.floor(before * (width - wide + 1));
  return [top, left, top + high, left + wide];
}

const HALF = 2 ** -33;

function gamma(element: number, op: number, position: Position, alpha: number): number {
  const d = (alpha < 1 ? alpha + 1 : alpha) - 1 / 3;
  for (let attempt = 1; ; attempt++) {
    const [a, b, c, e] = units(element++, op, position) as [number, number, number, number];
    const z = Math.sqrt(-2 * Math.log(a + HALF)) * Math.cos(2 * Math.PI * b);
    const v = (1 + z / Math.sqrt(9 * d)) ** 3;
    const fits = v > 0 && Math.log(c + HALF) < z ** 2 / 2 + d - d * v + d * Math.log(v);
    if (!fits && attempt < 15) continue;
    const log = Math.log(d) + Math.log(v);
    return alpha < 1 ? log + Math.log(e + HALF) / alpha : log;
  }
}

export interface Mix {
  share: number;
  partner: number;
  winner: number;
  /** [top, left, bottom, right] */
  box: [number, number, number, number];
}

/** What mixup or cutmix draws for row r of `rows`; `first`: the first row's number. */
export function mixOf(
  r: number,
  rows: number,
  op: number,
  position: Position,
  alpha: number,
  cut: false | readonly [height: number, width: number],
  first = 0,
): Mix {
  const element = 32 * (first + r);
  const [which, y, x] = units(element, op, position) as [number, number, number];
  const difference = gamma(element + 16, op, position, alpha) - gamma(element + 1, op, position, alpha);
  let share = 1 / (1 + Math.exp(difference));
  const partner = (r + 1 + Math.floor(which * (rows - 1))) % rows;
  let box: Mix["box"] = [0, 0, 0, 0];
  if (cut) {
    const [height, width] = cut;
    const side = Math.sqrt(1 - share);
    const [high, wide] = [Math.floor(height * side), Math.floor(width * side)];
    const top = Math.floor(y * height) - (high >> 1);
    const left = Math.floor(x * width) - (wide >> 1);
    box = [Math.max(top, 0), Math.max(left, 0), Math.min(top + high, height), Math.min(left + wide, width)];
    share = 1 - ((box[2] - box[0]) * (box[3] - box[1])) / (height * width);
  }
  return { share, partner, winner: share >= 0.5 ? r : partner, box };
}
