// What augmentations make of images, against the same in float64.

import { describe, expect, test } from "vitest";
import {
  augmentBatch,
  cutmix,
  init,
  mixup,
  type NDArray,
  randomBrightness,
  randomContrast,
  randomCrop,
  randomErasing,
  randomFlip,
  randomNoise,
  randomRotate,
  randomShear,
  randomTranslate,
  randomZoom,
} from "../../ts/index";
import {
  about,
  between,
  type Fill,
  type Matrix,
  mixOf,
  opOf,
  resampled,
  START,
  times,
  units,
} from "../support/augmentation";
import { any, bitsOf, floats, thrown } from "../support/contract";
import "../support/everyTeam";

const [N, H, W, C] = [6, 8, 10, 3];
const SIZE = H * W * C;
const x: NDArray = { data: floats(N * SIZE).map(Math.abs), shape: [N, H, W, C] };
const rowOf = (a: NDArray, r: number) => [...a.data.subarray((r * a.data.length) / N, ((r + 1) * a.data.length) / N)];
const rows = Array.from({ length: N }, (_, r) => r);

/** Largest difference between two lists. */
const apart = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((most, v, i) => Math.max(most, Math.abs(v - b[i]!)), 0);

/** Every augmentation, by name. */
const ALL = {
  randomTranslate,
  randomRotate,
  randomZoom,
  randomShear,
  randomFlip,
  randomCrop,
  randomErasing,
  randomBrightness,
  randomContrast,
  randomNoise,
  mixup,
  cutmix,
};

describe("every augmentation", () => {
  test.each(Object.entries(ALL))("%s works without options, and is a function of the seed", (type, make) => {
    const config = make();
    expect(config.type).toBe(type);
    expect(structuredClone(config)).toEqual(config);
    const y = augmentBatch(x, [config]);
    expect(y.shape).toEqual(x.shape);
    expect(y.data).not.toEqual(x.data);
    expect(y.data.every(Number.isFinite)).toBe(true);
    expect(bitsOf(augmentBatch(x, [structuredClone(config)], { seed: 0 }))).toEqual(bitsOf(y));
    expect(bitsOf(augmentBatch(x, [config], { seed: 1 }))).not.toEqual(bitsOf(y));
    expect(bitsOf(augmentBatch(x, [config], { seed: 2 ** 32 }))).not.toEqual(bitsOf(y));
    // two of a pipeline draw apart
    expect(bitsOf(augmentBatch(x, [config, config]))).not.toEqual(bitsOf(augmentBatch(y, [config])));
  });

  test("that may do nothing does nothing: factors of 0", () => {
    const nothing = [
      randomTranslate({ heightFactor: 0, widthFactor: 0 }),
      randomRotate({ factor: 0 }),
      randomZoom({ heightFactor: 0 }),
      randomZoom({ heightFactor: 0, widthFactor: [0, 0] }),
      randomShear({ xFactor: 0, yFactor: 0 }),
      randomCrop({ padding: 0 }),
      randomErasing({ factor: 0 }),
      randomErasing({ scale: [0, 0] }),
      randomBrightness({ factor: 0 }),
      randomContrast({ factor: 0 }),
      randomNoise({ stddev: 0 }),
    ];
    for (const config of nothing) expect(augmentBatch(x, [config]).data).toEqual(x.data);
    expect(augmentBatch(x, nothing).data).toEqual(x.data);
    const none = augmentBatch(x, []);
    expect(none.data).toEqual(x.data);
    expect(none.data.buffer).not.toBe(x.data.buffer);
  });

  test("leaves what it is given as it is, and takes bytes, nested numbers, images without channels", () => {
    const before = x.data.slice();
    augmentBatch(x, [randomRotate(), mixup()]);
    expect(x.data).toEqual(before);
    const bytes = { data: Uint8Array.from({ length: 2 * 16 }, (_, i) => i * 8), shape: [2, 4, 4] };
    const wide = { data: Float32Array.from(bytes.data), shape: [2, 4, 4] };
    for (const pipeline of [[], [randomRotate(), randomErasing()], [mixup()]])
      expect(augmentBatch(bytes, pipeline)).toEqual(augmentBatch(wide, pipeline));
    expect(
      augmentBatch(
        [
          [
            [1, 2],
            [3, 4],
          ],
        ],
        [randomTranslate({ heightFactor: [0.5, 0.5], widthFactor: 0 })],
      ),
    ).toEqual({
      data: Float32Array.of(0, 0, 1, 2),
      shape: [1, 2, 2],
    });
  });

  test("has the same bits on a team of threads", async () => {
    const pipeline = Object.values(ALL).map((make) => make());
    const alone = bitsOf(augmentBatch(x, pipeline, { seed: 5 }));
    for (const threads of [2, 3]) {
      using _runtime = await init({ threads });
      expect(bitsOf(augmentBatch(x, pipeline, { seed: 5 }))).toEqual(alone);
    }
  });
});

