// Softmax cross-entropy of class labels in plain JavaScript, forward and backward in one walk over the rows.
//
//   loss = mean over rows of  log Σⱼ exp(zⱼ) − z[label]        dz = (softmax(z) − onehot(label)) / rows

/** Writes the gradient to dlogits (rows, classes) and returns the loss. */
export function softmaxCrossEntropy(
  dlogits: Float32Array,
  logits: Float32Array,
  labels: Int32Array,
  rows: number,
  classes: number,
): number {
  let loss = 0;
  for (let r = 0; r < rows; r++) {
    const from = r * classes;
    const to = from + classes;
    let max = logits[from]!;
    for (let i = from + 1; i < to; i++) {
      const z = logits[i]!;
      if (z > max) max = z;
    }
    let sum = 0;
    for (let i = from; i < to; i++) {
      const e = Math.exp(logits[i]! - max);
      dlogits[i] = e;
      sum += e;
    }
    const scale = 1 / (sum * rows);
    for (let i = from; i < to; i++) dlogits[i] = dlogits[i]! * scale;
    const label = from + labels[r]!;
    dlogits[label] = dlogits[label]! - 1 / rows;
    loss += Math.log(sum) + max - logits[label]!;
  }
  return loss / rows;
}
