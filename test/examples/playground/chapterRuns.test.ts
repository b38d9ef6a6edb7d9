// What the Chapter tab says is to be seen in a run is seen in it: each is run, beside what it is compared with.

import { describe, expect, test } from "vitest";
import { run } from "../../../examples/playground/chapter/demos";
import { METHODS, type Method, type MethodName } from "../../../examples/playground/chapter/methods";
import type { DemoName } from "../../../examples/playground/chapter/protocol";
import type { Track } from "../../../examples/playground/descend/protocol";
import { race } from "../../../examples/playground/descend/race";
import * as descend from "../../../examples/playground/descend/settings";
import type { Statistics } from "../../../examples/playground/train/protocol";
import * as train from "../../../examples/playground/train/settings";
import { conversation } from "./support";

const parametersOf = (hash: string) => new URLSearchParams(hash.slice(hash.indexOf("?") + 1));

/** A run to its end, and what the net then looks like. */
async function trained(hash: string) {
  const { ask, asked, answers } = conversation();
  const settings = train.fromParameters(parametersOf(hash));
  const end = await asked({ type: "start", run: 1, settings }, "rest", "failure");
  const reports = answers.filter((answer) => answer.type === "epochs");
  const epochs = reports.flatMap((report) => report.epochs);
  const statistics: Statistics | undefined =
    end.type === "rest" ? await asked({ type: "statistics" }, "statistics") : undefined;
  ask({ type: "stop" });
  const data = answers.find((answer) => answer.type === "data")!;
  const valLosses = epochs.map(({ valLoss }) => valLoss!);
  return {
    end,
    epochs,
    last: epochs.at(-1)!,
    parameters: data.parameters,
    stopping: reports.at(-1)?.earlyStopping,
    lowest: Math.min(...valLosses),
    /** Share of weights, of activations that are 0, by layer. */
    zeros: (of: "weights" | "activations") => statistics!.layers.map((layer) => layer[of].zeros),
    deviations: (of: "weights" | "activations") => statistics!.layers.map((layer) => layer[of].deviation),
    /** Gradient norms of the first update by layer. */
    norms: statistics?.gradients.norms.map((norms) => norms[0]!) ?? [],
  };
}

type Trained = Awaited<ReturnType<typeof trained>>;

