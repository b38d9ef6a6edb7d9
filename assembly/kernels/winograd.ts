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
// Over all tiles and channels M is 16 matrix products, V (tiles, inC) · U (inC, outC), one a place in the tile. A block of
// tiles is done at a time, as many as leave V and M in L2:
//
//   forward    V, M, then Y and on it what follows a convolution: y = relu(Y + bias), or of a 2×2 max pool, whose windows
//              are the tiles (a last odd row and column have none), y = relu(max Y + bias) and the place of the largest
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
  inputTile,
  inputTileBackward,
  kernelTile,
  kernelTileBackward,
  outputTile,
  outputTileBackward,
  outputTilePooled,
  outputTilePooledBackward,
  PLANE,
} from "./winograd.micro";

/** Bytes between the planes of u, or of a partial of dU: (depth, columns, rounded up to 8) and a line. */
function planeOf(depth: usize, columns: usize): usize {
  return depth * (ceilDiv(columns, 8) << 5) + WINOGRAD_LINE;
}

/** The instruction: see WinogradKernel (isa.ts). */
export function winogradKernel(args: usize, ith: u32, nth: u32): void {
  const inC = size(args, WinogradKernel.inC);
  const outC = size(args, WinogradKernel.outC);
  const transposed = size(args, WinogradKernel.transposed) != 0;
  const depth = transposed ? outC : inC;
  const columns = transposed ? inC : outC;
  const depthStep: usize = transposed ? 4 : outC << 2;
  const columnStep: usize = transposed ? outC << 2 : 4;
  const plane = planeOf(depth, columns);
  const tap = inC * (outC << 2);
  const strips = ceilDiv(columns, 8);
  const end = share(strips, ith + 1, nth);
  for (let s = share(strips, ith, nth); s < end; s++) {
    let u = pointer(args, WinogradKernel.u) + s * (depth << 5);
    let g = pointer(args, WinogradKernel.kernel) + s * (columnStep << 3);
    const whole = columns - (s << 3) >= 8;
    for (let p: usize = 0; p < depth; p++) {
      kernelTile(u, plane, g, tap, columnStep);
      if (whole) kernelTile(u + 16, plane, g + (columnStep << 2), tap, columnStep);
      else for (let i: usize = 0; i < 16; i++) v128.store(u + 16 + i * plane, f32x4.splat(0));
      u += 32;
      g += depthStep;
    }
  }
}

/** The instruction: see WinogradKernelBackward (isa.ts). */
export function winogradKernelBackward(args: usize, ith: u32, nth: u32): void {
  const inC = size(args, WinogradKernelBackward.inC);
  const outC = size(args, WinogradKernelBackward.outC);
  const plane = planeOf(inC, outC);
  const row = ceilDiv(outC, 8) << 5;
  const end = share(inC, ith + 1, nth);
  for (let c = share(inC, ith, nth); c < end; c++) {
    const du = pointer(args, WinogradKernelBackward.partials) + c * row;
    const dg = pointer(args, WinogradKernelBackward.dkernel) + c * (outC << 2);
    for (let o: usize = 0; o < outC << 2; o += 16)
      kernelTileBackward(
        dg + o,
        inC * (outC << 2),
        du + o,
        plane,
        plane << 4,
        size(args, WinogradKernelBackward.chunks),
      );
  }
}

// A thread's workspace: a line of zeros and one to be written to, of the wider side's channels; a patch; the planes of V,
// the planes of M.

function lineBytes(tiling: usize): usize {
  return ((max(size(tiling, Tiling.inC), size(tiling, Tiling.outC)) + 7) & ~7) << 2;
}

