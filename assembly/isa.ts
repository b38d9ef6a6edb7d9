// The instruction set: the one contract between the two halves. assembly/ compiles this file, ts/ imports it.
//
// A tape is a list of instructions. An instruction is
//
//   | op | words | mode | state | operand 0 | operand 1 | …          (32-bit words)
//
// `words` counts the whole instruction, `state` is the address of the state block of the model that runs it.
// Operands stand in this order: outputs, inputs (both addresses), sizes (u32), reals (f32 bits).
//
// An address operand is  offset | base  where base (its two low bits, see Base) names one of four base addresses that
// lie in the state block: so one tape runs at θ, at θ + noise, at the best snapshot, and the arena may move. Base 0 is always address 0; an
// operand of 0 means "absent".

/** Words that stand before an instruction's operands. */
export const enum Header {
  op,
  words,
  mode,
  state,
  args, // where the operands begin, in words
}

/** Who runs an instruction: rank 0 alone, or every rank its share. */
export const enum Mode {
  solo,
  team,
}

/** What an address operand is relative to. */
export const enum Base {
  absolute,
  parameters,
  statistics,
  arena,
}

/** What `run`, `lead` and `resume` return. */
export const enum Status {
  done,
  stalled, // the leader's patience ended at a barrier: call `resume`
  poisoned, // a worker died
  halted, // a Guard stopped the run: see State.halt
}

/** Why the debug build of the core stops before an instruction (check.ts). */
export const enum Fault {
  none,
  header, // not within the tape, or the tape not within memory
  opcode,
  length, // not what the opcode's operands are, or more than is left of the tape
  mode,
  state, // no state block there
  base, // an address relative to a base that is not set
  address, // outside memory, in the state block or in the tape
  block, // in another block than its base's
}

/** Values of State.halt. */
export const enum Halt {
  none,
  numeric, // the objective is not finite
  data, // an input is not finite
}

/** The state block, in words: all that changes from step to step. Tapes never change. */
export const enum State {
  base0, // always 0
  parameters, // address of the parameter block in force
  statistics, // address of the moving statistics in force
  arena, // address of the activation arena in force
  halt, // Halt
  seed, // Philox key, word 0
  stream, // Philox key, word 1
  step, // updates done so far
  pass, // forward passes within this step
  epoch, // for the shuffle
  row, // first row of this pass within the call: random elements count from row · (elements a row)
  indices, // address of u32 row numbers, or 0: rows firstRow, firstRow + 1, …
  firstRow, // where this batch begins in `indices` (or in the source)
  rowCount, // rows of the batch that are real; rows from there on repeat the last one
  learningRate, // f32
  penaltyScale, // f32: 1, or 0 where the penalties are in the gradients already
  denominators, // f32[8], per output: count to divide its loss by, or 0: the batch's own count
  sources = 24, // u32[32], per data slot: address of the resident rows
  words = 56,
}

/** The team block of a shared memory, in words; each group on a cache line of its own. */
export const enum Team {
  arrived,
  generation = 16,
  start = 32, // counts runs that the team was called to
  from = 33,
  to = 34,
  poison = 48,
  patience = 49, // milliseconds that the leader waits at a barrier before it returns `stalled`; 0: it only spins
  resumeAt = 50, // where the leader stalled
  resumeTo = 51,
  resumeGeneration = 52,
  looks = 53, // at a word, before who waits for it sleeps: 0.3 ns each
  words = 64,
}

/** How rows lie in a source. */
export const enum SourceType {
  float32, // checked: a number that is not finite halts
  uint8,
  raw32, // labels and weights: copied as they are
}

/** What a GEMM does with its tile before it is stored. `aux` is (m, n) like c. */
export const enum Epilogue {
  none,
  relu,
  reluBackward, // c · [aux > 0]: aux is the ReLU's output
  tanh,
  tanhBackward, // c · (1 − aux²)
  sigmoid,
  sigmoidBackward, // c · aux · (1 − aux)
}

/** Rows of labels: class numbers (i32) or one row of f32 an example. */
export const enum LabelKind {
  index,
  rows,
}

/** How `accuracy` decides. */
export const enum AccuracyKind {
  index, // argmax of the prediction against a class number
  rows, // argmax against argmax of the target row
  binaryLogits, // elementwise: prediction cut at 0, target at 0.5
  binaryProbabilities, // elementwise: both cut at 0.5
}

/** One row of a segment table: how an optimizer treats one parameter of the block. Rows in ascending order of offset, offsets multiples of 4. */
export const enum Segment {
  offset, // u32, floats from the start of the block
  length, // u32, floats
  frozen, // u32, 0 or 1
  learningRateFactor, // f32
  l1, // f32: adds l1·sign(w) to the gradient
  l2, // f32: adds l2·w to the gradient
  decay, // f32: weight decay, coupled or decoupled as the optimizer has it
  shrink, // f32: proximal l1: after the step w ← sign(w)·max(|w| − learningRate·shrink, 0)
  words,
}

/**
 * Opcodes of the core, in the order of its kernels (assembly/kernels.ts). Elementwise ones (kernels/loops.ts) stand
 * together: of two inputs, then of one, then activations, each with its derivative behind it.
 */
