// What is trained in load tests.

import { digits } from "downhill";

/** The digits as the text of a CSV file, of `rows` rows: 64 columns of numbers, and the class. */
export function digitsText(rows = 1437): string {
  const { x, y } = digits().train;
  const names = Array.from({ length: 64 }, (_, i) => `p${i}`);
  const lines = Array.from({ length: rows }, (_, k) => {
    const i = k % y.data.length;
    return `${Array.from(x.data.subarray(i * 64, (i + 1) * 64), (v) => +v.toFixed(4)).join()},d${y.data[i]}`;
  });
  return [[...names, "digit"].join(), ...lines, ""].join("\n");
}

/** Options of an MLP 64-32-10 on them. */
export const DIGITS = {
  target: "digit",
  hiddenLayers: [32],
  epochs: 5,
  optimizer: { type: "adam", learningRate: 3e-3 },
};

/** Its first row. */
export const digitsRow = (): number[] => Array.from(digits().test.x.data.subarray(0, 64), (v) => +v.toFixed(4));
