// Medians of interleaved rounds.
//
// A round takes one sample of every contestant, in an order that turns with each round, so that a slow moment hits them
// all alike. A sample is as many calls as fill SAMPLE_MS, after one call that is not timed (it brings the caches back
// from what ran before; what takes longer than WARM_MS brings them back by itself). Before the first round everything runs
// until the engine has tiered up (V8: 80–140 calls of a small kernel). Where the clock has a coarse grain, as in a page that is not
// isolated, samples are longer: GRAINS of it.
// Where the host can tell that the process lost its core during a sample, the sample is taken again, twice at most. (A
// long sample is interrupted on the quietest of machines: one interruption in TOLERATED_MS is let pass.)

/** Something whose calls are timed. */
export interface Contestant {
  run(): void;
}

export interface Timing {
  median: number; // milliseconds a call
  best: number;
  /** Share of samples in which the process lost its core. */
  interrupted: number;
}

export interface Clock {
  now(): number;
  /** Milliseconds between two values of `now`; absent where they do not matter. */
  grain?: number;
  interruptions?(): number;
}

const SAMPLE_MS = 1;
const GRAINS = 30;
const WARM_UP_CALLS = 160;
const WARM_UP_MS = 150;
const WARM_UP_LEAST = 3;
const WARM_MS = 20;
const RETRIES = 2;
const TOLERATED_MS = 20;
const MOST_CALLS = 2 ** 22;

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Warms up and returns how many calls fill a sample, and whether one more goes before it. */
function warmUp({ run }: Contestant, { now, grain = 0 }: Clock): { calls: number; first: boolean } {
  const start = now();
  for (let i = 0; i < WARM_UP_CALLS && (i < WARM_UP_LEAST || now() - start < WARM_UP_MS); i++) run();
  const sample = Math.max(SAMPLE_MS, GRAINS * grain);
  // a short call is lost in the clock's own grain: time many
  for (let calls = 1; ; calls *= 4) {
    let each = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 3; i++) each = Math.min(each, time(run, calls, now));
    if (each * calls >= sample / 4 || calls >= MOST_CALLS)
      return { calls: Math.max(1, Math.min(MOST_CALLS, Math.ceil(sample / each))), first: each < WARM_MS };
  }
}

/** Milliseconds a call. */
function time(run: () => void, calls: number, now: () => number): number {
  const start = now();
  for (let i = 0; i < calls; i++) run();
  return (now() - start) / calls;
}

/** Timings of the contestants, in their order. */
export function measure(contestants: Contestant[], rounds: number, clock: Clock): Timing[] {
  const { now, interruptions } = clock;
  const plans = contestants.map((contestant) => warmUp(contestant, clock));
  const samples: number[][] = contestants.map(() => []);
  const interrupted = contestants.map(() => 0);
  for (let round = 0; round < rounds; round++)
    for (let i = 0; i < contestants.length; i++) {
      const which = (round + i) % contestants.length;
      const { run } = contestants[which]!;
      const { calls: many, first } = plans[which]!;
      let sample = Number.POSITIVE_INFINITY;
      for (let attempt = 0; ; attempt++) {
        if (first) run();
        const before = interruptions?.() ?? 0;
        const each = time(run, many, now);
        sample = Math.min(sample, each);
        const quiet = (interruptions?.() ?? 0) - before <= (many * each) / TOLERATED_MS;
        if (quiet) break;
        if (attempt === RETRIES || many * each > TOLERATED_MS) {
          interrupted[which]!++;
          break;
        }
      }
      samples[which]!.push(sample);
    }
  return samples.map((taken, i) => ({
    median: median(taken),
    best: Math.min(...taken),
    interrupted: interrupted[i]! / rounds,
  }));
}
