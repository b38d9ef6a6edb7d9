import { setFlagsFromString } from "node:v8";
import { describe, expect, test } from "vitest";
import { Epilogue, Op } from "../../assembly/isa";
import { gemmWorkspaceBytes } from "../../ts/ops/gemmWorkspace";
import { type Build, Core } from "../support/core";

// Node 20 has relaxed SIMD behind a flag
if (Number(process.versions.node.split(".")[0]) < 22) setFlagsFromString("--experimental-wasm-relaxed-simd");

interface Case {
  m: number;
  n: number;
  k: number;
  transA?: boolean;
  transB?: boolean;
  pad?: number; // by how much leading dimensions are longer than rows
  batch?: number;
  accumulate?: boolean;
  bias?: boolean;
  epilogue?: Epilogue;
  nth?: number;
  zeros?: number; // of so many elements of a, one is not 0
}

/** Numbers in (−1, 1), the same ones for the same seed. */
function numbers(length: number, seed: number): Float32Array {
  let state = seed * 2654435761 + 1;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2147483648;
  });
}

const f = Math.fround;

const EPILOGUES: Partial<Record<Epilogue, (v: number, y: number) => number>> = {
  [Epilogue.none]: (v) => v,
  [Epilogue.relu]: (v) => Math.max(v, 0),
  [Epilogue.reluBackward]: (v, y) => (y > 0 ? v : 0),
  [Epilogue.tanhBackward]: (v, y) => f(v * f(1 - f(y * y))),
  [Epilogue.sigmoidBackward]: (v, y) => f(f(v * y) * f(1 - y)),
};

/** Runs a case; `exact` are the bits that the strict build must give, `precise` the float64 values. */
function run(build: Build, { m, n, k, pad = 0, batch = 1, nth = 1, ...c }: Case) {
  const { transA = false, transB = false, accumulate = false, bias = false, epilogue = Epilogue.none } = c;
  const core = new Core(build);
  const lda = (transA ? m : k) + pad;
  const ldb = (transB ? k : n) + 2 * pad;
  const ldc = n + 3 * pad;
  const strideA = lda * (transA ? k : m) + pad;
  const strideB = ldb * (transB ? n : k) + pad;
  const strideC = ldc * m + pad;
  // the last row ends where its columns end: what reads on meets guard words
  const a = numbers((batch - 1) * strideA + ((transA ? k : m) - 1) * lda + (transA ? m : k), 1);
  const [zeros, picks] = [c.zeros ?? 0, numbers(a.length, 6)];
  a.set(a.map((v, i) => (picks[i]! * zeros < zeros - 2 ? (i % 3 ? 0 : -0) : v)));
  const b = numbers((batch - 1) * strideB + ((transB ? n : k) - 1) * ldb + (transB ? k : n), 2);
  const old = numbers((batch - 1) * strideC + (m - 1) * ldc + n, 3);
  const aux = numbers(old.length, 4);
  const biases = numbers(n, 5);

  const exact = old.slice();
  const precise = Float64Array.from(old);
  for (let e = 0; e < batch; e++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        const at = e * strideC + i * ldc + j;
        let chain = accumulate ? old[at]! : 0;
        let sum = chain;
        for (let p = 0; p < k; p++) {
          const x = a[e * strideA + (transA ? p * lda + i : i * lda + p)]!;
          const y = b[e * strideB + (transB ? j * ldb + p : p * ldb + j)]!;
          chain = f(chain + f(x * y));
          sum += x * y;
        }
        const finish = EPILOGUES[epilogue]!;
        exact[at] = finish(bias ? f(chain + biases[j]!) : chain, aux[at]!);
        precise[at] = finish(bias ? sum + biases[j]! : sum, aux[at]!);
      }

  const C = core.floats(old, 1); // addresses that no vector is aligned to
  const bytes = gemmWorkspaceBytes(m, n, k, transA, transB);
  const workspace = core.buffer((bytes / 4) * nth);
  const at = core.instruction(
    Op.gemm,
    [
      C,
      workspace,
      core.floats(a, 2),
      core.floats(b, 3),
      bias ? core.floats(biases, 1) : null,
      epilogue >= Epilogue.reluBackward ? core.floats(aux, 3) : null,
    ],
    [m, n, k, lda, ldb, ldc, +transA, +transB, batch, strideA, strideB, strideC, +accumulate, epilogue, bytes],
  );
  core.runShares(at, nth);
  core.checkGuards();
  return { result: C.f32.slice(), exact, precise };
}

/** The first place where bits differ, or "equal". */
function difference(result: Float32Array, exact: Float32Array): string {
  const x = new Uint32Array(result.buffer, result.byteOffset, result.length);
  const y = new Uint32Array(exact.buffer, exact.byteOffset, exact.length);
  const at = x.findIndex((word, i) => word !== y[i]);
  return at < 0 ? "equal" : `at ${at}: ${result[at]} instead of ${exact[at]}`;
}

