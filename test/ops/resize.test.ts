import type { Shape } from "../../ts/graph/graph";
import * as ops from "../../ts/ops/resize";
import { checkCoverage, checkOp } from "../support/checkOp";

/** Calls `visit` with an element of y, one of x and its weight. */
function weights(
  [n, h, w, c]: Shape,
  [sh, sw]: ops.Enlarging["scale"],
  visit: (y: number, x: number, w: number) => void,
) {
  const along = (o: number, scale: number, size: number): [number, number][] => {
    const at = Math.min(Math.max((o + 0.5) / scale - 0.5, 0), size - 1);
    const first = Math.floor(at);
    return [
      [first, 1 - (at - first)],
      [Math.min(first + 1, size - 1), at - first],
    ];
  };
  for (let image = 0; image < n!; image++)
    for (let oy = 0; oy < h! * sh; oy++)
      for (let ox = 0; ox < w! * sw; ox++)
        for (const [iy, wy] of along(oy, sh, h!))
          for (const [ix, wx] of along(ox, sw, w!))
            for (let k = 0; k < c!; k++)
              visit(((image * h! * sh + oy) * w! * sw + ox) * c! + k, ((image * h! + iy) * w! + ix) * c! + k, wy * wx);
}

const CASES: [Shape, [number, number]][] = [
  [
    [1, 1, 1, 1],
    [2, 3],
  ],
  [
    [2, 3, 4, 3],
    [2, 2],
  ],
  [
    [1, 5, 2, 8],
    [3, 1],
  ],
  [
    [3, 4, 3, 21],
    [4, 5],
  ],
  [
    [2, 2, 6, 16],
    [1, 1],
  ],
];
for (const [x, scale] of CASES) {
  const y = [x[0]!, x[1]! * scale[0], x[2]! * scale[1], x[3]!];
  checkOp(ops.bilinear, {
    title: `by ${scale}`,
    attributes: { scale },
    cases: [{ x }],
    shapes: () => [y],
    reference(t) {
      const sums = new Float64Array(y.reduce((a, b) => a * b));
      weights(x, scale, (to, from, w) => {
        sums[to]! += t.x[from]! * w;
      });
      return sums;
    },
    wrong: [[{ x: [2, 3, 4] }, /expected input of shape \[n, h, w, c\], got \[2, 3, 4\]/]],
  });
  checkOp(ops.bilinearBackward, {
    title: `by ${scale}`,
    attributes: { scale },
    cases: [{ dy: y }],
    shapes: () => [[...x]],
    reference(t) {
      const sums = new Float64Array(x.reduce((a, b) => a * b));
      weights(x, scale, (from, to, w) => {
        sums[to]! += t.dy[from]! * w;
      });
      return sums;
    },
  });
}
checkCoverage(ops);