export const enum Op {
  guard, // stops the run where State.halt is set; the interpreter itself
  gather,
  shuffle,
  fill,
  copy,
  accumulate,
  randomUniform,
  randomNormal,
  gemm,
  columnSums,
  reduceRows,
  biasAdd,
  add,
  subtract,
  multiply,
  affine,
  relu,
  reluBackward,
  leakyRelu,
  leakyReluBackward,
  elu,
  eluBackward,
  selu,
  seluBackward,
  gelu,
  geluBackward,
  geluTanh,
  geluTanhBackward,
  silu,
  siluBackward,
  sigmoid,
  sigmoidBackward,
  tanh,
  tanhBackward,
  softplus,
  softplusBackward,
  softmax,
  softmaxBackward,
  dropout,
  batchNormMoments,
  batchNormCombine,
  batchNormMoving,
  batchNormForward,
  batchNormBackwardSums,
  batchNormBackwardCombine,
  batchNormBackward,
  movingAverage,
  softmaxCrossEntropy,
  softmaxCrossEntropyBackward,
  meanSquaredError,
  meanSquaredErrorBackward,
  meanLoss,
  meanLossBackward,
  accuracy,
  activityPenalty,
  activityPenaltyReduce,
  activityPenaltyBackward,
  penaltySums,
  penaltyGradient,
  objective,
  gradientNorm,
  clipFactor,
  sgdStep,
  adamStep,
  count,
}

/**
 * Opcodes of the extension (assembly/extension.ts), behind those: kernels that a page has only where it needs one of them.
 * The order is of the same kind.
 */
export const enum ExtensionOp {
  // biome-ignore lint/style/useLiteralEnumMembers: the numbers go on
  divide = Op.count,
  pow,
  maximum,
  minimum,
  greater,
  greaterEqual,
  equal,
  keep,
  drop,
  exp,
  log,
  erf,
  sqrt,
  abs,
  sign,
  sin,
  cos,
  clip,
  prelu,
  preluBackward,
  truncatedNormal,
  orthogonal,
  binaryCrossEntropy,
  binaryCrossEntropyBackward,
  adagradStep,
  rmspropStep,
  // losses and metrics
  meanAbsoluteError,
  meanAbsoluteErrorBackward,
  huber,
  huberBackward,
  hinge,
  hingeBackward,
  poisson,
  poissonBackward,
  kullbackLeibler,
  kullbackLeiblerBackward,
  cosineSimilarity,
  cosineSimilarityBackward,
  topKAccuracy,
  confusion,
  squareSums,
  scoreHistogram,
  // optimizers, constraints, pruning, averaging
  adadeltaStep,
  nadamStep,
  radamStep,
  lionStep,
  normConstraint,
  nonNegative,
  mask,
  runningMean,
  // adversarial, tied
  attackStart,
  attackStep,
  tieBackward,
  tieStep,
  // primitives (ts/ops/arithmetic.ts, reductions.ts, layout.ts, indexing.ts)
  broadcast,
  stridedCopy,
  reduce,
  take,
  takeBackward,
  oneHot,
  // noise and normalization by example
  gaussian,
  scaleChannels,
  groupNorm,
  groupNormBackward,
  groupNormSums,
  // augmentation
  augmentMatrices,
  resample,
  erase,
  adjust,
  mixDraw,
  mixRows,
  // recurrent nets
  lstmCell,
  lstmCellBackward,
  gruCell,
  gruCellBackward,
  // attention
  attentionWeights,
  attentionWeightsBackward,
  // Winograd's convolution
  winogradKernel,
  winogradForward,
  winogradBackward,
  winogradKernelBackward,
  // pooling (ts/ops/pooling.ts)
  maxPool2d,
  maxPool2dBackward,
  averagePool2d,
  spread2d,
  // convolution
  packPanels,
  convForward,
  convInputGradient,
  convKernelGradient,
  depthwise,
  depthwiseKernelGradient,
  directForward,
  directKernelGradient,
  // images enlarged
  bilinear,
  bilinearBackward,
  // batch normalization in convolutions
  foldNorm,
  count,
}

// Operand slots. "(m, n)" are shapes; f32 unless said otherwise.

/** y[r, :] = source[index(r), :] · scale + offset. Rows at and after State.rowCount repeat row rowCount − 1. */
export const enum Gather {
  y, // (rows, rowElements)
  slot,
  rows,
  rowElements,
  type, // SourceType
  scale,
  offset,
}

/** indices = a random permutation of 0 … n − 1 (Fisher–Yates; key (seed, stream), counter (i/4, op, State.epoch, 0)). */
export const enum Shuffle {
  indices, // u32 (n)
  n,
  op,
}

/** y[…] = value. */
export const enum Fill {
  y, // (n)
  n,
  value,
}

/** y = x. */
export const enum Copy {
  y, // (n)
  x, // (n)
  n,
}

/** y = y + x. */
export const enum Accumulate {
  y, // (n)
  x, // (n)
  n,
}

/** randomUniform: y in [a, b). randomNormal: mean a, standard deviation b. truncatedNormal: the same, |z| ≤ 2. */
export const enum Random {
  y, // (n)
  n,
  op,
  a,
  b,
}

/** y = gain · Q of a QR of a normal (rows, columns), signs made unique (diag R > 0); rows or columns orthonormal. */
export const enum Orthogonal {
  y, // (rows, columns)
  workspace, // f32 (rows · columns)
  rows,
  columns,
  op,
  gain,
}

/** c = epilogue(op(a) · op(b) + bias), or c += … where accumulate. See kernels/gemm.ts. */
export const enum Gemm {
  c, // (batch, m, n), leading dimension ldc
  workspace, // workspaceBytes a thread
  a, // (m, k); transposed a: (k, m)
  b, // (k, n); transposed b: (n, k)
  bias, // (n) or absent
  aux, // (m, n) with ldc, or absent
  m,
  n,
  k,
  lda,
  ldb,
  ldc,
  transA,
  transB,
  batch,
  strideA,
  strideB,
  strideC,
  accumulate,
  epilogue,
  workspaceBytes,
}

