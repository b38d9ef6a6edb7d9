// Convolution of images of few channels, whose patches are too small to be worth copying: a model's first layer.
//
//   forward    y: tiles of MR neighbouring pixels × 8 channels, the patch's elements read where they lie; bias and ReLU in registers
//   to kernel  partials: 9 elements of the patch × 4 channels in registers, along a row of dy
//
// A 2×2 max pooling of y is taken from two rows of y that lie in L1; where dy is of one, two rows of it are made there.
//
// Where zeros stand round the image, the rows of x that a row of y needs are copied into a band, zeros at its ends. One group;
// the number of filters is a multiple of 8. The chains are those of convolution.ts: the same bits.

import { Convolution } from "../isa";
import { ceilDiv, pointer, share, size } from "../operands";
import { directProducts, directShort, directTall } from "./direct.micro";
import { MR } from "./gemm.micro";
import { poolPairs, unpoolPairs } from "./pooling";

/** Whether some window reaches past the image. */
function isPadded(args: usize): bool {
  const down =
    (size(args, Convolution.outH) - 1) * size(args, Convolution.strideH) +
    (size(args, Convolution.kernelH) - 1) * size(args, Convolution.dilationH);
  return (
    (size(args, Convolution.padTop) | size(args, Convolution.padLeft)) != 0 ||
    down >= size(args, Convolution.inH) ||
    bandBytes(args) > (size(args, Convolution.inW) * size(args, Convolution.inC)) << 2
  );
}

/** Bytes of a row of x that windows reach, padding included. */
function bandBytes(args: usize): usize {
  const across =
    (size(args, Convolution.outW) - 1) * size(args, Convolution.strideW) +
    (size(args, Convolution.kernelW) - 1) * size(args, Convolution.dilationW);
  return ((across + 1) * size(args, Convolution.inC)) << 2;
}

/** Fills the table of a patch's elements, whose rows lie rowBytes apart; returns its end. */
function fillTable(args: usize, table: usize, rowBytes: usize): usize {
  const channels = size(args, Convolution.inC);
  const across = (size(args, Convolution.dilationW) * channels) << 2;
  for (let kh: usize = 0; kh < size(args, Convolution.kernelH); kh++) {
    for (let kw: usize = 0; kw < size(args, Convolution.kernelW); kw++) {
      for (let c: usize = 0; c < channels; c++) {
        store<usize>(table, kh * rowBytes + kw * across + (c << 2));
        table += 4;
      }
    }
  }
  return table;
}

/** Copies the rows of an image that row oy of y needs, zeros where there are none. */
function fillBand(args: usize, band: usize, image: usize, oy: usize): void {
  const inH = <isize>size(args, Convolution.inH);
  const pixel = size(args, Convolution.inC) << 2;
  const imageRow = size(args, Convolution.inW) * pixel;
  const bytes = bandBytes(args);
  const left = min(size(args, Convolution.padLeft) * pixel, bytes);
  const inside = min(imageRow, bytes - left);
  const top = <isize>(oy * size(args, Convolution.strideH)) - <isize>size(args, Convolution.padTop);
  for (let kh: usize = 0; kh < size(args, Convolution.kernelH); kh++) {
    const iy = top + <isize>(kh * size(args, Convolution.dilationH));
    const outside = iy < 0 || iy >= inH;
    memory.fill(band, 0, outside ? bytes : left);
    if (!outside) {
      memory.copy(band + left, image + <usize>iy * imageRow, inside);
      memory.fill(band + left + inside, 0, bytes - left - inside);
    }
    band += bytes;
  }
}

/** A row of y, or its first pixels. x: where the first pixel's patch begins. */
function forwardRow(
  args: usize,
  table: usize,
  end: usize,
  x: usize,
  pixels: usize,
  y: usize,
  bias: usize,
  relu: bool,
): void {
  const rowBytes = size(args, Convolution.outC) << 2;
  const step = (size(args, Convolution.strideW) * size(args, Convolution.inC)) << 2;
  const panel = (end - table) << 3;
  const tiles = pixels / MR;
  let b = pointer(args, Convolution.kernel);
  for (let j: usize = 0; j < rowBytes; j += 32) {
    const biasAt = bias ? bias + j : 0;
    directTall(tiles, table, end, x, step, b, y + j, rowBytes, biasAt, relu);
    // what is left: once more the last MR pixels, or where there are not so many, fours
    let left = pixels - tiles * MR;
    if (left && tiles) {
      left = 0;
      const at = pixels - MR;
      directTall(1, table, end, x + at * step, step, b, y + at * rowBytes + j, rowBytes, biasAt, relu);
    }
    for (let at: usize = 0; at < left; at += 4) {
      const last = min<usize>(4, left - at) - 1;
      directShort(table, end, x + at * step, step, b, y + at * rowBytes + j, rowBytes, biasAt, relu, last);
    }
    b += panel;
  }
}

