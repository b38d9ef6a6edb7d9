import { expect, test } from "vitest";
import { Op } from "../../assembly/isa";
import { gradient } from "../../ts/graph/gradient";
import { Graph, Span } from "../../ts/graph/graph";
import { plan } from "../../ts/graph/plan";
import { tanh } from "../../ts/ops/activations";
import { biasAdd } from "../../ts/ops/bias";
import { add, reshape } from "../../ts/ops/elementwise";
import { matmul } from "../../ts/ops/gemm";
import * as ops from "../../ts/ops/recurrent";
import { checkCoverage, checkOp, type Input, numbers, type Reals } from "../support/checkOp";
import { Core } from "../support/core";
import { leaf } from "../support/graphs";
import { runGraph } from "../support/runGraph";

type Names = "x" | "kernel" | "bias" | "recurrentKernel" | "recurrentBias";
type Cell = ops.RecurrentAttributes["cell"];

const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
const ACTIVATIONS = {
  tanh: Math.tanh,
  relu: (v: number) => Math.max(0, v),
  sigmoid,
  linear: (v: number) => v,
};

/** Every step's state, gates and saved values, time-major, in float64. */
function unroll(
  { x, kernel, bias, recurrentKernel, recurrentBias }: Record<Names, Reals>,
  [steps, rows, inputs]: readonly number[],
  units: number,
  { cell, activation = "tanh", reverse }: ops.RecurrentAttributes,
) {
  const width = ops.GATES[cell] * units;
  const states = new Float64Array(steps! * rows! * units);
  const gates = new Float64Array(steps! * rows! * width);
  const saved = new Float64Array(states.length * (cell === "lstm" ? 2 : 1));
  for (let r = 0; r < rows!; r++) {
    let h = new Float64Array(units);
    let c = new Float64Array(units);
    for (let s = 0; s < steps!; s++) {
      const t = reverse ? steps! - 1 - s : s;
      const row = t * rows! + r;
      const sum = (j: number) => {
        let v = bias?.[j] ?? 0;
        for (let i = 0; i < inputs!; i++) v += x[row * inputs! + i]! * kernel[i * width + j]!;
        return v;
      };
      const product = (j: number) => {
        let v = recurrentBias?.[j] ?? 0;
        for (let i = 0; i < units; i++) v += h[i]! * recurrentKernel[i * width + j]!;
        return v;
      };
      const nextH = new Float64Array(units);
      const nextC = new Float64Array(units);
      for (let j = 0; j < units; j++) {
        const gate = (k: number) => sum(k * units + j) + product(k * units + j);
        const keep = (values: number[]) =>
          values.forEach((v, k) => {
            gates[row * width + k * units + j] = v;
          });
        if (cell === "lstm") {
          const [i, f, g, o] = [sigmoid(gate(0)), sigmoid(gate(1)), Math.tanh(gate(2)), sigmoid(gate(3))];
          nextC[j] = f * c[j]! + i * g;
          nextH[j] = o * Math.tanh(nextC[j]!);
          saved[row * 2 * units + j] = nextC[j]!;
          saved[(row * 2 + 1) * units + j] = Math.tanh(nextC[j]!);
          keep([i, f, g, o]);
        } else if (cell === "gru") {
          const [r, z, q] = [sigmoid(gate(0)), sigmoid(gate(1)), product(2 * units + j)];
          const n = Math.tanh(sum(2 * units + j) + r * q);
          nextH[j] = (1 - z) * n + z * h[j]!;
          saved[row * units + j] = q;
          keep([r, z, n]);
        } else {
          keep([gate(0)]);
          nextH[j] = ACTIVATIONS[activation](gate(0));
        }
      }
      [h, c] = [nextH, nextC];
      states.set(h, row * units);
    }
  }
  return { states, gates, saved };
}

/** What the op gives: see its docs. */
function reference(inputs: Record<Names, Reals>, x: readonly number[], units: number, a: ops.RecurrentAttributes) {
  const { states, gates, saved } = unroll(inputs, x, units, a);
  const [steps, rows] = x as [number, number];
  const step = rows * units;
  const rest = a.cell === "simpleRnn" ? [] : [saved];
  if (a.sequences) return [states, gates, ...rest];
  const last = a.reverse ? 0 : steps - 1;
  const others = a.reverse ? states.slice(step) : states.slice(0, last * step);
  return [states.slice(last * step, (last + 1) * step), gates, ...rest, ...(steps > 1 ? [others] : [])];
}

const SIZES = [
  [1, 1, 1, 1], // steps, rows, inputs, units
  [1, 3, 2, 5],
  [2, 1, 3, 4],
  [5, 4, 3, 7],
  [3, 6, 9, 8],
  [7, 5, 1, 9],
  [2, 70, 3, 5], // more rows than products read a kernel in place for
] as const;

const cases = (cell: Cell, useBias: boolean): Record<Names, Input>[] =>
  SIZES.map(([steps, rows, inputs, units]) => {
    const width = ops.GATES[cell] * units;
    const bias = useBias ? [width] : null;
    return {
      x: [steps, rows, inputs],
      kernel: [inputs, width],
      bias,
      recurrentKernel: [units, width],
      recurrentBias: cell === "gru" ? bias : null,
    };
  });

