// The debug build's interpreter: real programs run as they do in the other builds, and a tape that is not what it was
// when it was verified does not.

import { describe, expect, test } from "vitest";
import { Base, ExtensionOp, Fault, Header, Op, State, Status } from "../assembly/isa";
import {
  adagrad,
  adam,
  batchNorm,
  binaryCrossEntropy,
  dense,
  dropout,
  functional,
  input,
  l1,
  l2,
  meanSquaredError,
  orthogonal,
  prelu,
  relu,
  rmsprop,
  sequential,
  setSeed,
  sgd,
  softmaxCrossEntropy,
  weightsHash,
} from "../ts/index";
import type { Core } from "../ts/runtime/core";
import { Memory } from "../ts/runtime/memory";
import { Runtime } from "../ts/runtime/runtime";
import { CHECK } from "./support/bareCore";
import { moduleOf, Refused } from "./support/core";
import { examples } from "./support/training";

/** A runtime on the debug build. */
function debugRuntime(): Runtime {
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 4096 });
  const instance = new WebAssembly.Instance(moduleOf("debug"), { env: { memory }, check: CHECK });
  const core = instance.exports as unknown as Core;
  const heap = new Memory(memory, core.heapBase.value, 2 ** 28);
  return new Runtime(core, heap);
}

const { x, y } = examples();

/** Programs of every kind, of every layer that has instructions of its own. */
async function work(options: { runtime?: Runtime } = {}): Promise<string[]> {
  setSeed(3);
  const hashes: string[] = [];
  const stack = () =>
    sequential(
      [
        dense(17, { inputShape: [12], kernelRegularizer: l2(1e-3), activityRegularizer: l1(1e-4) }),
        batchNorm(),
        relu(),
        dropout(0.3),
        dense(9, { kernelInitializer: orthogonal() }),
        prelu(),
        dense(3),
      ],
      options,
    );
  for (const optimizer of [adam({ amsgrad: true }), sgd({ momentum: 0.9 }), rmsprop({ centered: true }), adagrad()]) {
    const model = stack();
    model.compile({ optimizer, loss: softmaxCrossEntropy(), metrics: ["accuracy"], clipNorm: 1 });
    await model.fit({ x, y }, { epochs: 1, validationSplit: 0.2, accumulate: 2 });
    model.trainOnBatch(x, y);
    model.applyGradients(model.gradients(x, y).parameters);
    await model.evaluate({ x, y });
    model.predict(x, { training: true });
    hashes.push(await weightsHash(model));
  }
  const a = input([12]);
  const h = dense(5, { activation: "tanh" })(a);
  const heads = functional({ inputs: a, outputs: { value: dense(1)(h), gate: dense(1)(h) } }, options);
  heads.compile({ optimizer: adam(), loss: { value: meanSquaredError(), gate: binaryCrossEntropy() } });
  const targets = Float32Array.from(y, (label) => +(label > 0));
  heads.trainOnBatch(x, { value: targets, gate: targets });
  hashes.push(await weightsHash(heads));
  return hashes;
}

test("real programs give what they give in the strict build", async () => {
  expect(await work({ runtime: debugRuntime() })).toEqual(await work());
});

/** A training step on the debug build, which has run once, and ways to spoil it. */
function prepared() {
  const runtime = debugRuntime();
  const model = sequential([dense(4, { inputShape: [12] }), batchNorm(), dense(3)], { runtime });
  model.compile({ optimizer: adam(), loss: softmaxCrossEntropy() });
  model.trainOnBatch(x, y);
  const { state } = model;
  const lane = state.lane("training");
  const { program } = state.lastBatch!;
  const addressOf = (op: Op) => program.tape + program.instructions.find(({ opcode }) => opcode === op)!.at * 4;
  return {
    ...{ model, state, lane, program, addressOf },
    memory: runtime.memory().reserved,
    /** Changes a word of the first instruction of opcode `op`. */
    word(op: Op, word: number, change: (old: number) => number) {
      const at = (addressOf(op) >>> 2) + word;
      runtime.heap.u32[at] = change(runtime.heap.u32[at]!);
    },
    run: (to = program.all.to) => runtime.run({ ...program.all, to }),
  };
}

