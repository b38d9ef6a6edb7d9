// The graph: tensors and the nodes that make them, in the order in which they were built (which is a topological one).
// Shapes are concrete, the batch included: a program is built for its shapes.

import type { Base } from "../../assembly/isa";
import type { TapeWriter } from "./tape";

/** How many there are along each axis. */
export type Shape = readonly number[];

/** The spans of a tape. What outlives a step is written in `update` alone. */
export enum Span {
  gather,
  forward,
  backward,
  update,
}

/** Where a tensor lies: an offset in bytes from a base of the state block. */
export interface Place {
  base: Base;
  offset: number;
}

/** A value of the graph: 32-bit elements, row-major. */
export class Tensor {
  /** The node that makes it; none for parameters, statistics and other memory that is there before the tape runs. */
  node: Node | undefined;
  /** Fixed for what lies in a block, else found by the plan. */
  place: Place | undefined;
  readonly size: number;

  constructor(
    readonly graph: Graph,
    readonly shape: Shape,
    readonly name: string,
    place?: Place,
  ) {
    this.place = place;
    this.size = sizeOf(shape);
  }

  get bytes(): number {
    return this.size * 4;
  }
}

// biome-ignore lint/suspicious/noExplicitAny: attributes are each op's own
export type Attributes = any;

/** An application of an op. */
export interface Node<A = Attributes> {
  op: OpDefinition<A>;
  inputs: (Tensor | null)[];
  outputs: Tensor[];
  attributes: A;
  layer: string;
  span: Span;
}

/** The rules of an op. Leaving one out does not compile. */
export interface OpDefinition<A = Attributes> {
  readonly name: string;
  /** The shapes of its outputs; throws `shape` in the name of `who`. */
  shape(inputs: Shape[], attributes: A, who: string): Shape[];
  /** From the gradient of output 0 the gradients of the inputs (null: none), made of ops; null: no gradient passes. */
  gradient: ((dy: Tensor, node: Node<A>) => (Tensor | null)[]) | null;
  /** Appends the op's instructions. */
  lower(tape: TapeWriter, node: Node<A>): void;
  /** Output 0 is input 0 under another shape: no instruction, no buffer. */
  view?: boolean;
  /** An output that nobody reads is not computed: it has no place. */
  partial?: boolean;
  /** Inputs whose buffer output 0 may take where they die here. */
  inPlace?: readonly number[];
  /** Bytes of scratch that its instructions need. */
  workspace?: ((node: Node<A>, threads: number) => number) | undefined;
  /** What takes the place of `node` together with `consumer`, the only one that reads its output 0 (as input 0). Names, not ops, are compared: so that nothing is carried that is not used. */
  absorb?(node: Node<A>, consumer: Node): Fused | undefined;
  /** It writes what outlives the step: kept though nobody uses its outputs. */
  effect?: boolean;
}

/**
 * The op, inputs and attributes of a fused node; its outputs are the consumer's, and the producer's others where `outputs` names
 * them; its layer is that of the node whose place it takes, or `layer`.
 */
export interface Fused {
  op: OpDefinition;
  inputs: (Tensor | null)[];
  attributes: Attributes;
  outputs?: Tensor[];
  layer?: string;
}

/** An op as the graph's builders call it: the first output, whose node has the others. Attributes may be left out where all may be. */
export interface Op<A> extends OpDefinition<A> {
  (inputs: readonly (Tensor | null)[], ...attributes: Record<never, never> extends A ? [A?] : [A]): Tensor;
}

/** An op from its rules. */
export function defineOp<A>(definition: OpDefinition<A>): Op<A> {
  const op = (inputs: readonly (Tensor | null)[], attributes = {} as A) =>
    inputs.find((t) => t)!.graph.apply(definition, inputs, attributes)[0];
  const { name, ...rules } = definition;
  Object.defineProperty(op, "name", { value: name });
  return Object.assign(op, rules) as unknown as Op<A>;
}

/** An op without outputs, which writes what outlives the step. */
export const defineEffect = <A>(
  name: string,
  lower: OpDefinition<A>["lower"],
  workspace?: OpDefinition<A>["workspace"],
): Op<A> => defineOp<A>({ name, effect: true, shape: () => [], gradient: null, lower, workspace });

/** A graph under construction. */
export class Graph {
  nodes: Node[] = [];
  /** The layer and span that new nodes belong to. */
  layer = "";
  span = Span.forward;
  /** Tensors that somebody reads after the run. */
  readonly kept = new Set<Tensor>();

  /** `fastMath`: of the runtime that is to run it. */
  constructor(readonly fastMath = false) {}

  /** Memory that is there before the tape runs. */
  leaf(shape: Shape, name: string, place: Place): Tensor {
    return new Tensor(this, shape, name, place);
  }

  apply<A>(op: OpDefinition<A>, inputs: readonly (Tensor | null)[], attributes: A): Tensor[] {
    const shapes = op.shape(
      inputs.map((t) => t?.shape ?? []),
      attributes,
      this.layer || op.name,
    );
    const outputs = shapes.map((shape) => new Tensor(this, shape, op.name));
    const node: Node<A> = { op, inputs: [...inputs], outputs, attributes, layer: this.layer, span: this.span };
    for (const output of outputs) output.node = node;
    this.nodes.push(node);
    return outputs;
  }
}

export function sizeOf(shape: Shape): number {
  return shape.reduce((product, d) => product * d, 1);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}
