// What the Train tab and its worker tell each other.
//
// A run goes: `start` → `data`, then `epochs` again and again, `rests` at each pause and at the end. Everything that the
// worker says of a run bears the number that `start` gave it, so that answers from an earlier run can be told.
// Frames and statistics come when they are asked for, one for each request, also while it trains and at rest; where nothing has
// changed since the last one (`step` is the same), the page need not ask again.

import type { Settings } from "./settings";

/** From the page. */
export type Request =
  /** Ends the run before, if any, and begins a new one, training at once unless `paused`. */
  | { type: "start"; run: number; settings: Settings; paused?: boolean }
  /** Epochs a second at most; 0: as fast as it goes. Holds for this run and those after it; 0 at first. */
  | { type: "speed"; epochs: number }
  | { type: "pause" }
  /** Trains on; behind the end it does nothing. */
  | { type: "resume" }
  /** One update, or an epoch to its end, and then a pause. */
  | { type: "step"; by: "update" | "epoch" }
  /** `size`: of the grid, for data of the plane. */
  | { type: "frame"; size: number }
  | { type: "statistics" }
  /** A drawn digit, 64 numbers from 0 (paper) to 1 (ink), or null for none. It is answered at once, and each frame tells of it anew. */
  | { type: "digit"; pixels: Float32Array | null }
  /** Ends the run and frees all that it held. */
  | { type: "stop" };

/** From the worker. */
export type Response = { run: number } & Answer;

export type Answer =
  | Data
  | { type: "epochs"; epochs: Epoch[]; earlyStopping: EarlyStopping | null }
  | Rest
  | Frame
  | Statistics
  | { type: "digit"; probabilities: Float32Array | null }
  | Failure;

/** What is trained on. */
export interface Data {
  type: "data";
  classes: number;
  /** x of row i at 2·i and 2·i + 1 (plane; in [−EXTENT, EXTENT] but for what noise moves farther) or from 64·i (digits). */
  training: { x: Float32Array; labels: Int32Array };
  /** May be empty. */
  validation: { x: Float32Array; labels: Int32Array };
  /** Of digits: images that are neither trained on nor validated with. */
  test: { x: Float32Array; labels: Int32Array } | null;
  /** Names of layers with weights, from the input on, as in `Statistics`. */
  layers: string[];
  parameters: number;
  updatesPerEpoch: number;
}

/** One epoch's logs. `loss` = `dataLoss` + `penalty`. */
export interface Epoch {
  /** From 0. */
  epoch: number;
  loss: number;
  dataLoss: number;
  penalty: number;
  accuracy: number;
  valLoss?: number;
  valAccuracy?: number;
  /** Of digits, on the test images. */
  testAccuracy?: number;
  /** Where training is adversarial: on test images (digits) or validation points that are attacked in the same way. */
  attackedAccuracy?: number;
  /** That of the update behind it. */
  learningRate: number;
}

/** What early stopping by the validation loss would have done; training goes on past it. */
export interface EarlyStopping {
  /** The epoch with the lowest validation loss before it would stop: its weights would be restored. */
  best: number;
  /** The last epoch that it would train; null: not reached yet. */
  stop: number | null;
}

/** Where training stands. */
export interface Position {
  /** Updates so far. */
  step: number;
  /** Epochs that are finished. */
  epoch: number;
}

/** Training waits, at a pause or at its end. */
export interface Rest extends Position {
  type: "rest";
  finished: boolean;
  /** weightsHash; null where the platform has no SHA-256 (a page that is not secure). */
  hash: string | null;
}

export interface Frame extends Position {
  type: "frame";
  /** Of the plane: null for digits. */
  plane: Plane | null;
  /** Of digits: what the net takes each test image for; null for the plane. */
  predictions: Uint8Array | null;
  /** Of the drawn digit. */
  digit: Float32Array | null;
}

/** size × size cells (half as many a side as was asked for where that would take too long while it trains), row by row from the top left (x = −EXTENT, y = EXTENT), each asked at its middle. */
export interface Plane {
  size: number;
  /** The most probable class. */
  classes: Uint8Array;
  /** Its probability, 0 … 255. */
  confidence: Uint8Array;
}

/** Counts in bins of one width from `low` to `high`. */
export interface Histogram {
  low: number;
  high: number;
  counts: Uint32Array;
  mean: number;
  deviation: number;
  /** The share that is exactly 0. */
  zeros: number;
}

export interface LayerStatistics {
  /** As in `Data.layers`. */
  name: string;
  /** Of the kernel. */
  weights: Histogram;
  /** Of the outputs behind the activation, on up to 256 training examples; of the last layer the logits. */
  activations: Histogram;
}

export interface Statistics extends Position {
  type: "statistics";
  layers: LayerStatistics[];
  gradients: Gradients;
  /** Of digits whose first layer is dense: each unit's 64 weights, one unit after the other; else null. */
  images: Float32Array | null;
}

/** Norms of gradients by layer, before clipping; at most some hundred records, evenly spread over the run so far. */
export interface Gradients {
  /** The updates that were recorded, from 0. */
  steps: number[];
  /** In the order of `Data.layers`, one number a record. */
  norms: number[][];
  /** Of layers with a ReLU right behind them (no batch normalization): the share of units that passed no gradient; else null. */
  dead: (number[] | null)[];
}

/**
 * The run has ended: it diverged (`numeric`), or cannot be built (`argument`, `memory` …); then the message is downhill's, in English.
 * `script`: what is loaded on demand did not come.
 */
export interface Failure extends Position {
  type: "failure";
  code: string;
  message: string;
}