/** partials[chunk, :] = column sums of chunk `chunk` of rows of x. Split over chunks. */
export const enum ColumnSums {
  partials, // (chunks, n)
  x, // (m, n)
  m,
  n,
  chunkRows,
}

/** y[j] = Σ over chunks, in chunk order, of partials[chunk, j]. Split over j. */
export const enum ReduceRows {
  y, // (n)
  partials, // (chunks, n)
  chunks,
  n,
}

/** y[i, j] = x[i, j] + b[j]. */
export const enum BiasAdd {
  y, // (m, n)
  x, // (m, n)
  b, // (n)
  m,
  n,
}

/** y = a ∘ b, elementwise. */
export const enum Binary {
  y, // (n)
  a, // (n)
  b, // (n)
  n,
}

/** y = f(x), elementwise. */
export const enum Unary {
  y, // (n)
  x, // (n)
  n,
  alpha, // negativeSlope, ELU's alpha, affine's scale, clip's lower bound
  beta, // affine's offset, clip's upper bound
}

/** y[i] = a[i·strideA] ∘ b[i·strideB], ∘ an elementwise opcode of two inputs; i has `rank` ≤ MAX_RANK components, y is contiguous. */
export const enum Broadcast {
  y,
  workspace, // BROADCAST_PIECE floats a thread
  a,
  b,
  op,
  rank,
  dims, // MAX_RANK each; what is past `rank` is not read. The last stride is 0 or 1
  stridesA = 12,
  stridesB = 18,
  last = 23,
}

/** y[offsetY + i·strideY] = x[offsetX + i·strideX], i of `rank` ≤ MAX_RANK components. */
export const enum StridedCopy {
  y,
  x,
  offsetY,
  offsetX,
  rank,
  dims, // MAX_RANK each
  stridesY = 11,
  stridesX = 17,
  last = 22,
}

/** y[o, c, i] = Σ or max of x[o, k, i] over the `chunk` values of k in chunk c. Split over (o, c). */
export const enum Reduce {
  y, // (outer, ⌈n/chunk⌉, inner)
  x, // (outer, n, inner)
  kind, // ReduceKind
  outer,
  n,
  inner,
  chunk,
}

export const enum ReduceKind {
  sum,
  max,
}

/** y[o, j, :] = x[o, index(j), :]; an index is cut to whole numbers in 0 … n − 1. */
export const enum Take {
  y, // (outer, count, inner)
  x, // (outer, n, inner)
  indices, // (count)
  outer,
  n,
  count,
  inner,
}

/** dx[o, r, :] = Σ over the j with index(j) = r, ascending, of dy[o, j, :]. Split over columns, or over r. */
export const enum TakeBackward {
  dx, // (outer, n, inner)
  dy, // (outer, count, inner)
  indices, // (count)
  outer,
  n,
  count,
  inner,
}

/** y[r, :] = the unit vector of label r; present[r] = 1. Of a label −1: class 0, and 0. */
export const enum OneHot {
  y, // (rows, classes)
  present, // (rows)
  labels, // i32 (rows)
  rows,
  classes,
}

/** dx = dy · f′, elementwise; v is f's output where f′ can be had from it (relu leakyRelu elu selu sigmoid tanh softplus), else its input. */
export const enum UnaryBackward {
  dx, // (n)
  dy, // (n)
  v, // (n)
  n,
  alpha,
}

/** y = x > 0 ? x : alpha[channel] · x. */
export const enum Prelu {
  y, // (rows, channels)
  x, // (rows, channels)
  alpha, // (channels)
  rows,
  channels,
}

/** dx = dy · (x > 0 ? 1 : alpha); partials[chunk, c] = Σ over the chunk's rows of dy · min(x, 0). Split over chunks. */
export const enum PreluBackward {
  dx, // (rows, channels)
  partials, // (chunks, channels)
  dy,
  x,
  alpha,
  rows,
  channels,
  chunkRows,
}

/** Row-wise softmax, the row's maximum taken off first. */
export const enum Softmax {
  y, // (rows, n)
  x, // (rows, n)
  rows,
  n,
}

/** dx = y · (dy − Σ dy·y). */
export const enum SoftmaxBackward {
  dx, // (rows, n)
  dy,
  y,
  rows,
  n,
}

/** y = x · mask / (1 − rate); the same instruction takes dy to dx. Mask: key (seed, stream), see kernels/dropout.ts. */
export const enum Dropout {
  y, // (n)
  x, // (n)
  n,
  rowElements, // elements a row: the first element's number is State.row · rowElements
  op,
  rate,
}

/** y = x + deviation·z, or where multiplied, x·(1 + deviation·z), z standard normal. See kernels/noise.ts. */
export const enum Gaussian {
  y, // (n)
  x, // (n)
  n,
  rowElements, // elements a row: the first element's number is State.row · rowElements
  op,
  multiplied, // 0 or 1
  deviation,
}

/** y[row, c] = x[row, c] · scale[row / positions, c]. */
export const enum ScaleChannels {
  y, // (rows, channels)
  x, // (rows, channels)
  scale, // (rows / positions, channels)
  rows,
  positions, // rows an example
  channels,
}

/** y = γ·h + β, h of mean 0 and variance 1 over each sample's groups of channels. statistics: K, s, t of h = (x − K)·s + t. */
export const enum GroupNorm {
  y, // (samples, positions, channels)
  statistics, // (samples, groups, 3)
  x, // (samples, positions, channels)
  gamma, // (channels)
  beta, // (channels)
  samples,
  positions,
  channels,
  groups,
  epsilon,
}

