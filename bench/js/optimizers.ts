// Optimizer steps in plain JavaScript: one pass over the parameters, slots updated in place.

/**
 * Adam (Kingma & Ba, 2015), as PyTorch: m ← β₁m + (1 − β₁)g,  v ← β₂v + (1 − β₂)g²,
 * w ← w − α · m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε). `step` counts from 1.
 */
export function adam(
  w: Float32Array,
  g: Float32Array,
  m: Float32Array,
  v: Float32Array,
  step: number,
  learningRate = 1e-3,
  beta1 = 0.9,
  beta2 = 0.999,
  epsilon = 1e-8,
): void {
  const rate = learningRate / (1 - beta1 ** step);
  const scale = 1 / Math.sqrt(1 - beta2 ** step);
  const n = w.length;
  for (let i = 0; i < n; i++) {
    const gi = g[i]!;
    const mi = beta1 * m[i]! + (1 - beta1) * gi;
    const vi = beta2 * v[i]! + (1 - beta2) * gi * gi;
    m[i] = mi;
    v[i] = vi;
    w[i] = w[i]! - (rate * mi) / (Math.sqrt(vi) * scale + epsilon);
  }
}

/** Stochastic gradient descent with momentum: u ← μu + g,  w ← w − αu. */
export function momentum(
  w: Float32Array,
  g: Float32Array,
  u: Float32Array,
  learningRate = 0.01,
  momentumRate = 0.9,
): void {
  const n = w.length;
  for (let i = 0; i < n; i++) {
    const ui = momentumRate * u[i]! + g[i]!;
    u[i] = ui;
    w[i] = w[i]! - learningRate * ui;
  }
}
