// Convolutions of 3×3, stride 1, by Winograd's F(2×2, 3×3) (Lavin & Gray 2015): 16 products where there were 36.
//
//      d ┌──┬──┬──┬──┐            ┌──┬──┐ Y      Y = Aᵀ·[ (G·g·Gᵀ) ∘ (Bᵀ·d·B) ]·A
//        ├──┼──┼──┼──┤     g      ├──┼──┤                └── U ──┘   └── V ──┘
//        ├──┼──┼──┼──┤    3×3     └──┴──┘
//        ├──┼──┼──┼──┤                           U and V have 16 numbers each; their products are M
//        └──┴──┴──┴──┘
//   tiles of 4×4 pixels,   2×2 pixels each
//   two apart
//            ⎡1  0 −1  0⎤        ⎡1  0  0⎤
//       Bᵀ = ⎢0  1  1  0⎥    G = ⎢½  ½  ½⎥    Aᵀ = ⎡1  1  1  0⎤
//            ⎢0 −1  1  0⎥        ⎢½ −½  ½⎥         ⎣0  1 −1  1⎦
//            ⎣0 −1  0  1⎦        ⎣0  0  1⎦
//
// F(4×4, 3×3) is the same with tiles of 6×6 and 4×4 pixels: 36 products where there were 144, and larger errors, for its
// matrices have larger numbers (winograd4.micro.ts). `side` is 2 or 4.
//
// Over all tiles and channels M is 16 (36) matrix products, V (tiles, inC) · U (inC, outC), one a place in the tile. A block
// of tiles is done at a time, as many as leave V and M in L2:
//
//   forward    V, M, then Y and on it what follows a convolution: y = relu(Y + bias), or with a 2×2 max pool behind it
//              (its windows are the tiles, or four to a tile; a last odd row and column have none) y = relu(max Y + bias)
//              and the place of the largest
//   backward   the adjoint of each step, on the same tiles: M̂ = A·dY·Aᵀ once for both gradients,
//              dU += Vᵀ·M̂  and  dg = Gᵀ·dU·G;      dV = M̂·Uᵀ, where V was, and  dx += B·dV·Bᵀ, for tiles overlap
//
// Pixels outside of x are 0: a tile at the border is copied into a patch of its own first. Pixels outside of y are
// written to, and read from, lines that nobody else reads, and that are 0.
//
// Each element of M, dV and dU is one chain, over channels or over a chunk's tiles; tiles are added to dx in their order,
// and partials of dU in that of the chunks, which are whole images and whose number depends on shapes alone. So neither
// blocks nor the number of workers change a bit.

import {
  Tiling,
  WINOGRAD_LINE,
  WinogradBackward,
  WinogradForward,
  WinogradKernel,
  WinogradKernelBackward,
} from "../isa";
import { ceilDiv, pointer, share, size } from "../operands";
import { strip } from "./gemm";
import {
  clear,
  inputTile,
  inputTileBackward,
  kernelTile,
  kernelTileBackward,
  kernelTileScaled,
  move,
  outputTile,
  outputTileBackward,
  outputTilePooled,
  outputTilePooledBackward,
  PLANE,
} from "./winograd.micro";
import {
  inputTile4,
  inputTileBackward4,
  kernelTile4,
  kernelTileBackward4,
  outputTile4,
  outputTileBackward4,
  outputTilePooled4,
  outputTilePooledBackward4,
  PLANE4,
} from "./winograd4.micro";

/** Numbers of a tile. */
function places(side: usize): usize {
  return (side + 2) * (side + 2);
}

/** Bytes between the planes of V, and of M. */
function planeOf(side: usize): usize {
  return side == 4 ? PLANE4 : PLANE;
}

/** Bytes between the planes of u, or of a partial of dU: (depth, columns, rounded up to 8) and a line. */
function packedPlane(depth: usize, columns: usize): usize {
  return depth * (ceilDiv(columns, 8) << 5) + WINOGRAD_LINE;
}

