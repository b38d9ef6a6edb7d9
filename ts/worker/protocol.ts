// What the calling thread and a worker say to each other. One worker holds one model.
//
// The caller sends calls, each with a number of its own; the worker answers each with its value or error, in whatever order
// they end. While a call runs the worker may ask the caller something (a callback, the next batch), and waits for the reply;
// messages keep their order, so what the caller has sent before a reply is done before the call goes on.

import type { ErrorCode } from "../errors";
import type { FitFigures } from "../training/callbacks";

/** From the caller. */
export type ToWorker =
  | { call: number; method: string; args: unknown[] }
  /** The call's signal was aborted. */
  | { abort: number }
  /** To a question; `thrown`: the user's own code threw, and the caller keeps what. */
  | { reply: number; value?: unknown; thrown?: true };

/** From the worker. */
export type FromWorker =
  | { call: number; value: unknown }
  | { call: number; error: SentError }
  /** What the caller keeps of that call is what it failed with. */
  | { call: number; thrown: true }
  | { call: number; ask: number | undefined; question: Question };

/** What the worker asks; without a number it wants no reply. */
export type Question =
  /** The callback at that place in the list of the call's. */
  | { callback: number; events: CallbackEvent[]; figures: FitFigures }
  /** The next batch of an epoch's, `undefined` at its end; or none any more. */
  | { epoch: number; want: "first" | "next" | "end" }
  | { close: true };

export interface CallbackEvent {
  handler: string;
  args: unknown[];
  /** By the worker's clock, in milliseconds. */
  time: number;
}

/** Data that stay with the caller, batch by batch. */
export interface Streamed {
  streamed: true;
}

/** A callback that stays with the caller, in the place of one. `shows`: nobody waits for it. */
export interface CallerCallback {
  type: "caller";
  call: number;
  at: number;
  handlers: string[];
  shows: boolean;
}

/** An error as plain data. */
export interface SentError {
  name: string;
  code?: ErrorCode | undefined;
  message: string;
  stack?: string | undefined;
  cause?: SentError | undefined;
}

/** What a worker makes its runtime of. */
export interface StartOptions {
  module: WebAssembly.Module;
  threads: number;
  fastMath: boolean;
  maxMemory: number;
  /** Where the worker was started from, unless from a Blob. */
  workerUrl: string | undefined;
}

/**
 * Data that own their memory alone: their buffers can go to another thread, not copies of them. Without empty ones: a message
 * with a buffer that has gone already would be lost without a word in Node.
 */
export function buffersIn(value: unknown, found = new Set<ArrayBuffer>()): ArrayBuffer[] {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer && value.buffer.byteLength) found.add(value.buffer);
  } else if (typeof value === "object" && value !== null) {
    for (const item of Object.values(value)) buffersIn(item, found);
  }
  return [...found];
}

/**
 * The same data in views that span their buffers: of a part of a buffer the whole would go over. `own` has the buffers that are
 * made for that.
 */
export function compacted(value: unknown, own: Set<ArrayBuffer>): unknown {
  const inside = (item: unknown) => compacted(item, own);
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteLength } = value;
    if (!(buffer instanceof ArrayBuffer && byteLength < buffer.byteLength && "slice" in value)) return value;
    const part = (value as Float32Array<ArrayBuffer>).slice();
    own.add(part.buffer);
    return part;
  }
  if (Array.isArray(value)) return isNumbers(value) ? value : value.map(inside);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inside(item)]));
}

/** A number, or lists of numbers that may go deep: nothing to be looked for. */
const isNumbers = (value: readonly unknown[]): boolean => {
  let first: unknown = value;
  while (Array.isArray(first)) first = first[0];
  return typeof first === "number";
};
