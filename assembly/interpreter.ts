// Walks a tape. Each kernel is reached through the function table with one signature, (args, ith, nth), never from a
// switch: a kernel that Binaryen inlined here would stay in the engine's baseline code until the walk returns.

import { check } from "./check";
import { Halt, Header, Mode, Op, State, Status, Team } from "./isa";
import { elementInputs, elementwise } from "./kernels/loops";
import { barrier, waitWhile } from "./team";

/** The function-table index of opcode `op`'s kernel (kernels.ts says why). */
function kernelOf(op: u32): u32 {
  return op + 1;
}

/** Runs one instruction's share of rank `ith` of `nth`. */
function execute(at: usize, ith: u32, nth: u32): void {
  const op = load<u32>(at);
  const args = at + (Header.args << 2);
  const inputs = elementInputs(op);
  if (inputs) elementwise(op, inputs, kernelOf(op), args, ith, nth);
  else call_indirect<void>(kernelOf(op), args, ith, nth);
}

function halted(at: usize): bool {
  return load<u32>(at) == Op.guard && load<u32>(load<u32>(at, Header.state << 2), State.halt << 2) != Halt.none;
}

/** The instructions from `from` up to `to`, on this thread alone. */
export function run(from: usize, to: usize): Status {
  for (let at = from; at < to; at += load<u32>(at, Header.words << 2) << 2) {
    if (!ASC_NO_ASSERT) check(at, from, to); // in the debug build
    if (halted(at)) return Status.halted;
    execute(at, 0, 1);
  }
  return Status.done;
}

/** One instruction's share, for tests: rank `ith` of `nth`, with no team. */
export function runShare(at: usize, ith: u32, nth: u32): void {
  execute(at, ith, nth);
}

// A walk of the team. A barrier stands after each team instruction and before each one that follows solo ones; solo
// instructions in a row need none between them. Guards are team instructions here: every rank has to read State.halt
// before rank 0 may clear it.

const enum Pending {
  nothing, // all ranks are here
  solo, // rank 0 did something that the others have not waited for
  team, // every rank did something
}

/** Rank 0's walk: all instructions. */
function walk(team: usize, from: usize, to: usize, nth: u32): Status {
  let pending = Pending.nothing;
  for (let at = from; at < to; at += load<u32>(at, Header.words << 2) << 2) {
    const mode = load<u32>(at, Header.mode << 2);
    if (pending == Pending.team || (pending == Pending.solo && mode == Mode.team)) {
      const status = barrier(team, 0, nth);
      if (status != Status.done) return left(team, at, to, status);
    }
    if (halted(at)) {
      const status = barrier(team, 0, nth);
      return status == Status.done ? Status.halted : left(team, 0, 0, status);
    }
    if (mode == Mode.team) {
      execute(at, 0, nth);
      pending = Pending.team;
    } else {
      execute(at, 0, 1);
      pending = Pending.solo;
    }
  }
  if (pending == Pending.team) {
    const status = barrier(team, 0, nth);
    if (status != Status.done) return left(team, to, to, status);
  }
  return Status.done;
}

/** Notes where a stalled leader goes on; `at` = 0: the run was halted there. */
function left(team: usize, at: usize, to: usize, status: Status): Status {
  store<u32>(team, at, Team.resumeAt << 2);
  store<u32>(team, to, Team.resumeTo << 2);
  return status;
}

/** The first team instruction from `at` on, or `to`. */
function nextShared(at: usize, to: usize): usize {
  while (at < to && load<u32>(at, Header.mode << 2) != Mode.team) at += load<u32>(at, Header.words << 2) << 2;
  return at;
}

/**
 * The other ranks' walk: team instructions alone. Where the next one stands is read before the barrier: behind the last
 * barrier of a run the host may free the tape and write over it.
 */
function attend(team: usize, from: usize, to: usize, ith: u32, nth: u32): Status {
  let at = from;
  let next = nextShared(from, to);
  while (next < to) {
    if (next != at) {
      const status = barrier(team, ith, nth);
      if (status != Status.done) return status;
    }
    at = next;
    const stops = halted(at);
    if (!stops) {
      execute(at, ith, nth);
      at += load<u32>(at, Header.words << 2) << 2;
      next = nextShared(at, to);
    }
    const status = barrier(team, ith, nth);
    if (status != Status.done) return status;
    if (stops) break;
  }
  return Status.done;
}

/** Rank 0: calls the team to the instructions from `from` up to `to`, one of them a team instruction, and does its own share. */
export function lead(team: usize, from: usize, to: usize, nth: u32): Status {
  if (ASC_FEATURE_THREADS) {
    store<u32>(team, from, Team.from << 2);
    store<u32>(team, to, Team.to << 2);
    atomic.add<u32>(team + (Team.start << 2), 1);
    atomic.notify(team + (Team.start << 2), -1);
    return walk(team, from, to, nth);
  }
  return run(from, to);
}

/** Rank 0 after `stalled`: waits on, then goes on. */
export function resume(team: usize, nth: u32): Status {
  if (!ASC_FEATURE_THREADS) return Status.done; // nothing stalls
  const status = waitWhile(team, Team.generation, load<u32>(team, Team.resumeGeneration << 2), 0);
  if (status != Status.done) return status;
  const at = load<u32>(team, Team.resumeAt << 2);
  return at ? walk(team, at, load<u32>(team, Team.resumeTo << 2), nth) : Status.halted;
}

/** Ranks 1 …: serve the team until it is poisoned. `start`: the value of Team.start that was seen before the worker said it was ready. */
export function follow(team: usize, ith: u32, nth: u32, start: u32): void {
  if (!ASC_FEATURE_THREADS) return;
  let seen = start;
  while (waitWhile(team, Team.start, seen, ith) == Status.done) {
    seen++;
    const from = load<u32>(team, Team.from << 2);
    if (attend(team, from, load<u32>(team, Team.to << 2), ith, nth) == Status.poisoned) return;
  }
}
