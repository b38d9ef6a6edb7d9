// Lowering: the nodes' instructions as words (assembly/isa.ts has the format), in four spans.

import { Base, Header, Mode, Op } from "../../assembly/isa";
import type { Graph, Node, Place, Span, Tensor } from "./graph";
import type { Plan } from "./plan";

/**
 * An instruction that runs for less than this on one thread stays on rank 0, in nanoseconds: a barrier costs 200 to 900,
 * twice where solo instructions stand before it.
 */
const TEAM_FROM = 5000;

/** A tape whose team instructions make less than this together stays on rank 0: to wake a sleeping worker takes 10 000 to 50 000. */
const TEAM_TAPE_FROM = 100_000;

/** A part of a tensor or workspace, as an instruction's operand. */
export interface Part {
  name: string;
  place: Place;
  bytes: number;
  /** The tensor that the part belongs to; none for workspaces. */
  tensor?: Tensor;
}

export type Operand = Tensor | Part | null;

/** The work of a matrix product or convolution: its time, and what `profile` has GFLOP/s of. */
export interface Products {
  ns: number;
  flops: number;
}

/** What one instruction is, for `explain`, the verifier and the slices of `fit`. */
export interface Instruction {
  node: Node;
  opcode: number;
  /** In words from the tape's start. */
  at: number;
  outputs: (Part | null)[];
  inputs: (Part | null)[];
  sizes: readonly number[];
  reals: readonly number[];
  /** Estimated time on one thread, in nanoseconds. */
  work: number;
  /** Of matrix products and convolutions; else 0. */
  flops: number;
  team: boolean;
}

/** A lowered graph, its operands still relative to their bases. */
export interface Tape {
  words: Uint32Array;
  instructions: Instruction[];
  arenaBytes: number;
}

/** Collects instructions. */
export class TapeWriter {
  readonly instructions: Instruction[] = [];
  /** The node that is being lowered. */
  node!: Node;
  readonly #words: number[] = [];

  constructor(
    readonly threads: number,
    readonly statePointer: number,
    readonly plan: Plan,
  ) {}

  /** The node's scratch memory, or a part of it: `bytes` from `from` on, by default all that is left. */
  workspace(from = 0, bytes = this.node.op.workspace!(this.node, this.threads) - from): Part {
    const offset = this.plan.workspaces.get(this.node)! + from;
    return { name: "workspace", place: { base: Base.arena, offset }, bytes };
  }

  /**
   * Appends an instruction: its operands in the order of its slots. `work` is its time on one thread, in nanoseconds; a
   * small one, or one whose `team` is false, runs on rank 0 alone; `finish` sets the mode.
   */
  push(
    opcode: Op,
    outputs: readonly Operand[],
    inputs: readonly Operand[],
    sizes: readonly number[],
    reals: readonly number[],
    work: number | Products,
    team = true,
  ): void {
    const { ns, flops } = typeof work === "number" ? { ns: work, flops: 0 } : work;
    const part = (o: Operand) =>
      o && "graph" in o ? { name: o.name, place: o.place!, bytes: o.bytes, tensor: o as Tensor } : o;
    this.instructions.push({
      node: this.node,
      opcode,
      at: this.#words.length,
      outputs: outputs.map(part),
      inputs: inputs.map(part),
      sizes,
      reals,
      work: ns,
      flops,
      team: team && this.threads > 1 && ns >= TEAM_FROM,
    });
    const operands = [
      ...[...outputs, ...inputs].map((o) => (o ? o.place!.offset | o.place!.base : 0)),
      ...sizes,
      ...new Uint32Array(Float32Array.from(reals).buffer),
    ];
    this.#words.push(opcode, Header.args + operands.length, Mode.solo, this.statePointer, ...operands);
  }

  /** All words so far. */
  finish(): Tape {
    const { instructions } = this;
    const words = Uint32Array.from(this.#words);
    const shared = instructions.reduce((sum, { team, work }) => sum + (team ? work : 0), 0);
    for (const instruction of instructions) {
      // a guard must be met by all ranks, or by rank 0 alone where no other instruction calls the team
      instruction.team = shared >= TEAM_TAPE_FROM && (instruction.team || instruction.opcode === Op.guard);
      words[instruction.at + Header.mode] = instruction.team ? Mode.team : Mode.solo;
    }
    return { words, instructions, arenaBytes: this.plan.bytes };
  }
}

/** Lowers a planned graph. Its nodes are in the order of their spans. */
export function lower(graph: Graph, plan: Plan, threads: number, statePointer: number): Tape {
  const tape = new TapeWriter(threads, statePointer, plan);
  let span: Span = 0;
  for (const node of graph.nodes) {
    if (node.span < span) throw new Error(`lower: ${node.op.name} of span ${node.span} after span ${span}`);
    span = node.span;
    tape.node = node;
    node.op.lower(tape, node);
  }
  return tape.finish();
}
