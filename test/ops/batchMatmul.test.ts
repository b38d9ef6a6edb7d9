import * as ops from "../../ts/ops/batchMatmul";
import { checkCoverage, checkOp } from "../support/checkOp";

const SIZES = [
  { batch: 1, m: 1, n: 1, k: 1 },
  { batch: 3, m: 2, n: 5, k: 4 },
  { batch: 5, m: 7, n: 9, k: 3 },
  { batch: 2, m: 17, n: 33, k: 20 },
];

for (const transA of [false, true])
  for (const transB of [false, true])
    for (const shared of ["", "a", "b"])
      checkOp(ops.batchMatmul, {
        title: `${transA ? "aᵀ" : "a"}·${transB ? "bᵀ" : "b"}${shared && `, one ${shared} for all`}`,
        attributes: { transA, transB },
        cases: SIZES.map(({ batch, m, n, k }) => ({
          a: [shared === "a" ? 1 : batch, ...(transA ? [k, m] : [m, k])],
          b: [shared === "b" ? 1 : batch, ...(transB ? [n, k] : [k, n])],
        })),
        shapes: ({ a, b }) => [[Math.max(a[0]!, b[0]!), a[transA ? 2 : 1]!, b[transB ? 1 : 2]!]],
        tolerance: 4e-6,
        reference({ a, b }, shapes) {
          const [m, k] = transA ? [shapes.a[2]!, shapes.a[1]!] : [shapes.a[1]!, shapes.a[2]!];
          const n = shapes.b[transB ? 1 : 2]!;
          const batch = Math.max(shapes.a[0]!, shapes.b[0]!);
          return Float64Array.from({ length: batch * m * n }, (_, at) => {
            const [g, i, j] = [Math.floor(at / (m * n)), Math.floor(at / n) % m, at % n];
            let sum = 0;
            for (let p = 0; p < k; p++) {
              const fromA = (shapes.a[0] === 1 ? 0 : g) * m * k + (transA ? p * m + i : i * k + p);
              const fromB = (shapes.b[0] === 1 ? 0 : g) * k * n + (transB ? j * k + p : p * n + j);
              sum += a[fromA]! * b[fromB]!;
            }
            return sum;
          });
        },
        wrong: [[{ a: [2, 3, 4], b: [3, 4, 3] }, /expected matrices to multiply by of shape/]],
      });

checkCoverage(ops);
