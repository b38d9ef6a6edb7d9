// Augmentation: what is drawn is drawn for each example. Example number e = State.row + r, of rows 0 … of the batch, takes
// blocks e·k, e·k + 1, …, e·k + k − 1 (k: blocks an example) of counters (block, op, step, pass), key (seed, stream): so an
// example has the same numbers on any number of threads and in any slice of its batch. A word w is u = w·2⁻³² in [0, 1);
// what is drawn from [a, b] is a + (b − a)·u, in float64. Images are (rows, height, width, channels). Split over rows.

import { Adjust, Adjustment, Erase, FillMode, Matrices, MixDraw, MixRows, Movement, Resample, State } from "../isa";
import { cos64, exp64, log64 } from "../math/scalars";
import { pointer, real, share, size, stateWord } from "../operands";
import { philox } from "../random/philox";
import { meanOf } from "./augment.micro";
import { lessFour, loadRest, storeRest } from "./rest.micro";

/** A block of example number State.row + r. */
function block(args: usize, op: usize, element: u32): v128 {
  return philox(
    i32x4(element, <i32>op, stateWord(args, State.step), stateWord(args, State.pass)),
    stateWord(args, State.seed),
    stateWord(args, State.stream),
  );
}

/** A word as a number in [0, 1). */
function unit(word: i32): f64 {
  return <f64>(<u32>word) * 2.3283064365386963e-10;
}

function between(a: f32, b: f32, u: f64): f64 {
  return <f64>a + (<f64>b - <f64>a) * u;
}

/** ⌊n·u⌋ */
function below(n: i32, u: f64): i32 {
  return <i32>(<f64>n * u);
}

// Geometry.
//
//   y(p) = x(M·p), p = (column, row): M = (a b t; c d s) takes a place of the result to one of the source. What moves
//   last is met first on the way back: M = before · movement, movement p ↦ A·(p − centre) + centre + shift,
//   centre = ((width − 1)/2, (height − 1)/2)

/** matrices[r] = before[r] · movement[r]. One block an example: words 0 and 1, for rows and columns. */
export function augmentMatrices(args: usize, ith: u32, nth: u32): void {
  const rows = size(args, Matrices.rows);
  const kind = <i32>size(args, Matrices.kind);
  const op = size(args, Matrices.op);
  const matrices = pointer(args, Matrices.matrices);
  const before = pointer(args, Matrices.before);
  const centreX = 0.5 * <f64>(<i32>size(args, Matrices.width) - 1);
  const centreY = 0.5 * <f64>(<i32>size(args, Matrices.height) - 1);
  const first = stateWord(args, State.row);
  const end = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < end; r++) {
    const words = block(args, op, first + <u32>r);
    const u = unit(i32x4.extract_lane(words, 0));
    const v = unit(i32x4.extract_lane(words, 1));
    const p = between(real(args, Matrices.lowerY), real(args, Matrices.upperY), u);
    const q = between(real(args, Matrices.lowerX), real(args, Matrices.upperX), v);
    let a: f64 = 1;
    let b: f64 = 0;
    let c: f64 = 0;
    let d: f64 = 1;
    let t: f64 = 0;
    let s: f64 = 0;
    if (kind == Movement.translate) {
      t = -q;
      s = -p;
    } else if (kind == Movement.step) {
      t = -floor(q);
      s = -floor(p);
    } else if (kind == Movement.rotate) {
      const turn = p * 6.283185307179586;
      const sine = cos64(turn - 1.5707963267948966);
      a = cos64(turn);
      b = -sine;
      c = sine;
      d = a;
    } else if (kind == Movement.zoom) {
      a = 1 + q;
      d = 1 + p;
    } else if (kind == Movement.zoomAlike) {
      a = 1 + p;
      d = a;
    } else if (kind == Movement.shear) {
      b = -q;
      c = -p;
    } else {
      // flip: upper numbers are probabilities
      if (v < <f64>real(args, Matrices.upperX)) a = -1;
      if (u < <f64>real(args, Matrices.upperY)) d = -1;
    }
    t += centreX - (a * centreX + b * centreY);
    s += centreY - (c * centreX + d * centreY);
    const to = matrices + r * 24;
    if (before) compose(to, before + r * 24, a, b, t, c, d, s);
    else compose(to, IDENTITY, a, b, t, c, d, s);
  }
}

