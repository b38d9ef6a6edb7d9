import { describe, expect, test } from "vitest";
import { Base } from "../../assembly/isa";
import { Graph, type Tensor } from "../../ts/graph/graph";
import { plan } from "../../ts/graph/plan";
import { type Instruction, lower, type Part, type Tape } from "../../ts/graph/tape";
import { type Limits, verify } from "../../ts/graph/verify";
import { adam, dense, meanSquaredError, sequential } from "../../ts/index";
import { relu, tanh } from "../../ts/ops/activations";
import { columnSums } from "../../ts/ops/bias";
import { add, reshape } from "../../ts/ops/elementwise";
import type { Compiled } from "../../ts/training/state";
import { given } from "../support/graphs";

const PARAMETERS = 4096;
/** Memory at absolute addresses: two blocks, a gap between them. */
const BLOCKS: Limits[Base.absolute] = [
  [1024, 2048],
  [4096, 4608],
];

/** x → h = tanh x, view of h, s = column sums of the view, y = h + relu x: a live tensor across a workspace. */
function sound() {
  const graph = new Graph();
  graph.layer = "dense_1";
  const w = graph.leaf([8, 16], "w", { base: Base.parameters, offset: 512 });
  const x = given([w], {});
  const h = tanh([x], {});
  const r = relu([x], {});
  const s = columnSums([reshape([h], { to: [16, 8] })], {});
  const y = add([h, r], {});
  graph.kept.add(s);
  graph.kept.add(y);
  const memory = plan(graph, 1);
  const limits: Limits = {
    [Base.absolute]: BLOCKS,
    [Base.parameters]: [[0, PARAMETERS]],
    [Base.statistics]: [],
    [Base.arena]: [[0, memory.bytes]],
  };
  return { graph, limits, arena: memory.bytes, tape: lower(graph, memory, 1, 0), tensors: { w, x, h, r, s, y } };
}

type Sound = ReturnType<typeof sound>;

/** Changes one operand of an instruction. */
function move(tape: Tape, at: number, list: "inputs" | "outputs", index: number, change: Partial<Part>): void {
  const instruction = tape.instructions[at]!;
  const parts = [...instruction[list]];
  parts[index] = { ...parts[index]!, ...change };
  tape.instructions[at] = { ...instruction, [list]: parts } as Instruction;
}

const shifted = (t: Tensor, bytes: number) => ({ place: { ...t.place!, offset: t.place!.offset + bytes } });

test("a sound tape passes", () => {
  const { tape, limits } = sound();
  expect(tape.instructions.map(({ node }) => node.op.name)).toEqual([
    ...["given", "tanh", "relu", "columnSums", "columnSums", "add"],
  ]);
  verify(tape, limits);
});

const CORRUPTIONS: [what: string, corrupt: (sound: Sound) => void, complaint: RegExp][] = [
  [
    "an operand that begins before its tensor",
    ({ tape, tensors: { h } }) => move(tape, 1, "outputs", 0, shifted(h, -4)),
    /dense_1\/tanh at word \d+: operand tanh .* lies outside its tensor/,
  ],
  [
    "an operand that ends behind its tensor",
    ({ tape, tensors: { x } }) => move(tape, 1, "inputs", 0, { bytes: x.bytes + 4 }),
    /operand given .* lies outside its tensor/,
  ],
  [
    "an operand of another base than its tensor's",
    ({ tape, tensors: { w } }) =>
      move(tape, 0, "inputs", 0, { place: { base: Base.absolute, offset: w.place!.offset } }),
    /operand w .* lies outside its tensor/,
  ],
  [
    "a parameter behind its block",
    (s) => {
      s.limits[Base.parameters] = [[0, 512 + 128 * 4 - 4]];
    },
    /operand w \(512…1024\) lies outside its block/,
  ],
  [
    "an arena that is too small",
    (s) => {
      s.limits[Base.arena] = [[0, s.arena - 64]];
    },
    /lies outside its block/,
  ],
  [
    "a workspace outside the arena",
    ({ tape, arena }) => move(tape, 3, "outputs", 0, { place: { base: Base.arena, offset: arena } }),
    /operand workspace .* lies outside its block/,
  ],
  [
    "an address that is not a multiple of 4",
    ({ tape, arena }) => move(tape, 3, "outputs", 0, { place: { base: Base.arena, offset: arena - 33 } }),
    /operand workspace .* lies outside its block/,
  ],
  ...[1020, 2048 - 8, 2048, 3000, 4092, 4608].map((offset): (typeof CORRUPTIONS)[number] => [
    `an absolute address in no block, ${offset}`,
    ({ tape }) => move(tape, 4, "outputs", 0, { bytes: 12, tensor: undefined, place: { base: Base.absolute, offset } }),
    /\(\d+…\d+\) lies outside its block/,
  ]),
  [
    "a tensor that is read before it is written",
    ({ tape }) => void tape.instructions.splice(1, 1),
    /columnSums at word \d+: operand \w+ .* is read before it is written|was written over/,
  ],
  [
    "a workspace that is read before it is written",
    ({ tape }) => void tape.instructions.splice(3, 1),
    /operand workspace .* is read before it is written/,
  ],
  [
    "a tensor of which only a part was written",
    ({ tape, tensors: { x } }) => move(tape, 0, "outputs", 0, { bytes: x.bytes - 4 }),
    /tanh at word \d+: operand given .* is read before it is written/,
  ],
  [
    "a tensor that is written over while another instruction still reads it",
    ({ tape, tensors: { h, s } }) => {
      s.place = { ...h.place! };
      move(tape, 4, "outputs", 0, { place: s.place });
    },
    /add at word \d+: operand tanh .* was written over by columnSums/,
  ],
  [
    "a tensor of which one word is written over",
    ({ tape, tensors: { h } }) =>
      move(tape, 3, "outputs", 0, { bytes: 4, place: { base: Base.arena, offset: h.place!.offset + 508 } }),
    /was written over by workspace|is read before it is written/,
  ],
  [
    "two live tensors that a plan has put in one place",
    ({ tape, tensors: { h, r } }) => {
      r.place = { ...h.place! };
      move(tape, 2, "outputs", 0, { place: h.place! });
    },
    /was written over by relu/,
  ],
];

describe("refuses", () => {
  test.each(CORRUPTIONS)("%s", (_, corrupt, complaint) => {
    const s = sound();
    corrupt(s);
    expect(() => verify(s.tape, s.limits)).toThrow(complaint);
  });
});

test.each([
  [
    "an optimizer's slot",
    (c: Compiled): Partial<Compiled> => ({ slots: [c.slots[0]! + 64, c.slots[1]] }),
    /operand optimizer\/mSum .* lies outside its block/,
  ],
  ["the gradients", (c: Compiled) => ({ gradients: c.gradients + 64 }), /operand .* lies outside its block/],
  ["the segment table", (c: Compiled) => ({ segments: c.segments + 4 }), /operand segments .* lies outside its block/],
])("a model's program is held against the regions that were allocated: %s", (_, corrupt, complaint) => {
  const model = sequential([dense(40, { inputShape: [30] })]);
  model.compile({ optimizer: adam(), loss: meanSquaredError() });
  Object.assign(model.state.compiled!, corrupt(model.state.compiled!));
  const rows = (n: number) => new Float32Array(2 * n);
  expect(() => model.trainOnBatch(rows(30), rows(40))).toThrow(complaint);
});
