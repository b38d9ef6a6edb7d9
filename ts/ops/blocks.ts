// Passes over whole blocks of parameters, behind a step or between two.

import { ExtensionOp } from "../../assembly/isa";
import { defineEffect } from "../graph/graph";
import { extended } from "../runtime/extension";
import { streaming } from "./work";

type None = Record<never, never>;

/** w ← w & mask. Inputs w, mask. */
export const mask = /* @__PURE__ */ defineEffect<None>("mask", (tape, { inputs: [w, mask] }) =>
  tape.push(extended(ExtensionOp.mask), [w!], [mask!], [w!.size], [], streaming(3 * w!.size)),
);

/** mean ← mean + (x − mean)·State.learningRate. Inputs mean, x. */
export const runningMean = /* @__PURE__ */ defineEffect<None>("runningMean", (tape, { inputs: [mean, x] }) =>
  tape.push(extended(ExtensionOp.runningMean), [mean!], [x!], [x!.size], [], streaming(3 * x!.size)),
);
