// c = op(a) · op(b), matrices. Bias, activation and an activation's derivative join as the product's epilogue.

import { Epilogue, Op } from "../../assembly/isa";
import { shapeError } from "../errors";
import { defineOp, type Fused, type Node, type Op as OpOf, type Shape, type Tensor } from "../graph/graph";
import { gemmWorkspaceBytes } from "./gemmWorkspace";
import { multiplyAdds } from "./work";

export interface GemmAttributes {
  transA?: boolean;
  transB?: boolean;
  epilogue?: Epilogue;
}

/** Consumers that become an epilogue: those with a second input read it as `aux`. */
const EPILOGUES: Record<string, Epilogue> = {
  relu: Epilogue.relu,
  reluBackward: Epilogue.reluBackward,
  tanhBackward: Epilogue.tanhBackward,
  sigmoidBackward: Epilogue.sigmoidBackward,
};

function sizes(a: Shape, b: Shape, { transA, transB }: GemmAttributes) {
  const [m, k] = transA ? [a[1]!, a[0]!] : [a[0]!, a[1]!];
  const [kb, n] = transB ? [b[1]!, b[0]!] : [b[0]!, b[1]!];
  return { m, k, kb, n, perThread: gemmWorkspaceBytes(m, n, k, transA, transB) };
}

const sizesOf = ({ inputs: [a, b], attributes }: Node<GemmAttributes>) => sizes(a!.shape, b!.shape, attributes);

/** Inputs: a (m, k) or transposed (k, m); b (k, n) or transposed (n, k); bias (n) or null; aux (m, n) or null. */
export const gemm: OpOf<GemmAttributes> = /* @__PURE__ */ defineOp<GemmAttributes>({
  name: "gemm",
  shape([a, b], attributes, who) {
    const { m, k, kb, n } = sizes(a!, b!, attributes);
    if (a!.length !== 2 || b!.length !== 2 || k !== kb) throw shapeError(who, "a matrix", [m, kb], a!);
    return [[m, n]];
  },
  gradient(dy, { inputs: [a, b], attributes: { transA, transB } }) {
    return [
      transA ? matmul(b!, dy, { transA: transB, transB: true }) : matmul(dy, b!, { transB: !transB }),
      transB ? matmul(dy, a!, { transA: true, transB: transA }) : matmul(a!, dy, { transA: !transA }),
    ];
  },
  workspace: (node, threads) => threads * sizesOf(node).perThread,
  absorb({ op, inputs: [a, b, bias], attributes }, consumer): Fused | undefined {
    if (attributes.epilogue) return undefined;
    if (consumer.op.name === "biasAdd" && !bias) return { op, inputs: [a!, b!, consumer.inputs[1]!, null], attributes };
    const epilogue = EPILOGUES[consumer.op.name];
    const aux = consumer.inputs[1] ?? null;
    if (epilogue === undefined || (aux && bias)) return undefined;
    return { op, inputs: [a!, b!, bias!, aux], attributes: { ...attributes, epilogue } };
  },
  lower(tape, node) {
    const { inputs, outputs, attributes } = node;
    const { m, n, k, perThread } = sizesOf(node);
    const { transA, transB, epilogue = Epilogue.none } = attributes;
    tape.push(
      Op.gemm,
      [outputs[0]!, tape.workspace()],
      inputs,
      [m, n, k, transA ? m : k, transB ? k : n, n, +!!transA, +!!transB, 1, 0, 0, 0, 0, epilogue, perThread],
      [],
      multiplyAdds(m * n * k),
    );
  },
});

/** op(a) · op(b). */
export const matmul = (a: Tensor, b: Tensor, attributes: GemmAttributes = {}): Tensor =>
  gemm([a, b, null, null], attributes);
