import { expect, test } from "vitest";
import {
  DATA,
  defaults,
  EXTENT,
  FIELDS,
  fromParameters,
  layersText,
  MAX_CLASSES,
  MAX_LAYERS,
  MAX_POINTS,
  parseLayers,
  pointAt,
  type Settings,
  toParameters,
  withData,
} from "../../../examples/playground/train/settings";

const NAMES = Object.keys(FIELDS) as (keyof Settings)[];

/** Numbers that look random: of a linear congruence. */
function drawing(seed: number) {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return {
    next,
    below: (n: number) => Math.floor(next() * n),
    of: <T>(list: readonly T[]) => list[Math.floor(next() * list.length)]!,
  };
}

/** Any settings that controls can make, and numbers between stops. */
function anySettings(seed: number): Settings {
  const { next, below, of } = drawing(seed);
  const data = of(DATA);
  const settings = defaults(data) as unknown as Record<string, unknown>;
  for (const name of NAMES) {
    const field = FIELDS[name];
    if (name === "data" || next() < 0.5) continue;
    if (field.kind === "choice") settings[name] = of(field.options);
    else if (field.kind === "switch") settings[name] = next() < 0.5;
    else if (field.kind === "number") {
      const { stops, integer, full } = field;
      const between = stops[0]! + next() * (stops.at(-1)! - stops[0]!);
      settings[name] =
        full && next() < 0.2 ? "full" : next() < 0.5 ? of(stops) : integer ? Math.floor(between) : between;
    } else if (field.kind === "points")
      settings[name] = Array.from({ length: below(30) }, () =>
        pointAt((2 * next() - 1) * EXTENT, (2 * next() - 1) * EXTENT, below(MAX_CLASSES)),
      );
    else
      settings[name] = parseLayers(
        of(["none", "1", "8-4-128", ...(data === "digits" ? ["c4-p-c8-p-16", "p", "c1"] : [])]),
      );
  }
  return settings as unknown as Settings;
}

test("what is as by default does not stand in the URL", () => {
  expect(`${toParameters(defaults())}`).toBe("");
  for (const data of DATA.slice(1)) expect(`${toParameters(defaults(data))}`).toBe(`data=${data}`);
  expect(`${toParameters({ ...defaults("moons"), learningRate: 0.03, batchSize: "full", batchNorm: true })}`).toBe(
    "data=moons&bn=1&lr=0.03&batch=full",
  );
});

test("settings go to the URL and come back", () => {
  for (let seed = 0; seed < 500; seed++) {
    const settings = anySettings(seed);
    const { search } = new URL(`https://x/?${toParameters(settings)}`);
    expect(fromParameters(new URLSearchParams(search))).toEqual(settings);
  }
});

test("keys in the URL are short and unique", () => {
  const keys = NAMES.map((name) => FIELDS[name].key);
  expect(new Set(keys).size).toBe(keys.length);
  expect(Object.keys(defaults()).sort()).toEqual([...NAMES].sort());
});

test("bad and foreign values fall back to the default", () => {
  const read = (text: string) => fromParameters(new URLSearchParams(text));
  for (const text of [
    "lr=", "lr=fast", "lr=-1", "lr=0", "lr=11", "lr=NaN", "lr=Infinity", "lr=1e-9", "lr=0x", "n=20.5", "n=1", "n=1e9",
    "act=softmax", "act=constructor", "opt=__proto__", "data=mnist", "bn=true", "bn=", "batch=Full", "batch=0", "seed=-1",
    "layers=", "layers=8-", "layers=0", "layers=129", "layers=c8", "layers=p", "layers=8-c8", "layers=c8-p-p-p", `layers=${"8-".repeat(MAX_LAYERS)}8`,
    "points=AAA", "points=!!!!", "points=AAAP", `points=${"A".repeat(4 * MAX_POINTS + 4)}`,
    "foo=1", "__proto__=1", "toString=2", "",
  ]) // biome-ignore format: a list
    expect(read(text), text).toEqual(defaults());
  expect(read("data=digits&layers=c8-p-p-p&act=1")).toEqual(defaults("digits"));
  expect(read("lr=0.03&act=none&bn=1")).toEqual({ ...defaults(), learningRate: 0.03, batchNorm: true });
  expect(read("lr=0.03&lr=0.1").learningRate).toBe(0.03);
  expect(Object.is(read("noise=-0").noise, 0)).toBe(true);
});

