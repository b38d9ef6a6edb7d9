// The machine's own limits, as WebAssembly can reach them: what every row of the benchmark is held against.
//
// AssemblyScript, compiled twice (strict, and with relaxed SIMD) by `node bench/build.js`. Memory is the caller's.
//
//   mulAdd8 mulAdd10 mulAdd12   acc ← acc · x + y on 8, 10, 12 accumulators that never leave their registers; with
//                               relaxed SIMD one fused instruction. 8 FLOPs an accumulator and step. Fewer than 8
//                               accumulators wait for the adder's latency and understate the peak; more than 12 spill.
//   mulAddTile                  the same as a GEMM tile has it, told for comparison only
//   sqrtDiv                     x ← y / (√x + ε), as Adam has it, on 8 vectors: what the divider allows
//   copy                        64 bytes a step, f32x4 loads and stores: "copy speed"
//   read                        128 bytes a step, summed into 8 accumulators (with 4, the adder's latency is the bound)
//   probe                       a GEMM tile fed from L1. It feels a neighbour on the same core, which registers-only
//                               loops hardly do: beside every row it tells quiet minutes from slow ones
//
// One step a loop iteration: V8 regroups pure operations within a block, and unrolled chains spill.

/** One multiply-add in the build's own way. */
// @ts-ignore: decorator
@inline
function mulAdd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

export function mulAdd8(steps: i32, x: f32, y: f32): f32 {
  const xs = f32x4.splat(x);
  const ys = f32x4.splat(y);
  let c0 = ys, c1 = f32x4.splat(1), c2 = f32x4.splat(2), c3 = f32x4.splat(3);
  let c4 = f32x4.splat(4), c5 = f32x4.splat(5), c6 = f32x4.splat(6), c7 = f32x4.splat(7);
  while (steps != 0) {
    c0 = mulAdd(c0, xs, ys);
    c1 = mulAdd(c1, xs, ys);
    c2 = mulAdd(c2, xs, ys);
    c3 = mulAdd(c3, xs, ys);
    c4 = mulAdd(c4, xs, ys);
    c5 = mulAdd(c5, xs, ys);
    c6 = mulAdd(c6, xs, ys);
    c7 = mulAdd(c7, xs, ys);
    steps--;
  }
  const sum = f32x4.add(f32x4.add(f32x4.add(c0, c1), f32x4.add(c2, c3)), f32x4.add(f32x4.add(c4, c5), f32x4.add(c6, c7)));
  return f32x4.extract_lane(sum, 0);
}

export function mulAdd10(steps: i32, x: f32, y: f32): f32 {
  const xs = f32x4.splat(x);
  const ys = f32x4.splat(y);
  let c0 = ys, c1 = f32x4.splat(1), c2 = f32x4.splat(2), c3 = f32x4.splat(3), c4 = f32x4.splat(4);
  let c5 = f32x4.splat(5), c6 = f32x4.splat(6), c7 = f32x4.splat(7), c8 = f32x4.splat(8), c9 = f32x4.splat(9);
  while (steps != 0) {
    c0 = mulAdd(c0, xs, ys);
    c1 = mulAdd(c1, xs, ys);
    c2 = mulAdd(c2, xs, ys);
    c3 = mulAdd(c3, xs, ys);
    c4 = mulAdd(c4, xs, ys);
    c5 = mulAdd(c5, xs, ys);
    c6 = mulAdd(c6, xs, ys);
    c7 = mulAdd(c7, xs, ys);
    c8 = mulAdd(c8, xs, ys);
    c9 = mulAdd(c9, xs, ys);
    steps--;
  }
  let sum = f32x4.add(f32x4.add(f32x4.add(c0, c1), f32x4.add(c2, c3)), f32x4.add(f32x4.add(c4, c5), f32x4.add(c6, c7)));
  sum = f32x4.add(sum, f32x4.add(c8, c9));
  return f32x4.extract_lane(sum, 0);
}

