// The data of the experiments: the embedded digits, or MNIST where MNIST_DIR names its folder.

import { digits, idx, type NDArray } from "downhill";
import { philox4x32 } from "downhill/random";

export interface Examples {
  x: NDArray;
  y: NDArray<Int32Array>;
}

export interface Split {
  train: Examples;
  validation: Examples;
  test: Examples;
}

/** The real data that experiments are run on. */
export interface Data {
  name: string;
  features: number;
  /** Side of an image in pixels. */
  side: number;
  classes: number;
  /** Random rows for training and validation; the test set is always the whole one. */
  split(seed: number, train: number, validation: number): Split;
}

/** The numbers 0 … n − 1 in a random order: Fisher–Yates on Philox. */
export function permutation(n: number, seed: number): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const [word] = philox4x32([i, 0, 0, 0], [seed, 0xc4a97e2]);
    const j = Math.floor((word! / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** Rows of examples by their numbers. */
export function rows({ x, y }: Examples, numbers: ArrayLike<number>): Examples {
  const size = x.data.length / x.shape[0]!;
  const data = new Float32Array(numbers.length * size);
  const labels = new Int32Array(numbers.length);
  for (let i = 0; i < numbers.length; i++) {
    data.set(x.data.subarray(numbers[i]! * size, (numbers[i]! + 1) * size), i * size);
    labels[i] = y.data[numbers[i]!]!;
  }
  return { x: { data, shape: [numbers.length, ...x.shape.slice(1)] }, y: { data: labels, shape: [numbers.length] } };
}

/** The same with `share` of the labels replaced by random other ones: what a model must not learn. */
export function mislabelled({ x, y }: Examples, share: number, classes: number, seed: number): Examples {
  const labels = y.data.slice();
  const order = permutation(labels.length, seed + 7777);
  for (let i = 0; i < Math.round(share * labels.length); i++) {
    const row = order[i]!;
    const [word] = philox4x32([row, 1, 0, 0], [seed, 0xc4a97e2]);
    labels[row] = (labels[row]! + 1 + (word! % (classes - 1))) % classes;
  }
  return { x, y: { data: labels, shape: y.shape } };
}

/** x as floats in [0, 1], a row an example. */
function flat({ x, y }: { x: NDArray<Float32Array | Uint8Array>; y: NDArray<Int32Array> }): Examples {
  const [n] = x.shape as [number];
  const data = x.data instanceof Uint8Array ? Float32Array.from(x.data, (v) => v / 255) : x.data;
  return { x: { data, shape: [n, data.length / n] }, y: { data: y.data, shape: [n] } };
}

export async function loadData(folder = process.env["MNIST_DIR"]): Promise<Data> {
  const loaded = folder ? await idx(folder) : digits();
  const train = flat(loaded.train);
  const test = flat(loaded.test);
  const features = train.x.shape[1]!;
  const count = train.y.data.length;
  return {
    name: folder ? "MNIST" : "digits",
    features,
    side: Math.sqrt(features),
    classes: 10,
    split(seed, wanted, validation) {
      if (wanted + validation > count) throw new Error(`data: ${wanted} + ${validation} rows of ${count}`);
      const order = permutation(count, seed);
      return {
        train: rows(train, order.subarray(0, wanted)),
        validation: rows(train, order.subarray(wanted, wanted + validation)),
        test,
      };
    },
  };
}
