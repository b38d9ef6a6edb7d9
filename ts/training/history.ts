// What a fit leaves, and the same as JSON.

import { show, wrong } from "../errors";
import { parseJson } from "../formats/json";
import { isRecord } from "../options";
import type { Logs } from "./logs";

/** What a fit was asked for. */
export interface FitParams {
  /** Where training was to end, counted from 0. */
  epochs: number;
  /** The first epoch's number. */
  initialEpoch: number;
  /** Updates an epoch, where it is known. */
  steps: number | undefined;
  /** Examples an update, where it is known. */
  batchSize: number | undefined;
  /** Examples an epoch, where it is known. */
  examples: number | undefined;
}

/** A number as JSON can hold it. */
export type NumberJSON = number | "NaN" | "Infinity" | "-Infinity";

/** A history as plain data that JSON gives back as they are. */
export interface HistoryJSON {
  /** What the fit was asked for; what was not known is left out. */
  params: Partial<FitParams>;
  /** The logs of each epoch, in order. */
  epochs: Record<string, NumberJSON>[];
}

/** What `fit` resolves to. */
export class History {
  readonly #params: FitParams;

  /** @internal */
  constructor(
    params: FitParams,
    /** The logs of each epoch, in order; the first one's number is `params.initialEpoch`. */
    readonly epochs: Logs[] = [],
  ) {
    this.#params = params;
  }

  /** What the fit was asked for. Histories that differ in it alone are equal: of arrays, and of the same batches as they come. */
  get params(): FitParams {
    return this.#params;
  }

  /**
   * A copy as plain data, which `JSON.stringify(history)` writes: numbers that are not finite as `"NaN"`, `"Infinity"` and `"-Infinity"`.
   * `historyFromJSON` makes a history of it again.
   */
  toJSON(): HistoryJSON {
    const number = (_: string, v: unknown) => (typeof v === "number" && !Number.isFinite(v) ? `${v}` : v);
    return JSON.parse(JSON.stringify({ params: this.#params, epochs: this.epochs }, number));
  }
}

const NUMBERS = ["NaN", "Infinity", "-Infinity"];

/**
 * The history of which `toJSON` made this.
 *
 * @param json plain data, or their text
 * @example const { epochs } = historyFromJSON(await readFile("history.json", "utf8"))
 * @throws DownhillError `format` where it is something else
 */
export function historyFromJSON(json: unknown): History {
  const given = typeof json === "string" ? parseJson("historyFromJSON", json, 16) : json;
  const { params, epochs } = isRecord(given) ? given : {};
  const counts = isRecord(params) && Object.values(params).every((v) => v === undefined || Number.isFinite(v));
  if (!counts || !Array.isArray(epochs) || !epochs.every(isRecord))
    throw wrong("format", "historyFromJSON", "what a history's toJSON() gave", show(given));
  const number = (v: unknown) => (NUMBERS.includes(v as string) ? Number(v) : v);
  const logs = (epoch: object) => Object.fromEntries(Object.entries(epoch).map(([name, v]) => [name, number(v)]));
  return new History({ ...params } as unknown as FitParams, epochs.map(logs) as Logs[]);
}
