import { dropout as dropoutOp } from "../ops/dropout";
import { fraction } from "../options";
import { type Layer, type LayerOptions, layerFactory } from "./layer";

/**
 * Inverted dropout: in training each element is set to 0 with probability `rate` and the others are divided by
 * 1 − rate; otherwise y = x. (Srivastava et al. 2014)
 *
 * @param rate the fraction dropped, in [0, 1)
 */
export const dropout: (rate: number, options?: LayerOptions) => Layer = /* @__PURE__ */ layerFactory({
  type: "dropout",
  positional: ["rate"],
  options: () => ({ rate: fraction() }),
  call: ([x], { config: { rate }, training, op }) => (training && rate > 0 ? dropoutOp([x!], { rate, op }) : x!),
});