/** (b c | a b c | a b): each mode's picture of a row moved by so many pixels. */
const FILLS: [Fill, number[]][] = [
  ["constant", [7, 7, 1, 2]],
  ["nearest", [1, 1, 1, 2]],
  ["reflect", [2, 1, 1, 2]],
  ["wrap", [3, 4, 1, 2]],
];

describe("geometry", () => {
  test.each(FILLS)("whole translations are exact: %s", (fillMode, right) => {
    const fillValue = fillMode === "constant" ? 7 : 0;
    const image = { data: Float32Array.of(1, 2, 3, 4), shape: [1, 1, 4] };
    const half = randomTranslate({ heightFactor: 0, widthFactor: [0.5, 0.5], fillMode, fillValue });
    expect([...augmentBatch(image, [half]).data]).toEqual(right);
    const turned = { data: image.data, shape: [1, 4, 1] };
    const down = randomTranslate({ heightFactor: [0.5, 0.5], widthFactor: 0, fillMode, fillValue });
    expect([...augmentBatch(turned, [down]).data]).toEqual(right);
  });

  test("a quarter of a turn is counterclockwise; a half turns both axes", () => {
    const image = { data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9), shape: [1, 3, 3] };
    const turned = (share: number) => augmentBatch(image, [randomRotate({ factor: [share, share] })]).data;
    expect(apart(turned(0.25), [3, 6, 9, 2, 5, 8, 1, 4, 7])).toBeLessThan(1e-5);
    expect(apart(turned(-0.25), [7, 4, 1, 8, 5, 2, 9, 6, 3])).toBeLessThan(1e-5);
    expect(apart(turned(0.5), [9, 8, 7, 6, 5, 4, 3, 2, 1])).toBeLessThan(1e-5);
  });

  test("zooming out by 1 shows every other pixel, zooming in by −1/2 the middle", () => {
    const image = { data: Float32Array.from({ length: 5 }, (_, i) => i), shape: [1, 1, 5] };
    const zoom = (f: number) => [...augmentBatch(image, [randomZoom({ heightFactor: [f, f], fillValue: 9 })]).data];
    expect(zoom(1)).toEqual([9, 0, 2, 4, 9]);
    expect(zoom(-0.5)).toEqual([1, 1.5, 2, 2.5, 3]);
  });

  test("shear moves rows apart", () => {
    const image = { data: Float32Array.of(0, 1, 0, 0, 1, 0, 0, 1, 0), shape: [1, 3, 3] };
    const sheared = augmentBatch(image, [randomShear({ xFactor: [1, 1], yFactor: 0 })]).data;
    expect([...sheared]).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1]);
  });

  test.each(["horizontal", "vertical", "horizontalAndVertical"] as const)("flip: %s", (mode) => {
    const y = augmentBatch(x, [randomFlip({ mode })]);
    for (const r of rows) {
      const [u, v] = units(r, opOf(0), START) as [number, number];
      const across = mode !== "vertical" && v < 0.5;
      const over = mode !== "horizontal" && u < 0.5;
      const m = about([across ? -1 : 1, 0, 0, over ? -1 : 1], H, W);
      expect(rowOf(y, r)).toEqual(resampled(rowOf(x, r), [H, W, C], m, "constant", 0).map(Math.fround));
    }
  });

  const moves = {
    translate: randomTranslate({ heightFactor: 0.25, widthFactor: [-0.125, 0.5], fillMode: "reflect" }),
    rotate: randomRotate({ factor: 0.125, fillMode: "reflect" }),
    flip: randomFlip(),
    zoom: randomZoom({ heightFactor: [-0.25, 0.5], fillMode: "reflect" }),
    shear: randomShear({ xFactor: 0.25, yFactor: [0, 0.125], fillMode: "reflect" }),
    crop: randomCrop({ padding: [1, 2], fillMode: "reflect" }),
  };

  /** The movement of row r as it is drawn, i-th of its pipeline. */
  const drawn = (kind: keyof typeof moves, r: number, i: number): Matrix => {
    const [u, v] = units(r, opOf(i), START) as [number, number];
    switch (kind) {
      case "translate":
        return about([1, 0, 0, 1], H, W, [between([-2, 2], u), between([-1.25, 5], v)]);
      case "rotate": {
        const turn = 2 * Math.PI * between([-0.125, 0.125], u);
        return about([Math.cos(turn), -Math.sin(turn), Math.sin(turn), Math.cos(turn)], H, W);
      }
      case "flip":
        return about([v < 0.5 ? -1 : 1, 0, 0, 1], H, W);
      case "zoom": {
        const f = 1 + between([-0.25, 0.5], u);
        return about([f, 0, 0, f], H, W);
      }
      case "shear":
        return about([1, -between([-0.25, 0.25], v), -between([0, 0.125], u), 1], H, W);
      case "crop":
        return about([1, 0, 0, 1], H, W, [Math.floor(between([-1, 2], u)), Math.floor(between([-2, 3], v))]);
    }
  };
  const kinds = Object.keys(moves) as (keyof typeof moves)[];

  test.each([...kinds.map((kind) => [kind]), kinds, [...kinds].reverse()])("%s, %s, …: one resampling", (...list) => {
    const given = list.filter((kind) => kind !== undefined);
    const y = augmentBatch(
      x,
      given.map((kind) => moves[kind]),
    );
    for (const r of rows) {
      const m = given.map((kind, i) => drawn(kind, r, i)).reduce(times);
      expect(apart(rowOf(y, r), resampled(rowOf(x, r), [H, W, C], m, "reflect", 0))).toBeLessThan(1e-4);
    }
  });

  test("what one moves out of the frame the next brings back; another fill mode or other pixels part them", () => {
    const out = (share: number, fillMode: Fill) =>
      randomTranslate({ heightFactor: 0, widthFactor: [share, share], fillMode });
    const image = { data: Float32Array.of(1, 2, 3, 4), shape: [1, 1, 4] };
    const seen = (...pipeline: ReturnType<typeof out>[]) => [...augmentBatch(image, pipeline).data];
    expect(seen(out(0.5, "constant"), out(-0.5, "constant"))).toEqual([1, 2, 3, 4]);
    expect(seen(out(0.5, "constant"), out(-0.5, "nearest"))).toEqual([1, 2, 2, 2]);
    expect(seen(out(0.5, "constant"), randomBrightness({ factor: 0 }), out(-0.5, "constant"))).toEqual([1, 2, 0, 0]);
    // a mirror shows nothing from outside: it goes with every mode
    const mirrored = [out(0.5, "nearest"), randomFlip(), out(-0.5, "nearest")];
    const pictures = [0, 1, 2, 3, 4, 5, 6, 7].map((seed) => augmentBatch(image, mirrored, { seed }).data.join());
    expect(new Set(pictures)).toEqual(new Set(["1,2,3,4", "1,1,1,1"]));
  });

  test("randomCrop: by default an eighth of each side, rounded up; whole pixels", () => {
    const y = augmentBatch(x, [randomCrop()]);
    for (const r of rows) {
      const [u, v] = units(r, opOf(0), START) as [number, number];
      const m = about([1, 0, 0, 1], H, W, [Math.floor(between([-1, 2], u)), Math.floor(between([-2, 3], v))]);
      expect(rowOf(y, r)).toEqual(resampled(rowOf(x, r), [H, W, C], m, "constant", 0));
    }
  });
});