const IDENTITY: usize = memory.data<f32>([1, 0, 0, 0, 1, 0]);

/** to = m · (a b t; c d s). */
function compose(to: usize, m: usize, a: f64, b: f64, t: f64, c: f64, d: f64, s: f64): void {
  for (let row: usize = 0; row < 24; row += 12) {
    const x = <f64>load<f32>(m + row);
    const y = <f64>load<f32>(m + row, 4);
    const z = <f64>load<f32>(m + row, 8);
    store<f32>(to + row, <f32>(x * a + y * c));
    store<f32>(to + row, <f32>(x * b + y * d), 4);
    store<f32>(to + row, <f32>(x * t + y * s + z), 8);
  }
}

/** Where the extension of n numbers by `mode` has its i-th, i < 0 or i ≥ n; −1: nowhere. */
function placeOf(i: i32, n: i32, mode: i32): i32 {
  if (mode == FillMode.constant) return -1;
  if (mode == FillMode.nearest) return i < 0 ? 0 : n - 1;
  const period = mode == FillMode.wrap ? n : 2 * n;
  i %= period;
  if (i < 0) i += period;
  return i < n ? i : period - 1 - i; // reflect: … c b a | a b c | c b a …
}

/** y(p) = x(M·p), bilinear between the four nearest pixels of the image extended by `fillMode`. */
export function resample(args: usize, ith: u32, nth: u32): void {
  const rows = size(args, Resample.rows);
  const height = <i32>size(args, Resample.height);
  const width = <i32>size(args, Resample.width);
  const channels = size(args, Resample.channels);
  const mode = <i32>size(args, Resample.fillMode);
  const fill = real(args, Resample.fillValue);
  const bytes = (<usize>height * <usize>width * channels) << 2;
  const matrices = pointer(args, Resample.matrices);
  const end = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < end; r++) {
    const x = pointer(args, Resample.x) + r * bytes;
    const y = pointer(args, Resample.y) + r * bytes;
    resampleImage(y, x, height, width, channels << 2, matrices + r * 24, mode, fill);
  }
}

