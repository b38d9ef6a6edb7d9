// Convolution of NHWC images as implicit products: the matrix of patches is never written out.
//
//   patch of pixel p = (image, oy, ox): row kh, column kw, channel c of it is x[image, oy·sh + kh·dh − top, ox·sw + kw·dw − left, c], or 0
//
//   forward    y[p, o] = Σ patch[p, i]·kernel[i, o]     patches of MC pixels row by row into the workspace, then gemm's strips
//   to input   dx[row of pixels under a tap, c] += dy[row of pixels, o]·kernel[tap, c, o]ᵀ     tap by tap, rows sw·C floats apart
//   to kernel  dkernel[i, o] = Σ patch[p, i]·dy[p, o]   KC pixels at a time, patches packed as gemm packs a transposed a
//
// A patch is made of segments: runs of floats that follow one another in x. Where columns are not dilated and there is one
// group, a segment is a row of the patch, kw·C floats, else it is one tap's channels.
//
// Each element of y is one chain c ← c + a·b over ascending (kh, kw, c), of dx over ascending (kh, kw, o), and of a chunk of
// dkernel over ascending pixels. Chunks depend on shapes alone, so the split among ranks has no part in any bit.
//
// Kernels are packed once for all ranks, by packPanels.

import { Convolution, GEMM_KC, GEMM_MC, PackPanels } from "../isa";
import { load4, madd, store4 } from "../math/lanes.micro";
import { ceilDiv, pointer, share, shareOf, size } from "../operands";
import { copyTile, packColumns, packLines, strip, tallTiles } from "./gemm";
import { MR } from "./gemm.micro";

/** Bytes of the tile that gemm's strip needs at the start of a rank's workspace. */
const TILE_BYTES: usize = 192;

/** A rank that has fewer pixels than this takes columns of the product instead. */
const LEAST_PIXELS: usize = 64;

/** Matrices to panels of 8 columns; see PackPanels. */
export function packPanels(args: usize, ith: u32, nth: u32): void {
  const packed = pointer(args, PackPanels.packed);
  const b = pointer(args, PackPanels.b);
  const inner = size(args, PackPanels.inner);
  const outerStride = size(args, PackPanels.outerStride) << 2;
  const innerStride = size(args, PackPanels.innerStride) << 2;
  const k = size(args, PackPanels.k);
  const n = size(args, PackPanels.n);
  const stride = size(args, PackPanels.stride) << 2;
  const columnStride = size(args, PackPanels.columnStride) << 2;
  const each = ceilDiv(n, 8);
  const panels = size(args, PackPanels.outer) * inner * each;
  const last = share(panels, ith + 1, nth);
  for (let panel = share(panels, ith, nth); panel < last; panel++) {
    const matrix = panel / each;
    const column = (panel % each) << 3;
    const from = b + (matrix / inner) * outerStride + (matrix % inner) * innerStride + column * columnStride;
    const to = packed + panel * (k << 5);
    const columns = min<usize>(8, n - column);
    if (columns == 8 && columnStride == 4) packLines(to, 8, from, stride, k);
    else packColumns(to, columns > 4 ? 8 : 4, from, stride, columnStride, k, columns);
  }
}

/** How many taps a segment has. */
function tapsOf(args: usize): usize {
  const wide = size(args, Convolution.groups) == 1 && size(args, Convolution.dilationW) == 1;
  return wide ? size(args, Convolution.kernelW) : 1;
}

/** dst = n floats at src. */
function copyFloats(dst: usize, src: usize, n: usize): void {
  while (n >= 4) {
    v128.store(dst, v128.load(src));
    dst += 16;
    src += 16;
    n -= 4;
  }
  while (n != 0) {
    store<f32>(dst, load<f32>(src));
    dst += 4;
    src += 4;
    n--;
  }
}

/**
 * dst (count, to − from) = elements from … to − 1 of the patches of `count` pixels from `pixel` on, of one group's channels.
 */
