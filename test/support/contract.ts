// What tests of the public contract share: errors by code, bits of weights, small models.

import { expect } from "vitest";
import {
  adam,
  batchNorm,
  DownhillError,
  dense,
  dropout,
  l2,
  type Model,
  type NDArray,
  relu,
  sequential,
  setSeed,
  softmaxCrossEntropy,
} from "../../ts/index";

/** The DownhillError that `call` throws, of that code. */
export function thrown(code: string, call: () => unknown, text?: string | RegExp): DownhillError {
  let error: unknown;
  try {
    call();
  } catch (e) {
    error = e;
  }
  return checked(code, error, text, String(call));
}

/** The same of a promise; a synchronous throw fails the test. */
export async function rejected(
  code: string,
  promise: Promise<unknown>,
  text?: string | RegExp,
): Promise<DownhillError> {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  return checked(code, error, text, "a promise");
}

function checked(code: string, error: unknown, text: string | RegExp | undefined, what: string): DownhillError {
  if (error instanceof Error && !(error instanceof DownhillError)) throw error;
  expect(error, `${what} should fail with ${code}`).toBeInstanceOf(DownhillError);
  expect((error as DownhillError).code, `${what}: ${(error as Error).message}`).toBe(code);
  if (typeof text === "string") expect((error as Error).message).toBe(text);
  else if (text) expect((error as Error).message).toMatch(text);
  return error as DownhillError;
}

// biome-ignore lint/suspicious/noExplicitAny: a hostile caller has no types
export const any = (value: unknown): any => value;

export const floats = (n: number, seed = 1): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => (((i + 1) * (2 * seed + 7) * 7919) % 1009) / 504.5 - 1);

export const labels = (n: number, classes: number): Int32Array => Int32Array.from({ length: n }, (_, i) => i % classes);

export const bitsOf = (a: { data: Float32Array }): number[] => [...new Uint32Array(a.data.slice().buffer)];

export const weightBits = (model: Model<never> | Model): Record<string, number[]> =>
  Object.fromEntries(Object.entries((model as Model).getWeights()).map(([key, w]) => [key, bitsOf(w)]));

/** 4 → 8 → 3 with dropout, Adam: all that a step can depend on is there. */
export function classifier(seed = 7, options: { rate?: number } = {}): Model<NDArray> {
  setSeed(seed);
  const { rate = 0.5 } = options;
  const model = sequential([dense(8, { inputShape: [4] }), relu(), dropout(rate), dense(3)]);
  model.compile({ optimizer: adam({ learningRate: 0.01 }), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
  return model;
}

/** With batch normalization, a penalty and a clipped norm. */
export function withNorm(): Model<NDArray> {
  setSeed(3);
  const model = sequential([
    dense(8, { inputShape: [4], kernelRegularizer: l2(0.01) }),
    batchNorm(),
    relu(),
    dropout(0.3),
    dense(3),
  ]);
  model.compile({
    optimizer: adam({ learningRate: 0.01 }),
    loss: softmaxCrossEntropy(),
    metrics: ["accuracy"],
    clipNorm: 1,
  });
  return model;
}
