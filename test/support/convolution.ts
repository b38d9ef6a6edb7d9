// Convolutions in float64.

import type { Geometry } from "../../ts/ops/geometry";
import type { Reals } from "./checkOp";

export type Shape = readonly number[];

/** Calls `visit` with the places in x, kernel and y of every product, and the tap's number. */
export function products(
  [n, h, w, c]: Shape,
  [kh, kw, each, o]: Shape,
  [, oh, ow]: Shape,
  { strides, dilation, groups, pads }: Geometry,
  visit: (x: number, kernel: number, y: number) => void,
): void {
  for (let image = 0; image < n!; image++)
    for (let oy = 0; oy < oh!; oy++)
      for (let ox = 0; ox < ow!; ox++)
        for (let dy = 0; dy < kh!; dy++)
          for (let dx = 0; dx < kw!; dx++) {
            const iy = oy * strides[0] + dy * dilation[0] - pads[0];
            const ix = ox * strides[1] + dx * dilation[1] - pads[2];
            if (iy < 0 || iy >= h! || ix < 0 || ix >= w!) continue;
            for (let k = 0; k < o!; k++) {
              const group = Math.floor((k * groups) / o!);
              for (let ci = 0; ci < each!; ci++)
                visit(
                  ((image * h! + iy) * w! + ix) * c! + group * each! + ci,
                  ((dy * kw! + dx) * each! + ci) * o! + k,
                  ((image * oh! + oy) * ow! + ox) * o! + k,
                );
            }
          }
}

export const size = (shape: Shape) => shape.reduce((a, b) => a * b, 1);

export function outShape([n, h, w]: Shape, [kh, kw, , o]: Shape, { strides, dilation, pads }: Geometry): number[] {
  const along = (inSize: number, k: number, i: 0 | 1) =>
    Math.floor((inSize + pads[2 * i]! + pads[2 * i + 1]! - (k - 1) * dilation[i] - 1) / strides[i]) + 1;
  return [n!, along(h!, kh!, 0), along(w!, kw!, 1), o!];
}

export function forward(x: Reals, kernel: Reals, xShape: Shape, kernelShape: Shape, g: Geometry): Float64Array {
  const yShape = outShape(xShape, kernelShape, g);
  const y = new Float64Array(size(yShape));
  products(xShape, kernelShape, yShape, g, (i, j, k) => {
    y[k]! += x[i]! * kernel[j]!;
  });
  return y;
}

export function backward(dy: Reals, x: Reals, kernel: Reals, s: Record<"dy" | "x" | "kernel", Shape>, g: Geometry) {
  const dx = new Float64Array(x.length);
  const dkernel = new Float64Array(kernel.length);
  products(s.x, s.kernel, s.dy, g, (i, j, k) => {
    dx[i]! += dy[k]! * kernel[j]!;
    dkernel[j]! += dy[k]! * x[i]!;
  });
  return [dx, dkernel];
}

export const geometry = (partial: Partial<Geometry> = {}): Geometry => ({
  strides: [1, 1],
  dilation: [1, 1],
  groups: 1,
  pads: [0, 0, 0, 0],
  ...partial,
});
