// Requests that arrive within a bounded wait are predicted together: a batch costs little more than a row.

import type { Model, NDArray } from "downhill";
import { type Row, RowEncoder } from "./rows";
import type { Facts } from "./table";

/** Outputs of a request's rows. */
export interface Outputs {
  /** [rows, width], from `first` on. */
  data: Float32Array;
  first: number;
  rows: number;
  width: number;
}

interface Waiting {
  first: number;
  rows: number;
  resolve(outputs: Outputs): void;
  reject(error: unknown): void;
}

export interface BatcherOptions {
  /** Rows of a batch. */
  rows: number;
  /** How long the first request of a batch waits at most, in milliseconds. */
  wait: number;
  /** Whether another request may come while these wait; where none can, nothing is waited for. */
  more?: () => boolean;
  /** Told of each batch. */
  ran?: (rows: number, requests: number) => void;
}

export class Batcher {
  readonly #encoder: RowEncoder;
  readonly #x: Float32Array;
  #rows = 0;
  #waiting: Waiting[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #soon: ReturnType<typeof setImmediate> | undefined;

  constructor(
    readonly model: Model<NDArray>,
    facts: Facts,
    readonly options: BatcherOptions,
  ) {
    this.#encoder = new RowEncoder(facts.columns, facts.width, facts.fills && facts.moments.mean);
    this.#x = new Float32Array(options.rows * facts.width);
  }

  /** Whether requests wait. */
  get busy(): boolean {
    return this.#waiting.length > 0;
  }

  /** The outputs for a request's rows; rejects at once where one does not fit the model's columns. */
  async predict(rows: readonly Row[], where: (i: number) => string): Promise<Outputs> {
    const encoder = this.#encoder;
    const { width } = encoder;
    const most = this.options.rows;
    const encode = (x: Float32Array, first: number) => {
      for (let i = 0; i < rows.length; i++) encoder.encode(rows[i]!, x, (first + i) * width, where(i));
    };
    if (rows.length > most) {
      const x = new Float32Array(rows.length * width);
      encode(x, 0);
      this.options.ran?.(rows.length, 1);
      return this.#outputs(x, rows.length);
    }
    if (this.#rows + rows.length > most) this.flush();
    const first = this.#rows;
    try {
      encode(this.#x, first);
    } catch (error) {
      this.#x.fill(0, first * width, (first + rows.length) * width);
      throw error;
    }
    this.#rows += rows.length;
    const outputs = new Promise<Outputs>((resolve, reject) => {
      this.#waiting.push({ first, rows: rows.length, resolve, reject });
    });
    if (this.#rows === most) this.flush();
    else {
      this.#timer ??= setTimeout(() => this.flush(), this.options.wait);
      if (this.options.more?.() === false) this.#soon ??= setImmediate(() => this.flush());
    }
    return outputs;
  }

  /** Predicts what waits. */
  flush(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#soon);
    this.#timer = this.#soon = undefined;
    const waiting = this.#waiting;
    if (!waiting.length) return;
    const rows = this.#rows;
    const x = this.#x.subarray(0, rows * this.#encoder.width);
    this.#waiting = [];
    this.#rows = 0;
    try {
      const { data, width } = this.#outputs(x, rows);
      this.options.ran?.(rows, waiting.length);
      for (const { first, rows, resolve } of waiting) resolve({ data, first, rows, width });
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
    x.fill(0);
  }

  #outputs(x: Float32Array, rows: number): Outputs {
    const { data, shape } = this.model.predict({ data: x, shape: [rows, this.#encoder.width] }, { batchSize: 256 });
    return { data, first: 0, rows, width: shape[1]! };
  }
}
