// Many products of matrices at once.

import { Epilogue, Op } from "../../assembly/isa";
import { shapeError } from "../errors";
import { defineOp, type Node, type Op as OpOf, type Shape } from "../graph/graph";
import { gemmWorkspaceBytes } from "./gemmWorkspace";
import { sumTo } from "./reductions";
import { multiplyAdds } from "./work";

export interface BatchMatmulAttributes {
  transA?: boolean;
  transB?: boolean;
}

function sizes(a: Shape, b: Shape, { transA, transB }: BatchMatmulAttributes) {
  const [m, k] = transA ? [a[2]!, a[1]!] : [a[1]!, a[2]!];
  const [kb, n] = transB ? [b[2]!, b[1]!] : [b[1]!, b[2]!];
  return { batch: Math.max(a[0]!, b[0]!), m, k, kb, n, perThread: gemmWorkspaceBytes(m, n, k, transA, transB) };
}

const sizesOf = ({ inputs: [a, b], attributes }: Node<BatchMatmulAttributes>) => sizes(a!.shape, b!.shape, attributes);

/** c[i] = op(a[i]) · op(b[i]). a: (batch, m, k) or transposed (batch, k, m), b likewise; of either there may be one for all. */
export const batchMatmul: OpOf<BatchMatmulAttributes> = /* @__PURE__ */ defineOp<BatchMatmulAttributes>({
  name: "batchMatmul",
  shape([a, b], attributes, who) {
    const { batch, m, k, kb, n } = sizes(a!, b!, attributes);
    if (k !== kb || [a, b].some((s) => s![0] !== 1 && s![0] !== batch))
      throw shapeError(who, "matrices to multiply by", [a![0], k, n], b!);
    return [[batch, m, n]];
  },
  gradient(dy, { inputs: [a, b], attributes: { transA, transB } }) {
    const da = transA
      ? batchMatmul([b!, dy], { transA: !!transB, transB: true })
      : batchMatmul([dy, b!], { transB: !transB });
    const db = transB
      ? batchMatmul([dy, a!], { transA: true, transB: !!transA })
      : batchMatmul([a!, dy], { transA: !transA });
    return [sumTo(da, a!.shape), sumTo(db, b!.shape)];
  },
  workspace: (node, threads) => threads * sizesOf(node).perThread,
  lower(tape, node) {
    const { inputs, outputs, attributes } = node;
    const { transA, transB } = attributes;
    const { batch, m, n, k, perThread } = sizesOf(node);
    const [a, b] = inputs;
    const stride = (x: typeof a, size: number) => (x!.shape[0] === 1 ? 0 : size);
    tape.push(
      Op.gemm,
      [outputs[0]!, tape.workspace()],
      [a!, b!, null, null],
      [
        ...[m, n, k, transA ? m : k, transB ? k : n, n, +!!transA, +!!transB],
        ...[batch, stride(a, m * k), stride(b, k * n), m * n, 0, Epilogue.none, perThread],
      ],
      [],
      multiplyAdds(batch * m * n * k),
    );
  },
});
