import { expect, test } from "vitest";
import { hardVotes, logitsOf, meanRSquared, Votes } from "../../ts/data/votes";

test("means of votes, of all rows and of those that have any", () => {
  const votes = new Votes(3, 2);
  votes.add(Float32Array.of(1, 0, 0.5, 0.5, 0, 1));
  votes.add(Float32Array.of(0, 1), Uint32Array.of(2));
  expect([...votes.means()]).toEqual([1, 0, 0.5, 0.5, 0, 1]);
  const some = new Votes(3, 1);
  some.add(Float32Array.of(2, 4), Uint32Array.of(0, 2));
  some.add(Float32Array.of(4), Uint32Array.of(2));
  some.add(Float32Array.of(1), Uint32Array.of(2));
  expect([...some.counted]).toEqual([0, 2]);
  expect([...some.means()]).toEqual([2, 3]);
});

test("hard votes: the first of the likeliest classes; elements over ½", () => {
  expect([...hardVotes(Float32Array.of(0.2, 0.5, 0.3, 0.4, 0.2, 0.4), 3, "class")]).toEqual([0, 1, 0, 1, 0, 0]);
  expect([...hardVotes(Float32Array.of(0.2, 0.5, 0.51), 3, "element")]).toEqual([0, 0, 1]);
});

test("logits give the probabilities back, and are floored", () => {
  const p = Float32Array.of(0.1, 0.7, 0.2);
  const softmax = [...logitsOf(p, "class", Math.log)].map(Math.exp);
  softmax.forEach((q, i) => {
    expect(q).toBeCloseTo(p[i]!, 6);
  });
  const sigmoid = [...logitsOf(p, "element", Math.log)].map((z) => 1 / (1 + Math.exp(-z)));
  sigmoid.forEach((q, i) => {
    expect(q).toBeCloseTo(p[i]!, 6);
  });
  expect([...logitsOf(Float32Array.of(0, 1), "class", Math.log)]).toEqual([-100, 0]);
  expect([...logitsOf(Float32Array.of(0, 1), "element", Math.log)]).toEqual([-100, 100]);
});

test("R²: by column, without what is not labelled", () => {
  expect(meanRSquared([1, 2, 3], Float32Array.of(1, 2, 3), 1)).toBe(1);
  expect(meanRSquared([1, 2, 3, Number.NaN], Float32Array.of(2, 2, 2, 9), 1)).toBe(0);
  expect(meanRSquared([1, 10, 3, 30], Float32Array.of(1, 20, 3, 20), 2)).toBe(0.5);
});
