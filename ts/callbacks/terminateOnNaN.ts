import { type Built, factory } from "../registry";
import type { CallbackDefinition } from "../training/callbacks";

/**
 * Ends training where the loss is not finite, in the place of an error: the step updates nothing, the epoch's logs have
 * loss NaN, and `fit` resolves.
 */
export const terminateOnNaN: () => Built = /* @__PURE__ */ factory<[], CallbackDefinition>("callback", {
  type: "terminateOnNaN",
  create: () => ({ endsOnNaN: true }),
});
