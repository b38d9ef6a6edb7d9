// The thread team: the same tape walked side by side, met at barriers.
//
// Rank 0 is the caller; ranks 1 … nth − 1 are workers that sit in `follow`. The team block (isa.ts, Team) is all they
// share beside the tape. Waits are bounded spins followed by sleeps; a poison word ends them all.

import { Status, Team } from "./isa";

/** A sleep of a waiting rank, in nanoseconds, after which it looks at the poison word again. */
const SLEEP: i64 = 100_000_000;

/**
 * Sleeps until the word at `address` is not `value`. The wait stands alone in a function that is reached through the
 * table, so that no local lives across it: Node 20's baseline compiler zeroes them.
 */
function sleep(address: usize, value: u32, nanoseconds: i64): void {
  if (ASC_FEATURE_THREADS) atomic.wait<u32>(address, value, nanoseconds);
}

/** Spins of a leader that may not sleep, before it comes back `stalled`: about a millisecond. */
const LONG_SPIN: u32 = 500000;

/** Whether the word became other than `value` within so many looks. */
function spin(address: usize, value: u32, looks: u32): bool {
  for (let i: u32 = 0; i < looks; i++) {
    if (atomic.load<u32>(address) != value) return true;
  }
  return false;
}

/** Waits until the word `word` of the team block is not `value`. A leader gives up after its patience: `stalled`. */
export function waitWhile(team: usize, word: i32, value: u32, ith: u32): Status {
  if (ASC_FEATURE_THREADS) {
    const sleepThroughTable = sleep;
    const address = team + ((<usize>word) << 2);
    if (spin(address, value, load<u32>(team + (Team.looks << 2)))) return Status.done;
    if (ith == 0) {
      const patience = <i64>load<u32>(team + (Team.patience << 2)) * 1_000_000;
      if (atomic.load<u32>(team + (Team.poison << 2))) return Status.poisoned;
      if (patience) sleepThroughTable(address, value, patience);
      else spin(address, value, LONG_SPIN);
      if (atomic.load<u32>(team + (Team.poison << 2))) return Status.poisoned;
      return atomic.load<u32>(address) == value ? Status.stalled : Status.done;
    }
    while (atomic.load<u32>(address) == value) {
      if (atomic.load<u32>(team + (Team.poison << 2))) return Status.poisoned;
      sleepThroughTable(address, value, SLEEP);
    }
  }
  return Status.done;
}

/** Returns when all `nth` ranks have come. `stalled`: this rank has been counted; wait for the generation after `generation`. */
export function barrier(team: usize, ith: u32, nth: u32): Status {
  if (ASC_FEATURE_THREADS) {
    const generation = atomic.load<u32>(team + (Team.generation << 2));
    if (atomic.add<u32>(team + (Team.arrived << 2), 1) == nth - 1) {
      atomic.store<u32>(team + (Team.arrived << 2), 0);
      atomic.add<u32>(team + (Team.generation << 2), 1);
      atomic.notify(team + (Team.generation << 2), -1);
      return Status.done;
    }
    if (ith == 0) store<u32>(team + (Team.resumeGeneration << 2), generation);
    return waitWhile(team, Team.generation, generation, ith);
  }
  return Status.done;
}
