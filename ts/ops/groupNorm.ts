// Group normalization (Wu & He 2018): y = γ·(x − μ)/√(σ² + ε) + β, μ and σ² of each sample's groups of channels. With one
// group, of rows, it is layer normalization (Ba, Kiros & Hinton 2016).

import { ExtensionOp, Op } from "../../assembly/isa";
import { shapeError } from "../errors";
import { defineOp, type Op as OpOf, type Shape } from "../graph/graph";
import { extended } from "../runtime/extension";
import { rowChunks } from "./bias";
import { streaming } from "./work";

/** samples, positions, channels, groups */
const layout = (x: Shape, groups: number) => [x[0]!, x.slice(1, -1).reduce((n, d) => n * d, 1), x.at(-1)!, groups];

/** Inputs dy, x, gamma, statistics; outputs dx, dgamma, dbeta. */
const groupNormBackward: OpOf<{ groups: number }> = /* @__PURE__ */ defineOp<{ groups: number }>({
  name: "groupNormBackward",
  shape: ([dy, , gamma]) => [dy!, gamma!, gamma!],
  gradient: null,
  inPlace: [0],
  workspace: ({ inputs: [dy] }) => 2 * rowChunks(dy!).bytes,
  lower(tape, { inputs: [dy, x, gamma, statistics], outputs, attributes: { groups } }) {
    const [dx, dgamma, dbeta] = outputs;
    const { n, rows, chunkRows, chunks, bytes } = rowChunks(dx!);
    const sizes = layout(dx!.shape, groups);
    tape.push(
      extended(ExtensionOp.groupNormSums),
      [tape.workspace()],
      [dy!, x!, statistics!],
      [rows, ...sizes.slice(1), chunkRows],
      [],
      streaming(4 * dx!.size),
    );
    [dgamma!, dbeta!].forEach((d, i) => {
      tape.push(Op.reduceRows, [d], [tape.workspace(i * bytes, bytes)], [chunks, n], [], streaming(chunks * n));
    });
    tape.push(
      extended(ExtensionOp.groupNormBackward),
      [dx!],
      [dy!, x!, gamma!, statistics!],
      sizes,
      [],
      streaming(5 * dx!.size),
    );
  },
});

export interface GroupNormAttributes {
  groups: number;
  epsilon: number;
}

/** Inputs x (samples, …, n), gamma (n), beta (n); outputs y, statistics (samples, groups, 3). */
export const groupNorm: OpOf<GroupNormAttributes> = /* @__PURE__ */ defineOp<GroupNormAttributes>({
  name: "groupNorm",
  shape([x, gamma], { groups }, who) {
    const n = x!.at(-1)!;
    if (x!.length < 2 || n % groups)
      throw shapeError(who, "input", groups > 1 ? `[n, …, a multiple of ${groups}]` : "[n, …, c]", x!);
    if (gamma!.length !== 1 || gamma![0] !== n) throw shapeError(who, "gamma", [n], gamma!);
    return [x!, [x![0]!, groups, 3]];
  },
  gradient(dy, { inputs: [x, gamma], outputs: [, statistics], attributes: { groups } }) {
    return groupNormBackward([dy, x!, gamma!, statistics!], { groups }).node!.outputs;
  },
  inPlace: [0],
  lower(tape, { inputs, outputs, attributes: { groups, epsilon } }) {
    const sizes = layout(outputs[0]!.shape, groups);
    tape.push(extended(ExtensionOp.groupNorm), outputs, inputs, sizes, [epsilon], streaming(4 * outputs[0]!.size));
  },
});