function resampleImage(
  y: usize,
  x: usize,
  height: i32,
  width: i32,
  pixelBytes: usize,
  m: usize,
  mode: i32,
  fill: f32,
): void {
  const a = load<f32>(m);
  const c = load<f32>(m, 12);
  // four pixels of one channel at a time, where all that they need lies within the image
  const whole = pixelBytes == 4 && height > 1 ? width & ~3 : 0;
  const lastColumn = f32x4.splat(<f32>(width - 1));
  const lastRow = f32x4.splat(<f32>(height - 1));
  const rowBytes = <usize>width * pixelBytes;
  for (let row = 0; row < height; row++) {
    const t = load<f32>(m, 4) * <f32>row + load<f32>(m, 8);
    const s = load<f32>(m, 16) * <f32>row + load<f32>(m, 20);
    for (let column = 0; column < width; ) {
      if (column < whole) {
        const columns = f32x4.convert_i32x4_s(i32x4.add(i32x4.splat(column), i32x4(0, 1, 2, 3)));
        const sx = f32x4.add(f32x4.mul(columns, f32x4.splat(a)), f32x4.splat(t));
        const sy = f32x4.add(f32x4.mul(columns, f32x4.splat(c)), f32x4.splat(s));
        const inX = v128.and(f32x4.ge(sx, f32x4.splat(0)), f32x4.le(sx, lastColumn));
        const inY = v128.and(f32x4.ge(sy, f32x4.splat(0)), f32x4.le(sy, lastRow));
        if (i32x4.all_true(v128.and(inX, inY))) {
          // on the last column or row between it and the one before
          const left = f32x4.pmin(f32x4.floor(sx), f32x4.splat(<f32>(width - 2)));
          const top = f32x4.pmin(f32x4.floor(sy), f32x4.splat(<f32>(height - 2)));
          const i = i32x4.trunc_sat_f32x4_s(left);
          const j = i32x4.trunc_sat_f32x4_s(top);
          const at = i32x4.shl(i32x4.add(i32x4.mul(j, i32x4.splat(width)), i), 2);
          const p = x + <usize>i32x4.extract_lane(at, 0);
          const q = x + <usize>i32x4.extract_lane(at, 1);
          const r = x + <usize>i32x4.extract_lane(at, 2);
          const z = x + <usize>i32x4.extract_lane(at, 3);
          const high = v128.load64_lane(q, v128.load64_zero(p), 1);
          const high2 = v128.load64_lane(z, v128.load64_zero(r), 1);
          const low = v128.load64_lane(q + rowBytes, v128.load64_zero(p + rowBytes), 1);
          const low2 = v128.load64_lane(z + rowBytes, v128.load64_zero(r + rowBytes), 1);
          const u = f32x4.sub(sx, left);
          const above = meanOf(
            v128.shuffle<f32>(high, high2, 0, 2, 4, 6),
            v128.shuffle<f32>(high, high2, 1, 3, 5, 7),
            u,
          );
          const below = meanOf(v128.shuffle<f32>(low, low2, 0, 2, 4, 6), v128.shuffle<f32>(low, low2, 1, 3, 5, 7), u);
          v128.store(y, meanOf(above, below, f32x4.sub(sy, top)));
          y += 16;
          column += 4;
          continue;
        }
      }
      for (const end = column < whole ? column + 4 : column + 1; column < end; column++) {
        resamplePixel(y, x, height, width, pixelBytes, a * <f32>column + t, c * <f32>column + s, mode, fill);
        y += pixelBytes;
      }
    }
  }
}

/** One pixel of y: that of x at (sx, sy). */
function resamplePixel(
  y: usize,
  x: usize,
  height: i32,
  width: i32,
  pixelBytes: usize,
  sx: f32,
  sy: f32,
  mode: i32,
  fill: f32,
): void {
  const left = floor(sx);
  const top = floor(sy);
  const u = sx - left;
  const v = sy - top;
  const i = <i32>left;
  const j = <i32>top;
  const rowBytes = <i32>pixelBytes * width;
  const i0 = <u32>i < <u32>width ? i : placeOf(i, width, mode);
  const i1 = <u32>(i + 1) < <u32>width ? i + 1 : placeOf(i + 1, width, mode);
  const j0 = <u32>j < <u32>height ? j : placeOf(j, height, mode);
  const j1 = <u32>(j + 1) < <u32>height ? j + 1 : placeOf(j + 1, height, mode);
  const p = j0 * rowBytes;
  const q = j1 * rowBytes;
  const l = i0 * <i32>pixelBytes;
  const r = i1 * <i32>pixelBytes;
  for (let k: usize = 0; k < pixelBytes; k += 4)
    store<f32>(
      y + k,
      mean(
        (i0 | j0) < 0 ? fill : load<f32>(x + k + (p + l)),
        (i1 | j0) < 0 ? fill : load<f32>(x + k + (p + r)),
        (i0 | j1) < 0 ? fill : load<f32>(x + k + (q + l)),
        (i1 | j1) < 0 ? fill : load<f32>(x + k + (q + r)),
        u,
        v,
      ),
    );
}

/** Of four corners, u from left to right and v from top to bottom; where u or v is 0 the corner itself. */
function mean(topLeft: f32, topRight: f32, lowLeft: f32, lowRight: f32, u: f32, v: f32): f32 {
  const restU: f32 = 1 - u;
  const restV: f32 = 1 - v;
  return restV * (restU * topLeft + u * topRight) + v * (restU * lowLeft + u * lowRight);
}