/** dx = s·(g − mean g − h·mean(g·h)), g = γ·dy, means over each set. */
export const enum GroupNormBackward {
  dx, // (samples, positions, channels)
  dy,
  x,
  gamma, // (channels)
  statistics, // (samples, groups, 3)
  samples,
  positions,
  channels,
  groups,
}

/** partials = (Σ dy·h, Σ dy) over each chunk of rows. Split over chunks. */
export const enum GroupNormSums {
  partials, // (2, chunks, channels)
  dy, // (rows, channels)
  x, // (rows, channels)
  statistics, // (rows / positions, groups, 3)
  rows,
  positions,
  channels,
  groups,
  chunkRows,
}

/** partials[chunk] = (mean − x[0], M2) of each channel over the chunk's rows, M2 = Σ (x − mean)². Split over chunks. */
export const enum BatchNormMoments {
  partials, // (chunks, 2, channels)
  x, // (rows, channels)
  rows,
  channels,
  chunkRows,
}

/**
 * Chan's formula over the chunks in order: mean, biased variance; of them and gamma and beta the coefficients of
 * y = (x − pivot)·scale + shift: inverseStd = 1/√(variance + epsilon), scale = gamma·inverseStd; the pivot is 0, or where
 * |mean|·inverseStd > BATCH_NORM_NEAR, the mean; shift = beta − (mean − pivot)·scale.
 */
export const enum BatchNormCombine {
  mean, // (channels)
  variance, // (channels)
  coefficients, // (4, channels): pivot, scale, shift, inverseStd
  partials, // (chunks, 2, channels)
  x, // (rows, channels): its first row, which the chunk means are relative to
  gamma,
  beta,
  rows,
  channels,
  chunkRows,
  epsilon,
}

/** The same coefficients from moving statistics. */
export const enum BatchNormMoving {
  coefficients, // (4, channels)
  mean, // (channels)
  variance, // (channels)
  gamma,
  beta,
  channels,
  epsilon,
}

/** y = relu?((x − pivot)·scale + shift). */
export const enum BatchNormForward {
  y, // (rows, channels)
  x, // (rows, channels)
  coefficients, // (4, channels)
  rows,
  channels,
  relu, // 0 or 1
}

/** partials[chunk] = (Σ g·(x − pivot), Σ g), g = dy, or where relu, dy·[y > 0]. Split over chunks. */
export const enum BatchNormBackwardSums {
  partials, // (chunks, 2, channels)
  dy, // (rows, channels)
  x, // (rows, channels)
  coefficients, // (4, channels)
  rows,
  channels,
  chunkRows,
  relu,
}

/**
 * dgamma = inverseStd·Σ g·(x − mean), dbeta = Σ g, over the chunks in order; of them, for dx: slope = −dgamma·inverseStd/rows,
 * offset = −dbeta/rows − (mean − pivot)·slope (both 0 where frozen: moving statistics).
 */
export const enum BatchNormBackwardCombine {
  dgamma, // (channels)
  dbeta, // (channels)
  slopes, // (2, channels): slope, offset
  partials, // (chunks, 2, channels)
  mean,
  coefficients, // (4, channels)
  rows,
  chunks,
  channels,
  frozen, // 0 or 1
}

/** dx = scale·(g + slope·(x − pivot) + offset), g as in the sums. */
export const enum BatchNormBackward {
  dx, // (rows, channels)
  dy, // (rows, channels)
  x, // (rows, channels)
  coefficients, // (4, channels)
  slopes, // (2, channels)
  rows,
  channels,
  relu,
}

/** Up to so many deviations a mean is near 0: x is not centred then, at a cost of so many roundings. */
export const BATCH_NORM_NEAR = 4;

/** moving = momentum · moving + (1 − momentum) · value. */
export const enum MovingAverage {
  moving, // (n)
  value, // (n)
  n,
  momentum,
}

/** rowLoss = w · L, rowCount = 1; both 0 where the row has no label (−1, NaN). rowLogSum = log Σ exp(logits). */
export const enum SoftmaxCrossEntropy {
  rowLoss, // (rows)
  rowCount, // (rows)
  rowLogSum, // (rows)
  logits, // (rows, classes)
  labels, // i32 (rows) or f32 (rows, classes)
  weights, // (rows) or absent
  rows,
  classes,
  kind, // LabelKind
  smoothing,
}

/** dlogits = dRow · w · (softmax(logits) · Σt − t), 0 where there is no label. */
export const enum SoftmaxCrossEntropyBackward {
  dlogits, // (rows, classes)
  dRow, // (rows)
  logits,
  labels,
  weights,
  rowLogSum,
  rows,
  classes,
  kind,
  smoothing,
}

/**
 * Elementwise losses: rowLoss = w · Σⱼ loss(prediction, target), rowCount = labelled elements (target not NaN). Losses of
 * whole rows (kullbackLeibler, cosineSimilarity) have the same operands: rowCount is 1, or 0 where one target is NaN.
 */
export const enum ElementLoss {
  rowLoss, // (rows)
  rowCount, // (rows)
  prediction, // (rows, n)
  target, // (rows, n)
  weights, // (rows) or absent
  rows,
  n,
  option, // binaryCrossEntropy: 1 from logits, 0 from probabilities; poisson: 1 from the log; huber: delta, f32
}

/** dprediction = dRow · w · ∂loss/∂prediction, 0 where there is no label. */
export const enum ElementLossBackward {
  dprediction, // (rows, n)
  dRow, // (rows)
  prediction,
  target,
  weights,
  rows,
  n,
  option,
}

/** result = [Σ rowLoss / count, Σ rowLoss, Σ rowCount, left as it is], count = State.denominators[output] or Σ rowCount; 0/0 = 0. */
export const enum MeanLoss {
  result, // (4)
  rowLoss, // (rows)
  rowCount, // (rows)
  rows,
  output, // which denominator; a number ≥ 8: none
}

