// 2-D convolution of NHWC images in plain JavaScript: patches are copied into a matrix, and the rest are matrix products.
//
//   forward    y = P · W                 P (pixels, kh·kw·c), W (kh·kw·c, o)
//   backward   dW = Pᵀ · dy,  dP = dy · Wᵀ, dx = the sum of dP's elements over the places that each was copied from
//
// P is kept from forward to backward. A 1 × 1 convolution of stride 1 needs no copies: P is x. Of several ways that one would
// try this is the fastest in JavaScript: loops over taps keep neither products nor sums in registers.

import { gemmPacked } from "./gemm";

export interface ConvShape {
  batch: number;
  inH: number;
  inW: number;
  inC: number;
  outH: number;
  outW: number;
  outC: number;
  kernel: number;
  stride: number;
  padTop: number;
  padLeft: number;
}

export interface Conv {
  forward(y: Float32Array, x: Float32Array, w: Float32Array): void;
  /** dw, and dx where it is wanted, of the last `forward`'s x. */
  backward(dx: Float32Array | undefined, dw: Float32Array, dy: Float32Array, w: Float32Array): void;
}

let scratch = new Float32Array(0); // dP, of the convolution that is at it

export function createConv(shape: ConvShape): Conv {
  const { batch, inH, inW, inC, outH, outW, outC, kernel, stride, padTop, padLeft } = shape;
  const pixels = batch * outH * outW;
  const depth = kernel * kernel * inC;
  const pointwise = kernel === 1 && stride === 1;
  const own = pointwise ? undefined : new Float32Array(pixels * depth);
  if (!pointwise && scratch.length < pixels * depth) scratch = new Float32Array(pixels * depth);
  let patches: Float32Array = own!;

  /** Of each pixel and row of the kernel the run of pixels that lies in the image; what does not stays zero. */
  function copyPatches(to: Float32Array, x: Float32Array): void {
    let at = 0;
    for (let n = 0; n < batch; n++)
      for (let oy = 0; oy < outH; oy++)
        for (let ox = 0; ox < outW; ox++) {
          const left = ox * stride - padLeft;
          for (let ky = 0; ky < kernel; ky++) {
            const iy = oy * stride - padTop + ky;
            if (iy < 0 || iy >= inH) {
              at += kernel * inC;
              continue;
            }
            const from = Math.max(0, -left) * inC;
            const end = Math.min(kernel, inW - left) * inC;
            let source = ((n * inH + iy) * inW + left) * inC + from;
            for (let i = from; i < end; i++) to[at + i] = x[source++]!;
            at += kernel * inC;
          }
        }
  }

  function addPatches(dx: Float32Array, dp: Float32Array): void {
    dx.fill(0);
    let at = 0;
    for (let n = 0; n < batch; n++)
      for (let oy = 0; oy < outH; oy++)
        for (let ox = 0; ox < outW; ox++) {
          const left = ox * stride - padLeft;
          for (let ky = 0; ky < kernel; ky++) {
            const iy = oy * stride - padTop + ky;
            if (iy >= 0 && iy < inH) {
              const from = Math.max(0, -left) * inC;
              const end = Math.min(kernel, inW - left) * inC;
              let target = ((n * inH + iy) * inW + left) * inC + from;
              for (let i = from; i < end; i++) {
                dx[target] = dx[target]! + dp[at + i]!;
                target++;
              }
            }
            at += kernel * inC;
          }
        }
  }

  return {
    forward(y, x, w) {
      if (pointwise) patches = x;
      else copyPatches(patches, x);
      gemmPacked(y, patches, w, pixels, outC, depth, false, false);
    },
    backward(dx, dw, dy, w) {
      gemmPacked(dw, patches, dy, depth, outC, pixels, true, false);
      if (!dx) return;
      if (pointwise) {
        gemmPacked(dx, dy, w, pixels, depth, outC, false, true);
        return;
      }
      gemmPacked(scratch, dy, w, pixels, depth, outC, false, true);
      addPatches(dx, scratch);
    },
  };
}