/**
 * With a probability a rectangle of the image is fillValue: its area, a share of the image's, is drawn from [lowerArea,
 * upperArea], the logarithm of height/width between those of lowerRatio and upperRatio; sides are rounded and at most the
 * image's; its place is any. Two blocks an example: whether, area, ratio, top; left. y may be x.
 */
export function erase(args: usize, ith: u32, nth: u32): void {
  const rows = size(args, Erase.rows);
  const height = <i32>size(args, Erase.height);
  const width = <i32>size(args, Erase.width);
  const pixelBytes = size(args, Erase.channels) << 2;
  const op = size(args, Erase.op);
  const fill = real(args, Erase.fillValue);
  const logLower = log64(<f64>real(args, Erase.lowerRatio));
  const logUpper = log64(<f64>real(args, Erase.upperRatio));
  const rowBytes = <usize>width * pixelBytes;
  const bytes = <usize>height * rowBytes;
  const first = stateWord(args, State.row);
  const end = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < end; r++) {
    const x = pointer(args, Erase.x) + r * bytes;
    const y = pointer(args, Erase.y) + r * bytes;
    if (y != x) memory.copy(y, x, bytes);
    const element = (first + <u32>r) << 1;
    const words = block(args, op, element);
    if (unit(i32x4.extract_lane(words, 0)) >= <f64>real(args, Erase.probability)) continue;
    const part = between(real(args, Erase.lowerArea), real(args, Erase.upperArea), unit(i32x4.extract_lane(words, 1)));
    const area = part * <f64>height * <f64>width;
    const ratio = exp64(logLower + (logUpper - logLower) * unit(i32x4.extract_lane(words, 2)));
    const high = <i32>min<f64>(<f64>height, nearest(sqrt<f64>(area * ratio)));
    const wide = <i32>min<f64>(<f64>width, nearest(sqrt<f64>(area / ratio)));
    const top = below(height - high + 1, unit(i32x4.extract_lane(words, 3)));
    const left = below(width - wide + 1, unit(i32x4.extract_lane(block(args, op, element + 1), 0)));
    for (let row = top; row < top + high; row++) {
      const from = y + <usize>row * rowBytes + <usize>left * pixelBytes;
      for (let p = from; p < from + <usize>wide * pixelBytes; p += 4) store<f32>(p, fill);
    }
  }
}

/**
 * f drawn from [lower, upper]. brightness: y = x + f; contrast: y = x·(1 + f) − f·(mean of x, of each channel). Then cut to
 * [least, most]. One block an example. y may be x.
 */
export function adjust(args: usize, ith: u32, nth: u32): void {
  const rows = size(args, Adjust.rows);
  const channels = size(args, Adjust.channels);
  const pixels = size(args, Adjust.pixels);
  const kind = <i32>size(args, Adjust.kind);
  const op = size(args, Adjust.op);
  const pixelBytes = channels << 2;
  const bytes = pixels * pixelBytes;
  const first = stateWord(args, State.row);
  const end = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < end; r++) {
    const f = between(
      real(args, Adjust.lower),
      real(args, Adjust.upper),
      unit(i32x4.extract_lane(block(args, op, first + <u32>r), 0)),
    );
    const x = pointer(args, Adjust.x) + r * bytes;
    const y = pointer(args, Adjust.y) + r * bytes;
    const least = real(args, Adjust.least);
    const most = real(args, Adjust.most);
    if (kind == Adjustment.brightness) stretchAll(y, x, bytes >> 2, 1, <f32>f, least, most);
    else if (channels == 1) {
      const shift = <f32>((-f * sumOf(x, bytes, 4)) / <f64>pixels);
      stretchAll(y, x, pixels, <f32>(1 + f), shift, least, most);
    } else {
      for (let channel: usize = 0; channel < pixelBytes; channel += 4) {
        const shift = <f32>((-f * sumOf(x + channel, bytes, pixelBytes)) / <f64>pixels);
        stretch(y + channel, x + channel, bytes, pixelBytes, <f32>(1 + f), shift, least, most);
      }
    }
  }
}