describe("pixels", () => {
  test("brightness and contrast: amounts are shares of valueRange, and results are cut to it", () => {
    const dark = { data: x.data.map((v) => 2 * v - 1), shape: x.shape };
    const y = augmentBatch(dark, [randomBrightness({ factor: 0.5, valueRange: [-1, 1] })]);
    const z = augmentBatch(dark, [randomContrast({ factor: [0, 3], valueRange: [-1, 1] })]);
    const free = augmentBatch(dark, [randomContrast({ factor: [0, 3] })]);
    for (const r of rows) {
      const [u] = units(r, opOf(0), START) as [number];
      const values = rowOf(dark, r);
      const cut = (v: number) => Math.min(Math.max(v, -1), 1);
      expect(
        apart(
          rowOf(y, r),
          values.map((v) => cut(v + 2 * (u - 0.5))),
        ),
      ).toBeLessThan(1e-6);
      const means = [0, 1, 2].map((k) => {
        const channel = values.filter((_, i) => i % C === k);
        return channel.reduce((sum, v) => sum + v, 0) / channel.length;
      });
      const stretched = values.map((v, i) => (1 + 3 * u) * (v - means[i % C]!) + means[i % C]!);
      expect(apart(rowOf(free, r), stretched)).toBeLessThan(2e-6);
      expect(apart(rowOf(z, r), stretched.map(cut))).toBeLessThan(2e-6);
    }
  });

  test("bytes: amounts are shares of 255, results stay in 0 … 255; noise is in units of 255", () => {
    const bytes = { data: Uint8Array.from({ length: N * SIZE }, (_, i) => (i * 37) % 256), shape: x.shape };
    const unit = { data: Float32Array.from(bytes.data, (v) => v / 255), shape: x.shape };
    for (const config of [
      randomBrightness({ factor: 0.5 }),
      randomContrast({ factor: [0, 2] }),
      randomBrightness({ valueRange: [0, 255] }),
    ]) {
      const limited = { ...config, valueRange: [0, 1] };
      const y = augmentBatch(bytes, [config]).data;
      expect(Math.max(...y)).toBeLessThanOrEqual(255);
      expect(Math.min(...y)).toBeGreaterThanOrEqual(0);
      expect(
        apart(
          y.map((v) => v / 255),
          augmentBatch(unit, [limited]).data,
        ),
      ).toBeLessThan(1e-5);
    }
    const noisy = augmentBatch(bytes, [randomNoise({ stddev: 0.25 })]).data;
    expect(
      apart(
        noisy.map((v) => v / 255),
        augmentBatch(unit, [randomNoise({ stddev: 0.25 })]).data,
      ),
    ).toBeLessThan(1e-5);
  });

  // of n = 1440 numbers: |mean| < 3.29·0.1/√n, deviation within 3.29/√(2n); seed 0
  test("noise has mean 0 and its standard deviation (p = 0.001)", () => {
    const y = augmentBatch(x, [randomNoise()]).data;
    const noise = y.map((v, i) => v - x.data[i]!);
    const n = noise.length;
    const mean = noise.reduce((sum, v) => sum + v, 0) / n;
    const deviation = Math.sqrt(noise.reduce((sum, v) => sum + v * v, 0) / n);
    expect(Math.abs(mean)).toBeLessThan((3.29 * 0.1) / Math.sqrt(n));
    expect(Math.abs(deviation / 0.1 - 1)).toBeLessThan(3.29 / Math.sqrt(2 * n));
  });

  test("flat rows have brightness, contrast, noise and mixup", () => {
    const flat = { data: x.data, shape: [N, SIZE] };
    for (const config of [randomBrightness(), randomNoise(), mixup()])
      expect(augmentBatch(flat, [config]).data).toEqual(augmentBatch(x, [config]).data);
    expect(augmentBatch(flat, [randomContrast()]).shape).toEqual([N, SIZE]);
  });
});