type Prepared = ReturnType<typeof prepared>;

/** Puts `value` in the place of operand `slot`. */
const operand =
  (op: Op, slot: number, value: (prepared: Prepared) => number) =>
  (p: Prepared): void =>
    p.word(op, Header.args + slot, () => value(p));
const header =
  (op: Op, word: Header, change: (old: number, p: Prepared) => number) =>
  (p: Prepared): void =>
    p.word(op, word, (old) => change(old, p));

const loss = Op.softmaxCrossEntropy;
const adamStep = Op.adamStep;
const batchNormCombine = Op.batchNormCombine;

const CORRUPTIONS: [what: string, op: Op, fault: Fault, corrupt: (p: Prepared) => void][] = [
  ["an opcode that is none", loss, Fault.opcode, header(loss, Header.op, () => ExtensionOp.count)],
  ["an opcode far out", loss, Fault.opcode, header(loss, Header.op, () => 0xffffffff)],
  ["another opcode", loss, Fault.length, header(loss, Header.op, () => Op.relu)],
  ["an instruction that is too short", loss, Fault.length, header(loss, Header.words, (n) => n - 1)],
  ["an instruction that is too long", loss, Fault.length, header(loss, Header.words, (n) => n + 1)],
  ["an instruction without words", loss, Fault.length, header(loss, Header.words, () => 0)],
  ["a mode that is none", adamStep, Fault.mode, header(adamStep, Header.mode, () => 2)],
  ["no state block", loss, Fault.state, header(loss, Header.state, () => 0)],
  ["a state block that is not aligned", loss, Fault.state, header(loss, Header.state, (at) => at + 1)],
  ["a state block behind the memory's end", loss, Fault.state, header(loss, Header.state, (_, p) => p.memory - 64)],
  ["parameters for a state block", loss, Fault.state, header(loss, Header.state, (_, p) => p.state.parameters)],
  ["an address in the core's constants", adamStep, Fault.address, operand(adamStep, 4, () => 64)],
  ["an address behind the memory's end", adamStep, Fault.address, operand(adamStep, 4, (p) => p.memory)],
  ["an offset behind the memory's end", loss, Fault.address, operand(loss, 0, () => (0xfffffff0 | Base.arena) >>> 0)],
  ["an address in the state block", adamStep, Fault.address, operand(adamStep, 1, (p) => p.lane.state + 16)],
  ["an address in the tape", adamStep, Fault.address, operand(adamStep, 1, (p) => p.program.tape + 64)],
  [
    "a parameter in the arena",
    batchNormCombine,
    Fault.block,
    operand(batchNormCombine, 5, (p) => (p.lane.get(State.arena) - p.state.parameters + 64) | Base.parameters),
  ],
  ["an arena that is not there", Op.gather, Fault.base, (p) => p.lane.set(State.arena, 0)],
];

describe("refuses", () => {
  test.each(CORRUPTIONS)("%s", (_, op, fault, corrupt) => {
    const p = prepared();
    expect(p.run()).toBe(Status.done);
    const before = p.model.getWeights();
    corrupt(p);
    expect(() => p.run()).toThrow(new Refused(p.addressOf(op), fault));
    if (op === adamStep) expect(p.model.getWeights()).toEqual(before);
  });

  test("a tape that is cut off", () => {
    const { run, program, memory } = prepared();
    expect(() => run(program.all.to - 4)).toThrow(/^fault 3 /); // Fault.length
    expect(() => run(program.tape + 8)).toThrow(/^fault 1 /); // Fault.header
    expect(() => run(memory + 4)).toThrow(/^fault 1 /);
  });
});