/** Σ x at every `step` of `bytes` bytes. */
function sumOf(x: usize, bytes: usize, step: usize): f64 {
  let sum: f64 = 0;
  for (let i: usize = 0; i < bytes; i += step) sum += <f64>load<f32>(x + i);
  return sum;
}

/** y = x·scale + shift, cut to [least, most], at every `step` of `bytes` bytes. */
function stretch(y: usize, x: usize, bytes: usize, step: usize, scale: f32, shift: f32, least: f32, most: f32): void {
  for (let i: usize = 0; i < bytes; i += step) {
    let v = load<f32>(x + i) * scale + shift;
    if (v < least) v = least;
    if (v > most) v = most;
    store<f32>(y + i, v);
  }
}

/** The same for all of n numbers. */
function stretchAll(y: usize, x: usize, n: usize, scale: f32, shift: f32, least: f32, most: f32): void {
  for (; n; n = lessFour(n)) {
    const v = f32x4.add(f32x4.mul(loadRest(x, n, 0), f32x4.splat(scale)), f32x4.splat(shift));
    storeRest(y, f32x4.pmin(f32x4.pmax(v, f32x4.splat(least)), f32x4.splat(most)), n);
    x += 16;
    y += 16;
  }
}

// Mixing. The share λ that an example keeps of itself is drawn from Beta(α, α) = X/(X + Y), X and Y of Gamma(α) (Marsaglia,
// Tsang: "A simple method for generating gamma variables", 2000): with d = a − ⅓, z normal and v = (1 + z/√(9d))³, d·v is
// of Gamma(a) if log u < z²/2 + d − d·v + d·log v, a ≥ 1; of Gamma(a + 1), a < 1, times u^(1/a) of Gamma(a). Logarithms
// throughout, so that the smallest α gives 0 and 1.

/** Blocks an example takes: one for partner and place, then as many attempts at X as at Y, of which the last counts anyway. */
const MIX_BLOCKS: u32 = 32;
const ATTEMPTS: u32 = 15;

/** The logarithm of a number of Gamma(alpha), from the blocks from `element` on. */
function logGamma(args: usize, op: usize, element: u32, alpha: f64): f64 {
  const d = (alpha < 1 ? alpha + 1 : alpha) - 0.3333333333333333;
  const slope = 1 / sqrt<f64>(9 * d);
  for (let left = ATTEMPTS; ; ) {
    const words = block(args, op, element++);
    const radius = sqrt<f64>(-2 * log64(unit(i32x4.extract_lane(words, 0)) + 1.1641532182693481e-10));
    const z = radius * cos64(unit(i32x4.extract_lane(words, 1)) * 6.283185307179586);
    const logU = log64(unit(i32x4.extract_lane(words, 2)) + 1.1641532182693481e-10);
    const root = 1 + slope * z;
    if (--left && root <= 0) continue;
    const logV = 3 * log64(max<f64>(root, 1e-9));
    if (left && logU >= 0.5 * z * z + d - d * exp64(logV) + d * logV) continue;
    const logX = log64(d) + logV;
    if (alpha >= 1) return logX;
    return logX + log64(unit(i32x4.extract_lane(words, 3)) + 1.1641532182693481e-10) / alpha;
  }
}

/**
 * shares[r] = λ; partners[r]: another row, any of them alike (itself where there is one row); winners[r]: the row of the
 * two whose share is larger, r where they are equal. With boxes, what comes of the partner is the box [top, left, bottom,
 * right) of a share 1 − λ of the area about a pixel of the image, cut to the image, and λ the area that is left
 * (Yun et al. 2019).
 */