/** dRow[…] = result[3] (the loss weight) / count; 0 where count is 0. */
export const enum MeanLossBackward {
  dRow, // (rows)
  result, // (4)
  rows,
  output,
}

/** rowCorrect = w · [prediction right], rowWeight = w; elementwise kinds: sums over the row's labelled elements. 0, 0 where not labelled. */
export const enum Accuracy {
  rowCorrect, // (rows)
  rowWeight, // (rows)
  prediction, // (rows, n)
  labels, // i32 (rows) or f32 (rows, n)
  weights, // (rows) or absent
  rows,
  n,
  kind, // AccuracyKind
}

/** rowCorrect = w · [the label is among the k largest], rowWeight = w; 0, 0 where not labelled. */
export const enum TopKAccuracy {
  rowCorrect, // (rows)
  rowWeight, // (rows)
  prediction, // (rows, n)
  labels, // i32 (rows) or f32 (rows, n)
  weights, // (rows) or absent
  rows,
  n,
  kind, // AccuracyKind: index or rows
  k,
}

/** sums[j] = Σ w of class (of binary kinds: column) j: predicted and true, predicted, true. */
export const enum Confusion {
  sums, // (n, 3)
  workspace, // f64 (n, 3)
  prediction, // (rows, n)
  labels, // i32 (rows) or f32 (rows, n)
  weights, // (rows) or absent
  rows,
  n,
  kind, // AccuracyKind
}

/** sums[j] = Σ w, Σ w·t, Σ w·t², Σ w·(t − prediction)² of column j, each in two floats whose sum it is. */
export const enum SquareSums {
  sums, // (n, 8)
  workspace, // f64 (n, 4)
  prediction, // (rows, n)
  target, // (rows, n)
  weights, // (rows) or absent
  rows,
  n,
}

/** sums[j, c, b] = Σ w, Σ w·u, Σ w·u² of the labels of column (class) j that are false (c = 0) or true (1), their scores in bin b; u: where in it, −½ to ½. */
export const enum ScoreHistogram {
  sums, // (n, 2, bins, 3)
  prediction, // (rows, n)
  labels, // i32 (rows) or f32 (rows, n)
  weights, // (rows) or absent
  rows,
  n,
  kind, // AccuracyKind
  score, // Score
  bins,
}

/** What a score is of predictions. */
export const enum Score {
  value, // x
  probability, // log(x / (1 − x))
  softmax, // the same of softmax(x)
}

/** partials[chunk] = Σ over the chunk of l1·|h| + l2·½h². Split over chunks of REDUCE_CHUNK floats. */
export const enum ActivityPenalty {
  partials, // f64 (chunks)
  h, // (n)
  n,
  l1,
  l2,
}

/** result = [Σ partials / rows, Σ partials, rows, left as it is]. */
export const enum ActivityPenaltyReduce {
  result, // (4)
  partials, // f64 (chunks)
  chunks,
  rows,
}

/** dh = (l1·sign(h) + l2·h)/rows. */
export const enum ActivityPenaltyBackward {
  dh, // (n)
  h, // (n)
  n,
  rows,
  l1,
  l2,
}

/** partials[chunk] = Σ over the chunk of the block of l1·|w| + shrink·|w| + ½·l2·w². Chunks of REDUCE_CHUNK floats. */
export const enum PenaltySums {
  partials, // f64 (chunks)
  parameters,
  segments, // (segmentCount, Segment.words)
  segmentCount,
  floats, // of the block
}

/** gradients += l1·sign(w) + l2·w (what the optimizer steps fold in; for `gradients()`). */
export const enum PenaltyGradient {
  gradients,
  parameters,
  segments,
  segmentCount,
  floats,
}

/** result = [loss, dataLoss, penalty, the weights' part of the penalty]: dataLoss = Σ weight·mean over `losses`, penalty = Σ partials + Σ means of `activities`; State.halt where loss is not finite. */
export const enum Objective {
  result, // (4)
  losses, // (lossCount, 4), each [mean, sum, count, weight]
  activities, // (activityCount, 4) or absent
  partials, // f64 (chunks) or absent
  lossCount,
  activityCount,
  chunks,
}

/** partials[chunk] = Σ g² over the chunk, g = gradient + penalty, cut to ±clipValue where it is > 0; frozen segments left out. */
export const enum GradientNorm {
  partials, // f64 (chunks)
  gradients,
  parameters,
  segments,
  segmentCount,
  floats,
  clipValue,
}

/** factor = [min(1, clipNorm / (norm + 1e-6)), norm]. */
export const enum ClipFactor {
  factor, // (2)
  partials, // f64 (chunks)
  chunks,
  clipNorm,
}

/**
 * Optimizer steps: one pass over the block. g = gradient + State.penaltyScale·(l1·sign(w) + l2·w), cut to ±clipValue
 * where clipValue > 0, times factor[0] where present; then weight decay, the update with State.learningRate, shrink.
 * Slots: sgd velocity; adagrad Σ g²; rmsprop mean g², momentum buffer, mean g (centered); adam m, v, largest v (AMSGrad);
 * adadelta mean g², mean Δ²; nadam and radam m, v; lion m. Momentum is in force where it is not 0.
 */
export const enum OptimizerStep {
  parameters,
  slot0,
  slot1,
  slot2,
  gradients,
  segments,
  factor, // (2) or absent
  segmentCount,
  floats,
  flags, // OptimizerFlag bits
  clipValue,
  a, // sgd: momentum; rmsprop, adadelta: 1 − rho; adam, nadam, radam, lion: beta1
  b, // sgd: dampening; rmsprop: momentum; adam, nadam, radam, lion: beta2
  epsilon,
  c, // nadam: momentumDecay
}

