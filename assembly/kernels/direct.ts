// Convolution of images of few channels, whose patches are too small to be worth copying: a model's first layer.
//
//   forward    y: tiles of MR neighbouring pixels × 8 channels, the patch's elements read where they lie; bias and ReLU in registers
//   to kernel  partials: 9 elements of the patch × 4 channels in registers, along a row of dy
//
// Where zeros stand round the image, the rows of x that a row of y needs are copied into a band, zeros at its ends. One group;
// the number of filters is a multiple of 8. The chains are those of convolution.ts: the same bits.

import { Convolution } from "../isa";
import { ceilDiv, pointer, share, size } from "../operands";
import { directProducts, directShort, directTall } from "./direct.micro";
import { tallTiles } from "./gemm";
import { MR } from "./gemm.micro";

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

/** y; kernel: packed. Split over rows. */
export function directForward(args: usize, ith: u32, nth: u32): void {
  const outC = size(args, Convolution.outC);
  const outH = size(args, Convolution.outH);
  const outW = size(args, Convolution.outW);
  const pixel = size(args, Convolution.inC) << 2;
  const imageRow = size(args, Convolution.inW) * pixel;
  const imageBytes = size(args, Convolution.inH) * imageRow;
  const padded = isPadded(args);
  const table = pointer(args, Convolution.workspace) + <usize>ith * size(args, Convolution.workspaceBytes);
  const end = fillTable(args, table, padded ? bandBytes(args) : size(args, Convolution.dilationH) * imageRow);
  const step = size(args, Convolution.strideW) * pixel;
  const panel = (end - table) << 3;
  const bias = pointer(args, Convolution.bias);
  const relu = size(args, Convolution.relu) != 0;
  const rowBytes = outC << 2;
  const rows = size(args, Convolution.batch) * outH;
  const last = share(rows, ith + 1, nth);
  for (let row = share(rows, ith, nth); row < last; row++) {
    const oy = row % outH;
    const image = pointer(args, Convolution.x) + (row / outH) * imageBytes;
    if (padded) fillBand(args, end, image, oy);
    const x = padded ? end : image + oy * size(args, Convolution.strideH) * imageRow;
    const y = pointer(args, Convolution.result) + row * outW * rowBytes;
    let b = pointer(args, Convolution.kernel);
    for (let j: usize = 0; j < rowBytes; j += 32) {
      const biasAt = bias ? bias + j : 0;
      let a = x;
      let c = y + j;
      let m = outW;
      for (let tiles = tallTiles(m); tiles != 0; tiles--) {
        directTall(table, end, a, step, b, c, rowBytes, biasAt, relu);
        a += MR * step;
        c += MR * rowBytes;
        m -= MR;
      }
      while (m != 0) {
        const n = min<usize>(m, 4);
        directShort(table, end, a, step, b, c, rowBytes, biasAt, relu, n - 1);
        a += n * step;
        c += n * rowBytes;
        m -= n;
      }
      b += panel;
    }
  }
}

/** partials; kernel: dy. Split over chunks of rows of dy. */
export function directKernelGradient(args: usize, ith: u32, nth: u32): void {
  const outC = size(args, Convolution.outC);
  const outH = size(args, Convolution.outH);
  const outW = size(args, Convolution.outW);
  const pixel = size(args, Convolution.inC) << 2;
  const imageRow = size(args, Convolution.inW) * pixel;
  const imageBytes = size(args, Convolution.inH) * imageRow;
  const padded = isPadded(args);
  const table = pointer(args, Convolution.workspace) + <usize>ith * size(args, Convolution.workspaceBytes);
  const end = fillTable(args, table, padded ? bandBytes(args) : size(args, Convolution.dilationH) * imageRow);
  const step = size(args, Convolution.strideW) * pixel;
  const rowBytes = outC << 2;
  const patch = (end - table) >> 2;
  const rows = size(args, Convolution.batch) * outH;
  const chunkRows = ceilDiv(size(args, Convolution.chunkPixels), outW);
  const firstChunk = size(args, Convolution.firstChunk);
  const chunks = size(args, Convolution.chunks);
  const last = share(chunks, ith + 1, nth);
  for (let chunk = share(chunks, ith, nth); chunk < last; chunk++) {
    const partial = pointer(args, Convolution.result) + chunk * patch * rowBytes;
    memory.fill(partial, 0, patch * rowBytes);
    const to = min(rows, (firstChunk + chunk + 1) * chunkRows);
    for (let row = (firstChunk + chunk) * chunkRows; row < to; row++) {
      const oy = row % outH;
      const image = pointer(args, Convolution.x) + (row / outH) * imageBytes;
      if (padded) fillBand(args, end, image, oy);
      const x = padded ? end : image + oy * size(args, Convolution.strideH) * imageRow;
      const dy = pointer(args, Convolution.kernel) + row * outW * rowBytes;
      for (let i: usize = 0; i < patch; i += 9) {
        const lastElement = min<usize>(9, patch - i) - 1;
        const sums = partial + i * rowBytes;
        for (let j: usize = 0; j < rowBytes; j += 16)
          directProducts(outW, table + (i << 2), lastElement, x, step, dy + j, rowBytes, sums + j, rowBytes);
      }
    }
  }
}
