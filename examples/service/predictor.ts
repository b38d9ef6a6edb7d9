// Models that are loaded to predict, the least recently used ones let go where they take more memory than they may.

import { init, loadModel, type Model, type NDArray, type Runtime } from "downhill";
import { Batcher, type BatcherOptions, type Outputs } from "./batcher";
import { notFound, unprocessable } from "./errors";
import type { Row } from "./rows";
import type { Facts } from "./table";

interface Loaded {
  facts: Facts;
  batcher: Batcher;
}

/** One row's prediction: a class with the probabilities of all, or a number. */
export type Prediction = { label: string; probabilities: Record<string, number> } | { value: number };

/** Where models come from. */
export interface Origin {
  get(id: string): Promise<{ facts: Facts }>;
  file(id: string): Promise<Uint8Array>;
}

export class Predictor {
  /** The one used last comes last. */
  readonly #loaded = new Map<string, Loaded>();
  readonly #loading = new Map<string, Promise<Loaded>>();

  private constructor(
    readonly runtime: Runtime,
    readonly origin: Origin,
    /** Bytes that models may take. */
    readonly bound: number,
    readonly options: BatcherOptions,
  ) {}

  static async create(origin: Origin, bound: number, options: BatcherOptions): Promise<Predictor> {
    // the bound is kept here; what one model needs beyond it, it gets
    return new Predictor(await init({ maxMemory: bound + 2 ** 29 }), origin, bound, options);
  }

  get figures(): { models: number; bytes: number } {
    return { models: this.#loaded.size, bytes: this.runtime.memory().used };
  }

  /** Predictions for rows, in their order. */
  async predict(id: string, rows: readonly Row[], where: (i: number) => string): Promise<Prediction[]> {
    const { facts, batcher } = this.#use(id) ?? (await this.#load(id));
    const outputs = await batcher.predict(rows, where);
    return Array.from({ length: rows.length }, (_, i) => predictionOf(facts.classes, outputs, i, where));
  }

  /** The model is no more. */
  drop(id: string): void {
    this.#loading.delete(id);
    const loaded = this.#loaded.get(id);
    if (!loaded) return;
    this.#loaded.delete(id);
    loaded.batcher.flush();
    loaded.batcher.model.dispose();
  }

  dispose(): void {
    for (const id of [...this.#loaded.keys()]) this.drop(id);
    this.runtime.dispose();
  }

  #use(id: string): Loaded | undefined {
    const loaded = this.#loaded.get(id);
    if (loaded && this.#loaded.size > 1) {
      this.#loaded.delete(id);
      this.#loaded.set(id, loaded);
    }
    return loaded;
  }

  #load(id: string): Promise<Loaded> {
    let loading = this.#loading.get(id);
    if (!loading) {
      loading = this.#read(id, () => this.#loading.get(id) === loading).finally(() => {
        if (this.#loading.get(id) === loading) this.#loading.delete(id);
      });
      this.#loading.set(id, loading);
    }
    return loading;
  }

  async #read(id: string, wanted: () => boolean): Promise<Loaded> {
    const [bytes, { facts }] = await Promise.all([this.origin.file(id), this.origin.get(id)]);
    this.#trim();
    const model = (await loadModel(bytes, { runtime: this.runtime })) as Model<NDArray>;
    if (!wanted()) {
      model.dispose();
      throw notFound(id);
    }
    const ran = (rows: number, requests: number) => {
      this.options.ran?.(rows, requests);
      this.#trim(); // its first batch of a size takes memory, too
    };
    const loaded = { facts, batcher: new Batcher(model, facts, { ...this.options, ran }) };
    this.#loaded.set(id, loaded);
    this.#trim();
    return loaded;
  }

  /** Lets go of what was used longest ago, of nothing that is in use. */
  #trim(): void {
    for (const [id, { batcher }] of this.#loaded) {
      if (this.runtime.memory().used <= this.bound || this.#loaded.size === 1) return;
      if (!batcher.busy) this.drop(id);
    }
  }
}

function predictionOf(
  classes: readonly string[] | undefined,
  { data, first, width }: Outputs,
  i: number,
  where: (i: number) => string,
): Prediction {
  const at = (first + i) * width;
  if (!classes) {
    const value = data[at]!;
    if (!Number.isFinite(value)) throw notFinite(where(i), value);
    return { value };
  }
  let best = 0;
  for (let c = 1; c < width; c++) if (data[at + c]! > data[at + best]!) best = c;
  const greatest = data[at + best]!;
  const probabilities = new Array<number>(width);
  let sum = 0;
  for (let c = 0; c < width; c++) sum += probabilities[c] = Math.exp(data[at + c]! - greatest);
  if (!Number.isFinite(sum)) throw notFinite(where(i), sum);
  const named: Record<string, number> = {};
  for (let c = 0; c < width; c++) named[classes[c]!] = probabilities[c]! / sum;
  return { label: classes[best]!, probabilities: named };
}

const notFinite = (where: string, got: number) =>
  unprocessable(`${where}: expected values for which the model's output is finite, got ${got}`);
