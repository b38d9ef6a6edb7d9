import { expect, test } from "vitest";
import { Op } from "../../assembly/isa";
import { Core } from "../support/core";

test("fill writes every element and nothing else, on 1, 2 and 3 workers", () => {
  for (const n of [1, 3, 17, 1025]) {
    for (const workers of [1, 2, 3]) {
      const core = new Core();
      const y = core.buffer(n);
      core.runShares(core.instruction(Op.fill, [y], [n], [2.5]), workers);
      expect([...y.f32]).toEqual(new Array(n).fill(2.5));
      core.checkGuards();
    }
  }
});
