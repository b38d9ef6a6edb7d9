import { constant } from "../initializers/initializers";
import { prelu as preluOp } from "../ops/prelu";
import { optional, or } from "../options";
import { type Built, built } from "../registry";
import { checkRank, type Layer, type LayerOptions, layerFactory } from "./layer";

/**
 * y = x where x > 0, else alpha·x, alpha learned, one a channel. Parameter: `alpha` [c], 0.25 at first. (He et al. 2015)
 */
export const prelu: (options?: LayerOptions & { alphaInitializer?: Built; alphaRegularizer?: Built }) => Layer =
  /* @__PURE__ */ layerFactory({
    type: "prelu",
    options: () => ({
      alphaInitializer: or(built("initializer", "zeros()"), () => constant(0.25)),
      alphaRegularizer: optional(built("regularizer", "l2(0.01)")),
    }),
    parameters([x], config, who) {
      checkRank(who, x!, "[n, …, c]", x!.length > 0);
      const { alphaInitializer: initializer, alphaRegularizer: regularizer } = config;
      return { alpha: { shape: [x!.at(-1)!], initializer, regularizer } };
    },
    call: ([x], { parameters: { alpha } }) => preluOp([x!, alpha!]),
  });
