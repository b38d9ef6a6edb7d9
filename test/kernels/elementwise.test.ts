import { expect, test } from "vitest";
import { ExtensionOp, Op } from "../../assembly/isa";
import { Core } from "../support/core";
import { BUILDS, checkElementwise, numbers } from "../support/elementwise";
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
test("sqrt: y = √x, rounded right", () =>
  checkElementwise(ExtensionOp.sqrt, positive, (x) => fround(Math.sqrt(x!)), { tolerance: 0 }));
test("abs: y = |x|", () => checkElementwise(ExtensionOp.abs, one, (x) => Math.abs(x!), { tolerance: 0 }));
test("sign: y = sign x; 0, −0 and NaN stay", () => {
  const x = (n: number) => [numbers(n, 1).map((v, i) => [v, 0, -0, NaN, Infinity, -Infinity, 1e-45][i % 7]!)];
  checkElementwise(ExtensionOp.sign, x, (v) => Math.sign(v!), { tolerance: 0 });
  const core = new Core();
  const y = core.buffer(2);
  core.runShares(core.instruction(ExtensionOp.sign, [y, core.floats([0, -0])], [2], [0, 0]));
  expect([...y.f32]).toEqual([0, -0]);
});
test("sin: y = sin x", () => checkElementwise(ExtensionOp.sin, one, (x) => Math.sin(x!)));
test("cos: y = cos x", () => checkElementwise(ExtensionOp.cos, one, (x) => Math.cos(x!)));
test("erf: y = erf x", () => checkElementwise(ExtensionOp.erf, one, (x) => erf(x!)));
test("divide: y = a/b, rounded right", () =>
  checkElementwise(ExtensionOp.divide, two, (a, b) => fround(a! / b!), { tolerance: 0 }));
test("pow: y = a^b", () =>
  checkElementwise(
    ExtensionOp.pow,
    (n) => [positive(n)[0]!, numbers(n, 2)],
    (a, b) => a! ** b!,
  ));
test("pow: of any two floats, and to 1 ulp", () => {
  const special = [
    0,
    -0,
    1,
    -1,
    2,
    -2,
    0.5,
    -0.5,
    3,
    -3,
    1e-45,
    -1e-45,
    3e38,
    -3e38,
    Infinity,
    -Infinity,
    NaN,
    1e-38,
    87.5,
  ];
  const pairs = special.flatMap((a) => special.map((b) => [a, b] as const));
  const [x, e] = [0, 1].map((i) => Float32Array.from(pairs, (pair) => pair[i]!)) as [Float32Array, Float32Array];
  for (const build of BUILDS) {
    const core = new Core(build);
    const y = core.buffer(pairs.length);
    core.runShares(core.instruction(ExtensionOp.pow, [y, core.floats(x), core.floats(e)], [pairs.length]));
    // not promised: 1 to the power of ±∞ or NaN, where JavaScript has NaN and C 1; and −∞ to a power that is not whole
    for (const [i, got] of y.f32.entries()) {
      const want = fround(x[i]! ** e[i]!) + 0;
      const near = Object.is(got + 0, want) || Math.abs(got / want - 1) < 2e-7;
      const open = (Math.abs(x[i]!) === 1 && !Number.isFinite(e[i]!)) || (x[i] === -Infinity && e[i]! % 1 !== 0);
      expect(near || open || Math.abs(got - want) <= 1e-45, `${x[i]} ** ${e[i]}: ${got}, expected ${want}`).toBe(true);
    }
    const n = 200_000;
    const a = numbers(n, 3).map((v) => Math.abs(v) ** 5 + 1e-6);
    const b = numbers(n, 4, 12);
    const z = core.buffer(n);
    core.runShares(core.instruction(ExtensionOp.pow, [z, core.floats(a), core.floats(b)], [n]));
    let worst = 0;
    for (const [i, got] of z.f32.entries()) {
      const want = a[i]! ** b[i]!;
      if (want < 1e37 && want > 1e-37) worst = Math.max(worst, Math.abs(got / want - 1));
    }
    expect(worst).toBeLessThan(1.2e-7);
  }
});