/** The instruction: see WinogradKernel (isa.ts). */
export function winogradKernel(args: usize, ith: u32, nth: u32): void {
  const inC = size(args, WinogradKernel.inC);
  const outC = size(args, WinogradKernel.outC);
  const four = size(args, WinogradKernel.side) == 4;
  const transposed = size(args, WinogradKernel.transposed) != 0;
  const scale = pointer(args, WinogradKernel.scale);
  const depth = transposed ? outC : inC;
  const columns = transposed ? inC : outC;
  const depthStep: usize = transposed ? 4 : outC << 2;
  const columnStep: usize = transposed ? outC << 2 : 4;
  const plane = packedPlane(depth, columns);
  const tap = inC * (outC << 2);
  const strips = ceilDiv(columns, 8);
  const end = share(strips, ith + 1, nth);
  for (let s = share(strips, ith, nth); s < end; s++) {
    let u = pointer(args, WinogradKernel.u) + s * (depth << 5);
    let g = pointer(args, WinogradKernel.kernel) + s * (columnStep << 3);
    const whole = columns - (s << 3) >= 8;
    for (let p: usize = 0; p < depth; p++) {
      // four columns; of a last strip the other four are 0
      for (let i: usize = 0; i < 32; i += 16) {
        const from = g + i * (columnStep >> 2);
        if (i != 0 && !whole)
          for (let q: usize = 0; q < places(size(args, WinogradKernel.side)); q++)
            v128.store(u + i + q * plane, f32x4.splat(0));
        else {
          const by = scale ? scale + (s << 5) + i : 0;
          if (four) kernelTile4(u + i, plane, from, tap, columnStep, by);
          else if (scale) kernelTileScaled(u + i, plane, from, tap, columnStep, by);
          else kernelTile(u + i, plane, from, tap, columnStep);
        }
      }
      u += 32;
      g += depthStep;
    }
  }
}

/** The instruction: see WinogradKernelBackward (isa.ts). */
export function winogradKernelBackward(args: usize, ith: u32, nth: u32): void {
  const inC = size(args, WinogradKernelBackward.inC);
  const outC = size(args, WinogradKernelBackward.outC);
  const plane = packedPlane(inC, outC);
  const side = size(args, WinogradKernelBackward.side);
  const chunks = size(args, WinogradKernelBackward.chunks);
  const partial = plane * places(side);
  const tap = inC * (outC << 2);
  const row = ceilDiv(outC, 8) << 5;
  const end = share(inC, ith + 1, nth);
  for (let c = share(inC, ith, nth); c < end; c++) {
    const du = pointer(args, WinogradKernelBackward.partials) + c * row;
    const dg = pointer(args, WinogradKernelBackward.dkernel) + c * (outC << 2);
    for (let o: usize = 0; o < outC << 2; o += 16)
      if (side == 4) kernelTileBackward4(dg + o, tap, du + o, plane, partial, chunks);
      else kernelTileBackward(dg + o, tap, du + o, plane, partial, chunks);
  }
}

// A thread's workspace: a line of zeros and one to be written to, of the wider side's channels; a patch; the planes of V,
// the planes of M.

function lineBytes(tiling: usize): usize {
  return ((max(size(tiling, Tiling.inC), size(tiling, Tiling.outC)) + 7) & ~7) << 2;
}

/** A tile's pixels of an image, from row `top` and column `left` on, to a patch, or back; those outside are 0, or dropped. */
function copyPatch(patch: usize, image: usize, top: isize, left: isize, tiling: usize, back: bool): void {
  const bytes = size(tiling, Tiling.inC) << 2;
  const inH = <isize>size(tiling, Tiling.inH);
  const inW = <isize>size(tiling, Tiling.inW);
  const width = <isize>size(tiling, Tiling.side) + 2;
  const from = max<isize>(0, -left);
  const to = max(from, min<isize>(width, inW - left));
  const run = <usize>(to - from) * bytes;
  for (let i: isize = 0; i < width; i++) {
    const y = top + i;
    const inside = y >= 0 && y < inH;
    const pixels = image + <usize>(y * inW + left + from) * bytes;
    const line = patch + <usize>(i * width) * bytes;
    const at = line + <usize>from * bytes;
    if (back) {
      if (inside) move(pixels, at, run);
      continue;
    }
    if (inside) move(at, pixels, run);
    else clear(at, run);
    clear(line, at - line);
    clear(at + run, <usize>(width - to) * bytes);
  }
}

/**
 * The planes of V of `count` tiles from `tile` on; or, `back`, dx += what the planes of dV make. In that an image begins
 * with its first tile: it is 0 before.
 */