/** [method, what must hold of its run and of the other one]. */
const RUNS: [MethodName, (it: Trained, other: Trained) => void][] = [
  ["l2", (it, other) => expect(it.last.valLoss!).toBeLessThan(0.6 * other.last.valLoss!)],
  [
    "l1",
    (it, other) => {
      expect(Math.max(...other.zeros("weights"))).toBe(0);
      for (const share of it.zeros("weights").slice(0, 2)) expect(share).toBeGreaterThan(0.3);
      expect(it.last.testAccuracy!).toBeGreaterThan(other.last.testAccuracy! + 0.05);
    },
  ],
  [
    "augmentation",
    (it, other) => {
      expect(it.last.dataLoss).toBeGreaterThan(0.3);
      expect(it.last.valLoss!).toBeLessThan(0.6 * other.last.valLoss!);
    },
  ],
  [
    "inputNoise",
    (it, other) => {
      expect(it.last.valLoss!).toBeLessThan(0.5 * other.last.valLoss!);
      expect(it.last.valLoss!).toBeLessThan(1.2 * it.lowest);
    },
  ],
  ["hiddenNoise", (it, other) => expect(it.last.testAccuracy!).toBeGreaterThan(other.last.testAccuracy! + 0.04)],
  [
    "weightNoise",
    (it, other) => {
      expect(it.stopping!.best).toBeGreaterThan(other.stopping!.best);
      expect(it.last.valLoss!).toBeLessThan(other.last.valLoss!);
    },
  ],
  [
    "labelSmoothing",
    (it, other) => {
      expect(it.deviations("activations").at(-1)!).toBeLessThan(0.6 * other.deviations("activations").at(-1)!);
      expect(it.last.valLoss!).toBeLessThan(other.last.valLoss!);
    },
  ],
  [
    "earlyStopping",
    (it) => {
      expect(it.stopping!.stop).toBeLessThan(40);
      expect(it.last.valLoss!).toBeGreaterThan(1.5 * it.lowest);
    },
  ],
  [
    "parameterSharing",
    (it, other) => {
      expect(it.parameters).toBeLessThan(other.parameters / 5);
      expect(it.last.testAccuracy!).toBeGreaterThan(other.last.testAccuracy! - 0.02);
    },
  ],
  [
    "sparseRepresentation",
    (it, other) => {
      for (const share of other.zeros("activations").slice(0, 2)) expect(share).toBeCloseTo(0.4, 1);
      for (const share of it.zeros("activations").slice(0, 2)) expect(share).toBeCloseTo(0.67, 1);
    },
  ],
  [
    "dropout",
    (it, other) => {
      expect(other.last.accuracy).toBe(1);
      expect(it.last.accuracy).toBeLessThan(0.95);
      expect(it.last.testAccuracy!).toBeGreaterThan(other.last.testAccuracy! + 0.03);
    },
  ],
  [
    "adversarialTraining",
    (it) => expect(it.last.attackedAccuracy!).toBeGreaterThan(it.epochs[0]!.attackedAccuracy! + 0.2),
  ],
  ["batch", (it, other) => expect(it.last.loss).toBeGreaterThan(5 * other.last.loss)],
  ["online", (it) => expect(it.last.testAccuracy!).toBeGreaterThan(0.95)],
  ["minibatch", (it, other) => expect(it.last.valLoss!).toBeLessThan(other.last.valLoss!)],
  ["learningRateDecay", (it, other) => expect(it.last.testAccuracy!).toBeGreaterThan(other.last.testAccuracy! + 0.04)],
  ["adagrad", (it, other) => expect(it.last.loss).toBeLessThan(0.5 * other.last.loss)],
  ["rmsprop", (it, other) => expect(it.last.loss).toBeLessThan(0.25 * other.last.loss)],
  ["adam", (it, other) => expect(it.last.loss).toBeLessThan(0.15 * other.last.loss)],
  [
    "symmetry",
    (it, other) => {
      expect(it.last.testAccuracy!).toBeGreaterThan(0.95);
      expect(other.last.loss).toBeCloseTo(Math.log(10), 1);
      expect(Math.max(...other.deviations("weights"))).toBe(0);
    },
  ],
  [
    "xavier",
    (it, other) => {
      expect(Math.max(...it.norms) / Math.min(...it.norms)).toBeLessThan(2);
      expect(other.norms.at(-1)! / other.norms[0]!).toBeGreaterThan(1e11);
      expect(other.last.accuracy).toBeLessThan(0.2);
    },
  ],
  [
    "batchNorm",
    (it, other) => {
      expect(it.last.testAccuracy!).toBeGreaterThan(0.85);
      expect(other.last.testAccuracy!).toBeLessThan(0.2);
    },
  ],
  [
    "vanishing",
    (it, other) => {
      expect(it.norms.at(-1)! / it.norms[0]!).toBeGreaterThan(1e5);
      expect(it.last.accuracy).toBeLessThan(0.2);
      expect(Math.max(...other.norms) / Math.min(...other.norms)).toBeLessThan(5);
      expect(other.last.testAccuracy!).toBeGreaterThan(0.9);
    },
  ],
  [
    "exploding",
    (it, other) => {
      expect(it.end).toMatchObject({ type: "failure", code: "numeric" });
      expect(other.end.type).toBe("rest");
    },
  ],
];

/** Distance to the origin in the end, and f. */
const end = ({ path, losses }: Track) => ({ x: path.at(-2)!, y: path.at(-1)!, loss: losses.at(-1)! });
const tracksOf = (hash: string) =>
  Object.fromEntries(
    race(descend.fromParameters(parametersOf(hash))).map((track) => [
      track.twin ? `${track.racer} twin` : track.racer,
      { ...track, ...end(track) },
    ]),
  );

type Tracks = ReturnType<typeof tracksOf>;

