// Where a training step's time goes: each of its instructions by the clock, held against what this machine can do.

import { Base } from "../../assembly/isa";
import { Graph, type Shape } from "../graph/graph";
import { plan } from "../graph/plan";
import { type Instruction, lower, type Part } from "../graph/tape";
import { verify } from "../graph/verify";
import { relu } from "../ops/activations";
import { matmul } from "../ops/gemm";
import { streaming } from "../ops/work";
import type { Range } from "../runtime/runtime";
import { type Examples, stage } from "./batch";
import { Lane } from "./lane";
import type { ModelState } from "./state";
import { beginUpdate, numericError, programFor, runStaged } from "./step";

/** Milliseconds beyond the least instruction's from which on rates say something. */
const LEAST = 5e-5;

/** Milliseconds: before anything counts; of a sample, at least; of all samples, of which there are at least SAMPLES. */
const WARM = 200;
const SAMPLE = 2;
const TIME = 1000;
const SAMPLES = 5;

/** The limit of products is that of (ROWS, COLUMNS) and (COLUMNS, COLUMNS), 0.5 MB. */
const ROWS = 120;
const COLUMNS = 256;

/** The limit of passes is relu's, over working sets of so many bytes for one thread and for a team, or 2, 4, … times that. */
const ALONE = 2 ** 14;
const SHARED = 2 ** 18;

/** FLOPs, or bytes, that a limit is run for. */
const AMOUNT = 2 ** 24;

/** Between what a pass reads and writes: at the same offset modulo 2 KiB it would be slower. */
const STAGGER = 1088;

/** An instruction of a step. */
export interface ProfiledInstruction {
  /** The layer or loss that it belongs to; "" for what belongs to none, such as the optimizer's step. */
  layer: string;
  /** The kernel, such as `gemm`. */
  op: string;
  /** When in the step: the batch is put together, forward, backward, the weights are updated. */
  span: "gather" | "forward" | "backward" | "update";
  /** Shapes of what it writes. */
  outputs: Shape[];
  /** Shapes of what it reads. */
  inputs: Shape[];
  /** Whether the team runs it. */
  team: boolean;
  /** Beyond what the least instruction takes. Where it is under 50 ns, which no clock tells, rates and share are 0. */
  ms: number;
  /** Of matrix products, and of convolutions as if computed directly; else 0. */
  gflops: number;
  /** Bytes of its operands, each read or written once. */
  gbs: number;
  /** The limit that is nearer: that of products, or of passes over as many bytes. */
  bound: "compute" | "memory";
  /** Of that limit, 1 being all. */
  share: number;
}

/** What the machine reached in the same run. */
export interface ProfiledLimit {
  /** One, or the team. */
  threads: number;
  /** Read and written by a pass, half and half; 0: a matrix product. */
  bytes: number;
  /** Whether the pass writes where it has read, as an optimizer's step does. */
  inPlace: boolean;
  /** GB/s of a pass, GFLOP/s of a product. */
  rate: number;
}

/** What `model.profile` returns: plain data. Times are in milliseconds, medians of samples. */
export interface Profile {
  /** Of the model's runtime. */
  threads: number;
  /** Whether relaxed SIMD was in force. */
  fastMath: boolean;
  /** Rows of x. */
  batchSize: number;
  /** The step as a whole, in milliseconds. */
  step: {
    /** `trainOnBatch`. */
    ms: number;
    /** The core's part of it. */
    run: number;
    /** The sum of its instructions, each timed alone. */
    instructions: number;
  };
  /** In the order in which they run. */
  instructions: ProfiledInstruction[];
  /** Sums of `ms` by layer; "" is what belongs to none. */
  layers: Record<string, number>;
  /** Sums of `ms` by span. */
  spans: Record<string, number>;
  /** What instructions are held against. */
  limits: ProfiledLimit[];
}

/** What is timed; no range: the whole step. */
interface Clock {
  range?: Range | undefined;
  sum: number;
  times: number[];
}

