// Blocks of rows of y, and what of x their patches are made of: all of a block's patches are read where they lie, by a table
// of where each pixel's begins.
//
//   x, or where zeros stand round the image a copy of the rows that the block needs, zeros at their ends: the band
//
//   ┌─────────────────┐   row kh of a pixel's patch lies kh·dilationH rows below its first; where columns are not dilated and
//   │0  ▓▓▓ · ·      0│   there is one group it is kernelW·inC floats that follow one another
//   │0  ▓▓▓ · ·      0│
//   │0  ▓▓▓ · ·      0│   Rows of y that are neighbours in an image share the rows of x that they have in common.
//   └─────────────────┘

import { Convolution } from "../isa";
import { pointer, size } from "../operands";

/** Rows of x that a window reaches over. */
function reachH(args: usize): usize {
  return (size(args, Convolution.kernelH) - 1) * size(args, Convolution.dilationH) + 1;
}

/** Bytes of a row of x that the windows of so many neighbouring pixels reach, padding included. */
export function bandBytes(args: usize, pixels: usize): usize {
  const across =
    (pixels - 1) * size(args, Convolution.strideW) +
    (size(args, Convolution.kernelW) - 1) * size(args, Convolution.dilationW);
  return ((across + 1) * size(args, Convolution.inC)) << 2;
}

/** Bytes of a row of an image. */
function imageRowBytes(args: usize): usize {
  return (size(args, Convolution.inW) * size(args, Convolution.inC)) << 2;
}

/** Whether some window reaches past the image. */
export function isPadded(args: usize): bool {
  const down = (size(args, Convolution.outH) - 1) * size(args, Convolution.strideH) + reachH(args);
  return (
    (size(args, Convolution.padTop) | size(args, Convolution.padLeft)) != 0 ||
    down > size(args, Convolution.inH) ||
    bandBytes(args, size(args, Convolution.outW)) > imageRowBytes(args)
  );
}

/** Bytes from a row of a patch to its next one, where blocks are so many pixels wide. */
export function patchRowBytes(args: usize, width: usize): usize {
  return size(args, Convolution.dilationH) * (isPadded(args) ? bandBytes(args, width) : imageRowBytes(args));
}

/** Rows iy … iy + count − 1 of an image, from column ix on, to rows of `bytes`, with what stands round them. */
function copyRows(args: usize, band: usize, bytes: usize, image: usize, iy: isize, ix: isize, count: usize): void {
  const pixel = size(args, Convolution.inC) << 2;
  const imageRow = imageRowBytes(args);
  const left = min(<usize>max<isize>(0, -ix) * pixel, bytes);
  const from = min(<usize>max<isize>(0, ix) * pixel, imageRow);
  const inside = min(imageRow - from, bytes - left);
  for (; count != 0; count--) {
    if (iy < 0 || iy >= <isize>size(args, Convolution.inH)) memory.fill(band, 0, bytes);
    else {
      memory.fill(band, 0, left);
      memory.copy(band + left, image + <usize>iy * imageRow + from, inside);
      memory.fill(band + left + inside, 0, bytes - left - inside);
    }
    band += bytes;
    iy++;
  }
}

/**
 * Table and band of the pixels of rows `from` … `to` − 1 of y, counted over all images, and columns `ox` … `end` − 1, no more
 * than `width`. The table has the places of their patches, in bytes from what this returns.
 */
export function fillBlock(
  args: usize,
  from: usize,
  to: usize,
  ox: usize,
  end: usize,
  width: usize,
  table: usize,
  band: usize,
): usize {
  const outH = size(args, Convolution.outH);
  const strideH = size(args, Convolution.strideH);
  const strideW = size(args, Convolution.strideW);
  const step = (strideW * size(args, Convolution.inC)) << 2;
  const reach = reachH(args);
  const imageRow = imageRowBytes(args);
  const imageBytes = size(args, Convolution.inH) * imageRow;
  const x = pointer(args, Convolution.x);
  const padded = isPadded(args);
  const base = padded ? band : x + (from / outH) * imageBytes;
  const bytes = bandBytes(args, width);
  const ix = <isize>(ox * strideW) - <isize>size(args, Convolution.padLeft);
  let at: usize = 0; // where the patch of the row's first pixel begins
  let filled: usize = 0; // so far of the band
  for (let row = from; row < to; row++) {
    const image = x + (row / outH) * imageBytes;
    const top = (row % outH) * strideH;
    if (!padded) at = image + top * imageRow + ox * step - base;
    else {
      at = row == from || row % outH == 0 || strideH >= reach ? filled : at + strideH * bytes;
      const there = (filled - at) / bytes;
      const iy = <isize>(top + there) - <isize>size(args, Convolution.padTop);
      copyRows(args, band + filled, bytes, image, iy, ix, reach - there);
      filled = at + reach * bytes;
    }
    let place = at;
    for (let i = ox; i < end; i++) {
      store<usize>(table, place);
      table += 4;
      place += step;
    }
  }
  return base;
}
