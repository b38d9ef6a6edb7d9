// A tie c·½‖h‖², h = a − b, in a training step. ε is the learning rate; movers: how many sides of ties the two layers are. While
// movers·ε·c ≤ 1 gradient descent goes no further than to h = 0, and the tie is in the gradient. A larger c would overshoot: the
// tie is then a proximal (implicit) step behind the optimizer's, and not in the gradient:
//
//   tieBackward  dh = share · c · h                            or 0
//   tieStep      h ← h/(1 + n·ε·c): a ← a − k·h, b ← b + k·h   or nothing; k = ε·c/(1 + n·ε·c); n counts those of a and b that move
//                                                              (are not frozen, no constant)
//
// Split over elements.

import { Segment, State, TieBackward, TieStep } from "../isa";
import { load4, store4 } from "../math/lanes.micro";
import { pointer, real, shareOf, size, stateReal } from "../operands";

/** Whether the tie is in the gradient. */
function isGentle(c: f32, movers: usize, rate: f32): bool {
  return <f32>movers * rate * c <= 1;
}

export function tieBackward(args: usize, ith: u32, nth: u32): void {
  const n = size(args, TieBackward.n);
  const dh = pointer(args, TieBackward.dh);
  const h = pointer(args, TieBackward.h);
  const c = real(args, TieBackward.coefficient);
  const gentle = isGentle(c, size(args, TieBackward.movers), stateReal(args, State.learningRate));
  const factor = f32x4.splat(gentle ? real(args, TieBackward.share) * c : 0);
  const end = shareOf(n, 16, ith + 1, nth) << 2;
  for (let i = shareOf(n, 16, ith, nth) << 2; i < end; i += 16)
    store4(dh + i, f32x4.mul(factor, load4(h + i, end - i)), end - i);
}

/** Whether a parameter of that segment moves; none: a constant. */
function moves(segment: usize): bool {
  return segment != 0 && load<u32>(segment, Segment.frozen << 2) == 0;
}

export function tieStep(args: usize, ith: u32, nth: u32): void {
  const n = size(args, TieStep.n);
  const a = pointer(args, TieStep.a);
  const b = pointer(args, TieStep.b);
  const movesA = moves(pointer(args, TieStep.segmentA));
  const movesB = moves(pointer(args, TieStep.segmentB));
  const c = real(args, TieStep.coefficient);
  const rate = stateReal(args, State.learningRate);
  if (isGentle(c, size(args, TieStep.movers), rate)) return;
  const k = f32x4.splat((rate * c) / (1 + rate * c * (<f32>movesA + <f32>movesB)));
  const end = shareOf(n, 16, ith + 1, nth) << 2;
  for (let i = shareOf(n, 16, ith, nth) << 2; i < end; i += 16) {
    const va = load4(a + i, end - i);
    const vb = load4(b + i, end - i);
    const d = f32x4.mul(k, f32x4.sub(va, vb));
    if (movesA) store4(a + i, f32x4.sub(va, d), end - i);
    if (movesB) store4(b + i, f32x4.add(vb, d), end - i);
  }
}