function patches(
  args: usize,
  x: usize,
  group: usize,
  pixel: usize,
  count: usize,
  from: usize,
  to: usize,
  dst: usize,
): void {
  const inH = <isize>size(args, Convolution.inH);
  const inW = <isize>size(args, Convolution.inW);
  const inC = size(args, Convolution.inC);
  const outH = size(args, Convolution.outH);
  const outW = size(args, Convolution.outW);
  const kernelW = size(args, Convolution.kernelW);
  const strideH = <isize>size(args, Convolution.strideH);
  const strideW = <isize>size(args, Convolution.strideW);
  const dilationH = <isize>size(args, Convolution.dilationH);
  const dilationW = <isize>size(args, Convolution.dilationW);
  const padTop = <isize>size(args, Convolution.padTop);
  const padLeft = <isize>size(args, Convolution.padLeft);
  const channels = inC / size(args, Convolution.groups);
  const taps = tapsOf(args);
  const length = taps * channels;
  const perRow = kernelW / taps; // segments a row of the patch
  const firstSegment = from / length;
  const firstRow = firstSegment / perRow;
  const firstColumn = firstSegment % perRow;
  const firstAt = from - firstSegment * length;
  const imageBytes = <usize>inH * <usize>inW * (inC << 2);

  let ox = pixel % outW;
  let oy = (pixel / outW) % outH;
  let image = x + (pixel / outW / outH) * imageBytes + group * (channels << 2);
  for (; count != 0; count--) {
    let row = firstRow;
    let column = firstColumn;
    let at = firstAt;
    let left = to - from;
    while (left != 0) {
      const iy = <isize>oy * strideH + <isize>row * dilationH - padTop;
      const ix = <isize>ox * strideW + <isize>column * dilationW - padLeft;
      const run = min(left, length - at);
      const end = at + run;
      // what of the segment lies in the image
      let low = <usize>max<isize>(0, -ix) * channels;
      let high = <usize>max<isize>(0, min(<isize>taps, inW - ix)) * channels;
      if (iy < 0 || iy >= inH) high = 0;
      low = min(max(low, at), end);
      high = max(min(high, end), low);
      if (run != high - low) memory.fill(dst, 0, run << 2);
      const src = image + (iy * inW + ix) * <isize>(inC << 2);
      copyFloats(dst + ((low - at) << 2), src + (low << 2), high - low);
      dst += run << 2;
      left -= run;
      at = 0;
      if (++column == perRow) {
        column = 0;
        row++;
      }
    }
    if (++ox == outW) {
      ox = 0;
      if (++oy == outH) {
        oy = 0;
        image += imageBytes;
      }
    }
  }
}

/** rows × 16 columns of y = max(y·scale + bias, floor). */
function scaleStrip(y: usize, rowBytes: usize, rows: usize, scale: usize, bias: usize, floor: v128): void {
  const s0 = v128.load(scale);
  const s1 = v128.load(scale, 16);
  const s2 = v128.load(scale, 32);
  const s3 = v128.load(scale, 48);
  const b0 = v128.load(bias);
  const b1 = v128.load(bias, 16);
  const b2 = v128.load(bias, 32);
  const b3 = v128.load(bias, 48);
  for (; rows != 0; rows--) {
    v128.store(y, f32x4.pmax(madd(v128.load(y), s0, b0), floor));
    v128.store(y, f32x4.pmax(madd(v128.load(y, 16), s1, b1), floor), 16);
    v128.store(y, f32x4.pmax(madd(v128.load(y, 32), s2, b2), floor), 32);
    v128.store(y, f32x4.pmax(madd(v128.load(y, 48), s3, b3), floor), 48);
    y += rowBytes;
  }
}

/** rows × columns of y·scale + bias, then ReLU where asked. With a scale there is a bias. */
function finish(y: usize, rowBytes: usize, rows: usize, bytes: usize, scale: usize, bias: usize, relu: bool): void {
  if (!bias && !relu) return;
  const zero = f32x4.splat(0);
  const wide = scale ? bytes & ~63 : 0;
  for (let j: usize = 0; j < wide; j += 64)
    scaleStrip(y + j, rowBytes, rows, scale + j, bias + j, f32x4.splat(relu ? 0 : -Infinity));
  for (; rows != 0; rows--) {
    for (let j = wide; j < bytes; j += 16) {
      const left = bytes - j;
      let v = load4(y + j, left);
      if (scale) v = madd(v, load4(scale + j, left), load4(bias + j, left));
      else if (bias) v = f32x4.add(v, load4(bias + j, left));
      if (relu) v = f32x4.pmax(v, zero);
      store4(y + j, v, left);
    }
    y += rowBytes;
  }
}

