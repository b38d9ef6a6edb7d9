// The Descend tab's races: what the URL says is what is run, by the library's optimizers, to the bit.

import { adam, cosineDecay, setSeed, sgd } from "downhill";
import * as landscapes from "downhill/landscapes";
import { describe, expect, test } from "vitest";
import type { DescendReply } from "../../../examples/playground/descend/protocol";
import { answer, mapOf, race } from "../../../examples/playground/descend/race";
import {
  type DescendSettings,
  defaultSettings,
  fromParameters,
  hasTwins,
  LANDSCAPES,
  RACERS,
  SCHEDULES,
  toParameters,
} from "../../../examples/playground/descend/settings";

const of = (query: string) => fromParameters(new URLSearchParams(query));

const everything: DescendSettings = {
  landscape: "quadratic",
  condition: 20,
  rates: { sgd: 0.015, adam: 0.3, lion: 0.05 },
  momentum: 0.8,
  schedule: "cosine",
  clipNorm: 0.5,
  clipValue: 2,
  noise: 0.1,
  seed: 7,
  start: [1.25, -0.5],
  steps: 50,
  twins: true,
};

describe("settings", () => {
  test("the URL's form gives them back", () => {
    expect(`${toParameters(defaultSettings())}`).toBe("");
    const all = [everything, { ...everything, rates: {} }, ...LANDSCAPES.map((name) => defaultSettings(name))];
    for (const settings of all) expect(fromParameters(toParameters(settings))).toEqual(settings);
    expect(`${toParameters(everything)}`).toBe(
      "condition=20&o=sgd%2Cadam%3A0.3%2Clion&m=0.8&schedule=cosine&clip=0.5&clipValue=2&noise=0.1&seed=7&at=1.25%2C-0.5&n=50&twins=1",
    );
  });

  test.each([
    "f=everest",
    "o=",
    "o=sdg",
    "m=1",
    "schedule=sometimes",
    "clip=0",
    "clip=-1",
    "noise=NaN",
    "noise=",
    "seed=0.5",
    "at=1",
    "at=1,x",
    "n=1e9",
    "n=0",
    "twins=yes",
    "nothing=1",
  ])("%s is as by default", (query) => expect(of(query)).toEqual(defaultSettings()));

  test("a rate that makes no sense is the usual one", () => {
    expect(of("o=adam:-1,sgd:fast").rates).toEqual({ adam: 0.1, sgd: 0.015 });
  });
});

describe("race", () => {
  test("is what the library's descend does", () => {
    const [plain, , adaptive] = race(of("f=rosenbrock&o=sgd,momentum,adam:0.2&n=60&clip=5&schedule=cosine&at=-1,2"));
    const rate = (initial: number) => cosineDecay({ initial, steps: 60 });
    const options = { steps: 60, clipNorm: 5, start: [-1, 2] } as const;
    const byHand = landscapes.descend(landscapes.rosenbrock(), {
      optimizer: sgd({ learningRate: rate(0.002) }),
      ...options,
    });
    expect(plain!.path).toEqual(byHand.path.data);
    expect(plain!.losses).toEqual(byHand.losses.data);
    const other = landscapes.descend(landscapes.rosenbrock(), {
      optimizer: adam({ learningRate: rate(0.2) }),
      ...options,
    });
    expect(adaptive!.path).toEqual(other.path.data);
  });

  test("the same URL gives the same bits, whatever was run before", () => {
    const url = toParameters(everything);
    const first = race(fromParameters(url));
    setSeed(99);
    race(of("f=saddle&noise=1&seed=3"));
    expect(race(fromParameters(new URLSearchParams(`${url}`)))).toEqual(first);
  });

  test("twins race without clipping, schedule and noise; all meet the same noise", () => {
    const tracks = race({ ...everything, rates: { sgd: 0.01, adam: 0.1 } });
    expect(tracks.map(({ racer, twin }) => `${racer} ${twin}`)).toEqual([
      "sgd false",
      "adam false",
      "sgd true",
      "adam true",
    ]);
    const { path } = landscapes.descend(landscapes.quadratic({ condition: 20 }), {
      optimizer: sgd({ learningRate: 0.01 }),
      start: [1.25, -0.5],
      steps: 50,
    });
    expect(tracks[2]!.path).toEqual(path.data);
    expect(hasTwins({ ...everything, schedule: "constant", noise: 0, clipNorm: undefined, clipValue: undefined })).toBe(
      false,
    );
    const alone = race({ ...everything, rates: { adam: 0.1 }, twins: false });
    expect(alone[0]!.path).toEqual(tracks[1]!.path);
  });

  test.each(LANDSCAPES)("on %s every optimizer gets somewhere with its usual rate", (landscape) => {
    const { rates } = of(`f=${landscape}&o=${RACERS.join(",")}`);
    const tracks = race({ ...defaultSettings(landscape), rates });
    expect(tracks).toHaveLength(RACERS.length);
    for (const { racer, losses, diverged } of tracks) {
      expect(diverged, racer).toBe(false);
      expect(losses.at(-1)!, racer).toBeLessThan(losses[0]!);
    }
  });

  test.each(SCHEDULES)("schedule %s", (schedule) => {
    const [track] = race({ ...defaultSettings(), rates: { sgd: 0.01 }, schedule, steps: 30 });
    expect(track!.losses).toHaveLength(31);
    expect(track!.losses.at(-1)).toBeLessThan(track!.losses[0]!);
  });

  test("one that diverges ends before that", () => {
    const [track] = race(of("o=sgd:0.5"));
    expect(track!.diverged).toBe(true);
    expect(track!.losses.length).toBeLessThan(200);
    expect(track!.losses.every(Number.isFinite)).toBe(true);
  });
});

describe("map", () => {
  test("shows the bounds in the shape asked for, from the upper left", () => {
    const map = mapOf("quadratic", 100, 8, 8);
    expect(map.bounds).toEqual([
      [-3, 3],
      [-3, 3],
    ]);
    expect(map.lowest).toBe(0);
    const f = (x: number, y: number) => 0.5 * (x * x + 100 * y * y);
    expect(map.heights[1]).toBeCloseTo(f(-1.875, 2.625), 3);
    expect(map.heights[8]).toBeCloseTo(f(-2.625, 1.875), 3);
    expect(mapOf("saddle", 100, 4, 2).lowest).toBeUndefined();
  });
});

test("the worker answers, errors too", () => {
  const replies: DescendReply[] = [];
  const ask = (request: object) =>
    answer({ tab: "descend", id: 3, ...request } as Parameters<typeof answer>[0], (reply, transfer) => {
      replies.push(reply);
      expect(transfer.every((buffer) => buffer instanceof ArrayBuffer)).toBe(true);
    });
  ask({ type: "map", landscape: "cliff", condition: 100, columns: 4, rows: 3 });
  ask({ type: "race", settings: { ...defaultSettings(), steps: 3 } });
  ask({ type: "race", settings: { ...defaultSettings(), steps: -3 } });
  expect(replies.map(({ type, id }) => `${type} ${id}`)).toEqual(["map 3", "race 3", "error 3"]);
});