function check(build: Build, c: Case): void {
  const { result, exact, precise } = run(build, c);
  const name = JSON.stringify(c);
  if (build === "strict") expect(`${name} ${difference(result, exact)}`).toBe(`${name} equal`);
  else {
    const tolerance = 2e-7 * (c.k + 4);
    const at = result.findIndex((v, i) => !(Math.abs(v - precise[i]!) <= tolerance));
    expect(`${name} ${at < 0 ? "close" : `${result[at]} instead of ${precise[at]}`}`).toBe(`${name} close`);
  }
}

const TRANSPOSES = [
  { transA: false, transB: false },
  { transA: false, transB: true },
  { transA: true, transB: false },
  { transA: true, transB: true },
];

describe.each(["strict", "fastMath"] as const)("gemm, %s: every element is one chain over ascending k", (build) => {
  test.each(TRANSPOSES)("odd sizes, transA $transA, transB $transB", (transposes) => {
    const sizes = [1, 2, 3, 4, 5, 7, 8, 9, 17, 23];
    for (const m of sizes)
      for (const n of sizes)
        for (const k of (m + n) % 2 ? [1, 8] : [2, 5, 19])
          check(build, { m, n, k, ...transposes, pad: (m + n + k) % 3 });
  });

  test.each(TRANSPOSES)("many rows, columns, panels, transA $transA, transB $transB", (transposes) => {
    for (const [m, n, k] of [
      [65, 63, 393],
      [71, 10, 785],
      [1, 65, 1025],
      [3, 37, 400],
      [1025, 1, 17],
      [1025, 2, 3],
      [251, 9, 40],
      [66, 525, 7],
      [1, 1025, 5],
      [7, 1, 1025],
    ] as const)
      for (const pad of [0, 1]) check(build, { m, n, k, ...transposes, pad });
  });

  test.each(TRANSPOSES)("accumulates into c, transA $transA, transB $transB", (transposes) => {
    for (const [m, n, k] of [
      [1, 33, 70],
      [33, 1, 70],
      [4, 7, 12],
      [13, 21, 800],
      [70, 18, 3],
    ] as const)
      check(build, { m, n, k, ...transposes, accumulate: true, pad: 2 });
  });

  test("any tile of the last rows: m = 1 … 40", () => {
    for (let m = 1; m <= 40; m++) check(build, { m, n: 12, k: 6, pad: 1 });
  });

  test.each(TRANSPOSES)("few rows of many zeros: as if each counted, transA $transA, transB $transB", (transposes) => {
    for (const m of [1, 2, 3])
      for (const zeros of [2, 5, 1000])
        for (const k of [1, 8, 9, 70, 333])
          for (const accumulate of [false, true])
            check(build, { m, n: 37, k, pad: 1, zeros, accumulate, ...transposes });
  });

  test("a batch of products, strides between them", () => {
    for (const transposes of TRANSPOSES)
      for (const [m, n, k] of [
        [1, 9, 5],
        [9, 1, 5],
        [6, 12, 20],
      ] as const)
        check(build, { m, n, k, batch: 5, ...transposes, pad: 1 });
  });

  test("bias and epilogues, after the whole sum", () => {
    for (const epilogue of Object.keys(EPILOGUES).map(Number))
      for (const bias of [false, true])
        for (const [m, n, k] of [
          [1, 18, 9],
          [11, 1, 9],
          [12, 1, 900],
          [3, 5, 9],
          [9, 23, 400],
        ] as const)
          for (const pad of [0, 1]) check(build, { m, n, k, bias, epilogue, pad });
  });

  test("the same bits on 1, 2 and 3 workers", () => {
    for (const transposes of TRANSPOSES)
      for (const [m, n, k] of [
        [1, 65, 17],
        [65, 1, 17],
        [17, 100, 400],
        [100, 10, 33],
        [2, 2, 2],
        [3, 70, 5],
      ] as const)
        for (const batch of [1, 2, 7]) {
          const c: Case = { m, n, k, batch, bias: true, epilogue: Epilogue.relu, ...transposes };
          const one = run(build, c).result;
          for (const nth of [2, 3])
            expect(`${JSON.stringify(c)} ${difference(run(build, { ...c, nth }).result, one)}`).toBe(
              `${JSON.stringify(c)} equal`,
            );
        }
  });
});

test("small products need little workspace, large ones less than 1 MB", () => {
  expect(gemmWorkspaceBytes(8, 8, 8, false, false)).toBeLessThan(1000);
  for (const transposes of TRANSPOSES)
    expect(gemmWorkspaceBytes(4096, 4096, 4096, transposes.transA, transposes.transB)).toBeLessThan(1 << 20);
});
