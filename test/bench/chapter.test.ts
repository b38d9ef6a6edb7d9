// The chapter's runner: what "seen" means, what a run has to give, and that it goes from an experiment to a figure.

import { expect, test } from "vitest";
import { loadData, mislabelled, permutation } from "../../bench/chapter/data";
import { type Experiment, mean, rowOf, standardError, verdictOf } from "../../bench/chapter/experiment";
import { EXPERIMENTS } from "../../bench/chapter/experiments";
import { draw } from "../../bench/chapter/figures";
import { rowLine } from "../../bench/chapter/lines";
import { reportOf } from "../../bench/chapter/report";

test("mean and standard error, of a sample by hand", () => {
  expect(mean([1, 2, 3, 4])).toBe(2.5);
  expect(standardError([1, 2, 3, 4])).toBeCloseTo(Math.sqrt(5 / 3 / 4), 12);
});

test.each([
  [[1, 1, 1, 1, 1], "seen"],
  [[1, 3, 1, 3, 2], "seen"],
  [[-1, 3, -1, 3, -1], "not seen"], // below two standard errors
  [[-1, -1, -1, -1, -1], "not seen"], // the other direction
  [[0, 0, 0, 0, 0], "not seen"],
] as const)("%j is %s", (differences, verdict) => {
  expect(verdictOf(differences)).toBe(verdict);
});

test("a run gives one finite difference for each of at least 5 seeds", () => {
  const experiment = { method: "m", claim: "c", criterion: "", seeds: [], run: () => ({}) } as unknown as Experiment;
  const row = (differences: number[], seeds: number[]) =>
    rowOf(experiment, seeds, { differences, of: "x", figures: [] }, 0);
  expect(row([1, 2, 3, 4, 5], [1, 2, 3, 4, 5])).toMatchObject({ measured: 3, verdict: "seen", seeds: 5 });
  expect(() => row([1, 2, 3, 4], [1, 2, 3, 4])).toThrow("m: expected");
  expect(() => row([1, 2, 3, 4], [1, 2, 3, 4, 5])).toThrow("m: expected");
  expect(() => row([1, 2, Number.NaN, 4, 5], [1, 2, 3, 4, 5])).toThrow("m: expected");
});

test("methods have names of their own, claims, criteria and at least 5 seeds", () => {
  expect(new Set(EXPERIMENTS.map(({ method }) => method)).size).toBe(EXPERIMENTS.length);
  for (const { method, claim, criterion, seeds } of EXPERIMENTS) {
    expect(method).toMatch(/^[a-z0-9-]+$/);
    expect(claim.length).toBeGreaterThan(20);
    expect(criterion).toContain("Difference:");
    expect(seeds.length).toBeGreaterThanOrEqual(5);
  }
});

test("the data: splits that do not overlap, the same for a seed; labels that are wrong where asked", async () => {
  const data = await loadData("");
  const { train, validation } = data.split(3, 200, 100);
  expect(data.split(3, 200, 100)).toEqual({ train, validation, test: expect.anything() });
  const rowsOf = ({ x }: typeof train) =>
    Array.from({ length: x.shape[0]! }, (_, i) => x.data.subarray(i * 64, (i + 1) * 64).join());
  expect(rowsOf(train).filter((row) => rowsOf(validation).includes(row))).toEqual([]);
  const wrong = mislabelled(train, 0.3, 10, 3).y.data.filter((label, i) => label !== train.y.data[i]);
  expect(wrong.length).toBe(60);
  expect([...permutation(50, 1)].sort((a, b) => a - b)).toEqual([...Array(50).keys()]);
});

test("from an experiment to the table and the report", async () => {
  const experiment = EXPERIMENTS.find(({ method }) => method === "landscapes")!;
  const seeds = [0, 1, 2, 3, 4];
  const outcome = await experiment.run(seeds, await loadData(""));
  const row = rowOf(experiment, seeds, outcome, 1);
  const figures = outcome.figures.map((figure) => ({ caption: figure.caption, html: draw(figure) }));
  for (const { html } of figures) expect(html).toContain("<svg");
  expect(rowLine(row)).toContain("landscapes");
  const html = reportOf("digits", [
    { row, criterion: experiment.criterion, figures, notes: [], table: [["a"], ["1 < 2"]] },
  ]);
  expect(html).toContain('<section id="landscapes">');
  expect(html).toContain("<td>1 &lt; 2</td>");
});