/** y; kernel: packed. Split over rows of y. */
export function directForward(args: usize, ith: u32, nth: u32): void {
  const pooled = size(args, Convolution.pooled) != 0;
  const perRow: usize = pooled ? 2 : 1; // rows that a row of y is made of
  const outH = size(args, Convolution.outH) / perRow;
  const outW = size(args, Convolution.outW) / perRow;
  const rowBytes = outW * (size(args, Convolution.outC) << 2);
  const imageRow = (size(args, Convolution.inW) * size(args, Convolution.inC)) << 2;
  const padded = isPadded(args);
  const table = pointer(args, Convolution.workspace) + <usize>ith * size(args, Convolution.workspaceBytes);
  const end = fillTable(args, table, padded ? bandBytes(args) : size(args, Convolution.dilationH) * imageRow);
  const strip = end + size(args, Convolution.kernelH) * bandBytes(args);
  const bias = pointer(args, Convolution.bias);
  const relu = size(args, Convolution.relu) != 0;
  const index = pointer(args, Convolution.index);
  const rows = size(args, Convolution.batch) * outH;
  const last = share(rows, ith + 1, nth);
  for (let row = share(rows, ith, nth); row < last; row++) {
    const image = pointer(args, Convolution.x) + (row / outH) * size(args, Convolution.inH) * imageRow;
    const y = pointer(args, Convolution.result) + row * rowBytes;
    for (let i: usize = 0; i < perRow; i++) {
      const oy = (row % outH) * perRow + i;
      if (padded) fillBand(args, end, image, oy);
      const x = padded ? end : image + oy * size(args, Convolution.strideH) * imageRow;
      if (pooled) forwardRow(args, table, end, x, outW << 1, strip + i * (rowBytes << 1), 0, false);
      else forwardRow(args, table, end, x, outW, y, bias, relu);
    }
    if (pooled) {
      const into = index ? index + ((row * rowBytes) >> 2) : 0;
      poolPairs(outW, size(args, Convolution.outC) << 2, rowBytes << 1, y, into, strip, bias, relu);
    }
  }
}

/** partials; kernel: dy. Split over chunks of rows of dy. */
export function directKernelGradient(args: usize, ith: u32, nth: u32): void {
  const picked = pointer(args, Convolution.picked);
  const perRow: usize = picked ? 2 : 1; // rows that a row of dy stands for
  const outH = size(args, Convolution.outH) / perRow;
  const outW = size(args, Convolution.outW) / perRow;
  const channels = size(args, Convolution.outC) << 2;
  const pixel = size(args, Convolution.inC) << 2;
  const imageRow = size(args, Convolution.inW) * pixel;
  const padded = isPadded(args);
  const table = pointer(args, Convolution.workspace) + <usize>ith * size(args, Convolution.workspaceBytes);
  const end = fillTable(args, table, padded ? bandBytes(args) : size(args, Convolution.dilationH) * imageRow);
  const step = size(args, Convolution.strideW) * pixel;
  const bytes = ((end - table) >> 2) * channels;
  // the patch is filled up to nines with elements that are there, and whose sums nobody reads
  const nines = ceilDiv(end - table, 36) * 36;
  for (let p = end; p < table + nines; p += 4) store<usize>(p, load<usize>(table));
  const sums = table + nines;
  const band = sums + (nines >> 2) * channels;
  const strip = band + size(args, Convolution.kernelH) * bandBytes(args);
  const rows = size(args, Convolution.batch) * outH;
  const chunkRows = ceilDiv(size(args, Convolution.chunkPixels), size(args, Convolution.outW));
  const firstChunk = size(args, Convolution.firstChunk);
  const chunks = size(args, Convolution.chunks);
  const last = share(chunks, ith + 1, nth);
  for (let chunk = share(chunks, ith, nth); chunk < last; chunk++) {
    memory.fill(sums, 0, (nines >> 2) * channels);
    const to = min(rows, (firstChunk + chunk + 1) * chunkRows);
    for (let row = (firstChunk + chunk) * chunkRows; row < to; row++) {
      const image = pointer(args, Convolution.x) + (row / outH) * size(args, Convolution.inH) * imageRow;
      let dy = pointer(args, Convolution.kernel) + row * outW * channels;
      if (picked) {
        unpoolPairs(outW, channels, strip, (outW << 1) * channels, dy, picked + ((row * outW * channels) >> 2));
        dy = strip;
      }
      for (let i: usize = 0; i < perRow; i++) {
        const oy = (row % outH) * perRow + i;
        if (padded) fillBand(args, band, image, oy);
        const x = padded ? band : image + oy * size(args, Convolution.strideH) * imageRow;
        for (let e: usize = 0; e < nines; e += 36) {
          const into = sums + (e >> 2) * channels;
          for (let j: usize = 0; j < channels; j += 16)
            directProducts(outW * perRow, table + e, x, step, dy + j, channels, into + j, channels);
        }
        dy += (outW << 1) * channels;
      }
    }
    memory.copy(pointer(args, Convolution.result) + chunk * bytes, sums, bytes);
  }
}
