// Depthwise convolution: each channel by itself, vectors over channels.
//
//   forward    y[p, c] = Σ over taps x[pixel under the tap, c]·kernel[tap, c]
//   to input   dx[q, c] = Σ over taps dy[pixel whose tap it is, c]·kernel[tap, c]
//   to kernel  partials[chunk, tap, c] = Σ over the chunk's rows of dy, pixels ascending, of x·dy
//
// For each pixel the taps that meet the image are listed first, in ascending order; then its channels run over the list.

import { Convolution } from "../isa";
import { ceilDiv, pointer, share, size } from "../operands";
import { depthwiseProducts, depthwiseSums } from "./depthwise.micro";

/** y or dx. Split over rows of images. */
export function depthwise(args: usize, ith: u32, nth: u32): void {
  const backward = size(args, Convolution.backward) != 0;
  const bytes = size(args, Convolution.inC) << 2; // a pixel
  const kernelH = size(args, Convolution.kernelH);
  const kernelW = size(args, Convolution.kernelW);
  const strideH = <isize>size(args, Convolution.strideH);
  const strideW = <isize>size(args, Convolution.strideW);
  const dilationH = <isize>size(args, Convolution.dilationH);
  const dilationW = <isize>size(args, Convolution.dilationW);
  const padTop = <isize>size(args, Convolution.padTop);
  const padLeft = <isize>size(args, Convolution.padLeft);
  // of what is written (to), and of what is read (from)
  const toH = size(args, backward ? Convolution.inH : Convolution.outH);
  const toW = size(args, backward ? Convolution.inW : Convolution.outW);
  const fromH = <isize>size(args, backward ? Convolution.outH : Convolution.inH);
  const fromW = <isize>size(args, backward ? Convolution.outW : Convolution.inW);
  const kernel = pointer(args, Convolution.kernel);
  const bias = pointer(args, Convolution.bias);
  const relu = size(args, Convolution.relu) != 0;
  const list = pointer(args, Convolution.workspace) + <usize>ith * size(args, Convolution.workspaceBytes);
  const rows = size(args, Convolution.batch) * toH;
  const last = share(rows, ith + 1, nth);
  for (let row = share(rows, ith, nth); row < last; row++) {
    const image = pointer(args, Convolution.x) + (row / toH) * <usize>fromH * <usize>fromW * bytes;
    const ty = <isize>(row % toH);
    let y = pointer(args, Convolution.result) + row * toW * bytes;
    for (let tx: isize = 0; tx < <isize>toW; tx++) {
      let end = list;
      for (let kh: usize = 0; kh < kernelH; kh++) {
        let fy = ty * strideH + <isize>kh * dilationH - padTop;
        if (backward) {
          fy = ty + padTop - <isize>kh * dilationH;
          if (strideH != 1) {
            if (fy < 0 || fy % strideH) continue;
            fy /= strideH;
          }
        }
        if (fy < 0 || fy >= fromH) continue;
        for (let kw: usize = 0; kw < kernelW; kw++) {
          let fx = tx * strideW + <isize>kw * dilationW - padLeft;
          if (backward) {
            fx = tx + padLeft - <isize>kw * dilationW;
            if (strideW != 1) {
              if (fx < 0 || fx % strideW) continue;
              fx /= strideW;
            }
          }
          if (fx < 0 || fx >= fromW) continue;
          store<usize>(end, image + (fy * fromW + fx) * <isize>bytes);
          store<usize>(end, kernel + (kh * kernelW + kw) * bytes, 4);
          end += 8;
        }
      }
      depthwiseSums(list, end, bytes, y, bias, relu);
      y += bytes;
    }
  }
}

/** partials; kernel: dy. Split over chunks of rows of dy. */
export function depthwiseKernelGradient(args: usize, ith: u32, nth: u32): void {
  const bytes = size(args, Convolution.inC) << 2;
  const inH = <isize>size(args, Convolution.inH);
  const inW = <isize>size(args, Convolution.inW);
  const outH = size(args, Convolution.outH);
  const outW = size(args, Convolution.outW);
  const kernelH = size(args, Convolution.kernelH);
  const kernelW = size(args, Convolution.kernelW);
  const strideW = <isize>size(args, Convolution.strideW);
  const dy = pointer(args, Convolution.kernel);
  const rows = size(args, Convolution.batch) * outH;
  const chunkRows = ceilDiv(size(args, Convolution.chunkPixels), outW);
  const firstChunk = size(args, Convolution.firstChunk);
  const chunks = size(args, Convolution.chunks);
  const last = share(chunks, ith + 1, nth);
  for (let chunk = share(chunks, ith, nth); chunk < last; chunk++) {
    const partial = pointer(args, Convolution.result) + chunk * kernelH * kernelW * bytes;
    memory.fill(partial, 0, kernelH * kernelW * bytes);
    const end = min(rows, (firstChunk + chunk + 1) * chunkRows);
    for (let row = (firstChunk + chunk) * chunkRows; row < end; row++) {
      const image = pointer(args, Convolution.x) + (row / outH) * <usize>inH * <usize>inW * bytes;
      for (let kh: usize = 0; kh < kernelH; kh++) {
        const iy =
          <isize>((row % outH) * size(args, Convolution.strideH)) +
          <isize>(kh * size(args, Convolution.dilationH)) -
          <isize>size(args, Convolution.padTop);
        if (iy < 0 || iy >= inH) continue;
        for (let kw: usize = 0; kw < kernelW; kw++) {
          const x0 = <isize>(kw * size(args, Convolution.dilationW)) - <isize>size(args, Convolution.padLeft);
          const ox: isize = x0 < 0 ? (-x0 + strideW - 1) / strideW : 0;
          if (inW - x0 <= 0) continue;
          const n = min(<isize>outW, (inW - x0 + strideW - 1) / strideW) - ox;
          if (n <= 0) continue;
          depthwiseProducts(
            n,
            image + (iy * inW + ox * strideW + x0) * <isize>bytes,
            <usize>strideW * bytes,
            dy + (row * outW + ox) * bytes,
            bytes,
            partial + (kh * kernelW + kw) * bytes,
          );
        }
      }
    }
  }
}