/** y; kernel: packed. Split over pixels, or over columns where pixels are few. */
export function convForward(args: usize, ith: u32, nth: u32): void {
  const x = pointer(args, Convolution.x);
  const groups = size(args, Convolution.groups);
  const inC = size(args, Convolution.inC) / groups;
  const outC = size(args, Convolution.outC) / groups;
  const k = size(args, Convolution.kernelH) * size(args, Convolution.kernelW) * inC;
  const rowBytes = (outC * groups) << 2;
  const relu = size(args, Convolution.relu) != 0;
  const tile = pointer(args, Convolution.workspace) + <usize>ith * size(args, Convolution.workspaceBytes);
  const block = tile + TILE_BYTES;
  const depths = ceilDiv(k, GEMM_KC);

  let first: usize = 0;
  let last = size(args, Convolution.batch) * size(args, Convolution.outH) * size(args, Convolution.outW);
  let column: usize = 0;
  let end = outC;
  if (last >= LEAST_PIXELS * nth) {
    const pixels = last;
    first = share(pixels, ith, nth);
    last = share(pixels, ith + 1, nth);
  } else {
    column = shareOf(outC, 8, ith, nth);
    end = shareOf(outC, 8, ith + 1, nth);
  }
  if (column == end) return;

  for (let group: usize = 0; group < groups; group++) {
    const panels = pointer(args, Convolution.kernel) + group * ceilDiv(outC, 8) * (k << 5);
    const y = pointer(args, Convolution.result) + ((group * outC) << 2);
    const at = (group * outC + column) << 2;
    const scale = pointer(args, Convolution.scale);
    const bias = pointer(args, Convolution.bias);
    for (let pixel = first; pixel < last; pixel += GEMM_MC) {
      const m = min<usize>(GEMM_MC, last - pixel);
      const rows = y + pixel * rowBytes;
      for (let d: usize = 0; d < depths; d++) {
        const from = (d * k) / depths;
        const depth = ((d + 1) * k) / depths - from;
        patches(args, x, group, pixel, m, from, from + depth, block);
        for (let j = column; j < end; j += 8) {
          const columns = min<usize>(8, end - j);
          const bStep: usize = columns > 4 ? 32 : 16;
          const panel = panels + (j >> 3) * (k << 5) + from * bStep;
          strip(m, columns, depth, block, depth << 2, 4, false, panel, bStep, rows + (j << 2), rowBytes, tile, d != 0);
        }
      }
      const bytes = (end - column) << 2;
      finish(rows + (column << 2), rowBytes, m, bytes, scale ? scale + at : 0, bias ? bias + at : 0, relu);
    }
  }
}

