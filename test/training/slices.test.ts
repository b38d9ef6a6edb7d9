import { expect, test } from "vitest";
import { LabelKind, SourceType } from "../../assembly/isa";
import { Span } from "../../ts/graph/graph";
import { adam, dense, lstm, sequential, softmaxCrossEntropy } from "../../ts/index";
import { buildProgram, type ProgramSpec } from "../../ts/training/program";

const SLICE = 8e6;

test("a batch is cut where its work is more than a slice's, also where its gradients only add up; the update is whole", () => {
  const model = sequential([dense(512, { inputShape: [784], activation: "relu" }), dense(512), dense(10)]);
  model.compile({ optimizer: adam(), loss: softmaxCrossEntropy() });
  const { state } = model;
  const target = { kind: LabelKind.index, shape: [], weighted: false };
  const spec: ProgramSpec = {
    kind: "train",
    rows: 256,
    inputs: [SourceType.float32],
    targets: [target],
    training: true,
    accumulate: 1024,
  };
  const { all, slices, gradientSlices, instructions, tape } = buildProgram(state, state.lane("training"), spec);
  const update = tape + instructions.find(({ node }) => node.span === Span.update)!.at * 4;
  const starts = new Set(instructions.map(({ at }) => tape + at * 4));
  for (const [ranges, end] of [
    [slices, all.to],
    [gradientSlices, update],
  ] as const) {
    expect(ranges.length).toBeGreaterThan(2);
    let at = all.from;
    for (const { from, to, work } of ranges) {
      expect(from).toBe(at);
      const count = [...starts].filter((start) => start >= from && start < to).length;
      if (count > 1 && to <= update) expect(work).toBeLessThanOrEqual(SLICE);
      at = to;
    }
    expect(at).toBe(end);
  }
  expect(slices.some(({ from, to }) => from > update && to <= all.to)).toBe(false);
  model.dispose();
});

test("a long sequence's products over all steps are cut too: no slice has more work than there should be", () => {
  const model = sequential([lstm(64, { inputShape: [1000, 64], returnSequences: true }), lstm(64), dense(10)]);
  model.compile({ optimizer: adam(), loss: softmaxCrossEntropy() });
  const { state } = model;
  const { slices, instructions } = buildProgram(state, state.lane("training"), {
    kind: "train",
    rows: 32,
    inputs: [SourceType.float32],
    targets: [{ kind: LabelKind.index, shape: [], weighted: false }],
    training: true,
    accumulate: 0,
  });
  expect(instructions.length).toBeGreaterThan(8000);
  expect(slices.length).toBeGreaterThan(20);
  for (const { work } of slices) expect(work).toBeLessThanOrEqual(SLICE);
  model.dispose();
});
