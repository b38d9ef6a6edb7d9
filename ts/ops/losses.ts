// Losses: one number a row first, then the mean over what is labelled. Labels of −1 and NaN are left out.

import { AccuracyKind, ExtensionOp, LabelKind, Op } from "../../assembly/isa";
import { shapeError } from "../errors";
import { defineEffect, defineOp, type Node, type Op as OpOf, sameShape, sizeOf, type Tensor } from "../graph/graph";
import type { TapeWriter } from "../graph/tape";
import { extended } from "../runtime/extension";
import { streaming, transcendental } from "./work";

export interface CrossEntropyAttributes {
  kind: LabelKind;
  smoothing: number;
}

/** Lowers cross-entropy or its gradient: both walk over the logits. */
function pushCrossEntropy(
  tape: TapeWriter,
  { inputs, outputs, attributes: { kind, smoothing } }: Node<CrossEntropyAttributes>,
  opcode: Op,
  logits: Tensor,
): void {
  const classes = logits.shape.at(-1)!;
  const rows = logits.size / classes;
  tape.push(opcode, outputs, inputs, [rows, classes, kind], [smoothing], transcendental(rows * Math.max(8, classes)));
}

const softmaxCrossEntropyBackward: OpOf<CrossEntropyAttributes> = /* @__PURE__ */ defineOp<CrossEntropyAttributes>({
  name: "softmaxCrossEntropyBackward",
  shape: ([, logits]) => [logits!],
  gradient: null,
  lower: (tape, node) => pushCrossEntropy(tape, node, Op.softmaxCrossEntropyBackward, node.outputs[0]!),
});

/**
 * Inputs logits (n, classes), labels (n) or (n, classes), weights (n) or null; outputs rowLoss, rowCount, rowLogSum. Of
 * sequences logits (n, t, classes), labels and weights (n, t): the rows are all steps.
 */
export const softmaxCrossEntropy: OpOf<CrossEntropyAttributes> = /* @__PURE__ */ defineOp<CrossEntropyAttributes>({
  name: "softmaxCrossEntropy",
  shape([logits, labels, weights], { kind }, who) {
    const lead = logits!.slice(0, -1);
    const expected = kind === LabelKind.rows && lead.length < 2 ? logits! : lead;
    if (!sameShape(labels!, expected)) throw shapeError(who, "labels", expected, labels!);
    const rows = [sizeOf(lead)];
    if (weights!.length && !sameShape(weights!, lead)) throw shapeError(who, "weights", lead, weights!);
    return [rows, rows, rows];
  },
  gradient(dRow, { inputs: [logits, labels, weights], outputs: [, , rowLogSum], attributes }) {
    return [softmaxCrossEntropyBackward([dRow, logits!, labels!, weights!, rowLogSum!], attributes), null, null];
  },
  lower: (tape, node) => pushCrossEntropy(tape, node, Op.softmaxCrossEntropy, node.inputs[0]!),
});

export interface ElementLossAttributes {
  /** An integer; a real where the loss takes one. */
  option: number;
}

/**
 * A loss that is a sum over elements: inputs prediction (n, …), target (n, …), weights (n) or null; outputs rowLoss, rowCount.
 * `real`: its option is one.
 */
function elementLoss(name: string, forward: Op, backward: Op, real = false) {
  const push = (tape: TapeWriter, { inputs, outputs, attributes }: Node<ElementLossAttributes>, op: Op, x: Tensor) => {
    const rows = x.shape[0]!;
    const options = [attributes.option];
    const sizes = [rows, x.size / rows, ...(real ? [] : options)];
    tape.push(op, outputs, inputs, sizes, real ? options : [], transcendental(x.size));
  };
  const backwardOp: OpOf<ElementLossAttributes> = /* @__PURE__ */ defineOp<ElementLossAttributes>({
    name: `${name}Backward`,
    shape: ([, prediction]) => [prediction!],
    gradient: null,
    lower: (tape, node) => push(tape, node, backward, node.outputs[0]!),
  });
  return defineOp<ElementLossAttributes>({
    name,
    shape([prediction, target], _, who) {
      if (prediction!.join() !== target!.join())
        throw shapeError(who, "targets", ["n", ...prediction!.slice(1)], ["n", ...target!.slice(1)]);
      return [[prediction![0]!], [prediction![0]!]];
    },
    gradient: (dRow, { inputs: [prediction, target, weights], attributes }) => [
      backwardOp([dRow, prediction!, target!, weights!], attributes),
      null,
      null,
    ],
    lower: (tape, node) => push(tape, node, forward, node.inputs[0]!),
  });
}

