import { expect, test } from "vitest";
import { Base, Header, Mode, Op } from "../../assembly/isa";
import { defineOp, Graph, Span } from "../../ts/graph/graph";
import { plan } from "../../ts/graph/plan";
import { lower, type TapeWriter } from "../../ts/graph/tape";
import { relu } from "../../ts/ops/activations";
import { guard } from "../../ts/ops/update";
import { given, leaf } from "../support/graphs";

const STATE = 0x1240;

/** A tape of one instruction per call of `push`. */
function tapeOf(threads: number, ...pushes: ((tape: TapeWriter) => void)[]) {
  const graph = new Graph();
  const op = defineOp<{ push: (tape: TapeWriter) => void }>({
    name: "pushing",
    effect: true,
    shape: () => [],
    gradient: null,
    lower: (tape, { attributes: { push } }) => push(tape),
  });
  for (const push of pushes) graph.apply(op, [], { push });
  return lower(graph, plan(graph, threads), threads, STATE);
}

test("an instruction is op, words, mode, state, then outputs, inputs, sizes and reals", () => {
  const graph = new Graph();
  const x = graph.leaf([3], "x", { base: Base.parameters, offset: 0x40 });
  const y = graph.leaf([3], "y", { base: Base.statistics, offset: 0x80 });
  const z = graph.leaf([3], "z", { base: Base.absolute, offset: 0xc0 });
  const { words, instructions } = tapeOf(
    1,
    (tape) => tape.push(Op.affine, [y], [x, null, z], [3, 7], [0.5, -2], 100),
    (tape) => tape.push(Op.fill, [z], [], [3], [], 100),
  );
  const float = (value: number) => new Uint32Array(Float32Array.of(value).buffer)[0]!;
  const operands = [0x80 | Base.statistics, 0x40 | Base.parameters, 0, 0xc0, 3, 7, float(0.5), float(-2)];
  expect([...words]).toEqual([
    ...[Op.affine, Header.args + 8, Mode.solo, STATE, ...operands],
    ...[Op.fill, Header.args + 2, Mode.solo, STATE, 0xc0, 3],
  ]);
  expect(instructions.map(({ at }) => at)).toEqual([0, Header.args + 8]);
});

test("the team is called for instructions that are worth a barrier, where there is one", () => {
  const modes = (threads: number) => {
    const { words, instructions } = tapeOf(
      threads,
      (tape) => tape.push(Op.fill, [], [], [1], [], 100),
      (tape) => tape.push(Op.fill, [], [], [1], [], 1e6),
      (tape) => tape.push(Op.fill, [], [], [1], [], 1e6, false),
    );
    return instructions.map(({ at, team }) => [words[at + Header.mode], team]);
  };
  const [solo, team] = [
    [Mode.solo, false],
    [Mode.team, true],
  ];
  expect(modes(1)).toEqual([solo, solo, solo]);
  expect(modes(2)).toEqual([solo, team, solo]);
});

test("a guard is met by all ranks where any instruction is", () => {
  const guarded = (work: number) => {
    const graph = new Graph();
    graph.apply(guard, [], {});
    graph.apply(
      defineOp<Record<never, never>>({
        name: "work",
        effect: true,
        shape: () => [],
        gradient: null,
        lower: (tape) => tape.push(Op.fill, [], [], [1], [], work),
      }),
      [],
      {},
    );
    return lower(graph, plan(graph, 2), 2, STATE).words[Header.mode];
  };
  expect(guarded(100)).toBe(Mode.solo);
  expect(guarded(1e6)).toBe(Mode.team);
});

test("nodes come in the order of their spans", () => {
  const graph = new Graph();
  graph.span = Span.backward;
  const x = given([leaf(graph, [4])], {});
  graph.span = Span.forward;
  relu([x], {});
  expect(() => lower(graph, plan(graph, 1), 1, STATE)).toThrow(/relu of span 1 after span 2/);
});
