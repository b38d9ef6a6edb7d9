// What the project has promised to reach against its peers (issue 5): one thread, Node 24, ratios of times.

import type { Results } from "./results";

export interface Goal {
  what: string;
  value: number | undefined;
  bound: number;
  atMost: boolean;
  unit: string;
  /** Undefined: not measured, or against a void column. */
  met: boolean | undefined;
}

/** Times over a peer's, at most; speeds over a peer's, at least. [fastMath, strict] */
const TIMES: [workload: string, peer: string, bounds: [number, number]][] = [
  ["W1", "pytorch", [0.05, 0.05]],
  ["W2", "pytorch", [1.6, 2.0]],
  ["W3", "pytorch", [1.25, 1.6]],
  ["W4", "pytorch", [0.65, 0.75]],
  ["W5", "pytorch", [0.11, 0.12]],
  ["W6", "pytorch", [0.05, 0.05]],
  ["W7a", "pytorch", [0.25, 0.25]],
  ["W7a", "onnx", [1, 1]],
  ["W7b", "pytorch", [2.1, 2.6]],
  ["W8", "pytorch", [0.85, 0.95]],
  ["W9", "pytorch", [0.75, 0.85]],
];
const SPEEDS: typeof TIMES = [
  ["W1", "plain", [3, 3]],
  ["W1", "jax", [50, 50]],
  ["W2", "jax", [1.8, 1.45]],
  ["W2", "tfjs-wasm", [20, 16]],
  ["W3", "jax", [2, 1.6]],
  ["W4", "plain", [16, 14]],
  ["W4", "jax", [200, 200]],
  ["W5", "plain", [4, 4]],
  ["W5", "jax", [25, 25]],
  ["W6", "plain", [2, 2]],
  ["W7a", "tfjs-wasm", [2, 2]],
  ["W7b", "tfjs-wasm", [1.5, 1.25]],
  ["W8", "jax", [200, 200]],
  ["W9", "jax", [6, 6]],
];
const TWO_THREADS_FASTER = ["W2", "W3", "W4", "W8"];
const TWO_THREADS_NO_SLOWER = ["W1", "W5", "W6"];
const BUILDS = ["fast", "strict"] as const;

export function goalsOf(results: Results): Goal[] {
  const goals: Goal[] = [];
  const add = (what: string, value: number | undefined, bound: number, atMost: boolean, unit = "×", isVoid = false) =>
    goals.push({
      what,
      value,
      bound,
      atMost,
      unit,
      met: value === undefined || isVoid ? undefined : atMost ? value <= bound : value >= bound,
    });
  const cellOf = (workload: string, competitor: string) =>
    results.cells.find((cell) => cell.workload === workload && cell.competitor === competitor);
  const ms = (workload: string, competitor: string) => cellOf(workload, competitor)?.ms;
  /** Whether one of the two computes something else, or does not train: their ratio promises nothing. */
  const voidCells = (workload: string, ...of: string[]) =>
    of.some((id) => {
      const cell = cellOf(workload, id);
      return cell?.other === true || cell?.learns === false || (id === "pytorch" && results.pytorch?.void === true);
    });
  const ratio = (a: number | undefined, b: number | undefined) =>
    a === undefined || b === undefined ? undefined : a / b;

  for (const [i, build] of BUILDS.entries()) {
    const us = `downhill-${build}`;
    const label = build === "fast" ? "fastMath" : "strict";
    /** Of time a over time b; `speed`: at least, of b over a. */
    const compare = (what: string, workload: string, a: string, b: string, bound: number, speed: boolean) => {
      if (![a, b].every((id) => results.competitors.includes(id)) || !results.workloads.includes(workload)) return;
      const [over, under] = speed ? [b, a] : [a, b];
      const value = ratio(ms(workload, over), ms(workload, under));
      add(`${workload} ${label}, ${what}`, value, bound, !speed, "×", voidCells(workload, a, b));
    };
    for (const [workload, peer, bounds] of TIMES) compare(`time over ${peer}`, workload, us, peer, bounds[i]!, false);
    for (const [workload, peer, bounds] of SPEEDS) compare(`speed over ${peer}`, workload, us, peer, bounds[i]!, true);
    for (const workload of TWO_THREADS_FASTER) compare("2 threads against 1", workload, `${us}-2`, us, 1.75, true);
    for (const workload of TWO_THREADS_NO_SLOWER)
      compare("time of 2 threads over 1", workload, `${us}-2`, us, 1.05, false);
  }
  const { ready, memory, bundle } = results.measures;
  if (ready) {
    add("ready to train W5, over an empty Node", ready["downhill"], 50, true, "ms");
    add("the same over TensorFlow.js's", ratio(ready["downhill"], ready["tfjs"]), 0.2, true);
  }
  if (memory)
    add(
      "peak memory of W2 over an empty Node, over TensorFlow.js's",
      ratio(memory["downhill"], memory["tfjs"]),
      1 / 3,
      true,
    );
  if (bundle !== undefined) add("MLP bundle, min + gzip", bundle, 64_000, true, "bytes");
  return goals;
}
