// Layers that only change how values are laid out or scaled.

import { affine, reshape } from "../ops/elementwise";
import { finite, or } from "../options";
import { type Layer, type LayerOptions, layerFactory } from "./layer";

/** [n, a, b, …] → [n, a·b·…]. */
export const flatten: (options?: LayerOptions) => Layer = /* @__PURE__ */ layerFactory({
  type: "flatten",
  call: ([x]) => reshape([x!], { to: [x!.shape[0]!, x!.size / x!.shape[0]!] }),
});

/**
 * y = scale·x + offset, elementwise. As the first layer it is part of reading the minibatch: bytes stay bytes in memory.
 *
 * @example rescaling({ scale: 1 / 255 })
 */
export const rescaling: (options?: LayerOptions & { scale?: number; offset?: number }) => Layer =
  /* @__PURE__ */ layerFactory({
    type: "rescaling",
    options: () => ({ scale: or(finite(), 1), offset: or(finite(), 0) }),
    call: ([x], { config: { scale, offset } }) => affine([x!], { scale, offset }),
  });