function inputTiles(x: usize, v: usize, patch: usize, tile: usize, count: usize, tiling: usize, back: bool): void {
  const tilesH = size(tiling, Tiling.tilesH);
  const tilesW = size(tiling, Tiling.tilesW);
  const inH = <isize>size(tiling, Tiling.inH);
  const inW = <isize>size(tiling, Tiling.inW);
  const side = <isize>size(tiling, Tiling.side);
  const four = side == 4;
  const bytes = size(tiling, Tiling.inC) << 2;
  const vBytes = back ? (bytes + 31) & ~31 : bytes;
  const line = <usize>inW * bytes;
  const imageBytes = <usize>inH * line;
  const row = tile / tilesW;
  let tx = tile % tilesW;
  let ty = row % tilesH;
  let image = x + (row / tilesH) * imageBytes;
  for (; count != 0; count--) {
    const top = <isize>ty * side - <isize>size(tiling, Tiling.padTop);
    const left = <isize>tx * side - <isize>size(tiling, Tiling.padLeft);
    if (back && (tx | ty) == 0) memory.fill(image, 0, imageBytes);
    const inside = top >= 0 && left >= 0 && top + side + 2 <= inH && left + side + 2 <= inW;
    const at = inside ? image + <usize>(top * inW + left) * bytes : patch;
    const step = inside ? line : <usize>(side + 2) * bytes;
    if (!inside) copyPatch(patch, image, top, left, tiling, false);
    if (back) {
      if (four) inputTileBackward4(at, v, bytes, step);
      else inputTileBackward(at, v, bytes, step);
      if (!inside) copyPatch(patch, image, top, left, tiling, true);
    } else if (four) inputTile4(v, at, bytes, step);
    else inputTile(v, at, bytes, step);
    v += vBytes;
    if (++tx == tilesW) {
      tx = 0;
      if (++ty == tilesH) {
        ty = 0;
        image += imageBytes;
      }
    }
  }
}

/** The same between y and the planes of M. Pixels past y's last row and column are `nowhere`. */
function outputTiles(
  y: usize,
  index: usize,
  m: usize,
  bias: usize,
  least: f32,
  nowhere: usize,
  tile: usize,
  count: usize,
  tiling: usize,
  back: bool,
): void {
  const outC = size(tiling, Tiling.outC);
  const bytes = outC << 2;
  const mBytes = (bytes + 31) & ~31;
  const four = size(tiling, Tiling.side) == 4;
  const pooled = size(tiling, Tiling.pooled);
  // y's, and a tile's of it
  const height = size(tiling, Tiling.outH) >> pooled;
  const width = size(tiling, Tiling.outW) >> pooled;
  const each = size(tiling, Tiling.side) >> pooled;
  const tilesH = size(tiling, Tiling.tilesH);
  const tilesW = size(tiling, Tiling.tilesW);
  const line = width * bytes;
  // where nobody asks for an index, it goes nowhere
  const indexStep = index ? outC : 0;
  const indexLine = width * indexStep;
  if (!index) index = nowhere;
  const row = tile / tilesW;
  let tx = tile % tilesW;
  let ty = row % tilesH;
  const first = (row / tilesH) * height + ty * each;
  y += first * line;
  index += first * indexLine;
  for (; count != 0; count--) {
    const rows = min(each, height - ty * each);
    const columns = min(each, width - tx * each);
    const at = y + tx * each * bytes;
    const place = index + tx * each * indexStep;
    if (four) {
      if (pooled) {
        if (back) outputTilePooledBackward4(m, at, line, place, indexLine, indexStep, rows, columns, bytes);
        else outputTilePooled4(m, at, line, place, indexLine, indexStep, rows, columns, bias, bytes, least);
      } else if (back) outputTileBackward4(m, at, line, rows, columns, bytes);
      else outputTile4(m, at, line, rows, columns, bias, bytes, least);
    } else if (pooled) {
      if (back) outputTilePooledBackward(m, at, place, bytes);
      else outputTilePooled(m, at, place, bias, bytes, least);
    } else {
      const y01 = columns == 2 ? at + bytes : nowhere;
      const y10 = rows == 2 ? at + line : nowhere;
      const y11 = rows == 2 && columns == 2 ? y10 + bytes : nowhere;
      if (back) outputTileBackward(m, at, y01, y10, y11, bytes);
      else outputTile(m, at, y01, y10, y11, bias, bytes, least);
    }
    m += mBytes;
    if (++tx == tilesW) {
      tx = 0;
      y += rows * line;
      index += rows * indexLine;
      if (++ty == tilesH) ty = 0;
    }
  }
}

/** The products of planes, c (tiles, columns) = a (tiles, depth) · u, where columns are filled up to 8. */
function products(
  c: usize,
  a: usize,
  aRow: usize,
  u: usize,
  tiles: usize,
  depth: usize,
  columns: usize,
  side: usize,
): void {
  const plane = packedPlane(depth, columns);
  const cRow = ceilDiv(columns, 8) << 5;
  for (let i: usize = 0; i < places(side); i++) {
    let b = u;
    for (let j: usize = 0; j < cRow; j += 32) {
      strip(tiles, 8, depth, a, aRow, 4, false, b, 32, c + j, cRow, 0, false);
      b += depth << 5;
    }
    u += plane;
    a += planeOf(side);
    c += planeOf(side);
  }
}

