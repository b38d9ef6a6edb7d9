// Augmented examples to look at.

import { Base, Op, SourceType, State } from "../../assembly/isa";
import { checkFinite, newFloats, readArray, toCore } from "../data/arrays";
import { wrong } from "../errors";
import { prune } from "../graph/gradient";
import { Graph, sizeOf } from "../graph/graph";
import { plan } from "../graph/plan";
import { lower } from "../graph/tape";
import { verify } from "../graph/verify";
import type { ArrayLike, NDArray } from "../ndarray";
import { gather } from "../ops/gather";
import { check, listOf, natural, or, readOptions } from "../options";
import { type Built, built } from "../registry";
import { roundUp } from "../runtime/memory";
import { streamWord } from "../runtime/philox";
import { defaultRuntime } from "../runtime/runtime";
import { pipelineOf } from "./augmentation";

/**
 * The examples as a pipeline makes them, to look at: what a training step makes of them whose batch they are. Exactly what the
 * first model built after `setSeed(seed)` sees in its first update, where its first batch is x, in that order.
 *
 * @param x images [n, h, w] or [n, h, w, channels], or for what needs no images, any [n, …]; bytes count 0 … 255
 * @param pipeline as `fit`'s `augment`
 * @example augmentBatch(images, [randomRotate(), randomErasing()], { seed: 1 })
 * @throws DownhillError `argument`, `shape`, `data` (a number that is not finite)
 */
export function augmentBatch(x: ArrayLike, pipeline: readonly Built[], options?: { seed?: number }): NDArray {
  const who = "augmentBatch";
  const { data: given, shape } = readArray(`${who}: x`, x);
  check(who, "pipeline", listOf(built("augmentation", "randomFlip()")), pipeline);
  const { seed } = readOptions(who, options, { seed: or(natural(), 0) });
  if (!shape || shape.length < 2) throw wrong("shape", who, "x of shape [n, …]", `[${shape}]`);
  const rows = shape[0]!;
  if (!given.length) throw wrong("shape", who, "at least one example", "none");
  const { build } = pipelineOf(pipeline, { inputs: [{ value: { shape: shape.slice(1) } }], calls: [] });
  checkFinite(`${who}: x`, given, given.length / rows);

  const runtime = defaultRuntime();
  runtime.check();
  const { heap } = runtime;
  const data = toCore(given);
  const type = data instanceof Uint8Array ? SourceType.uint8 : SourceType.float32;
  const graph = new Graph();
  const source = gather(graph, { slot: 0, shape, type });
  const { x: y } = build(source, type === SourceType.uint8);
  graph.kept.add(y);
  prune(graph);
  graph.nodes.sort((a, b) => a.span - b.span);
  const stateBytes = roundUp(State.words * 4);
  const at = heap.allocate(stateBytes + data.byteLength, who);
  const regions = [at];
  const take = (bytes: number) => {
    const region = heap.allocate(bytes, who);
    regions.push(region);
    return region;
  };
  try {
    const tape = lower(graph, plan(graph, 1), 1, at);
    verify(tape, {
      [Base.absolute]: [[at, at + stateBytes]],
      [Base.parameters]: [],
      [Base.statistics]: [],
      [Base.arena]: [[0, tape.arenaBytes]],
    });
    const arena = take(tape.arenaBytes);
    const code = take(tape.words.byteLength);
    const result = newFloats(who, sizeOf(shape));
    heap.clear(at, stateBytes);
    const words = heap.u32.subarray(at >>> 2);
    words[State.arena] = arena;
    words[State.seed] = seed;
    words[State.stream] = streamWord(seed, 0); // as a model's
    words[State.rowCount] = rows;
    words[State.sources] = at + stateBytes;
    heap.u32.set(tape.words, code >>> 2);
    if (data instanceof Uint8Array) heap.u8.set(data, at + stateBytes);
    else heap.f32.set(data, (at + stateBytes) >>> 2);
    if (tape.instructions.some(({ opcode }) => opcode >= Op.count)) runtime.extend();
    runtime.run({ from: code, to: code + tape.words.byteLength, team: false, work: 0 });
    const from = (arena + y.place!.offset) >>> 2;
    result.set(heap.f32.subarray(from, from + result.length));
    return { data: result, shape };
  } finally {
    heap.free(...regions);
  }
}
