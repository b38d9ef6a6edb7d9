// Convolution whose patches are read where they lie (band.ts), one group, a multiple of 8 filters: a model's first layer, whose
// patches are too small to be worth copying, and others that are not Winograd's.
//
//   forward    y: tiles of MR pixels × 8 channels; scale, bias and ReLU in registers
//   to kernel  partials: 9 elements of the patch × 4 channels in registers, over a block's pixels
//
// A 2×2 max pooling of y is taken from two rows of y that lie in L1; where dy is of one, two rows of it are made there.
//
// The chains are those of convolution.ts: the same bits.

import { CONVOLUTION_BLOCK, Convolution, DIRECT_BLOCK } from "../isa";
import { ceilDiv, pointer, share, size } from "../operands";
import { fillBlock, patchRowBytes } from "./band";
import { directProducts, directShort, directTall } from "./direct.micro";
import { tallTiles } from "./gemm";
import { MR } from "./gemm.micro";
import { poolPairs, unpoolPairs } from "./pooling";

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

/** So many pixels of y, in tiles. `places`: their table, from x on; `table` … `end` − 1: that of a patch's elements. */
function forwardBlock(
  args: usize,
  places: usize,
  x: usize,
  table: usize,
  end: usize,
  pixels: usize,
  y: usize,
  scale: usize,
  bias: usize,
  relu: bool,
): void {
  const rowBytes = size(args, Convolution.outC) << 2;
  const panel = (end - table) << 3;
  const tiles = tallTiles(pixels);
  let b = pointer(args, Convolution.kernel);
  for (let j: usize = 0; j < rowBytes; j += 32) {
    const scaleAt = scale ? scale + j : 0;
    const biasAt = bias ? bias + j : 0;
    directTall(tiles, places, x, table, end, b, y + j, rowBytes, scaleAt, biasAt, relu);
    for (let at = tiles * MR; at < pixels; at += 4) {
      const last = min<usize>(4, pixels - at) - 1;
      directShort(places + (at << 2), x, table, end, b, y + at * rowBytes + j, rowBytes, scaleAt, biasAt, relu, last);
    }
    b += panel;
  }
}

/** y; kernel: packed. Split over rows of y, or parts of long ones. */
export function directForward(args: usize, ith: u32, nth: u32): void {
  const pooled = size(args, Convolution.pooled) != 0;
  const perRow: usize = pooled ? 2 : 1; // rows that a row of y is made of
  const outH = size(args, Convolution.outH) / perRow;
  const outW = size(args, Convolution.outW) / perRow;
  const channels = size(args, Convolution.outC) << 2;
  const scale = pointer(args, Convolution.scale);
  const bias = pointer(args, Convolution.bias);
  const relu = size(args, Convolution.relu) != 0;
  const index = pointer(args, Convolution.index);
  const width = pooled ? outW << 1 : min<usize>(outW, CONVOLUTION_BLOCK);
  const parts: usize = pooled ? 1 : ceilDiv(outW, width);
  const block: usize = pooled ? 1 : max<usize>(1, <usize>DIRECT_BLOCK / width); // 1 where there are parts
  const table = pointer(args, Convolution.workspace) + <usize>ith * size(args, Convolution.workspaceBytes);
  const end = fillTable(args, table, patchRowBytes(args, width));
  const strip = end + ((block * perRow * width) << 2);
  const band = strip + (pooled ? 2 * width * channels : 0);
  const last = share(size(args, Convolution.batch) * outH * parts, ith + 1, nth);
  let line = share(size(args, Convolution.batch) * outH * parts, ith, nth);
  for (; line < last; line += block) {
    const row = line / parts;
    const ox = (line % parts) * width;
    const y = pointer(args, Convolution.result) + (row * outW + ox) * channels;
    if (pooled) {
      const first = (row / outH) * size(args, Convolution.outH) + ((row % outH) << 1);
      const x = fillBlock(args, first, first + 2, 0, width, width, end, band);
      forwardBlock(args, end, x, table, end, width << 1, strip, 0, 0, false);
      const into = index ? index + ((row * outW * channels) >> 2) : 0;
      poolPairs(outW, channels, width * channels, y, into, strip, bias, relu);
    } else {
      const rows = min(last - line, block);
      const oxEnd = min(outW, ox + width);
      const x = fillBlock(args, row, row + rows, ox, oxEnd, width, end, band);
      forwardBlock(args, end, x, table, end, rows * (oxEnd - ox), y, scale, bias, relu);
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
  const width = outW * perRow;
  const block: usize = picked ? 1 : max<usize>(1, <usize>DIRECT_BLOCK / width);
  const table = pointer(args, Convolution.workspace) + <usize>ith * size(args, Convolution.workspaceBytes);
  const end = fillTable(args, table, patchRowBytes(args, width));
  const bytes = ((end - table) >> 2) * channels;
  // the patch is filled up to nines with elements that are there, and whose sums nobody reads
  const nines = ceilDiv(end - table, 36) * 36;
  for (let p = end; p < table + nines; p += 4) store<usize>(p, load<usize>(table));
  const sums = table + nines;
  const places = sums + (nines >> 2) * channels;
  const strip = places + ((block * perRow * width) << 2);
  const band = strip + (picked ? 2 * width * channels : 0);
  const rows = size(args, Convolution.batch) * outH;
  const chunkRows = ceilDiv(size(args, Convolution.chunkPixels), size(args, Convolution.outW));
  const firstChunk = size(args, Convolution.firstChunk);
  const chunks = size(args, Convolution.chunks);
  const last = share(chunks, ith + 1, nth);
  for (let chunk = share(chunks, ith, nth); chunk < last; chunk++) {
    memory.fill(sums, 0, (nines >> 2) * channels);
    const to = min(rows, (firstChunk + chunk + 1) * chunkRows);
    for (let row = (firstChunk + chunk) * chunkRows; row < to; row += block) {
      const some = min(to - row, block);
      let dy = pointer(args, Convolution.kernel) + row * outW * channels;
      let first = row;
      if (picked) {
        unpoolPairs(outW, channels, strip, width * channels, dy, picked + ((row * outW * channels) >> 2));
        dy = strip;
        first = (row / outH) * size(args, Convolution.outH) + ((row % outH) << 1);
      }
      const x = fillBlock(args, first, first + some * perRow, 0, width, width, places, band);
      const placesEnd = places + ((some * perRow * width) << 2);
      for (let e: usize = 0; e < nines; e += 36) {
        const into = sums + (e >> 2) * channels;
        for (let j: usize = 0; j < channels; j += 16)
          directProducts(places, placesEnd, table + e, x, dy + j, channels, into + j, channels);
      }
    }
    memory.copy(pointer(args, Convolution.result) + chunk * bytes, sums, bytes);
  }
}
