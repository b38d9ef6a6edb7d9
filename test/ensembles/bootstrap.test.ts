// Samples with replacement: their statistics, on fixed seeds.

import { expect, test } from "vitest";
import { bootstrap, leftOut, memberPosition } from "../../ts/ensembles/bootstrap";

/** Two-sided p-value of a standard normal z: 2·(1 − Φ(|z|)). (Abramowitz & Stegun 26.2.17, to 1e-7) */
function pValue(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const poly = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return 2 * Math.exp((-z * z) / 2) * 0.3989422804014327 * poly;
}

const member = (i: number, seed = 0) => memberPosition({ seed, stream: 5 }, i);

test("the share of distinct rows is 1 − 1/e: p > 0.01 for one sample of 20,000 and for the mean of 200", () => {
  const z = (n: number, position: ReturnType<typeof member>) => {
    const distinct = n - leftOut(n, bootstrap(n, n, position)).length;
    const none = (1 - 1 / n) ** n; // that a row is not drawn
    const two = (1 - 2 / n) ** n; // that neither of two is
    return (distinct - n * (1 - none)) / Math.sqrt(n * none + n * (n - 1) * two - n * n * none * none);
  };
  const n = 20_000;
  expect((n - leftOut(n, bootstrap(n, n, member(0))).length) / n).toBeCloseTo(1 - 1 / Math.E, 2);
  expect(pValue(z(n, member(0)))).toBeGreaterThan(0.01);
  const zs = Array.from({ length: 200 }, (_, i) => z(997, member(i, 3)));
  expect(pValue(zs.reduce((a, b) => a + b) / Math.sqrt(zs.length))).toBeGreaterThan(0.01);
});

test("every row is as likely as every other: χ² over 50 rows, 100,000 draws", () => {
  const counts = new Array<number>(50).fill(0);
  for (const row of bootstrap(50, 100_000, member(1))) counts[row]!++;
  const chi2 = counts.reduce((sum, c) => sum + (c - 2000) ** 2 / 2000, 0);
  // Wilson and Hilferty: the cube root is near normal
  const z = (Math.cbrt(chi2 / 49) - (1 - 2 / (9 * 49))) / Math.sqrt(2 / (9 * 49));
  expect(pValue(z)).toBeGreaterThan(0.01);
});

test("samples of two members have no more in common than chance gives", () => {
  const n = 10_000;
  const [a, b] = [bootstrap(n, n, member(0)), bootstrap(n, n, member(1))];
  const same = a.reduce((sum, row, i) => sum + +(row === b[i]), 0); // Poisson of mean 1
  expect(same).toBeLessThan(6);
  expect([...bootstrap(n, 100, member(0))]).toEqual([...a.subarray(0, 100)]);
});

test("streams: none twice in an ensemble, others for another ensemble or seed", () => {
  const streams = (seed: number, stream: number) =>
    Array.from({ length: 5000 }, (_, i) => memberPosition({ seed, stream }, i).stream);
  const all = [streams(0, 0), streams(0, 1), streams(1, 0), streams(2 ** 40, 0)];
  for (const list of all) expect(new Set(list).size).toBe(5000);
  expect(new Set(all.map(([first]) => first)).size).toBe(4);
  expect(memberPosition({ seed: 7, stream: 0 }, 3).seed).toBe(7);
});

test("what is left out and what is drawn are all rows", () => {
  const sample = bootstrap(300, 150, member(4));
  const out = leftOut(300, sample);
  expect([...new Set([...sample, ...out])].sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, i) => i));
  expect(out.some((row) => sample.includes(row))).toBe(false);
});
