import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { digits } from "../../ts/data/digits";
import fixture from "../oracle/digits.json" with { type: "json" };

const data = digits();

for (const part of ["train", "test"] as const) {
  const { x, y } = data[part];
  const expected = fixture[part];
  const n = part === "train" ? 1437 : 360;

  test(`${part}: ${n} images in [0, 1], labels 0 … 9, counts per class as in scikit-learn`, () => {
    expect(x.shape).toEqual([n, 64]);
    expect(y.shape).toEqual([n]);
    expect(x.data).toBeInstanceOf(Float32Array);
    expect(y.data).toBeInstanceOf(Int32Array);
    expect([x.data.length, y.data.length]).toEqual([n * 64, n]);
    expect(x.data.every((v) => v >= 0 && v <= 1 && Number.isInteger(v * 16))).toBe(true);
    const perClass = Array<number>(10).fill(0);
    for (const label of y.data) perClass[label]!++;
    expect(perClass).toEqual(expected.perClass);
  });

  test(`${part}: ink per class and per pixel as in scikit-learn`, () => {
    const perClass = Array<number>(10).fill(0);
    const perPixel = Array<number>(64).fill(0);
    x.data.forEach((v, i) => {
      perClass[y.data[i >> 6]!]! += v * 16;
      perPixel[i & 63]! += v * 16;
    });
    expect(perClass).toEqual(expected.inkPerClass);
    expect(perPixel).toEqual(expected.inkPerPixel);
  });

  test(`${part}: every value as scikit-learn has it, by the hash`, () => {
    const hash = createHash("sha256")
      .update(Uint8Array.from(x.data, (v) => v * 16))
      .update(Uint8Array.from(y.data));
    expect(hash.digest("hex")).toBe(expected.sha256);
  });

  test(`${part}: first, middle and last images pixel by pixel as in scikit-learn`, () => {
    for (const { index, label, pixels } of expected.images) {
      expect(y.data[index]).toBe(label);
      expect([...x.data.subarray(index * 64, (index + 1) * 64)].map((v) => v * 16)).toEqual(pixels);
    }
  });
}

test("the split is stratified: each class gives a fifth of its images to the test set, within one image", () => {
  fixture.test.perClass.forEach((count, c) => {
    const all = count + fixture.train.perClass[c]!;
    expect(Math.abs(count - (all * 360) / 1797)).toBeLessThan(1);
  });
});

test("every call returns arrays of its own", () => {
  const first = digits();
  first.train.x.data.fill(9);
  first.test.y.data.fill(9);
  const { train, test } = digits();
  expect(train.x.data.every((v, i) => v === data.train.x.data[i])).toBe(true);
  expect(test.y.data.every((v, i) => v === data.test.y.data[i])).toBe(true);
});
