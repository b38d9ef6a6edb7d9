// The cells of recurrent nets, forward beside backward. The formulas are PyTorch's; what a step saves is what its gradient
// reads. Split over rows: examples of the minibatch.
//
//   LSTM   i, f, o = σ(…), g = tanh(…)      c = f·c′ + i·g           h = o·tanh c
//   GRU    r, z = σ(…)                      n = tanh(… + r·q)        h = n + z·(h′ − n),  q = n's part of h′·R + bias
//
// Gates of one row stand side by side, i f g o or r z n. A row is in L1 while its gates are made, one kind at a time.

import { GruCell, GruCellBackward, LstmCell, LstmCellBackward } from "../isa";
import { tanh4 } from "../math/exp.micro";
import { load4, store4 } from "../math/lanes.micro";
import { pointer, share, size } from "../operands";
import { sigmoidBlock, tanhBlock } from "./activations";
import { given4, throughSigmoid4, throughTanh4 } from "./recurrent.micro";

/** gates → σ(i) σ(f) tanh(g) σ(o); c = f·cBefore + i·g; h = o·tanh c. */
export function lstmCell(args: usize, ith: u32, nth: u32): void {
  const h = pointer(args, LstmCell.h);
  const c = pointer(args, LstmCell.c);
  const gates = pointer(args, LstmCell.gates);
  const cBefore = pointer(args, LstmCell.cBefore);
  const rows = size(args, LstmCell.rows);
  const bytes = size(args, LstmCell.units) << 2;
  const to = share(rows, ith + 1, nth);
  for (let row = share(rows, ith, nth); row < to; row++) {
    const at = row * bytes;
    const i = gates + (at << 2);
    const f = i + bytes;
    const g = f + bytes;
    const o = g + bytes;
    sigmoidBlock(i, i, 0, bytes << 1, 0, 0);
    tanhBlock(g, g, 0, bytes, 0, 0);
    sigmoidBlock(o, o, 0, bytes, 0, 0);
    const now = c + (at << 1);
    for (let j: usize = 0; j < bytes; j += 16) {
      const left = bytes - j;
      const kept = f32x4.mul(load4(f + j, left), given4(cBefore, (at << 1) + j, left));
      store4(now + j, f32x4.add(kept, f32x4.mul(load4(i + j, left), load4(g + j, left))), left);
    }
    tanhBlock(now + bytes, now, 0, bytes, 0, 0);
    for (let j: usize = 0; j < bytes; j += 16) {
      const left = bytes - j;
      store4(h + at + j, f32x4.mul(load4(o + j, left), load4(now + bytes + j, left)), left);
    }
  }
}

/**
 * With dh the sum of both:   do = dh·tanh c   dc += dh·o·(1 − tanh² c)   di = dc·g   df = dc·cBefore   dg = dc·i, each through
 * its gate;   dc ← dc·f.
 */
export function lstmCellBackward(args: usize, ith: u32, nth: u32): void {
  const dgates = pointer(args, LstmCellBackward.dgates);
  const dc = pointer(args, LstmCellBackward.dc);
  const dy = pointer(args, LstmCellBackward.dy);
  const dh = pointer(args, LstmCellBackward.dh);
  const gates = pointer(args, LstmCellBackward.gates);
  const c = pointer(args, LstmCellBackward.c);
  const cBefore = pointer(args, LstmCellBackward.cBefore);
  const rows = size(args, LstmCellBackward.rows);
  const bytes = size(args, LstmCellBackward.units) << 2;
  const dcBehind: usize = size(args, LstmCellBackward.last) ? 0 : dc;
  const to = share(rows, ith + 1, nth);
  for (let row = share(rows, ith, nth); row < to; row++) {
    const at = row * bytes;
    for (let j: usize = 0; j < bytes; j += 16) {
      const left = bytes - j;
      const k = at + j;
      const p = gates + (at << 2) + j;
      const i = load4(p, left);
      const f = load4(p + bytes, left);
      const g = load4(p + (bytes << 1), left);
      const o = load4(p + bytes * 3, left);
      const d = f32x4.add(given4(dy, k, left), given4(dh, k, left));
      const t = load4(c + (at << 1) + bytes + j, left);
      const e = f32x4.add(given4(dcBehind, k, left), throughTanh4(f32x4.mul(d, o), t));
      const q = dgates + (at << 2) + j;
      store4(q, throughSigmoid4(f32x4.mul(e, g), i), left);
      store4(q + bytes, throughSigmoid4(f32x4.mul(e, given4(cBefore, k + at, left)), f), left);
      store4(q + (bytes << 1), throughTanh4(f32x4.mul(e, i), g), left);
      store4(q + bytes * 3, throughSigmoid4(f32x4.mul(d, t), o), left);
      store4(dc + k, f32x4.mul(e, f), left);
    }
  }
}

