// Batch normalization in plain JavaScript, over the rows of a row-major (rows, channels) array.
//
//   forward    μ = mean(x),  σ² = mean(x²) − μ²  (about a shift: the first row),  x̂ = (x − μ)/√(σ² + ε),  y = γx̂ + β
//   backward   dβ = Σ dy,  dγ = Σ dy·x̂,  dx = γ/√(σ² + ε) · (dy − (dβ + x̂·dγ)/rows)
//
// Two passes each way, both in whole rows. Sums are float64, which costs nothing in JavaScript; with the shift, the one
// pass over x for both moments does not cancel either.

export interface BatchNorm {
  /** y = γ · (x − μ)/√(σ² + ε) + β, with the batch's own moments. */
  forward(y: Float32Array, x: Float32Array, gamma: Float32Array, beta: Float32Array): void;
  /** dx and the gradients of γ and β, of the last `forward`'s x. */
  backward(
    dx: Float32Array,
    dgamma: Float32Array,
    dbeta: Float32Array,
    dy: Float32Array,
    x: Float32Array,
    gamma: Float32Array,
  ): void;
}

export function createBatchNorm(rows: number, channels: number, epsilon = 1e-5): BatchNorm {
  const sum = new Float64Array(channels);
  const squares = new Float64Array(channels);
  const mean = new Float64Array(channels);
  const inverseStd = new Float64Array(channels);
  const scale = new Float64Array(channels);
  const offset = new Float64Array(channels);
  const slope = new Float64Array(channels);
  const size = rows * channels;
  return {
    forward(y, x, gamma, beta) {
      sum.fill(0);
      squares.fill(0);
      for (let at = 0; at < size; at += channels)
        for (let c = 0; c < channels; c++) {
          const d = x[at + c]! - x[c]!;
          sum[c] = sum[c]! + d;
          squares[c] = squares[c]! + d * d;
        }
      for (let c = 0; c < channels; c++) {
        const m = sum[c]! / rows;
        mean[c] = x[c]! + m;
        inverseStd[c] = 1 / Math.sqrt(Math.max(0, squares[c]! / rows - m * m) + epsilon);
        scale[c] = gamma[c]! * inverseStd[c]!;
        offset[c] = beta[c]! - mean[c]! * scale[c]!;
      }
      for (let at = 0; at < size; at += channels)
        for (let c = 0; c < channels; c++) y[at + c] = x[at + c]! * scale[c]! + offset[c]!;
    },
    backward(dx, dgamma, dbeta, dy, x, gamma) {
      sum.fill(0);
      squares.fill(0);
      for (let at = 0; at < size; at += channels)
        for (let c = 0; c < channels; c++) {
          const d = dy[at + c]!;
          sum[c] = sum[c]! + d;
          squares[c] = squares[c]! + d * (x[at + c]! - mean[c]!);
        }
      // dx = scale · dy + slope · x + offset
      for (let c = 0; c < channels; c++) {
        dbeta[c] = sum[c]!;
        dgamma[c] = squares[c]! * inverseStd[c]!;
        scale[c] = gamma[c]! * inverseStd[c]!;
        slope[c] = (-scale[c]! * inverseStd[c]! * inverseStd[c]! * squares[c]!) / rows;
        offset[c] = (-scale[c]! * sum[c]!) / rows - slope[c]! * mean[c]!;
      }
      for (let at = 0; at < size; at += channels)
        for (let c = 0; c < channels; c++) dx[at + c] = dy[at + c]! * scale[c]! + x[at + c]! * slope[c]! + offset[c]!;
    },
  };
}
