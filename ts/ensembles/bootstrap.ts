// Bootstrap samples (Efron 1979): rows drawn with replacement.

import { philoxWords, streamWord } from "../runtime/philox";

/** The counter's `op` words of what an ensemble draws: no layer has them. */
const SAMPLE = 0xfffffffe;
const STREAM = 0xfffffffd;

/** How far the streams of neighbouring members lie apart; odd, so no two of 2³² are one. */
const STRIDE = 0x9e3779b9;

/** Where a model's random numbers come from. */
export interface Position {
  seed: number;
  stream: number;
}

/** Random words of an op, for a model of that position. */
const words = (length: number, op: number, { seed, stream }: Position): Uint32Array =>
  philoxWords(length, op, 0, seed, streamWord(seed, stream)).subarray(0, length);

/** The position of a member: its stream derives from the ensemble's and its number. */
export function memberPosition(ensemble: Position, member: number): Position {
  const [first] = words(1, STREAM, ensemble);
  return { seed: ensemble.seed, stream: (first! + Math.imul(member, STRIDE)) >>> 0 };
}

/** `size` of `rows` rows, drawn with replacement. */
export function bootstrap(rows: number, size: number, member: Position): Uint32Array {
  return words(size, SAMPLE, member).map((word) => Math.floor((word / 2 ** 32) * rows));
}

/** The rows, of `rows`, that a sample leaves out. */
export function leftOut(rows: number, sample: Uint32Array): Uint32Array {
  const drawn = new Uint8Array(rows);
  for (const row of sample) drawn[row] = 1;
  return Uint32Array.from({ length: rows }, (_, row) => row).filter((row) => !drawn[row]);
}