/** The instruction: see WinogradForward (isa.ts). */
export function winogradForward(args: usize, ith: u32, nth: u32): void {
  const tiling = args + ((<usize>WinogradForward.tiling) << 2);
  const inC = size(tiling, Tiling.inC);
  const outC = size(tiling, Tiling.outC);
  const index = pointer(args, WinogradForward.index);
  const x = pointer(args, WinogradForward.x);
  const y = pointer(args, WinogradForward.y);
  const zeros = pointer(args, WinogradForward.workspace) + <usize>ith * size(tiling, Tiling.workspaceBytes);
  const nowhere = zeros + lineBytes(tiling);
  const patch = nowhere + lineBytes(tiling);
  const side = size(tiling, Tiling.side);
  const v = patch + ((places(side) * inC) << 2);
  const m = v + places(side) * planeOf(side);
  const bias = pointer(args, WinogradForward.bias);
  const least: f32 = size(args, WinogradForward.relu) ? 0 : -Infinity;
  memory.fill(zeros, 0, lineBytes(tiling));

  const tiles = size(tiling, Tiling.batch) * size(tiling, Tiling.tilesH) * size(tiling, Tiling.tilesW);
  const from = share(tiles, ith, nth);
  const count = share(tiles, ith + 1, nth) - from;
  const blocks = ceilDiv(count, size(tiling, Tiling.blockTiles));
  for (let i: usize = 0; i < blocks; i++) {
    const tile = from + (i * count) / blocks;
    const some = from + ((i + 1) * count) / blocks - tile;
    inputTiles(x, v, patch, tile, some, tiling, false);
    products(m, v, inC << 2, pointer(args, WinogradForward.u), some, inC, outC, side);
    outputTiles(y, index, m, bias ? bias : zeros, least, nowhere, tile, some, tiling, false);
  }
}

/** dU of a chunk += Vᵀ·M̂ of a block; = where it is the first one. */
function kernelProducts(du: usize, v: usize, m: usize, tiles: usize, tiling: usize, from: bool): void {
  const side = size(tiling, Tiling.side);
  const inC = size(tiling, Tiling.inC);
  const outC = size(tiling, Tiling.outC);
  const row = ceilDiv(outC, 8) << 5;
  const plane = packedPlane(inC, outC);
  for (let i: usize = 0; i < places(side); i++) {
    for (let j: usize = 0; j < row; j += 32)
      strip(inC, 8, tiles, v, 4, inC << 2, false, m + j, row, du + j, row, 0, from);
    du += plane;
    v += planeOf(side);
    m += planeOf(side);
  }
}

/** The instruction: see WinogradBackward (isa.ts). */
export function winogradBackward(args: usize, ith: u32, nth: u32): void {
  const tiling = args + ((<usize>WinogradBackward.tiling) << 2);
  const batch = size(tiling, Tiling.batch);
  const inC = size(tiling, Tiling.inC);
  const outC = size(tiling, Tiling.outC);
  const dx = pointer(args, WinogradBackward.dx);
  const partials = pointer(args, WinogradBackward.partials);
  const dy = pointer(args, WinogradBackward.dy);
  const index = pointer(args, WinogradBackward.index);
  const x = pointer(args, WinogradBackward.x);
  const zeros = pointer(args, WinogradBackward.workspace) + <usize>ith * size(tiling, Tiling.workspaceBytes);
  const patch = zeros + lineBytes(tiling) * 2;
  const side = size(tiling, Tiling.side);
  const v = patch + ((places(side) * inC) << 2);
  const m = v + places(side) * planeOf(side);
  memory.fill(zeros, 0, lineBytes(tiling));

  const imageTiles = size(tiling, Tiling.tilesH) * size(tiling, Tiling.tilesW);
  const chunks = size(args, WinogradBackward.chunks);
  const first = size(args, WinogradBackward.firstChunk);
  const some = size(args, WinogradBackward.chunkCount);
  const end = first + share(some, ith + 1, nth);
  for (let chunk = first + share(some, ith, nth); chunk < end; chunk++) {
    const from = ((chunk * batch) / chunks) * imageTiles;
    const count = (((chunk + 1) * batch) / chunks) * imageTiles - from;
    const blocks = ceilDiv(count, size(tiling, Tiling.blockTiles));
    const du = partials + chunk * places(side) * packedPlane(inC, outC);
    for (let i: usize = 0; i < blocks; i++) {
      const tile = from + (i * count) / blocks;
      const these = from + ((i + 1) * count) / blocks - tile;
      outputTiles(dy, index, m, 0, 0, zeros, tile, these, tiling, true);
      if (partials) {
        inputTiles(x, v, patch, tile, these, tiling, false);
        kernelProducts(du, v, m, these, tiling, i != 0);
      }
      if (dx) {
        products(v, m, (outC * 4 + 31) & ~31, pointer(args, WinogradBackward.u), these, outC, inC, side);
        inputTiles(dx, v, patch, tile, these, tiling, true);
      }
    }
  }
}