/** dx; x: dy, kernel: packed. Split over images, or over columns where images are few. */
export function convInputGradient(args: usize, ith: u32, nth: u32): void {
  const groups = size(args, Convolution.groups);
  const inC = size(args, Convolution.inC) / groups;
  const outC = size(args, Convolution.outC) / groups;
  const inH = <isize>size(args, Convolution.inH);
  const inW = <isize>size(args, Convolution.inW);
  const outH = size(args, Convolution.outH);
  const outW = size(args, Convolution.outW);
  const kernelH = size(args, Convolution.kernelH);
  const kernelW = size(args, Convolution.kernelW);
  const strideH = <isize>size(args, Convolution.strideH);
  const strideW = <isize>size(args, Convolution.strideW);
  const tile = pointer(args, Convolution.workspace) + <usize>ith * size(args, Convolution.workspaceBytes);
  const xBytes = (inC * groups) << 2; // a pixel
  const yBytes = (outC * groups) << 2;
  const xImage = <usize>inH * <usize>inW * xBytes;
  const yImage = outH * outW * yBytes;
  const each = ceilDiv(inC, 8);

  let first: usize = 0;
  let last = size(args, Convolution.batch);
  let column: usize = 0;
  let end = inC;
  if (last >= nth) {
    const images = last;
    first = share(images, ith, nth);
    last = share(images, ith + 1, nth);
  } else {
    column = shareOf(inC, 8, ith, nth);
    end = shareOf(inC, 8, ith + 1, nth);
  }
  if (column == end) return;

  for (let image = first; image < last; image++) {
    const dxImage = pointer(args, Convolution.result) + image * xImage;
    const dyImage = pointer(args, Convolution.x) + image * yImage;
    for (let group: usize = 0; group < groups; group++) {
      const dx = dxImage + ((group * inC) << 2);
      const dy = dyImage + ((group * outC) << 2);
      for (let p = dx + (column << 2); p < dxImage + xImage; p += xBytes) memory.fill(p, 0, (end - column) << 2);
      for (let kh: usize = 0; kh < kernelH; kh++) {
        const y0 = <isize>(kh * size(args, Convolution.dilationH)) - <isize>size(args, Convolution.padTop);
        for (let kw: usize = 0; kw < kernelW; kw++) {
          // pixels ox … ox + m − 1 of each row of dy meet the image in this tap
          const x0 = <isize>(kw * size(args, Convolution.dilationW)) - <isize>size(args, Convolution.padLeft);
          const ox: isize = x0 < 0 ? (-x0 + strideW - 1) / strideW : 0;
          if (inW - x0 <= 0) continue;
          const m = min(<isize>outW, (inW - x0 + strideW - 1) / strideW) - ox;
          if (m <= 0) continue;
          const panels =
            pointer(args, Convolution.kernel) + ((kh * kernelW + kw) * groups + group) * each * (outC << 5);
          for (let j = column; j < end; j += 8) {
            const columns = min<usize>(8, end - j);
            const bStep: usize = columns > 4 ? 32 : 16;
            const panel = panels + (j >> 3) * (outC << 5);
            for (let oy: usize = 0; oy < outH; oy++) {
              const iy = <isize>oy * strideH + y0;
              if (iy < 0 || iy >= inH) continue;
              const a = dy + (oy * outW + ox) * yBytes;
              const c = dx + (iy * inW + ox * strideW + x0) * <isize>xBytes + (j << 2);
              strip(m, columns, outC, a, yBytes, 4, false, panel, bStep, c, <usize>strideW * xBytes, tile, true);
            }
          }
        }
      }
    }
  }
}

/**
 * dst = elements at … at + m − 1 of a segment (row, column) of the patches of `count` pixels from `pixel` on, in panels as high
 * as the tiles that read them: (count, MR) …, (count, 4) …, as gemm packs a transposed a.
 */
function packPatches(
  args: usize,
  x: usize,
  group: usize,
  row: usize,
  column: usize,
  at: usize,
  m: usize,
  pixel: usize,
  count: usize,
  dst: usize,
): void {
  const inH = <isize>size(args, Convolution.inH);
  const inW = <isize>size(args, Convolution.inW);
  const pixelBytes = size(args, Convolution.inC) << 2;
  const outH = size(args, Convolution.outH);
  const outW = size(args, Convolution.outW);
  const strideH = <isize>size(args, Convolution.strideH);
  const strideW = <isize>size(args, Convolution.strideW);
  const channels = size(args, Convolution.inC) / size(args, Convolution.groups);
  const taps = <isize>tapsOf(args);
  const y0 = <isize>(row * size(args, Convolution.dilationH)) - <isize>size(args, Convolution.padTop);
  const x0 = <isize>(column * size(args, Convolution.dilationW)) - <isize>size(args, Convolution.padLeft);
  const step = <usize>strideW * pixelBytes;
  // pixels from `inner` to `innerEnd` of a row have the whole segment in the image
  const inner = x0 < 0 ? <usize>((-x0 + strideW - 1) / strideW) : 0;
  const room = inW - taps - x0;
  const innerEnd: usize = room < 0 ? 0 : <usize>(room / strideW + 1);

  let tall = tallTiles(m);
  while (m != 0) {
    const width: usize = tall ? MR : 4;
    const rows = min(m, width);
    let ox = pixel % outW;
    let oy = (pixel / outW) % outH;
    let image = x + (pixel / outW / outH) * <usize>inH * <usize>inW * pixelBytes + ((group * channels) << 2);
    for (let left = count; left != 0; ) {
      const end = min(outW, ox + left);
      left -= end - ox;
      const iy = <isize>oy * strideH + y0;
      const outside = iy < 0 || iy >= inH;
      while (ox < end) {
        const ix = <isize>ox * strideW + x0;
        const src = image + (iy * inW + ix) * <isize>pixelBytes + (at << 2);
        let n: usize = 1;
        if (outside) {
          n = end - ox;
          memory.fill(dst, 0, (n * width) << 2);
        } else if (ox >= inner && ox < innerEnd) {
          n = min(end, innerEnd) - ox;
          if (rows >= 4) packLines(dst, width, src, step, n);
          else packColumns(dst, 4, src, step, 4, n, rows);
        } else {
          const low = <usize>max<isize>(0, -ix) * channels;
          const high = <usize>max<isize>(0, min(taps, inW - ix)) * channels;
          for (let i: usize = 0; i < width; i++) {
            const inside = i < rows && at + i >= low && at + i < high;
            store<f32>(dst + (i << 2), inside ? load<f32>(src + (i << 2)) : 0);
          }
        }
        dst += (n * width) << 2;
        ox += n;
      }
      ox = 0;
      if (++oy == outH) {
        oy = 0;
        image += <usize>inH * <usize>inW * pixelBytes;
      }
    }
    at += rows;
    m -= rows;
    if (tall) tall--;
  }
}