/** With q = recurrent + bias: gates → r = σ(r + q), z = σ(z + q), n = tanh(n + r·q); candidate = n's q; h = n + z·(hBefore − n). */
export function gruCell(args: usize, ith: u32, nth: u32): void {
  const h = pointer(args, GruCell.h);
  const candidate = pointer(args, GruCell.candidate);
  const gates = pointer(args, GruCell.gates);
  const recurrent = pointer(args, GruCell.recurrent);
  const bias = pointer(args, GruCell.bias);
  const hBefore = pointer(args, GruCell.hBefore);
  const rows = size(args, GruCell.rows);
  const bytes = size(args, GruCell.units) << 2;
  const both = bytes << 1;
  const to = share(rows, ith + 1, nth);
  for (let row = share(rows, ith, nth); row < to; row++) {
    const at = row * bytes;
    const r = gates + at * 3;
    const z = r + bytes;
    const n = z + bytes;
    for (let j: usize = 0; j < both; j += 16) {
      const left = both - j;
      const q = f32x4.add(given4(recurrent, at * 3 + j, left), given4(bias, j, left));
      store4(r + j, f32x4.add(load4(r + j, left), q), left);
    }
    sigmoidBlock(r, r, 0, both, 0, 0);
    for (let j: usize = 0; j < bytes; j += 16) {
      const left = bytes - j;
      const q = f32x4.add(given4(recurrent, at * 3 + both + j, left), given4(bias, both + j, left));
      const v = tanh4(f32x4.add(load4(n + j, left), f32x4.mul(load4(r + j, left), q)));
      const kept = f32x4.mul(load4(z + j, left), f32x4.sub(given4(hBefore, at + j, left), v));
      store4(candidate + at + j, q, left);
      store4(n + j, v, left);
      store4(h + at + j, f32x4.add(v, kept), left);
    }
  }
}

/**
 * With dh the sum of both:   dn = dh·(1 − z)   dz = dh·(hBefore − n)   dr = dn·q, each through its gate; q's own is n's
 * times r;   dhBefore = dh·z.
 */
export function gruCellBackward(args: usize, ith: u32, nth: u32): void {
  const dgates = pointer(args, GruCellBackward.dgates);
  const drecurrent = pointer(args, GruCellBackward.drecurrent);
  const dhBefore = pointer(args, GruCellBackward.dhBefore);
  const dy = pointer(args, GruCellBackward.dy);
  const dh = pointer(args, GruCellBackward.dh);
  const gates = pointer(args, GruCellBackward.gates);
  const candidate = pointer(args, GruCellBackward.candidate);
  const hBefore = pointer(args, GruCellBackward.hBefore);
  const rows = size(args, GruCellBackward.rows);
  const bytes = size(args, GruCellBackward.units) << 2;
  const one = f32x4.splat(1);
  const to = share(rows, ith + 1, nth);
  for (let row = share(rows, ith, nth); row < to; row++) {
    const at = row * bytes;
    for (let j: usize = 0; j < bytes; j += 16) {
      const left = bytes - j;
      const k = at + j;
      const p = at * 3 + j;
      const r = load4(gates + p, left);
      const z = load4(gates + p + bytes, left);
      const n = load4(gates + p + (bytes << 1), left);
      const d = f32x4.add(given4(dy, k, left), given4(dh, k, left));
      const dn = throughTanh4(f32x4.mul(d, f32x4.sub(one, z)), n);
      const dz = throughSigmoid4(f32x4.mul(d, f32x4.sub(given4(hBefore, k, left), n)), z);
      const dr = throughSigmoid4(f32x4.mul(dn, load4(candidate + k, left)), r);
      store4(dgates + p, dr, left);
      store4(dgates + p + bytes, dz, left);
      store4(dgates + p + (bytes << 1), dn, left);
      store4(drecurrent + p, dr, left);
      store4(drecurrent + p + bytes, dz, left);
      store4(drecurrent + p + (bytes << 1), f32x4.mul(dn, r), left);
      if (dhBefore) store4(dhBefore + k, f32x4.mul(d, z), left);
    }
  }
}