/** Pixels (rows, columns) of an image at `image` to and from a patch of 4×4; those outside are 0, or dropped. */
function copyPatch(patch: usize, image: usize, top: isize, left: isize, tiling: usize, back: bool): void {
  const bytes = size(tiling, Tiling.inC) << 2;
  const inH = <isize>size(tiling, Tiling.inH);
  const inW = <isize>size(tiling, Tiling.inW);
  const from = max<isize>(0, -left);
  const to = min<isize>(4, inW - left);
  if (!back) memory.fill(patch, 0, bytes << 4);
  if (to <= from) return;
  const run = <usize>(to - from) * bytes;
  for (let y = max<isize>(0, -top); y < min<isize>(4, inH - top); y++) {
    const inside = image + <usize>((top + y) * inW + left + from) * bytes;
    const line = patch + <usize>(y * 4 + from) * bytes;
    memory.copy(back ? inside : line, back ? line : inside, run);
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
  const bytes = size(tiling, Tiling.inC) << 2;
  const vBytes = back ? (bytes + 31) & ~31 : bytes;
  const line = <usize>inW * bytes;
  const imageBytes = <usize>inH * line;
  const row = tile / tilesW;
  let tx = tile % tilesW;
  let ty = row % tilesH;
  let image = x + (row / tilesH) * imageBytes;
  for (; count != 0; count--) {
    const top = <isize>(ty << 1) - <isize>size(tiling, Tiling.padTop);
    const left = <isize>(tx << 1) - <isize>size(tiling, Tiling.padLeft);
    if (back && (tx | ty) == 0) memory.fill(image, 0, imageBytes);
    if (top >= 0 && left >= 0 && top + 4 <= inH && left + 4 <= inW) {
      const at = image + <usize>(top * inW + left) * bytes;
      if (back) inputTileBackward(at, v, bytes, line);
      else inputTile(v, at, bytes, line);
    } else {
      copyPatch(patch, image, top, left, tiling, false);
      if (back) {
        inputTileBackward(patch, v, bytes, bytes << 2);
        copyPatch(patch, image, top, left, tiling, true);
      } else inputTile(v, patch, bytes, bytes << 2);
    }
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
  if (size(tiling, Tiling.pooled)) {
    y += tile * bytes;
    // where nobody asks for it, it goes nowhere
    const indexStep = index ? outC : 0;
    index = index ? index + tile * outC : nowhere;
    for (; count != 0; count--) {
      if (back) outputTilePooledBackward(m, y, index, bytes);
      else outputTilePooled(m, y, index, bias, bytes, least);
      m += mBytes;
      y += bytes;
      index += indexStep;
    }
    return;
  }
  const tilesH = size(tiling, Tiling.tilesH);
  const tilesW = size(tiling, Tiling.tilesW);
  const outH = size(tiling, Tiling.outH);
  const outW = size(tiling, Tiling.outW);
  const line = outW * bytes;
  const row = tile / tilesW;
  let tx = tile % tilesW;
  let ty = row % tilesH;
  y += ((row / tilesH) * outH + (ty << 1)) * line;
  for (; count != 0; count--) {
    const right = (tx << 1) + 1 < outW;
    const below = (ty << 1) + 1 < outH;
    const y00 = y + (tx << 1) * bytes;
    const y01 = right ? y00 + bytes : nowhere;
    const y10 = below ? y00 + line : nowhere;
    const y11 = right && below ? y10 + bytes : nowhere;
    if (back) outputTileBackward(m, y00, y01, y10, y11, bytes);
    else outputTile(m, y00, y01, y10, y11, bias, bytes, least);
    m += mBytes;
    if (++tx == tilesW) {
      tx = 0;
      y += below ? line << 1 : line;
      if (++ty == tilesH) ty = 0;
    }
  }
}

/** The 16 products of planes, c (tiles, columns) = a (tiles, depth) · u, where columns are filled up to 8. */
function products(c: usize, a: usize, aRow: usize, u: usize, tiles: usize, depth: usize, columns: usize): void {
  const plane = planeOf(depth, columns);
  const cRow = ceilDiv(columns, 8) << 5;
  for (let i: usize = 0; i < 16; i++) {
    let b = u;
    for (let j: usize = 0; j < cRow; j += 32) {
      strip(tiles, 8, depth, a, aRow, 4, false, b, 32, c + j, cRow, 0, false);
      b += depth << 5;
    }
    u += plane;
    a += PLANE;
    c += PLANE;
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
  const v = patch + (inC << 6);
  const m = v + (PLANE << 4);
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
    products(m, v, inC << 2, pointer(args, WinogradForward.u), some, inC, outC);
    outputTiles(y, index, m, bias ? bias : zeros, least, nowhere, tile, some, tiling, false);
  }
}

/** dU of a chunk += Vᵀ·M̂ of a block; = where it is the first one. */
function kernelProducts(du: usize, v: usize, m: usize, tiles: usize, inC: usize, outC: usize, from: bool): void {
  const row = ceilDiv(outC, 8) << 5;
  const plane = planeOf(inC, outC);
  for (let i: usize = 0; i < 16; i++) {
    for (let j: usize = 0; j < row; j += 32)
      strip(inC, 8, tiles, v, 4, inC << 2, false, m + j, row, du + j, row, 0, from);
    du += plane;
    v += PLANE;
    m += PLANE;
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
  const v = patch + (inC << 6);
  const m = v + (PLANE << 4);
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
    const du = partials + chunk * (planeOf(inC, outC) << 4);
    for (let i: usize = 0; i < blocks; i++) {
      const tile = from + (i * count) / blocks;
      const these = from + ((i + 1) * count) / blocks - tile;
      outputTiles(dy, index, m, 0, 0, zeros, tile, these, tiling, true);
      if (partials) {
        inputTiles(x, v, patch, tile, these, tiling, false);
        kernelProducts(du, v, m, these, inC, outC, i != 0);
      }
      if (dx) {
        products(v, m, (outC * 4 + 31) & ~31, pointer(args, WinogradBackward.u), these, outC, inC);
        inputTiles(dx, v, patch, tile, these, tiling, true);
      }
    }
  }
}