/** How far an adversarial example may be from the example: by element, or by its distance. */
export const enum AttackNorm {
  inf,
  l2,
}

/** y: a random place within the ball of radius epsilon about x and the box; see kernels/adversarial.ts. */
export const enum AttackStart {
  y, // (rows, n)
  x, // (rows, n)
  rows,
  n,
  norm, // AttackNorm
  op,
  epsilon,
  low,
  high,
}

/** y: a step from `from` along g, brought back into the ball about x and the box; see kernels/adversarial.ts. */
export const enum AttackStep {
  y, // (rows, n)
  from, // (rows, n)
  g, // (rows, n)
  x, // (rows, n)
  rows,
  n,
  norm, // AttackNorm
  stepSize,
  epsilon,
  low,
  high,
}

/** dh = share · coefficient · h, or 0 where movers · State.learningRate · coefficient > 1; see kernels/tied.ts. */
export const enum TieBackward {
  dh, // (n)
  h, // (n)
  n,
  movers,
  coefficient,
  share,
}

/** A tie's proximal step, where the tie is not in the gradient; see kernels/tied.ts. */
export const enum TieStep {
  a, // (n)
  b, // (n)
  segmentA, // (Segment.words)
  segmentB, // (Segment.words), or absent: b is a constant
  n,
  movers,
  coefficient,
}

/** Bits of OptimizerStep.flags. */
export const enum OptimizerFlag {
  nesterov = 1,
  centered = 2,
  momentum = 4,
  amsgrad = 8,
  decoupled = 16,
}

/**
 * w ← w·(rate·min(max(n, low), high) + (1 − rate)·n)/(1e-7 + n), n the root of Σ w² over the reduced axes; left alone where
 * row `row` of the segments is frozen. The axes, merged to runs: kept0 reduced0 kept1 reduced1 kept2.
 */
export const enum NormConstraint {
  w, // (kept0, reduced0, kept1, reduced1, kept2)
  segments,
  row,
  kept0,
  reduced0,
  kept1,
  reduced1,
  kept2,
  low,
  high,
  rate,
}

/** w ← max(w, 0); left alone where row `row` of the segments is frozen. */
export const enum NonNegative {
  w, // (n)
  segments,
  row,
  n,
}

/** w ← w & mask: 0 where the mask's word is 0, w where all of its bits are set. */
export const enum Mask {
  w, // (n)
  mask, // u32 (n)
  n,
}

/** mean ← mean + (x − mean)·State.learningRate: equal numbers stay as they are. */
export const enum RunningMean {
  mean, // (n)
  x, // (n)
  n,
}

/** How an image is moved. */
export const enum Movement {
  translate, // by so many pixels
  step, // by so many whole ones, rounded down
  rotate, // by a share of a turn, drawn from lowerY … upperY
  zoom, // an axis by 1 + what is drawn
  zoomAlike, // both by 1 + what is drawn from lowerY … upperY
  shear,
  flip, // with probabilities upperY (upside down), upperX
}

/** What lies outside of an image. */
export const enum FillMode {
  constant, // fillValue
  nearest, // a a a | a b c | c c c
  reflect, // c b a | a b c | c b a
  wrap, // a b c | a b c | a b c
}

/** matrices[r] = before[r] · a movement that is drawn for row r. See kernels/augment.ts. */
export const enum Matrices {
  matrices, // (rows, 6)
  before, // (rows, 6) or absent
  rows,
  height,
  width,
  kind, // Movement
  op,
  lowerY,
  upperY,
  lowerX,
  upperX,
}

/** y(p) = x(matrix · p), bilinear. */
export const enum Resample {
  y, // (rows, height, width, channels)
  x, // (rows, height, width, channels)
  matrices, // (rows, 6)
  rows,
  height,
  width,
  channels,
  fillMode, // FillMode
  fillValue,
}

/** With a probability a rectangle of the image becomes fillValue. */
export const enum Erase {
  y, // (rows, height, width, channels)
  x, // (rows, height, width, channels)
  rows,
  height,
  width,
  channels,
  op,
  probability,
  lowerArea,
  upperArea,
  lowerRatio,
  upperRatio,
  fillValue,
}

/** What `adjust` does with f, drawn from [lower, upper]. */
export const enum Adjustment {
  brightness, // x + f
  contrast, // x·(1 + f) − f·mean
}

/** y = an adjustment of x, cut to [least, most]. */
export const enum Adjust {
  y, // (rows, pixels, channels)
  x, // (rows, pixels, channels)
  rows,
  pixels,
  channels,
  kind, // Adjustment
  op,
  lower,
  upper,
  least,
  most,
}

/** Beta(alpha, alpha) shares, partners, and of the two the row whose share is larger; with boxes, those of cutmix. */
export const enum MixDraw {
  shares, // (rows)
  partners, // (rows): row numbers
  winners, // (rows): row numbers
  boxes, // (rows, 4): top, left, bottom, right; or absent
  rows,
  height,
  width,
  op,
  alpha,
}

/** y = share·x + (1 − share)·x of the partner; with boxes, the partner's x in the box. */
export const enum MixRows {
  y, // (rows, height, width, channels)
  x, // (rows, height, width, channels)
  shares, // (rows)
  partners, // (rows): row numbers
  boxes, // (rows, 4), or absent
  rows,
  height,
  width,
  channels,
}