describe("mixing", () => {
  test("mixup: λ·x + (1 − λ)·x′; cutmix: a box of x′", () => {
    const y = augmentBatch(x, [mixup({ alpha: 0.5 })], { seed: 3 });
    const z = augmentBatch(x, [cutmix()], { seed: 3 });
    const position = { ...START, seed: 3 };
    for (const r of rows) {
      const { share, partner } = mixOf(r, N, opOf(0), position, 0.5, false);
      const [own, other] = [rowOf(x, r), rowOf(x, partner)];
      expect(
        apart(
          rowOf(y, r),
          own.map((v, i) => share * v + (1 - share) * other[i]!),
        ),
      ).toBeLessThan(1e-6);
      const cut = mixOf(r, N, opOf(0), position, 1, [H, W]);
      const theirs = rowOf(x, cut.partner);
      const [top, left, bottom, right] = cut.box;
      const expected = own.map((v, i) => {
        const [row, column] = [Math.floor(i / (W * C)), Math.floor(i / C) % W];
        return row >= top && row < bottom && column >= left && column < right ? theirs[i]! : v;
      });
      expect(rowOf(z, r)).toEqual(expected);
    }
  });

  test("a batch of one is mixed with itself", () => {
    const one = { data: x.data.slice(0, SIZE), shape: [1, H, W, C] };
    expect(apart(augmentBatch(one, [mixup(), cutmix()]).data, one.data)).toBeLessThan(1e-6);
  });
});

