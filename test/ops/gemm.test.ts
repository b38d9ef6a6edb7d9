import { Epilogue } from "../../assembly/isa";
import * as ops from "../../ts/ops/gemm";
import { checkCoverage, checkOp, type Reals } from "../support/checkOp";

/** op(a) · op(b) in float64. */
function product(a: Reals, b: Reals, [m, n, k]: number[], transA: boolean, transB: boolean): Float64Array {
  const c = new Float64Array(m! * n!);
  for (let i = 0; i < m!; i++)
    for (let p = 0; p < k!; p++) {
      const aip = a[transA ? p * m! + i : i * k! + p]!;
      for (let j = 0; j < n!; j++) c[i * n! + j]! += aip * b[transB ? j * k! + p : p * n! + j]!;
    }
  return c;
}

const SIZES = [
  [1, 1, 1],
  [1, 17, 65],
  [3, 5, 7],
  [7, 1, 17],
  [63, 65, 17],
  [65, 10, 33], // edges of every tile
  [5, 513, 3], // one column more than a block
  [241, 9, 393], // more rows and depth than a block has
] as const;

for (const [name, transA, transB] of [
  ["NN", false, false],
  ["NT", false, true],
  ["TN", true, false],
  ["TT", true, true],
] as const) {
  const shapes = (m: number, n: number, k: number) => ({
    a: transA ? [k, m] : [m, k],
    b: transB ? [n, k] : [k, n],
  });
  const sizes = (a: readonly number[], b: readonly number[]) => [
    transA ? a[1]! : a[0]!,
    transB ? b[0]! : b[1]!,
    transA ? a[0]! : a[1]!,
  ];
  const cases = SIZES.map(([m, n, k]) => ({ ...shapes(m, n, k), bias: null, aux: null }));

  checkOp(ops.gemm, {
    title: name,
    attributes: { transA, transB },
    cases,
    shapes: ({ a, b }) => [sizes(a, b).slice(0, 2)],
    tolerance: 1e-5,
    reference: ({ a, b }, s) => product(a, b, sizes(s.a, s.b), transA, transB),
    wrong: [
      [
        { ...shapes(2, 4, 3), a: transA ? [5, 2] : [2, 5], bias: null, aux: null },
        /expected a matrix of shape \[2, 3\], got/,
      ],
      [{ a: [2, 3, 4], b: [3, 4], bias: null, aux: null }, /expected a matrix/],
    ],
  });

  for (const [epilogue, withBias, finish] of [
    [Epilogue.none, true, (v: number) => v],
    [Epilogue.relu, true, (v: number) => Math.max(v, 0)],
    [Epilogue.relu, false, (v: number) => Math.max(v, 0)],
    [Epilogue.reluBackward, false, (v: number, y: number) => (y > 0 ? v : 0)],
    [Epilogue.tanhBackward, false, (v: number, y: number) => v * (1 - y * y)],
    [Epilogue.sigmoidBackward, false, (v: number, y: number) => v * y * (1 - y)],
  ] as const)
    checkOp(ops.gemm, {
      title: `${name}, epilogue ${epilogue}${withBias ? ", bias" : ""}`,
      attributes: { transA, transB, epilogue },
      differentiated: false,
      cases: SIZES.slice(2, -1).map(([m, n, k]) => ({
        ...shapes(m, n, k),
        bias: withBias ? [n] : null,
        aux: epilogue >= Epilogue.reluBackward ? [m, n] : null,
      })),
      shapes: ({ a, b }) => [sizes(a, b).slice(0, 2)],
      tolerance: 1e-5,
      reference({ a, b, bias, aux }, s) {
        const c = product(a, b, sizes(s.a, s.b), transA, transB);
        return c.map((v, i) => finish(v + (withBias ? bias[i % bias.length]! : 0), aux?.[i] ?? 0));
      },
    });
}

checkCoverage(ops);