/** What instructions are held against: passes over so many bytes, or products (0 bytes). */
interface Limit extends Clock {
  threads: number;
  inPlace: boolean;
  bytes: number;
  amount: number;
}

const median = ({ times }: Clock): number => times.sort((a, b) => a - b)[times.length >> 1]!;

const rateOf = (limit: Limit): number => limit.amount / median(limit) / 1e6;

const bytesOf = (parts: readonly (Part | null)[]): number => parts.reduce((sum, part) => sum + (part?.bytes ?? 0), 0);

const tensorsOf = (parts: readonly (Part | null)[]) => parts.filter((part) => part?.tensor) as Required<Part>[];

const shapesOf = (parts: readonly (Part | null)[]): Shape[] => tensorsOf(parts).map(({ tensor }) => tensor.shape);

/**
 * Bytes that an instruction reads and writes: those of its operands, or what its op says where that is less. What has no
 * inputs has a source; what outlives the step is read where it is written.
 */
function bytesMoved({ node, inputs, outputs, work }: Instruction): number {
  const written = bytesOf(tensorsOf(outputs));
  const moved = (bytesOf(inputs) || written) + written + (node.op.effect ? written : 0);
  return Math.min(moved, (4 * work) / streaming(1));
}

/**
 * `train`: the whole step. Each time the same step is run: what outlives one is put back before it, and behind the last. An
 * instruction is timed in its place in the step, with its operands in the caches where they then are.
 */
