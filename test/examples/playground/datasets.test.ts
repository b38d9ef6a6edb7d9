import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { dataOf, gridOf, type RunData, scalesOf, turn } from "../../../examples/playground/train/datasets";
import { DATA, defaults, EXTENT, pointAt, type Settings } from "../../../examples/playground/train/settings";

const points = Array.from({ length: 30 }, (_, i) => pointAt(i / 10 - 1.5, (i * 7) % 3, i < 20 ? 0 : 2));
const settingsOf = (data: Settings["data"]): Settings => ({
  ...defaults(data),
  points: data === "points" ? points : [],
});

function hashOf({ training, validation, test }: RunData): string {
  const hash = createHash("sha256");
  for (const rows of [training, validation, test]) if (rows) hash.update(rows.x).update(rows.labels);
  return hash.digest("hex").slice(0, 16);
}

test("turn is [cos, sin] of turns", async () => {
  for (let i = -300; i <= 300; i++) {
    const [cos, sin] = turn(i / 97);
    expect(Math.abs(cos - Math.cos((2 * Math.PI * i) / 97))).toBeLessThan(1e-14);
    expect(Math.abs(sin - Math.sin((2 * Math.PI * i) / 97))).toBeLessThan(1e-14);
  }
});

test("equal settings give equal bits: the same in every engine", async () => {
  const hashes = await Promise.all(DATA.map(async (data) => [data, hashOf(await dataOf(settingsOf(data)))]));
  expect(Object.fromEntries(hashes)).toMatchInlineSnapshot(`
    {
      "blobs": "664ae14ba9cc92ad",
      "circles": "0a6bce489ce4878e",
      "digits": "65a3d50676232399",
      "moons": "6a4c5561efd7a131",
      "points": "4b41ede8782ef4cb",
      "spirals": "d84a59e28113893b",
      "xor": "8e92d85192f597fb",
    }
  `);
});

test("other seeds give other data", async () => {
  for (const data of DATA)
    expect(hashOf(await dataOf({ ...settingsOf(data), seed: 1 })), data).not.toBe(
      hashOf(await dataOf(settingsOf(data))),
    );
});

test("classes have as many examples, of numbers near the plane that is shown", async () => {
  for (const data of DATA.slice(0, 5)) {
    const { training, validation, classes, test } = await dataOf({
      ...defaults(data),
      examples: 600,
      validation: 0.25,
    });
    expect(test).toBeNull();
    expect([training.labels.length, validation.labels.length]).toEqual([450, 150]);
    const all = [...training.labels, ...validation.labels];
    for (let label = 0; label < classes; label++) expect(all.filter((l) => l === label)).toHaveLength(600 / classes);
    const x = [...training.x, ...validation.x];
    expect(x.filter((v) => Math.abs(v) > EXTENT).length / x.length, data).toBeLessThan(0.02);
    expect(x.reduce((most, v) => Math.max(most, Math.abs(v)), 0)).toBeGreaterThan(EXTENT / 2);
  }
});

test("noise moves points and nothing else", async () => {
  for (const data of DATA.slice(0, 5)) {
    const made = [0, 0.3].map((noise) => dataOf({ ...defaults(data), noise, examples: 2000 }));
    const [still, moved] = (await Promise.all(made)).map(({ training }) => training);
    expect(moved!.labels).toEqual(still!.labels);
    if (data !== "blobs") continue;
    const square = moved!.x.reduce((sum, v, i) => sum + (v - still!.x[i]!) ** 2, 0) / moved!.x.length;
    expect(Math.sqrt(square)).toBeCloseTo(0.3, 1);
  }
});

test("labels are exchanged in training only, for other classes, and the points stay", async () => {
  for (const data of ["circles", "digits"] as const) {
    const clean = await dataOf(defaults(data));
    const noisy = await dataOf({ ...defaults(data), labelNoise: 0.3 });
    expect(noisy.training.x).toEqual(clean.training.x);
    expect(noisy.validation).toEqual(clean.validation);
    expect(noisy.test).toEqual(clean.test);
    const wrong = noisy.training.labels.filter((label, i) => label !== clean.training.labels[i]);
    expect(wrong.length / noisy.training.labels.length).toBeGreaterThan(0.22);
    expect(wrong.length / noisy.training.labels.length).toBeLessThan(0.38);
    expect(noisy.training.labels.every((label) => label >= 0 && label < clean.classes)).toBe(true);
  }
});

test("own points: all of them, in an order of the seed; classes up to the largest label", async () => {
  const { training, validation, classes } = await dataOf({ ...settingsOf("points"), validation: 0.5 });
  expect(classes).toBe(3);
  const rows = [training, validation].flatMap(({ x, labels }) =>
    [...labels].map((label, i) => [x[2 * i], x[2 * i + 1], label].join()),
  );
  expect(rows.sort()).toEqual(points.map(({ x, y, label }) => [Math.fround(x), Math.fround(y), label].join()).sort());
  expect(new Set(validation.labels).size).toBe(2);
  expect((await dataOf({ ...defaults("points"), points: [] })).training.labels).toHaveLength(0);
});

test("digits: as many as asked for, apart from the test images", async () => {
  const { training, validation, test, classes, shape } = await dataOf({
    ...defaults("digits"),
    examples: 100,
    validation: 0.2,
  });
  expect([training.labels.length, validation.labels.length, classes]).toEqual([80, 20, 10]);
  expect(training.x).toHaveLength(80 * 64);
  expect(shape).toEqual([8, 8, 1]);
  expect(test!.labels.length).toBeGreaterThan(100);
  expect(
    (await dataOf({ ...defaults("digits"), examples: 2000, validation: 0 })).training.labels.length,
  ).toBeLessThanOrEqual(1437);
});

test("scales lie between 1/stretch and stretch", async () => {
  expect([...scalesOf({ ...defaults(), stretch: 10 })]).toEqual([Math.fround(0.1), 10]);
  const scales = scalesOf({ ...defaults("digits"), stretch: 10 });
  expect(scales.every((s) => s >= 0.0999 && s < 10)).toBe(true);
  scales.forEach((s, j) => {
    expect(s).toBeCloseTo(10 ** (((j * 37) % 64) / 32 - 1), 4);
  });
  expect(new Set(scalesOf(defaults("digits")))).toEqual(new Set([1]));
});

test("a grid is asked at the middles of its cells, from the top left", async () => {
  expect([...gridOf(2)]).toEqual([-1.5, 1.5, 1.5, 1.5, -1.5, -1.5, 1.5, -1.5]);
  expect(gridOf(64)).toHaveLength(2 * 64 * 64);
});