export function mulAdd12(steps: i32, x: f32, y: f32): f32 {
  const xs = f32x4.splat(x);
  const ys = f32x4.splat(y);
  let c0 = ys, c1 = f32x4.splat(1), c2 = f32x4.splat(2), c3 = f32x4.splat(3), c4 = f32x4.splat(4), c5 = f32x4.splat(5);
  let c6 = f32x4.splat(6), c7 = f32x4.splat(7), c8 = f32x4.splat(8), c9 = f32x4.splat(9);
  let c10 = f32x4.splat(10), c11 = f32x4.splat(11);
  while (steps != 0) {
    c0 = mulAdd(c0, xs, ys);
    c1 = mulAdd(c1, xs, ys);
    c2 = mulAdd(c2, xs, ys);
    c3 = mulAdd(c3, xs, ys);
    c4 = mulAdd(c4, xs, ys);
    c5 = mulAdd(c5, xs, ys);
    c6 = mulAdd(c6, xs, ys);
    c7 = mulAdd(c7, xs, ys);
    c8 = mulAdd(c8, xs, ys);
    c9 = mulAdd(c9, xs, ys);
    c10 = mulAdd(c10, xs, ys);
    c11 = mulAdd(c11, xs, ys);
    steps--;
  }
  let sum = f32x4.add(f32x4.add(f32x4.add(c0, c1), f32x4.add(c2, c3)), f32x4.add(f32x4.add(c4, c5), f32x4.add(c6, c7)));
  sum = f32x4.add(sum, f32x4.add(f32x4.add(c8, c9), f32x4.add(c10, c11)));
  return f32x4.extract_lane(sum, 0);
}

/**
 * Another form of the peak, printed beside the others but not the limit that rows are held against: products of four held vectors by two that change places at each step (so that none is
 * loop-invariant), added to 8 accumulators. Only the adder's latency is in the chains, as in a GEMM tile, so without FMA
 * it can show more than mulAdd12 does (Zen 5, Node 24: 57 against 50 GFLOP/s; Node 20: 38 against 47). The limit stays
 * the plain loop, which means the same everywhere.
 */
export function mulAddTile(steps: i32, x: f32, y: f32): f32 {
  const x0 = f32x4.splat(x);
  const x1 = f32x4.neg(x0);
  const x2 = f32x4.mul(x0, x0);
  const x3 = f32x4.neg(x2);
  let v = f32x4.splat(y);
  let w = f32x4.add(v, x0);
  let c0 = v, c1 = v, c2 = v, c3 = v, c4 = v, c5 = v, c6 = v, c7 = v;
  while (steps != 0) {
    c0 = mulAdd(x0, v, c0);
    c1 = mulAdd(x0, w, c1);
    c2 = mulAdd(x1, v, c2);
    c3 = mulAdd(x1, w, c3);
    c4 = mulAdd(x2, v, c4);
    c5 = mulAdd(x2, w, c5);
    c6 = mulAdd(x3, v, c6);
    c7 = mulAdd(x3, w, c7);
    const swap = v;
    v = w;
    w = swap;
    steps--;
  }
  const sum = f32x4.add(f32x4.add(f32x4.add(c0, c1), f32x4.add(c2, c3)), f32x4.add(f32x4.add(c4, c5), f32x4.add(c6, c7)));
  return f32x4.extract_lane(sum, 0);
}