/** Of a size at which nothing saturates. */
const scaled = (seed: number) => {
  const all = numbers(1024, seed);
  return (i: number, [rows]: readonly number[]) => all[i % 1024]! / (2 * Math.sqrt(rows!));
};

for (const cell of ["simpleRnn", "lstm", "gru"] as const)
  for (const sequences of [false, true])
    for (const reverse of [false, true])
      for (const activation of cell === "simpleRnn" && sequences !== reverse
        ? (["tanh", "relu", "sigmoid", "linear"] as const)
        : [undefined]) {
        const attributes: ops.RecurrentAttributes = {
          cell,
          ...(activation && { activation }),
          ...(sequences && { sequences }),
          ...(reverse && { reverse }),
        };
        for (const useBias of reverse ? [true] : [true, false])
          checkOp(ops.recurrent, {
            title: JSON.stringify({ ...attributes, useBias }),
            attributes,
            cases: cases(cell, useBias).slice(0, activation === "relu" ? -1 : undefined), // many numbers, one is at the kink
            values: { kernel: scaled(2), recurrentKernel: scaled(3) },
            shapes: ({ x, kernel, recurrentKernel }) => {
              const [steps, rows] = x as [number, number];
              const units = recurrentKernel[0]!;
              const all = [steps, rows, units];
              return [
                sequences ? all : [rows, units],
                [steps, rows, kernel[1]!],
                ...(cell === "simpleRnn" ? [] : [[steps, rows, cell === "lstm" ? 2 * units : units]]),
                ...(sequences || steps === 1 ? [] : [[steps - 1, rows, units]]),
              ];
            },
            tolerance: 5e-6,
            gradientTolerance: 3e-5,
            reference: (inputs, shapes) => reference(inputs, shapes.x, shapes.recurrentKernel[0]!, attributes),
            ...(reverse || sequences || activation
              ? {}
              : {
                  wrong: [
                    [wrongly(cell, { x: [4, 3] }), /expected input of shape \[T, n, in\], got \[4, 3\]/],
                    [wrongly(cell, { x: [4, 3, 2] }), /expected kernel of shape \[2, \d+\], got \[3, \d+\]/],
                    [wrongly(cell, { recurrentKernel: [4, 7] }), /expected kernel of shape \[3, \d+\], got \[3, \d+\]/],
                    [
                      wrongly(cell, { recurrentKernel: [5, 7] }),
                      /expected recurrentKernel of shape \[5, \d+\], got \[5, 7\]/,
                    ],
                    [wrongly(cell, { bias: [1] }), /expected bias of shape \[\d+\], got \[1\]/],
                  ] as const,
                }),
          });
      }

function wrongly(cell: Cell, wrong: Partial<Record<Names, readonly number[]>>) {
  const width = 5 * ops.GATES[cell];
  return {
    x: [4, 2, 3],
    kernel: [3, width],
    bias: [width],
    recurrentKernel: [5, width],
    recurrentBias: null,
    ...wrong,
  };
}

test("products over all steps that are cut, so that fit can yield, have the bits of whole ones", () => {
  const [steps, rows, inputs, units] = [48, 64, 512, 64];
  const core = new Core("strict");
  const graph = new Graph();
  const x = leaf(graph, [steps, rows, inputs], core, 1);
  const kernel = leaf(graph, [inputs, units], core, 2);
  const bias = leaf(graph, [units], core, 3);
  const dy = leaf(graph, [steps, rows, units], core, 4);
  const zeros = leaf(graph, [units, units], core, 5);
  new Float32Array(core.memory.buffer, zeros.place!.offset, zeros.size).fill(0);
  const y = ops.recurrent([x, kernel, bias, zeros], { cell: "simpleRnn", sequences: true });
  graph.span = Span.backward;
  const found = gradient(graph, [[y, dy]], [x, kernel], (a, b) => add([a, b]));
  const dz = graph.nodes.find(({ op }) => op.name === "recurrentBackward")!.outputs[0]!;
  const flat = (t: typeof x) => reshape([t], { to: [steps * rows, t.shape.at(-1)!] });
  const pairs = [
    [y, tanh([biasAdd([matmul(flat(x), kernel), bias])])],
    [found.get(x)!, matmul(flat(dz), kernel, { transB: true })],
    [found.get(kernel)!, matmul(flat(x), flat(dz), { transA: true })],
  ] as const;
  for (const t of [...pairs.flat(), dz]) graph.kept.add(t);
  const { tape, read } = runGraph(core, graph, plan(graph, 1), 1);
  const gemms = tape.instructions.filter(({ opcode }) => opcode === Op.gemm);
  for (const name of ["recurrentInputGradient", "recurrentKernelGradient"])
    expect(gemms.filter(({ node }) => node.op.name === name).length).toBeGreaterThan(1);
  expect(gemms.filter(({ node, sizes }) => node.op.name === "recurrent" && sizes[0]! > rows).length).toBeGreaterThan(1);
  for (const [cut, whole] of pairs) {
    const [a, b] = [read(cut), read(whole)];
    expect(a.findIndex((v, i) => v !== b[i])).toBe(-1);
  }
});

checkCoverage(ops);