// in functions: bundlers keep an unused constant for which an enum is read, in case that has an effect

/** `option` 1: the prediction is a logit; 0: a probability. */
export const binaryCrossEntropy = /* @__PURE__ */ (() =>
  elementLoss(
    "binaryCrossEntropy",
    extended(ExtensionOp.binaryCrossEntropy),
    extended(ExtensionOp.binaryCrossEntropyBackward),
  ))();
export const meanSquaredError = /* @__PURE__ */ (() =>
  elementLoss("meanSquaredError", Op.meanSquaredError, Op.meanSquaredErrorBackward))();

export const meanAbsoluteError = /* @__PURE__ */ (() =>
  elementLoss(
    "meanAbsoluteError",
    extended(ExtensionOp.meanAbsoluteError),
    extended(ExtensionOp.meanAbsoluteErrorBackward),
  ))();
/** `option`: delta. */
export const huber = /* @__PURE__ */ (() =>
  elementLoss("huber", extended(ExtensionOp.huber), extended(ExtensionOp.huberBackward), true))();
export const hinge = /* @__PURE__ */ (() =>
  elementLoss("hinge", extended(ExtensionOp.hinge), extended(ExtensionOp.hingeBackward)))();
/** `option` 1: the prediction is the rate's logarithm; 0: the rate. */
export const poisson = /* @__PURE__ */ (() =>
  elementLoss("poisson", extended(ExtensionOp.poisson), extended(ExtensionOp.poissonBackward)))();

// Of rows (n, size) as a whole: one NaN among a row's targets masks it.

export const kullbackLeibler = /* @__PURE__ */ (() =>
  elementLoss(
    "kullbackLeibler",
    extended(ExtensionOp.kullbackLeibler),
    extended(ExtensionOp.kullbackLeiblerBackward),
  ))();
export const cosineSimilarity = /* @__PURE__ */ (() =>
  elementLoss(
    "cosineSimilarity",
    extended(ExtensionOp.cosineSimilarity),
    extended(ExtensionOp.cosineSimilarityBackward),
  ))();

export interface MeanAttributes {
  /** Which of the state block's denominators divides; −1: none, the batch's own count does. */
  output: number;
}

const NO_DENOMINATOR = 8;
const slotOf = (output: number) => (output < 0 ? NO_DENOMINATOR : output);

/** Inputs rowLoss, rowCount and the entry of the report that takes [mean, Σ loss, Σ count]. */
export const meanLoss = /* @__PURE__ */ defineEffect<MeanAttributes>(
  "meanLoss",
  (tape, { inputs: [rowLoss, rowCount, result], attributes: { output } }) =>
    tape.push(Op.meanLoss, [result!], [rowLoss!, rowCount!], [rowLoss!.size, slotOf(output)], [], rowLoss!.size, false),
);

/** The gradient of weight · mean with respect to each row's loss. Inputs the report's entry and rowLoss (for its shape). */
export const meanLossBackward: OpOf<MeanAttributes> = /* @__PURE__ */ defineOp<MeanAttributes>({
  name: "meanLossBackward",
  shape: ([, rowLoss]) => [rowLoss!],
  gradient: null,
  lower(tape, { inputs: [result], outputs: [dRow], attributes: { output } }) {
    tape.push(Op.meanLossBackward, [dRow!], [result!], [dRow!.size, slotOf(output)], [], streaming(dRow!.size), false);
  },
});

export interface AccuracyAttributes {
  kind: number;
}

/** Inputs prediction, labels, weights or null; outputs rowCorrect, rowWeight. */
export const accuracy: OpOf<AccuracyAttributes> = /* @__PURE__ */ defineOp<AccuracyAttributes>({
  name: "accuracy",
  shape([prediction, target], { kind }) {
    const rows = [kind === AccuracyKind.index ? sizeOf(target!) : prediction![0]!];
    return [rows, rows];
  },
  gradient: null,
  lower(tape, { inputs, outputs, attributes: { kind } }) {
    const [x] = inputs;
    const rows = outputs[0]!.size;
    tape.push(Op.accuracy, outputs, inputs, [rows, x!.size / rows, kind], [], streaming(x!.size));
  },
});
