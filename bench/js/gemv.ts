// y (1, n) = x (1, k) · w (k, n): a dense layer's forward pass on one example, in plain JavaScript.
//
// Rows of w are scaled and added to y, eight at a time, so y is read and written once for eight rows and w is read in
// the order in which it lies.

export function gemv(y: Float32Array, x: Float32Array, w: Float32Array, k: number, n: number): void {
  y.fill(0, 0, n);
  let p = 0;
  for (; p + 8 <= k; p += 8) {
    const x0 = x[p]!;
    const x1 = x[p + 1]!;
    const x2 = x[p + 2]!;
    const x3 = x[p + 3]!;
    const x4 = x[p + 4]!;
    const x5 = x[p + 5]!;
    const x6 = x[p + 6]!;
    const x7 = x[p + 7]!;
    const w0 = p * n;
    const w1 = w0 + n;
    const w2 = w1 + n;
    const w3 = w2 + n;
    const w4 = w3 + n;
    const w5 = w4 + n;
    const w6 = w5 + n;
    const w7 = w6 + n;
    for (let j = 0; j < n; j++)
      y[j] =
        y[j]! +
        (x0 * w[w0 + j]! + x1 * w[w1 + j]! + x2 * w[w2 + j]! + x3 * w[w3 + j]!) +
        (x4 * w[w4 + j]! + x5 * w[w5 + j]! + x6 * w[w6 + j]! + x7 * w[w7 + j]!);
  }
  for (; p < k; p++) {
    const x0 = x[p]!;
    const w0 = p * n;
    for (let j = 0; j < n; j++) y[j] = y[j]! + x0 * w[w0 + j]!;
  }
}