export function mixDraw(args: usize, ith: u32, nth: u32): void {
  const rows = size(args, MixDraw.rows);
  const height = <i32>size(args, MixDraw.height);
  const width = <i32>size(args, MixDraw.width);
  const op = size(args, MixDraw.op);
  const alpha = <f64>real(args, MixDraw.alpha);
  const shares = pointer(args, MixDraw.shares);
  const partners = pointer(args, MixDraw.partners);
  const winners = pointer(args, MixDraw.winners);
  const boxes = pointer(args, MixDraw.boxes);
  const first = stateWord(args, State.row);
  const end = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < end; r++) {
    const element = (first + <u32>r) * MIX_BLOCKS;
    const words = block(args, op, element);
    const x = logGamma(args, op, element + 1, alpha);
    const y = logGamma(args, op, element + 1 + ATTEMPTS, alpha);
    let kept = 1 / (1 + exp64(y - x));
    const step = 1 + below(<i32>rows - 1, unit(i32x4.extract_lane(words, 0)));
    const partner = (<u32>r + <u32>step) % <u32>rows;
    if (boxes) {
      const side = sqrt<f64>(1 - kept);
      const high = <i32>(<f64>height * side);
      const wide = <i32>(<f64>width * side);
      const top = below(height, unit(i32x4.extract_lane(words, 1))) - (high >> 1);
      const left = below(width, unit(i32x4.extract_lane(words, 2))) - (wide >> 1);
      const box = boxes + (r << 4);
      const y0 = max(top, 0);
      const x0 = max(left, 0);
      const y1 = min(top + high, height);
      const x1 = min(left + wide, width);
      store<f32>(box, <f32>y0);
      store<f32>(box, <f32>x0, 4);
      store<f32>(box, <f32>y1, 8);
      store<f32>(box, <f32>x1, 12);
      kept = 1 - <f64>((y1 - y0) * (x1 - x0)) / <f64>(height * width);
    }
    store<f32>(shares + (r << 2), <f32>kept);
    store<f32>(partners + (r << 2), <f32>partner);
    store<f32>(winners + (r << 2), <f32>(kept >= 0.5 ? <u32>r : partner));
  }
}

/** y[r] = λ·x[r] + (1 − λ)·x[partner]; with boxes, x[r] outside of the box and x[partner] in it. */
export function mixRows(args: usize, ith: u32, nth: u32): void {
  const rows = size(args, MixRows.rows);
  const width = size(args, MixRows.width);
  const pixelBytes = size(args, MixRows.channels) << 2;
  const rowBytes = width * pixelBytes;
  const bytes = size(args, MixRows.height) * rowBytes;
  const boxes = pointer(args, MixRows.boxes);
  const end = share(rows, ith + 1, nth);
  for (let r = share(rows, ith, nth); r < end; r++) {
    const x = pointer(args, MixRows.x) + r * bytes;
    const y = pointer(args, MixRows.y) + r * bytes;
    const other = pointer(args, MixRows.x) + <usize>load<f32>(pointer(args, MixRows.partners) + (r << 2)) * bytes;
    if (boxes) {
      memory.copy(y, x, bytes);
      const box = boxes + (r << 4);
      const left = <usize>load<f32>(box, 4) * pixelBytes;
      const right = <usize>load<f32>(box, 12) * pixelBytes;
      const bottom = <usize>load<f32>(box, 8) * rowBytes;
      if (right > left)
        for (let row = <usize>load<f32>(box) * rowBytes; row < bottom; row += rowBytes)
          memory.copy(y + row + left, other + row + left, right - left);
    } else {
      const kept = load<f32>(pointer(args, MixRows.shares) + (r << 2));
      combine(y, x, other, bytes >> 2, f32x4.splat(kept), f32x4.splat(1 - kept));
    }
  }
}

/** y = s·x + t·z, n numbers. */
function combine(y: usize, x: usize, z: usize, n: usize, s: v128, t: v128): void {
  for (; n; n = lessFour(n)) {
    storeRest(y, f32x4.add(f32x4.mul(loadRest(x, n, 0), s), f32x4.mul(loadRest(z, n, 0), t)), n);
    x += 16;
    y += 16;
    z += 16;
  }
}
