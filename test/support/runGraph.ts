// Lowers a planned graph, verifies it and runs it on a bare core.

import { Base, State, type Status } from "../../assembly/isa";
import type { Graph, Tensor } from "../../ts/graph/graph";
import type { Plan } from "../../ts/graph/plan";
import { lower, type Tape } from "../../ts/graph/tape";
import { verify } from "../../ts/graph/verify";
import { type Buffer, type Core, GUARD_WORD } from "./core";
import type { Region } from "./guardedPlan";

/** What there is after a run. */
export interface Ran {
  status: Status;
  tape: Tape;
  /** A tensor's words. */
  read(tensor: Tensor): Uint32Array;
}

/**
 * Runs a graph whose leaves lie in the core's memory. One thread walks the tape as the interpreter does; of several, each
 * does its share of every instruction, one after another. Guard words round all buffers, and in the arena round the plan's
 * `regions`, are checked.
 */
export function runGraph(core: Core, graph: Graph, memory: Plan & { regions?: Region[] }, threads = 1): Ran {
  const tape = lower(graph, memory, threads, core.state.address);
  verify(tape, {
    [Base.absolute]: [[0, 2 ** 32]],
    [Base.parameters]: [],
    [Base.statistics]: [],
    [Base.arena]: [[0, memory.bytes]],
  });
  const arena = core.buffer(memory.bytes / 4);
  core.state.u32[State.arena] = arena.address;
  const words = core.buffer(tape.words.length);
  words.u32.set(tape.words);
  let status: Status = 0;
  if (threads === 1) status = core.exports.run(words.address, words.address + tape.words.byteLength);
  else for (const { at } of tape.instructions) core.runShares(words.address + at * 4, threads);
  core.checkGuards();
  if (memory.regions) checkRegions(arena, memory.regions);
  const read = ({ place, size }: Tensor) => {
    const address = place!.offset + (place!.base === Base.arena ? arena.address : 0);
    return new Uint32Array(core.memory.buffer.slice(address, address + size * 4));
  };
  return { status, tape, read };
}

/** Throws where a word of the arena outside every region has been written. */
function checkRegions(arena: Buffer, regions: readonly Region[]): void {
  const words = arena.u32;
  let at = 0;
  for (const { name, at: from, bytes } of [...regions, { name: "the end", at: words.length * 4, bytes: 0 }]) {
    for (; at < from / 4; at++)
      if (words[at] !== GUARD_WORD)
        throw new Error(`word ${at} of the arena is written, before ${name} at ${from / 4}`);
    at = (from + bytes) / 4;
  }
}
