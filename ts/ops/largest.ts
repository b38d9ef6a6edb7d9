import { ReduceKind } from "../../assembly/isa";
import { defineOp, type Op as OpOf } from "../graph/graph";
import { divide, equal, multiply } from "./arithmetic";
import { reshape } from "./elementwise";
import { type AxesAttributes, keptShape, reduction, sum } from "./reductions";

/** The largest over adjacent axes, which go. Equals share the gradient evenly, as in PyTorch's amax. */
export const largest: OpOf<AxesAttributes> = /* @__PURE__ */ (() =>
  defineOp<AxesAttributes>({
    ...reduction(() => ReduceKind.max),
    name: "largest",
    gradient(dy, { inputs: [x], outputs: [y], attributes }) {
      const to = keptShape(x!.shape, attributes);
      const mask = equal([x!, reshape([y!], { to })]);
      const share = divide([dy, sum([mask], attributes)]);
      return [multiply([mask, reshape([share], { to })])];
    },
  }))(); // in a function, see losses.ts
