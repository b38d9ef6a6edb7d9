// Models that have to do with each other's weights: whose memory these lie in, and who still needs them.

import type { ModelState } from "./state";
import type { ModelLayer } from "./structure";

/** Who needs a model's weights, and what happens when nobody does. */
interface Hold {
  /** The model itself, ties that read its weights, models whose weights lie in its memory. */
  claims: number;
  free(): void;
}

const holds = /* @__PURE__ */ new WeakMap<ModelState, Hold>();

/** From here on `state.release()` gives up a claim on the weights, and the last one frees them. */
export function holdOf(state: ModelState): Hold {
  const known = holds.get(state);
  if (known) return known;
  const hold: Hold = { claims: 1, free: () => state.runtime.heap.free(state.parameters) };
  holds.set(state, hold);
  state.release = () => {
    if (!--hold.claims) hold.free();
  };
  return hold;
}

/** A model that was joined, and the layers that the joint model has for its own. */
export interface Member {
  state: ModelState;
  layers: ModelLayer[];
}

/** What each joint model was joined from. */
export const members = /* @__PURE__ */ new WeakMap<ModelState, Member[]>();

/** Models that were joined. */
export const joined = /* @__PURE__ */ new WeakSet<ModelState>();