/** One step of an LSTM: gates → σ(i) σ(f) tanh(g) σ(o) in place; c = f·cBefore + i·g; h = o·tanh c. */
export const enum LstmCell {
  h, // (rows, units)
  c, // (rows, 2, units): c, tanh c
  gates, // (rows, 4·units): sums of products and bias on entry
  cBefore, // (rows, 2, units) or absent: 0
  rows,
  units,
}

/** Its gradients from those of h, dy + dh, and of c: of the sums, and in dc, of cBefore. */
export const enum LstmCellBackward {
  dgates, // (rows, 4·units); may be gates
  dc, // (rows, units)
  dy, // (rows, units) or absent: 0
  dh, // (rows, units) or absent: 0
  gates, // as the step left them
  c, // (rows, 2, units)
  cBefore, // (rows, 2, units) or absent: 0
  rows,
  units,
  last, // 1: dc is 0 on entry, and not read
}

/** One step of a GRU, q = recurrent + bias: gates → r = σ(r + q), z = σ(z + q), n = tanh(n + r·q) in place; candidate = n's q; h = n + z·(hBefore − n). */
export const enum GruCell {
  h, // (rows, units)
  candidate, // (rows, units)
  gates, // (rows, 3·units): x's product and bias on entry
  recurrent, // (rows, 3·units), hBefore's product, or absent: 0
  bias, // (3·units) or absent: 0
  hBefore, // (rows, units) or absent: 0
  rows,
  units,
}

/** Its gradients from those of h, dy + dh: of x's sums, of hBefore's, and what z lets through to hBefore. */
export const enum GruCellBackward {
  dgates, // (rows, 3·units); may be gates
  drecurrent, // (rows, 3·units)
  dhBefore, // (rows, units) or absent; may be dh
  dy, // (rows, units) or absent: 0
  dh, // (rows, units) or absent: 0
  gates, // as the step left them
  candidate,
  hBefore,
  rows,
  units,
}

/** y = softmax(scale · x) along rows; where `steps` is not 0, over the first 1 + (row mod steps) columns, the others 0. */
export const enum AttentionWeights {
  y, // (rows, n); may be x
  x, // (rows, n)
  rows,
  n,
  steps,
  scale,
}

/** dx = scale · y · (dy − Σ dy·y), over the same columns. */
export const enum AttentionWeightsBackward {
  dx, // (rows, n); may be dy
  dy, // (rows, n)
  y,
  rows,
  n,
  steps,
  scale,
}

/** How the tiles of a 3×3 convolution lie: the last operands of Winograd's instructions (kernels/winograd.ts). */
export const enum Tiling {
  batch,
  inH,
  inW,
  inC, // multiples of 4
  outH,
  outW,
  outC,
  padTop,
  padLeft,
  tilesH, // an image
  tilesW,
  side, // 2 or 4: of what a tile makes
  pooled, // 1: y and dy are of the 2×2 max pool behind it
  blockTiles, // tiles that are done at a time: at most a plane's floats of the wider side's channels, rounded up to 8
  workspaceBytes, // a thread
  count,
}

/** u = G·g·Gᵀ as strips of 8 output channels, or transposed, of 8 input channels. Split over strips. */
export const enum WinogradKernel {
  u, // 16 or 36 planes (⌈outC/8⌉, inC, 8), transposed (⌈inC/8⌉, outC, 8), each with WINOGRAD_LINE bytes behind it
  kernel, // (3, 3, inC, outC)
  scale, // (outC) that it is multiplied by first, or absent; not transposed
  inC,
  outC,
  side, // 2 or 4
  transposed,
}

/** y = relu(pool(x ∗ kernel) + bias). Split over tiles. */
export const enum WinogradForward {
  y, // (batch, outH, outW, outC), pooled (batch, tilesH, tilesW, outC)
  index, // of the largest in each window, row · 2 + column: a byte a number of y, pooled alone
  workspace, // workspaceBytes a thread
  x, // (batch, inH, inW, inC)
  u,
  bias, // (outC) or absent
  relu, // 0 or 1
  tiling,
  // biome-ignore lint/style/useLiteralEnumMembers: behind the tiling
  last = WinogradForward.tiling + Tiling.count - 1,
}

/** dx, and of some chunks of images the sums that winogradKernelBackward makes dkernel of. Split over chunks. */
export const enum WinogradBackward {
  dx, // (batch, inH, inW, inC) or absent
  partials, // a chunk 16 or 36 planes (inC, ⌈outC/8⌉·8), each with WINOGRAD_LINE bytes behind it; or absent
  workspace, // workspaceBytes a thread
  dy, // as y
  index, // pooled alone
  x, // absent where partials are
  u, // transposed; absent where dx is
  firstChunk, // those that this instruction does, and how many
  chunkCount,
  chunks,
  tiling,
  // biome-ignore lint/style/useLiteralEnumMembers: behind the tiling
  last = WinogradBackward.tiling + Tiling.count - 1,
}

/** dkernel = Gᵀ·(Σ partials)·G. Split over input channels. */
export const enum WinogradKernelBackward {
  dkernel, // (3, 3, inC, outC)
  partials, // is not what it was afterwards
  inC,
  outC,
  side, // 2 or 4
  chunks,
}

/**
 * y·scale + shift is the batch normalization, with moving statistics, of y + bias; folded = kernel·scale. Split over columns.
 */
export const enum FoldNorm {
  scale, // (columns)
  shift, // (columns)
  folded, // (rows, columns), or absent
  kernel,
  bias, // (columns), or absent
  gamma,
  beta,
  mean,
  variance,
  rows,
  columns,
  epsilon,
}

/** Floats of a plane: of a block of tiles one of a tile's 16, or 36, places (kernels/winograd.ts). */
export const WINOGRAD_PLANE = 6144;
export const WINOGRAD4_PLANE = 3072;