/** 8 vectors a step: 32 square roots and 32 divisions. */
export function sqrtDiv(steps: i32, y: f32, epsilon: f32): f32 {
  const ys = f32x4.splat(y);
  const es = f32x4.splat(epsilon);
  let x0 = ys, x1 = f32x4.splat(1), x2 = f32x4.splat(2), x3 = f32x4.splat(3);
  let x4 = f32x4.splat(4), x5 = f32x4.splat(5), x6 = f32x4.splat(6), x7 = f32x4.splat(7);
  while (steps != 0) {
    x0 = f32x4.div(ys, f32x4.add(f32x4.sqrt(x0), es));
    x1 = f32x4.div(ys, f32x4.add(f32x4.sqrt(x1), es));
    x2 = f32x4.div(ys, f32x4.add(f32x4.sqrt(x2), es));
    x3 = f32x4.div(ys, f32x4.add(f32x4.sqrt(x3), es));
    x4 = f32x4.div(ys, f32x4.add(f32x4.sqrt(x4), es));
    x5 = f32x4.div(ys, f32x4.add(f32x4.sqrt(x5), es));
    x6 = f32x4.div(ys, f32x4.add(f32x4.sqrt(x6), es));
    x7 = f32x4.div(ys, f32x4.add(f32x4.sqrt(x7), es));
    steps--;
  }
  const sum = f32x4.add(f32x4.add(f32x4.add(x0, x1), f32x4.add(x2, x3)), f32x4.add(f32x4.add(x4, x5), f32x4.add(x6, x7)));
  return f32x4.extract_lane(sum, 0);
}

/** Copies `bytes` (a multiple of 64). */
export function copy(to: usize, from: usize, bytes: usize): void {
  const end = from + bytes;
  while (from < end) {
    const a = v128.load(from, 0);
    const b = v128.load(from, 16);
    const c = v128.load(from, 32);
    const d = v128.load(from, 48);
    v128.store(to, a, 0);
    v128.store(to, b, 16);
    v128.store(to, c, 32);
    v128.store(to, d, 48);
    from += 64;
    to += 64;
  }
}

/** Reads `bytes` (a multiple of 128). */
export function read(from: usize, bytes: usize): f32 {
  const end = from + bytes;
  let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
  while (from < end) {
    c0 = f32x4.add(c0, v128.load(from, 0));
    c1 = f32x4.add(c1, v128.load(from, 16));
    c2 = f32x4.add(c2, v128.load(from, 32));
    c3 = f32x4.add(c3, v128.load(from, 48));
    c4 = f32x4.add(c4, v128.load(from, 64));
    c5 = f32x4.add(c5, v128.load(from, 80));
    c6 = f32x4.add(c6, v128.load(from, 96));
    c7 = f32x4.add(c7, v128.load(from, 112));
    from += 128;
  }
  const sum = f32x4.add(f32x4.add(f32x4.add(c0, c1), f32x4.add(c2, c3)), f32x4.add(f32x4.add(c4, c5), f32x4.add(c6, c7)));
  return f32x4.extract_lane(sum, 0);
}

/** c (4×8) += a · b, a packed [k][4], b packed [k][8]: 64 FLOPs a step of k, three quarters of its loads splats. */
export function probe(c: usize, a: usize, b: usize, k: i32): void {
  let c0 = v128.load(c, 0), c1 = v128.load(c, 16), c2 = v128.load(c, 32), c3 = v128.load(c, 48);
  let c4 = v128.load(c, 64), c5 = v128.load(c, 80), c6 = v128.load(c, 96), c7 = v128.load(c, 112);
  while (k != 0) {
    const b0 = v128.load(b, 0);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a, 0);
    c0 = mulAdd(x, b0, c0);
    c1 = mulAdd(x, b1, c1);
    x = v128.load32_splat(a, 4);
    c2 = mulAdd(x, b0, c2);
    c3 = mulAdd(x, b1, c3);
    x = v128.load32_splat(a, 8);
    c4 = mulAdd(x, b0, c4);
    c5 = mulAdd(x, b1, c5);
    x = v128.load32_splat(a, 12);
    c6 = mulAdd(x, b0, c6);
    c7 = mulAdd(x, b1, c7);
    a += 16;
    b += 32;
    k--;
  }
  v128.store(c, c0, 0);
  v128.store(c, c1, 16);
  v128.store(c, c2, 32);
  v128.store(c, c3, 48);
  v128.store(c, c4, 64);
  v128.store(c, c5, 80);
  v128.store(c, c6, 96);
  v128.store(c, c7, 112);
}
