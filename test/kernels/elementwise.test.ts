import { expect, test } from "vitest";
import { ExtensionOp, Op } from "../../assembly/isa";
import { Core } from "../support/core";
import { checkElementwise, numbers } from "../support/elementwise";
import { erf } from "../support/functions";

const one = (n: number) => [numbers(n, 1)];
const two = (n: number) => [numbers(n, 1), numbers(n, 2)];
const { fround } = Math;

test("copy: y = x", () => checkElementwise(Op.copy, one, (x) => x, { tolerance: 0 }));
test("accumulate: y = y + x", () => {
  for (const n of [1, 7, 65, 1025]) {
    for (const workers of [1, 2, 3]) {
      const core = new Core();
      const [a, b] = two(n) as [Float32Array, Float32Array];
      const y = core.floats(a);
      core.runShares(core.instruction(Op.accumulate, [y, core.floats(b)], [n]), workers);
      expect(y.f32).toEqual(a.map((v, i) => v + b[i]!));
      core.checkGuards();
    }
  }
});
test("add: y = a + b", () => checkElementwise(Op.add, two, (a, b) => fround(a! + b!), { tolerance: 0 }));
test("subtract: y = a − b", () => checkElementwise(Op.subtract, two, (a, b) => fround(a! - b!), { tolerance: 0 }));
test("multiply: y = a·b", () => checkElementwise(Op.multiply, two, (a, b) => fround(a! * b!), { tolerance: 0 }));
test("affine: y = alpha·x + beta, rounded twice", () =>
  checkElementwise(Op.affine, one, (x) => fround(fround(1.7) * x!) + 0.25, { reals: [1.7, 0.25], tolerance: 6e-8 }));

const positive = (n: number) => [numbers(n, 1).map(Math.abs)];
test("exp: y = e^x", () => checkElementwise(ExtensionOp.exp, one, (x) => Math.exp(x!)));
test("log: y = log x", () => checkElementwise(ExtensionOp.log, positive, (x) => Math.log(x!)));
test("erf: y = erf x", () => checkElementwise(ExtensionOp.erf, one, (x) => erf(x!)));