/** Bytes between planes beyond what they hold, so that they do not lie in the same sets of L1. */
export const WINOGRAD_LINE = 64;

/** packed = `outer` · `inner` matrices (k, n), each in panels of 8 columns: (n/8, k, 8); a last panel of up to 4 columns is (k, 4). Split over panels. */
export const enum PackPanels {
  packed, // (outer, inner, ⌈n/8⌉, k, 8)
  b,
  outer,
  inner,
  outerStride, // elements from one matrix to the next
  innerStride,
  k,
  n,
  stride, // elements from one row of a matrix to the next
  columnStride,
}

/**
 * A convolution, or one of its gradients, of images (batch, height, width, channels). What stands for what:
 *
 *               result     x     kernel              bias
 *   forward     y          x     packed: (groups, ⌈outC/groups/8⌉, kernelH·kernelW·inC/groups, 8)
 *   to input    dx         dy    packed: (kernelH·kernelW, groups, ⌈inC/groups/8⌉, outC/groups, 8)
 *   to kernel   partials   x     dy
 *   depthwise   y or dx    x or dy   (kernelH, kernelW, inC), inC = outC
 *
 * partials: (chunks, kernelH, kernelW, inC/groups, outC), of chunks of chunkPixels pixels of dy (of depthwise: rows).
 */
export const enum Convolution {
  result,
  workspace, // workspaceBytes a thread
  index, // MaxPool2d's, of pooled y, or absent
  x,
  kernel,
  bias, // (outC), or absent
  picked, // the index of the pooling that dy is of, or absent
  scale, // (outC), what convForward multiplies sums by before the bias, or absent
  batch,
  inH,
  inW,
  inC,
  outH,
  outW,
  outC,
  kernelH,
  kernelW,
  strideH,
  strideW,
  dilationH,
  dilationW,
  padTop,
  padLeft,
  groups,
  relu, // 0 or 1
  pooled, // 1: y is the largest of each 2×2 pixels, before bias and ReLU
  backward, // of depthwise: 0: forward, 1: to input
  firstChunk,
  chunks,
  chunkPixels,
  workspaceBytes,
}

/** Pixels of y that the gradient to the kernel sums in registers: rows, or a part of a longer one. */
export const CONVOLUTION_BLOCK = 128;

/** Pixels that the direct kernels do at a time: rows, or a part of a longer one. */
export const DIRECT_BLOCK = 96;

/** Floats in a chunk of a reduction over a block: borders depend on this alone, so sums have the same bits on any number of threads. */
export const REDUCE_CHUNK = 4096;

/** Sizes of windows that go over images, NHWC: operands of pooling's instructions from their slot `window` on. */
export const enum Window {
  images,
  inH,
  inW,
  channels,
  outH,
  outW,
  kernelH,
  kernelW,
  strideH,
  strideW,
  padTop,
  padLeft,
  count,
}

/** y = max(max over the window + bias, relu ? 0 : −∞); see kernels/pooling.ts. */
export const enum MaxPool2d {
  y, // (images, outH, outW, channels)
  index, // u8 of y's shape, of larger windows u32; or absent
  x, // (images, inH, inW, channels)
  bias, // (channels), or absent
  window, // Window
  relu = 16, // 0 or 1
}

/** dx = the sum of dy over the windows whose index is the element. */
export const enum MaxPool2dBackward {
  dx, // (images, inH, inW, channels)
  dy, // (images, outH, outW, channels)
  index,
  window, // Window
  last = 14,
}

/** y = the sum over the window, over the number of its elements where `mean`. */
export const enum AveragePool2d {
  y, // (images, outH, outW, channels)
  x, // (images, inH, inW, channels)
  window, // Window
  mean = 14, // 0 or 1
}

/** x = the sum of y, over the number of the window's elements where `mean`, over the windows that the element is in. */
export const enum Spread2d {
  x, // (images, inH, inW, channels)
  y, // (images, outH, outW, channels)
  window, // Window
  mean = 14, // 0 or 1
}

/** to = from enlarged, or of the backward pass the adjoint; see kernels/resize.ts. */
export const enum Bilinear {
  to, // (images, inH·scaleH, inW·scaleW, channels); backward: (images, inH, inW, channels)
  from, // the other
  images,
  inH,
  inW,
  channels,
  scaleH,
  scaleW,
}

/** The most positions of a window whose number is a byte of MaxPool2d's index. */
export const BYTE_WINDOW = 256;

/** Axes, adjacent ones that run on joined, that Broadcast and StridedCopy walk over. */
export const MAX_RANK = 6;

/** Floats that Broadcast does at a time. */
export const BROADCAST_PIECE = 1024;

/** Elements that a chunk of rows aims at in row-chunked reductions: chunkRows = max(1, ROW_CHUNK / columns). */
export const ROW_CHUNK = 16384;

/** GEMM blocking (kernels/gemm.ts, ts/ops/gemmWorkspace.ts): rows, depth and columns of a block. */
export const GEMM_MC = 120;
export const GEMM_KC = 392;
export const GEMM_NC = 512;

/** Up to this many rows b is read where it lies, when it is not transposed; fewer where b has this many columns and rows 4 KB apart. */
export const GEMM_IN_PLACE = 64;
export const GEMM_ALIASED = 1024;
export const GEMM_IN_PLACE_ALIASED = 16;

/** From this many columns on, a transposed a is packed. */
export const GEMM_PACK_A = 32;

/** Floats of workspace beside the packed panel: a tile that stands in for one that reaches past c's last column, and 4 that may be read past a panel. */
export const GEMM_TILE = 52;
