// A 1×1 convolution of stride 1 is a product of matrices: of pixels and the kernel.

import { Epilogue, Op } from "../../assembly/isa";
import type { Operand, TapeWriter } from "../graph/tape";
import { gemmWorkspaceBytes } from "./gemmWorkspace";
import type { Sizes, Way } from "./geometry";
import { pieces, slabs } from "./pieces";
import { multiplyAdds } from "./work";

interface Product {
  m: number;
  n: number;
  k: number;
  transA?: boolean;
  transB?: boolean;
}

/** The three products of `images` images. */
const forward = ({ outH, outW, inC, outC }: Sizes, images: number): Product => ({
  m: images * outH * outW,
  n: outC,
  k: inC,
});
const toInput = ({ outH, outW, inC, outC }: Sizes, images: number): Product => ({
  m: images * outH * outW,
  n: inC,
  k: outC,
  transB: true,
});
const toKernel = ({ outH, outW, inC, outC }: Sizes, images: number): Product => ({
  m: inC,
  n: outC,
  k: images * outH * outW,
  transA: true,
});

const threadBytes = ({ m, n, k, transA, transB }: Product) => gemmWorkspaceBytes(m, n, k, transA, transB);

/** How many images each piece has. */
const cut = (s: Sizes) => pieces(s.batch, s.outH * s.outW * s.inC * s.outC);

/** The most that a piece needs, each thread. */
const most = (s: Sizes, product: (s: Sizes, images: number) => Product) =>
  Math.max(...cut(s).map(({ length }) => threadBytes(product(s, length))));

function multiply(
  tape: TapeWriter,
  c: Operand,
  [a, b, bias = null]: (Operand | undefined)[],
  p: Product,
  { accumulate = false, relu = false } = {},
): void {
  const { m, n, k, transA, transB } = p;
  const lines = [transA ? m : k, transB ? k : n, n];
  const epilogue = relu ? Epilogue.relu : Epilogue.none;
  tape.push(
    Op.gemm,
    [c, tape.workspace()],
    [a!, b!, bias, null],
    [m, n, k, ...lines, +!!transA, +!!transB, 1, 0, 0, 0, +accumulate, epilogue, threadBytes(p)],
    [],
    multiplyAdds(m * n * k),
  );
}

export const pointwise: Way = {
  forwardBytes: (s, threads) => threads * most(s, forward),
  forward(tape, s, y, [x, kernel, bias], relu) {
    for (const { from, length } of cut(s))
      multiply(tape, slabs(y, from, length), [slabs(x, from, length), kernel, bias], forward(s, length), {
        relu: !!relu,
      });
  },
  backwardBytes: (s, threads, { dx, dkernel }) =>
    threads * Math.max(dx ? most(s, toInput) : 0, dkernel ? most(s, toKernel) : 0),
  backward(tape, s, { dx, dkernel, dy, x, kernel }) {
    for (const { from, length } of cut(s)) {
      const part = slabs(dy, from, length);
      if (dx) multiply(tape, slabs(dx, from, length), [part, kernel], toInput(s, length));
      if (dkernel)
        multiply(tape, dkernel, [slabs(x!, from, length), part], toKernel(s, length), { accumulate: from > 0 });
    }
  },
};
