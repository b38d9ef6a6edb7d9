// Every layer, exported and imported again: the same predictions; and what of the exported graphs is not covered, by name.

import { expect, test } from "vitest";
import { exportOnnx, importOnnx } from "../../../ts/index";
import { floats } from "../../support/contract";
import { CASES, type Case } from "../../support/layerCases";
import { distance, inputsFor, predicted, scramble } from "../../support/onnx";

/** Of these the operators are others than layers cover. */
const NOT_BACK: Record<string, RegExp> = { multiHeadAttention: /MatMul .* is not constant/ };

for (const [name, given] of Object.entries(CASES))
  test(name, async () => {
    const { models, data = floats }: Case = typeof given === "function" ? { models: given } : given;
    for (const [i, model] of models().entries()) {
      scramble(model);
      const bytes = await exportOnnx(model);
      if (NOT_BACK[name]) expect(() => importOnnx(bytes)).toThrow(NOT_BACK[name]);
      else {
        const again = importOnnx(bytes);
        for (const n of [1, 3]) {
          const feeds = inputsFor(model, n, data);
          const expected = Object.values(predicted(model, feeds));
          const got = Object.values(predicted(again, feeds));
          for (const [k, y] of expected.entries()) expect(distance(y, got[k]!), `model ${i}`).toBeLessThan(1e-5);
        }
        again.dispose();
      }
      model.dispose();
    }
  });
