// The gradient of a tie c·½‖h‖², h = a − b, in a training step:
//
//   dh = share · min(c, 1/(movers·ε)) · h        ε the learning rate; movers: how many sides of ties the two are, so that
//                                                 at 1/(movers·ε) a step of gradient descent goes no further than to h = 0
//
// Split over elements.

import { State, TieBackward } from "../isa";
import { load4, store4 } from "../math/lanes.micro";
import { pointer, real, shareOf, size, stateReal } from "../operands";

export function tieBackward(args: usize, ith: u32, nth: u32): void {
  const n = size(args, TieBackward.n);
  const dh = pointer(args, TieBackward.dh);
  const h = pointer(args, TieBackward.h);
  const most: f32 = 1 / (<f32>size(args, TieBackward.movers) * stateReal(args, State.learningRate));
  const c = f32x4.splat(real(args, TieBackward.share) * min(real(args, TieBackward.coefficient), most));
  const end = shareOf(n, 16, ith + 1, nth) << 2;
  for (let i = shareOf(n, 16, ith, nth) << 2; i < end; i += 16)
    store4(dh + i, f32x4.mul(c, load4(h + i, end - i)), end - i);
}