const RACES: [MethodName, "run" | "race", (it: Tracks, other: Tracks) => void][] = [
  [
    "sgd",
    "run",
    (it) => {
      const wander = it["sgd"]!.losses.subarray(-50).reduce((a, b) => a + b) / 50;
      expect(wander).toBeGreaterThan(2 * it["sgd twin"]!.loss);
    },
  ],
  ["momentum", "run", (it) => expect(it["momentum"]!.loss).toBeLessThan(1e-4 * it["sgd"]!.loss)],
  ["adagrad", "race", (it) => expect(it["adagrad"]!.loss).toBeLessThan(it["sgd"]!.loss)],
  ["rmsprop", "race", (it) => expect(it["rmsprop"]!.loss).toBeLessThan(0.01 * it["adagrad"]!.loss)],
  ["adam", "race", (it) => expect(it["adam"]!.loss).toBeLessThan(Math.min(it["sgd"]!.loss, it["rmsprop"]!.loss))],
  [
    "illConditioning",
    "run",
    (it, other) => {
      expect(it["sgd"]!.loss).toBeGreaterThan(100 * other["sgd"]!.loss);
      expect(it["momentum"]!.loss).toBeLessThan(it["sgd"]!.loss);
    },
  ],
  [
    "localMinima",
    "run",
    (it, other) => {
      for (const { x, y, loss } of Object.values(it)) {
        expect(loss).toBeGreaterThan(5);
        expect(Math.hypot(x - 2, y + 2)).toBeLessThan(0.1);
      }
      for (const { loss } of Object.values(other)) expect(loss).toBeLessThan(0.1);
    },
  ],
  [
    "saddlePoints",
    "run",
    (it) => {
      expect(it["sgd twin"]!.y).toBe(0);
      expect(Math.abs(it["sgd twin"]!.x)).toBeLessThan(0.01);
      expect(Math.abs(it["sgd"]!.y)).toBeGreaterThan(2);
    },
  ],
  [
    "clipping",
    "run",
    (it) => {
      const farthest = it["momentum twin"]!.path.filter((_, i) => i % 2 === 0).reduce((a, b) => Math.min(a, b));
      expect(farthest).toBeLessThan(-8);
      expect(it["momentum"]!.loss).toBeLessThan(0.6);
    },
  ],
];

const method = (name: MethodName): Method => METHODS[name];

describe("trained", () => {
  test.each(RUNS)("%s", async (name, holds) => {
    const { run, other } = method(name);
    const it = await trained(run!);
    holds(it, other ? await trained(other) : it);
  });
});

describe("raced", () => {
  test.each(RACES)("%s: %s", (name, which, holds) => {
    const { [which]: link, other } = method(name);
    const it = tracksOf(link!);
    holds(it, which === "run" && other ? tracksOf(other) : it);
  });
});

describe("demos", () => {
  const accuracies = async (demo: DemoName) => {
    const found: Record<string, number> = {};
    for await (const { arm, accuracy } of run(demo)) found[arm] = accuracy;
    return found;
  };

  test("multitask: together is better than alone", async () => {
    const { alone, together } = await accuracies("multitask");
    expect(together!).toBeGreaterThan(alone! + 0.01);
  });

  test("parameter tying: tied is better than apart", async () => {
    const { apart, tied } = await accuracies("parameterTying");
    expect(tied!).toBeGreaterThan(apart! + 0.03);
  });

  test("bagging: ten nets and dropout are both better than one", async () => {
    const { single, dropout, bagging } = await accuracies("bagging");
    expect(bagging!).toBeGreaterThan(single!);
    expect(dropout!).toBeGreaterThan(single!);
  });
});

test("every method's run is looked at", () => {
  const seen = [...RUNS.map(([name]) => name), ...RACES.map(([name]) => name)];
  const demos = (Object.keys(METHODS) as MethodName[]).filter((name) => method(name).demo);
  expect(Object.keys(METHODS).filter((name) => ![...seen, ...demos].includes(name as MethodName))).toEqual([]);
});
