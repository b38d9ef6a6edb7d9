// What a run needs of the library's extension. On the built site that is a script of its own, loaded when it is first needed:
// the core is enough for most runs of the plane.

import type { Settings } from "./settings";

const IN_CORE: readonly string[] = [
  "glorotUniform",
  "tiny",
  "large",
  "zeros",
  "sgd",
  "momentum",
  "nesterov",
  "adam",
  "adamw",
];

/** Whether the core has all kernels that such a run names. */
export function isInCore(settings: Settings): boolean {
  const { layers, initializer, optimizer, augment, data } = settings;
  const { maxNorm, tied, inputNoise, hiddenNoise, weightNoise, adversarial } = settings;
  return (
    layers.every(({ type }) => type === "dense") &&
    IN_CORE.includes(initializer) &&
    IN_CORE.includes(optimizer) &&
    (augment === "none" || data !== "digits") &&
    maxNorm + tied + inputNoise + hiddenNoise + weightNoise + adversarial === 0
  );
}

/** Loads the extension where it is not there yet; examples/smaller.js says how. */
export async function loadExtension(): Promise<void> {
  await (globalThis as { loadExtension?: () => Promise<void> }).loadExtension?.();
}