describe("bad arguments", () => {
  test("images are asked for where images are needed", () => {
    const flat = { data: floats(64), shape: [1, 64] };
    for (const make of [
      randomTranslate,
      randomRotate,
      randomZoom,
      randomShear,
      randomFlip,
      randomCrop,
      randomErasing,
      cutmix,
    ])
      thrown(
        "shape",
        () => augmentBatch(flat, [make()]),
        /^\w+: expected images of shape \[n, height, width\].*flatten.*got \[n, 64\]/,
      );
    thrown(
      "shape",
      () => augmentBatch({ data: floats(16), shape: [1, 2, 2, 2, 2] }, [randomRotate()]),
      /got \[n, 2, 2, 2, 2\]/,
    );
  });

  test("x and pipeline", () => {
    for (const bad of [undefined, null, 3, "x", {}]) thrown("argument", () => augmentBatch(any(bad), []));
    thrown("shape", () => augmentBatch(floats(8), []));
    thrown("shape", () => augmentBatch({ data: new Float32Array(0), shape: [0, 2, 2] }, []));
    thrown("data", () => augmentBatch([[[1, Number.NaN]]], [randomFlip()]));
    for (const bad of [undefined, null, randomFlip(), [randomFlip], [any("randomFlip")], [{ type: "flip" }], [3]])
      thrown("argument", () => augmentBatch(x, any(bad)), /augmentation such as randomFlip\(\)/);
    for (const bad of [-1, 0.5, "1", Number.NaN]) thrown("argument", () => augmentBatch(x, [], { seed: any(bad) }));
    thrown("argument", () => augmentBatch(x, [], any({ sed: 1 })), /did you mean seed/);
  });

  const notAmounts = [-0.1, "0.1", Number.NaN, Infinity, null, [0.1], [0.2, 0.1], [0, Number.NaN], [0, 1, 2], {}, true];
  const amounts: [string, (v: unknown) => unknown, good: unknown[], bad: unknown[]][] = [
    [
      "randomTranslate.heightFactor",
      (v) => randomTranslate({ heightFactor: any(v) }),
      [0, 1, [-1, 1]],
      [1.1, [-1.1, 0]],
    ],
    ["randomTranslate.widthFactor", (v) => randomTranslate({ widthFactor: any(v) }), [0, 1, [-1, 1]], [1.1, [0, 1.1]]],
    ["randomRotate.factor", (v) => randomRotate({ factor: any(v) }), [0, 1, [-1, 1]], [1.1, [-1.1, 0]]],
    [
      "randomZoom.heightFactor",
      (v) => randomZoom({ heightFactor: any(v) }),
      [0, 1, [-1, 10]],
      [1.1, [-1.1, 0], [0, 11]],
    ],
    ["randomZoom.widthFactor", (v) => randomZoom({ widthFactor: any(v) }), [0, 1, [-1, 10]], [1.1, [-1.1, 0], [0, 11]]],
    ["randomShear.xFactor", (v) => randomShear({ xFactor: any(v) }), [0, 1, [-1, 1]], [1.1]],
    ["randomShear.yFactor", (v) => randomShear({ yFactor: any(v) }), [0, 1, [-1, 1]], [1.1]],
    ["randomBrightness.factor", (v) => randomBrightness({ factor: any(v) }), [0, 1, [-1, 1]], [1.1]],
    ["randomContrast.factor", (v) => randomContrast({ factor: any(v) }), [0, 1, [-1, 10]], [1.1]],
  ];
  test.each(amounts)("%s", (_, make, good, bad) => {
    for (const value of good) make(value);
    for (const value of [...notAmounts, ...bad]) thrown("argument", () => make(value));
  });

  const others: [string, (v: unknown) => unknown, good: unknown[], bad: unknown[]][] = [
    [
      "randomRotate.fillMode",
      (v) => randomRotate({ fillMode: any(v) }),
      ["constant", "nearest", "reflect", "wrap"],
      ["Wrap", "zero", 0],
    ],
    ["randomRotate.fillValue", (v) => randomRotate({ fillValue: any(v) }), [0, -3.5], ["0", Infinity, null]],
    [
      "randomFlip.mode",
      (v) => randomFlip({ mode: any(v) }),
      ["horizontal", "vertical", "horizontalAndVertical"],
      ["both", 1],
    ],
    [
      "randomCrop.padding",
      (v) => randomCrop({ padding: any(v) }),
      [0, 4, [1, 2]],
      [-1, 0.5, "4", [1], [1, -1], [1, 2, 3]],
    ],
    ["randomErasing.factor", (v) => randomErasing({ factor: any(v) }), [0, 1], [-0.1, 1.1, "1"]],
    [
      "randomErasing.scale",
      (v) => randomErasing({ scale: any(v) }),
      [
        [0, 1],
        [0.5, 0.5],
      ],
      [0.3, [0.5, 0.4], [-0.1, 1], [0, 1.1]],
    ],
    ["randomErasing.ratio", (v) => randomErasing({ ratio: any(v) }), [[0.5, 2]], [1, [0, 1], [2, 0.5]]],
    [
      "randomBrightness.valueRange",
      (v) => randomBrightness({ valueRange: any(v) }),
      [
        [0, 255],
        [-1, 1],
      ],
      [1, [1, 0], [0, Infinity]],
    ],
    ["randomNoise.stddev", (v) => randomNoise({ stddev: any(v) }), [0, 2], [-1, Number.NaN, "1"]],
    ["mixup.alpha > 0", (v) => mixup({ alpha: any(v) }), [0.01, 1, 100], [0, -1, Number.NaN, "1", Infinity]],
    ["cutmix.alpha > 0", (v) => cutmix({ alpha: any(v) }), [0.01, 1, 100], [0, -1, Number.NaN, "1", Infinity]],
  ];
  test.each(others)("%s", (_, make, good, bad) => {
    for (const value of good) make(value);
    for (const value of bad) thrown("argument", () => make(value));
  });

  test("unknown options are errors", () => {
    for (const make of Object.values<(o: object) => unknown>(any(ALL)))
      thrown("argument", () => make({ foo: 1 }), /unknown option "foo"/);
    thrown("argument", () => randomTranslate(any({ height: 0.1 })), /unknown option/);
  });
});
