import type { NDArray } from "../../ts/index";
import { random } from "./mutations";

/** Examples of three classes that a small net learns; `rows` no batch size divides. */
export function examples(rows = 203, inputs = 12, seed = 1): { x: NDArray; y: Int32Array } {
  const rand = random(seed);
  const data = Float32Array.from({ length: rows * inputs }, () => rand(2000) / 1000 - 1);
  const y = Int32Array.from({ length: rows }, (_, i) => {
    const row = data.subarray(i * inputs, (i + 1) * inputs);
    return +(row[0]! + row[3]! > 0) + +(row[5]! > 0.3);
  });
  return { x: { data, shape: [rows, inputs] }, y };
}
