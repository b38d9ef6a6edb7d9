// Damaged files: each loads, or is a DownhillError, quickly. Every mutation follows from its number alone.

import { expect, test } from "vitest";
import { DownhillError } from "../../ts/errors";
import { decodeSafetensors, encodeSafetensors } from "../../ts/formats/safetensors";
import oracle from "../oracle/tensorFiles.json" with { type: "json" };
import { headerOf, mutations, pick, random } from "../support/mutations";

const PER_KIND = 1200;

const model = encodeSafetensors(
  Object.fromEntries(
    ["kernel", "bias", "gamma", "movingMean"].map((name, i) => [
      `dense_${i}/${name}`,
      { data: new Float32Array(3 * (i + 1)).fill(i + 0.5), shape: [i + 1, 3] },
    ]),
  ),
  { format: "downhill", model: JSON.stringify({ layers: [{ type: "dense", units: 3 }], seed: [0, 1] }), epoch: "3" },
);
const sources = [
  model,
  ...Object.values(oracle.files).map(({ bytes }) => new Uint8Array(Buffer.from(bytes, "base64"))),
] as const;

/** Holds of whatever loads. */
function checkLoaded(bytes: Uint8Array) {
  const { tensors, metadata } = decodeSafetensors(bytes);
  let length = 0;
  for (const { data, shape } of Object.values(tensors)) {
    if (shape.reduce((a, b) => a * b, 1) !== data.length) throw new Error(`shape ${shape} of ${data.length} elements`);
    length += data.byteLength;
  }
  if (length !== bytes.length - headerOf(bytes))
    throw new Error(`${length} bytes of ${bytes.length - headerOf(bytes)}`);
  if (!Object.values(metadata).every((text) => typeof text === "string")) throw new Error("metadata");
}

for (const [kind, mutate] of Object.entries(mutations(sources)))
  test(`${PER_KIND} × ${kind}: it loads or is a DownhillError`, () => {
    const start = performance.now();
    let loaded = 0;
    for (let i = 0; i < PER_KIND; i++) {
      const rand = random(i * 7919 + kind.length);
      const bytes = mutate(Uint8Array.from(pick(rand, sources)), rand);
      try {
        checkLoaded(bytes);
        loaded++;
      } catch (error) {
        if (!(error instanceof DownhillError) || !["format", "shape", "memory"].includes(error.code))
          throw new Error(`mutation ${i} of "${kind}"`, { cause: error });
        if (error.message.length > 500)
          throw new Error(`mutation ${i} of "${kind}": ${error.message.length} characters`);
      }
    }
    expect(loaded).toBeLessThan(PER_KIND);
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(performance.now() - start).toBeLessThan(20_000);
    if (process.env["FUZZ_VERBOSE"]) console.log(kind, loaded, (performance.now() - start).toFixed(0), "ms");
  });