test("no text makes it throw, and what it makes can be written", () => {
  const { below, of } = drawing(1);
  const pieces = [
    ...NAMES.map((name) => FIELDS[name].key),
    ...DATA,
    "=",
    "&",
    "-",
    "c",
    "p",
    "8",
    "1e",
    ".",
    "%",
    "%00",
    "ë",
    "full",
    "none",
    "AAAA",
    " ",
    "+",
    "NaN",
    "true",
  ];
  for (let i = 0; i < 1000; i++) {
    const text = Array.from({ length: below(12) }, () => of(pieces)).join("");
    const settings = fromParameters(new URLSearchParams(text));
    expect(fromParameters(toParameters(settings)), text).toEqual(settings);
    for (const name of NAMES) {
      const field = FIELDS[name];
      const value = settings[name];
      if (field.kind === "choice") expect(field.options).toContain(value);
      if (field.kind === "number" && value !== "full") {
        expect(value).toBeGreaterThanOrEqual(field.stops[0]!);
        expect(value).toBeLessThanOrEqual(field.stops.at(-1)!);
      }
    }
  }
});

test("defaults are stops of their sliders, and choices of their lists", () => {
  for (const data of DATA)
    for (const name of NAMES) {
      const field = FIELDS[name];
      const value = defaults(data)[name];
      if (field.kind === "number" && name !== "seed") expect(field.stops, name).toContain(value);
      if (field.kind === "choice") expect(field.options).toContain(value);
      if (field.kind === "number") expect([...field.stops].sort((a, b) => a - b)).toEqual(field.stops);
    }
});

test("other data take over what was changed, and their own defaults for the rest", () => {
  const changed = { ...defaults("circles"), learningRate: 0.1, dropout: 0.5 };
  expect(withData(changed, "digits")).toEqual({ ...defaults("digits"), learningRate: 0.1, dropout: 0.5 });
  expect(withData(defaults("digits"), "spirals")).toEqual(defaults("spirals"));
  const images = { ...defaults("digits"), layers: parseLayers("c8-p-32")! };
  expect(withData(images, "moons")).toEqual(defaults("moons"));
  expect(withData(images, "digits")).toEqual(images);
});

test("layers are written as they are read", () => {
  for (const text of ["none", "8", "c8-p-32", "p-1", "c32-c1-p-p-128-2"])
    expect(layersText(parseLayers(text)!)).toBe(text);
});

test("a point is of the grid, four letters in the URL", () => {
  const points = [pointAt(-9, 9, 0), pointAt(0.1, -0.1, 5), pointAt(2.9999, 0, 1)];
  for (const { x, y } of points) {
    expect(Math.abs(x)).toBeLessThanOrEqual(EXTENT);
    expect(pointAt(x, y, 0)).toEqual({ x, y, label: 0 });
  }
  expect(points[1]!.x).toBeCloseTo(0.1, 2);
  expect(toParameters({ ...defaults("points"), points }).get("points")).toHaveLength(12);
});

test("what has no effect need not be shown", () => {
  const applies = (name: keyof Settings, settings: Settings) => FIELDS[name].applies?.(settings) ?? true;
  expect(applies("augment", defaults("digits"))).toBe(true);
  expect(applies("augment", defaults("moons"))).toBe(false);
  expect(applies("noise", defaults("points"))).toBe(false);
  expect(applies("examples", defaults("points"))).toBe(false);
  expect(applies("tied", defaults())).toBe(false);
  for (const [text, twins] of [
    ["8-8", false],
    ["8-8-8", true],
    ["8-4-8-8", false],
    ["c8-p-8-8", false],
    ["c8-p-8-8-8", true],
  ] as const)
    expect(applies("tied", { ...defaults("digits"), layers: parseLayers(text)! }), text).toBe(twins);
  expect(applies("dropout", { ...defaults(), layers: [] })).toBe(false);
});
