// Training an arm: the same budget and the same grid of learning rates for each, the rate chosen on the validation rows.

import { type FitOptions, type History, type Logs, type Model, setSeed } from "downhill";
import type { Split } from "./data";

export type Options = Omit<FitOptions, "validationData" | "validationSplit">;

export interface Trained {
  rate: number;
  model: Model;
  history: Pick<History, "epochs">;
  /** On the test set. */
  test: Logs;
}

/** The usual grid. */
export const RATES: readonly number[] = [3e-4, 1e-3, 3e-3];

/**
 * Trains what `make` makes of each rate, weights of `seed`, and keeps the one whose validation loss is least in the end
 * (`choose`: another figure, the larger the better). `by`: in the place of the training set's rows.
 */
export async function tuned(
  make: (rate: number) => Model,
  { train, validation, test }: Split,
  seed: number,
  options: Options,
  rates: readonly number[] = RATES,
  choose: (validation: Logs) => number = ({ loss }) => -loss,
): Promise<Trained> {
  let best: (Omit<Trained, "test"> & { score: number }) | undefined;
  for (const rate of rates) {
    setSeed(seed);
    const model = make(rate);
    let history: Trained["history"] = { epochs: [] };
    let score = -Infinity;
    try {
      history = await model.fit(train, { ...options, validationData: validation });
      score = choose(await model.evaluate(validation));
    } catch (error) {
      if ((error as { code?: string }).code !== "numeric") throw error; // it diverged: the worst there is
    }
    if (!Number.isFinite(score)) score = -Infinity;
    if (best && score <= best.score) model.dispose();
    else {
      best?.model.dispose();
      best = { rate, model, history, score };
    }
  }
  const { rate, model, history } = best!;
  return { rate, model, history, test: await model.evaluate(test) };
}

/** What `compare` compares. */
export interface Comparison {
  /** The arms, each a model to a rate; the first is the one without the method, the last the one with it. */
  arms: Readonly<Record<string, (rate: number) => Model>>;
  split(seed: number): Split;
  /** Of the training of an arm. */
  options: Options | ((arm: string) => Options);
  rates?: readonly number[];
  choose?: (validation: Logs) => number;
  /** What is compared; default: test accuracy. */
  figure?: (test: Logs) => number;
}

/** The figure of each arm by seed, the first seed's training of each, and the rates that were chosen. */
export async function compare(
  seeds: readonly number[],
  { arms, split, options, rates, choose, figure = (test) => test["accuracy"]! }: Comparison,
) {
  const figures: Record<string, number[]> = {};
  const histories: Record<string, Trained["history"]> = {};
  const chosen: Record<string, number[]> = {};
  for (const [arm, make] of Object.entries(arms)) {
    figures[arm] = [];
    chosen[arm] = [];
    for (const seed of seeds) {
      const own = typeof options === "function" ? options(arm) : options;
      const { test, rate, history, model } = await tuned(make, split(seed), seed, own, rates, choose);
      figures[arm].push(figure(test));
      chosen[arm].push(rate);
      histories[arm] ??= history;
      model.dispose();
    }
  }
  const [first, ...others] = Object.values(figures) as [number[], ...number[][]];
  const differences = others.at(-1)!.map((value, i) => value - first[i]!);
  return { figures, differences, histories, chosen };
}
