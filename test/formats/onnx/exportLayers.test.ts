// Every layer in a model with weights and statistics of no particular kind, exported, and run by ONNX Runtime with one example and
// with several: outputs are predict's within 1e-5 of the largest number.

import { describe, expect, test } from "vitest";
import { isBuiltin } from "../../../ts/custom/builtins";
import * as d from "../../../ts/index";
import { floats } from "../../support/contract";
import { CASES, type Case } from "../../support/layerCases";
import { agrees, scramble } from "../../support/onnx";

describe("every layer", () => {
  test.each(Object.entries(CASES))("%s", async (_, given) => {
    const { models, data = floats }: Case = typeof given === "function" ? { models: given } : given;
    for (const [i, model] of models().entries()) {
      scramble(model);
      const apart = await agrees(model, {}, data).catch((error: Error) => {
        throw new Error(`model ${i}: ${error.message}`, { cause: error });
      });
      if (process.env["SHOW"]) console.log(_, i, apart);
      model.dispose();
    }
  });

  test("has a case", () => {
    const layers = Object.keys(d).filter((name) => isBuiltin("layer", name));
    expect(layers.filter((name) => !CASES[name])).toEqual([]);
    expect(layers.length).toBeGreaterThan(45);
  });
});
