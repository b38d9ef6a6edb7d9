// Estimates of time on one thread, in nanoseconds. They decide what a team is called for and where `fit` yields; being
// off by a factor of two changes neither much.

import type { Products } from "../graph/tape";

/** Floats read and written, at 40 GB/s. */
export const streaming = (floats: number): number => floats * 0.1;

/** Elements of a transcendental function, at 1.2 ns. */
export const transcendental = (elements: number): number => elements * 1.2;

/**
 * Multiply-adds, at 35 GFLOP/s. `direct`: how many those are that count, where it takes the time of fewer (as with Winograd's
 * algorithm) or of more.
 */
export const multiplyAdds = (count: number, direct = count): Products => ({ flops: 2 * direct, ns: (count * 2) / 35 });

/** Random numbers, at 0.5 G/s. */
export const randomNumbers = (count: number): number => count * 2;
