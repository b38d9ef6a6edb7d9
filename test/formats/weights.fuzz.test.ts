// Damaged files of weights: each is taken whole, or is a DownhillError that changed nothing, quickly. Every mutation follows from
// its number alone.

import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { DownhillError } from "../../ts/errors";
import { dense, layerNorm, loadWeights, sequential } from "../../ts/index";
import { weightBits } from "../support/contract";
import { mutations, pick, random } from "../support/mutations";

const PER_KIND = 300;
const folder = new URL("torch/", import.meta.url);
const sources = readdirSync(folder)
  .filter((name) => name.startsWith("mlp") && name.endsWith(".safetensors"))
  .map((name) => new Uint8Array(readFileSync(new URL(name, folder))));

for (const [kind, mutate] of Object.entries(mutations(sources)))
  test(`${PER_KIND} × ${kind}: they are loaded or it is a DownhillError`, async () => {
    const start = performance.now();
    const model = sequential([dense(8, { inputShape: [6] }), dense(8), dense(8), layerNorm(), dense(3)]);
    let before = weightBits(model);
    let loaded = 0;
    for (let i = 0; i < PER_KIND; i++) {
      const rand = random(i * 7867 + kind.length);
      const bytes = mutate(Uint8Array.from(pick(rand, sources)), rand);
      const options = { strict: rand(2) === 0, layout: pick(rand, ["torch", "torch", "keras"] as const) };
      try {
        await loadWeights(model, bytes, rand(8) ? options : { strict: false });
        loaded++;
        before = weightBits(model);
      } catch (error) {
        if (!(error instanceof DownhillError) || !["format", "shape", "data"].includes(error.code))
          throw new Error(`mutation ${i} of "${kind}"`, { cause: error });
        if (error.message.length > 5000)
          throw new Error(`mutation ${i} of "${kind}": ${error.message.length} characters`);
        expect(weightBits(model)).toEqual(before);
      }
    }
    expect(loaded).toBeLessThan(PER_KIND);
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(performance.now() - start).toBeLessThan(20_000);
    if (process.env["FUZZ_VERBOSE"]) console.log(kind, loaded, (performance.now() - start).toFixed(0), "ms");
  }, 60_000);
