// A program: a model's graph for one kind of work and one set of shapes, lowered to a tape in memory.

import { Base, type LabelKind, Op, type SourceType } from "../../assembly/isa";
import type { Pipeline } from "../augment/augmentation";
import { fuse } from "../graph/fuse";
import { prune } from "../graph/gradient";
import { type Shape, Span, type Tensor } from "../graph/graph";
import { plan } from "../graph/plan";
import { type Instruction, lower } from "../graph/tape";
import { verify } from "../graph/verify";
import type { Range } from "../runtime/runtime";
import { buildGraph, type Construction } from "./construction";
import type { Lane } from "./lane";
import type { ModelState } from "./state";

/** `fit` yields between ranges of about this much work, in nanoseconds. */
const SLICE = 8e6;

/** A spec of a program that reads no examples. */
export const BARE = { rows: 1, inputs: [], targets: [], training: false, accumulate: 0 } as const;

/** What a program is for, and its shapes. */
export interface ProgramSpec {
  kind: "initialize" | "region" | "predict" | "evaluate" | "train" | "gradients" | "apply";
  rows: number;
  inputs: readonly SourceType[];
  targets: readonly TargetSpec[];
  /** Batch statistics and random masks. */
  training: boolean;
  /**
   * Rows of the group of batches whose gradients add up; 0: this batch is alone, and its gradients are written, not added.
   * Of `predict`: not 0 has the batch's own statistics take the moving ones' place.
   */
  accumulate: number;
  /** What is done to the batch before the model has it. */
  augment?: Pipeline | undefined;
  /** Where the `rows` numbers lie that a `region` program writes. */
  order?: number;
  /** Builds such a program. */
  write?(region: Tensor, parameters: Tensor): void;
  /** Builds the results, in the place of the outputs for the inputs. */
  build?: (program: Construction) => Tensor[];
}

/** How one output's targets come. */
export interface TargetSpec {
  kind: LabelKind;
  /** Of one example. */
  shape: Shape;
  weighted: boolean;
}

export interface Program {
  /** The tape's address. */
  tape: number;
  arenaBytes: number;
  all: Range;
  /** `all` in ranges of bounded work. */
  slices: Range[];
  /** The same without the update. */
  gradientSlices: Range[];
  instructions: Instruction[];
  /** What is read after a run: the predictions, or for `gradients` those of its inputs. */
  results: (Tensor | undefined)[];
}

/** A program's key among those of its lane. */
export function keyOf(spec: ProgramSpec, frozen: string): string {
  const { kind, rows, inputs, targets, training, accumulate, augment, order } = spec;
  let key = `${kind} ${rows} ${training} ${accumulate} ${frozen} ${inputs} ${order} ${augment?.key}`;
  for (const { kind, shape, weighted } of targets) key += ` ${kind},${weighted},${shape}`;
  return key;
}

/** Builds a program's graph and its tape, and holds the one against the other; nothing is written. */
export function lowerProgram(state: ModelState, lane: Lane, spec: ProgramSpec) {
  const { runtime, structure } = state;
  const { graph, results } = buildGraph(state, lane, spec);
  prune(graph);
  fuse(graph);
  prune(graph);
  graph.nodes.sort((a, b) => a.span - b.span);
  const tape = lower(graph, plan(graph, runtime.threads), runtime.threads, lane.state);
  const block = (at = 0) => [at, at + runtime.heap.sizeOf(at)] as const;
  verify(tape, {
    [Base.absolute]: [
      [state.statistics, state.statistics + structure.statisticFloats * 4],
      ...[lane.state, spec.order, state.mask?.at, ...(state.compiled?.regions ?? [])].map(block),
      ...(state.compiled?.reads ?? []),
    ],
    [Base.parameters]: [[0, structure.parameterFloats * 4]],
    [Base.statistics]: [[0, structure.statisticFloats * 4]],
    [Base.arena]: [[0, tape.arenaBytes]],
  });
  return { graph, results, tape };
}

/** Builds a program and writes its tape into memory. */
export function buildProgram(state: ModelState, lane: Lane, spec: ProgramSpec): Program {
  const { runtime } = state;
  const { tape, graph, results } = lowerProgram(state, lane, spec);
  const [largest] = graph.nodes.flatMap(({ outputs }) => outputs).sort((a, b) => b.size - a.size);
  lane.reserve(tape.arenaBytes, largest?.node?.layer || lane.name);
  const { heap } = runtime;
  const address = heap.allocate(tape.words.byteLength, lane.name);
  heap.u32.set(tape.words, address >>> 2);

  const { instructions } = tape;
  if (instructions.some(({ opcode }) => opcode >= Op.count)) runtime.extend();
  /** Ranges whose work stays below SLICE where it can; the update span is never cut. */
  const sliced = (instructions: Instruction[]): Range[] => {
    const ranges: Range[] = [];
    let range: Range | undefined;
    instructions.forEach(({ at, team, work }, i) => {
      if (!range || (range.work + work > SLICE && instructions[i - 1]!.node.span < Span.update)) {
        range = { from: address + at * 4, to: 0, team: false, work: 0 };
        ranges.push(range);
      }
      range.to = address + (tape.instructions[i + 1]?.at ?? tape.words.length) * 4;
      range.team ||= team;
      range.work += work;
    });
    return ranges;
  };
  const slices = sliced(instructions);
  return {
    tape: address,
    arenaBytes: tape.arenaBytes,
    all: {
      from: address,
      to: address + tape.words.byteLength,
      team: slices.some(({ team }) => team),
      work: slices.reduce((sum, { work }) => sum + work, 0),
    },
    slices,
    gradientSlices: sliced(instructions.filter(({ node }) => node.span < Span.update)),
    instructions,
    results,
  };
}