/** partials; kernel: dy. Split over (chunk, group, segment). */
export function convKernelGradient(args: usize, ith: u32, nth: u32): void {
  const x = pointer(args, Convolution.x);
  const dy = pointer(args, Convolution.kernel);
  const groups = size(args, Convolution.groups);
  const inC = size(args, Convolution.inC) / groups;
  const outC = size(args, Convolution.outC) / groups;
  const kernelW = size(args, Convolution.kernelW);
  const taps = tapsOf(args);
  const length = taps * inC;
  const perRow = kernelW / taps;
  const segments = size(args, Convolution.kernelH) * perRow;
  const rowBytes = (outC * groups) << 2;
  const pixels = size(args, Convolution.batch) * size(args, Convolution.outH) * size(args, Convolution.outW);
  const chunkPixels = size(args, Convolution.chunkPixels);
  const firstChunk = size(args, Convolution.firstChunk);
  const depth = min<usize>(GEMM_KC, chunkPixels);
  const narrow = pointer(args, Convolution.workspace) + <usize>ith * size(args, Convolution.workspaceBytes); // (MC, 8)
  const packedB = narrow + (GEMM_MC << 5);
  const packedA = packedB + ceilDiv(outC, 8) * (depth << 5);

  const units = size(args, Convolution.chunks) * groups * segments;
  const last = share(units, ith + 1, nth);
  for (let unit = share(units, ith, nth); unit < last; unit++) {
    const segment = unit % segments;
    const group = (unit / segments) % groups;
    const chunk = unit / segments / groups;
    const from = (firstChunk + chunk) * chunkPixels;
    const to = min(pixels, from + chunkPixels);
    const c =
      pointer(args, Convolution.result) + (chunk * segments + segment) * length * rowBytes + ((group * outC) << 2);
    for (let pixel = from; pixel < to; pixel += depth) {
      const k = min(depth, to - pixel);
      const continued = pixel != from;
      for (let j: usize = 0; j < outC; j += 8) {
        const source = dy + pixel * rowBytes + ((group * outC + j) << 2);
        const columns = min<usize>(8, outC - j);
        if (columns == 8) packLines(packedB + j * (k << 2), 8, source, rowBytes, k);
        else packColumns(packedB + j * (k << 2), 8, source, rowBytes, 4, k, columns);
      }
      for (let i: usize = 0; i < length; i += GEMM_MC) {
        const m = min<usize>(GEMM_MC, length - i);
        packPatches(args, x, group, segment / perRow, segment % perRow, i, m, pixel, k, packedA);
        for (let j: usize = 0; j < outC; j += 8) {
          const into = c + i * rowBytes + (j << 2);
          const panel = packedB + j * (k << 2);
          const columns = min<usize>(8, outC - j);
          if (columns == 8) strip(m, 8, k, packedA, 4, 4, true, panel, 32, into, rowBytes, 0, continued);
          else {
            if (continued) copyTile(narrow, 32, into, rowBytes, m, columns);
            strip(m, 8, k, packedA, 4, 4, true, panel, 32, narrow, 32, 0, continued);
            copyTile(into, rowBytes, narrow, 32, m, columns);
          }
        }
      }
    }
  }
}