export function profile(state: ModelState, examples: Examples, train: () => void): Profile {
  state.needIdle("profile");
  const { runtime, structure, step, lastWeights } = state;
  const { heap, threads, fastMath } = runtime;
  const { rows } = examples;
  const lane = beginUpdate(state);
  const program = programFor(state, lane, "train", examples, rows, true);
  const { all, tape, instructions } = program;
  const saved = [
    [state.parameters, structure.parameterFloats],
    [state.statistics, structure.statisticFloats],
    ...state.compiled!.regions.map((at) => [at, heap.sizeOf(at) / 4]),
  ].map(([at, floats]) => [at!, heap.readFloats(at!, floats!)] as const);
  const putBack = () => {
    for (const [at, data] of saved) heap.f32.set(data, at >>> 2);
    state.step = step;
    state.lastWeights = lastWeights;
  };
  const begin = () => {
    putBack();
    beginUpdate(state);
    stage(lane, examples, 0, rows);
  };
  const time = ({ range }: Clock): number => {
    const from = performance.now();
    if (range) runtime.run(range);
    else train();
    return performance.now() - from;
  };

  const bench = new Lane(runtime, "profile", 0);
  const regions: number[] = [];
  const take = (bytes: number): number => regions[regions.push(heap.allocate(bytes, "profile")) - 1]!;
  const limits: Record<string, Limit> = {};
  /** The limit of passes over about that many bytes, or of products. */
  const limitOf = ({ team, node }: Instruction, moved = 0): Limit => {
    let bytes = moved && (team ? SHARED : ALONE);
    while (bytes * 1.5 < moved) bytes *= 2;
    const inPlace = !!bytes && !!node.op.effect;
    const key = `${team} ${inPlace} ${bytes}`;
    limits[key] ??= makeLimit(team, inPlace, bytes);
    return limits[key];
  };
  const makeLimit = (team: boolean, inPlace: boolean, bytes: number): Limit => {
    const graph = new Graph();
    const data = take(bytes ? bytes + STAGGER : (ROWS + COLUMNS) * COLUMNS * 4);
    const end = data + heap.sizeOf(data);
    heap.f32.fill(1, data >>> 2, end >>> 2); // what was never written is one page of zeros
    const place = (at: number) => ({ base: Base.absolute, offset: data + at });
    const leaf = (shape: Shape, at = 0) => graph.leaf(shape, "", place(at));
    const once = bytes || 2 * ROWS * COLUMNS * COLUMNS;
    let amount = 0;
    for (; amount < AMOUNT; amount += once)
      if (bytes) relu([leaf([bytes / 8])]).place = place(inPlace ? 0 : bytes / 2 + STAGGER);
      else matmul(leaf([ROWS, COLUMNS]), leaf([COLUMNS, COLUMNS], ROWS * COLUMNS * 4));
    const limitTape = lower(graph, plan(graph, threads), threads, bench.state);
    verify(limitTape, {
      [Base.absolute]: [[data, end]],
      [Base.parameters]: [],
      [Base.statistics]: [],
      [Base.arena]: [[0, limitTape.arenaBytes]],
    });
    bench.reserve(limitTape.arenaBytes);
    const { words } = limitTape;
    const from = take(words.byteLength);
    heap.u32.set(words, from >>> 2);
    const range = { from, to: from + words.byteLength, team, work: amount };
    return { range, sum: 0, times: [], threads: team ? threads : 1, inPlace, bytes, amount };
  };

  try {
    begin();
    if (!runStaged(state, lane, program, examples, "profile")) throw numericError("profile", lane);
    for (const instruction of instructions) {
      limitOf(instruction);
      limitOf(instruction, bytesMoved(instruction));
    }
    const parts = instructions.map(({ at, team, work }, i) => {
      const next = instructions[i + 1];
      return { from: tape + at * 4, to: next ? tape + next.at * 4 : all.to, team, work };
    });
    const clocks = [undefined, all, ...parts].map((range): Clock => ({ range, sum: 0, times: [] }));
    const begun = performance.now();
    let steps = 0;
    for (; performance.now() - begun < WARM; steps++) {
      begin();
      train();
    }
    const rounds = Math.ceil((steps * SAMPLE) / WARM);
    for (let samples = 0; samples < SAMPLES || performance.now() - begun < TIME; samples++) {
      for (let round = 0; round < rounds; round++)
        clocks.forEach((clock, i) => {
          if (i < 3) begin(); // the step, the run, and the instructions one after another
          clock.sum += time(clock);
        });
      for (const clock of clocks) {
        clock.times.push(clock.sum / rounds);
        clock.sum = 0;
      }
      for (const limit of Object.values(limits)) limit.times.push(time(limit));
    }

    const [ms, run, ...own] = clocks.map(median) as [number, number, ...number[]];
    // what the clock and a call take: the least instruction, such as the guard, is little else
    const call = Math.min(...own);
    const found = instructions.map((instruction, i) => {
      const { node, inputs, outputs, team, flops } = instruction;
      const ms = own[i]! - call;
      const rate = (amount: number) => (ms < LEAST ? 0 : amount / ms / 1e6);
      const bytes = bytesMoved(instruction);
      const gflops = rate(flops);
      const gbs = rate(bytes);
      const compute = gflops / rateOf(limitOf(instruction));
      const memory = gbs / rateOf(limitOf(instruction, bytes));
      return {
        layer: node.layer,
        op: node.op.name,
        span: (["gather", "forward", "backward", "update"] as const)[node.span],
        outputs: shapesOf(outputs),
        inputs: shapesOf(inputs),
        ...{ team, ms, gflops, gbs },
        bound: compute < memory ? ("memory" as const) : ("compute" as const),
        share: Math.max(compute, memory),
      };
    });
    const totals = (key: "layer" | "span") => {
      const sums = new Map<string, number>();
      for (const { [key]: name, ms } of found) sums.set(name, (sums.get(name) ?? 0) + ms);
      return Object.fromEntries(sums);
    };
    return {
      ...{ threads, fastMath, batchSize: rows },
      step: { ms, run, instructions: found.reduce((sum, { ms }) => sum + ms, 0) },
      instructions: found,
      layers: totals("layer"),
      spans: totals("span"),
      limits: Object.values(limits).map((limit) => ({
        threads: limit.threads,
        inPlace: limit.inPlace,
        bytes: limit.bytes,
        rate: rateOf(limit),
      })),
    };
  } finally {
    putBack();
    bench.free();
    heap.free(...regions);
  }
}
