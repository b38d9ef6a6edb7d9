// The graph of an ONNX file. This module and what it imports import types alone, as callbacks/retrain.ts does: what they would share
// with a page's entry, a bundler would take out of the entry.

import type { Shape, Tensor } from "../../../graph/graph";
import type { DataType, Draft, GraphProto, ValueInfo } from "../messages";
import { Exporter, type Source } from "./exporter";
import { translations } from "./exportOps";

/** An input: its name, the shape of an example, and what its numbers come as. */
export interface ExportedInput {
  name: string;
  shape: Shape;
  type: keyof typeof TYPES;
}

/** An output; `softmax`: which comes behind it. */
export interface ExportedOutput {
  name: string;
  value: Tensor;
  softmax: boolean;
}

type Types = typeof DataType;

const TYPES = { float32: 1, uint8: 2, int32: 6, int64: 7 } as const satisfies {
  float32: Types["float"];
  uint8: Types["uint8"];
  int32: Types["int32"];
  int64: Types["int64"];
};

/** What computes the outputs of `source`, under their names or, where an input has that, with `_output` behind it. */
export function exportGraph(
  name: string,
  source: Source,
  inputs: readonly ExportedInput[],
  outputs: readonly ExportedOutput[],
): Draft<GraphProto> {
  const to = new Exporter(source, inputs[0]!.name);
  for (const { name } of inputs) to.unique(name);
  const names = outputs.map(({ name }) =>
    to.unique(inputs.some((input) => input.name === name) ? `${name}_output` : name),
  );
  const table = translations();
  for (const node of source.nodes) {
    to.layer = node.layer;
    const { op, attributes } = node;
    if (op.name === "gather") {
      const { name, type } = inputs[attributes.slot]!;
      to.setInput(node.outputs[0]!, name, TYPES[type]);
      continue;
    }
    const translate = Object.hasOwn(table, op.name) ? table[op.name] : undefined;
    if (!translate) throw source.refused(node.layer, "ops that ONNX has", JSON.stringify(op.name));
    translate(to, node, node.inputs as Tensor[], node.outputs[0]!, attributes);
  }
  const values = outputs.map(({ name, value, softmax }) => {
    to.layer = name;
    const y = to.last(value);
    return softmax ? to.add("Softmax", [y], { axis: -1 }) : y;
  });
  to.name(values, names);
  to.prune(names);
  return {
    node: to.nodes,
    name,
    initializer: [...to.initializers].map(([name, tensor]) => ({ ...tensor, name })),
    input: inputs.map(({ name, shape, type }) => valueInfo(name, TYPES[type], shape)),
    output: outputs.map(({ value }, i) => valueInfo(names[i]!, TYPES.float32, value.shape.slice(1))),
  };
}

/** An input or output whose examples have that shape. */
const valueInfo = (name: string, elemType: number, shape: Shape): Draft<ValueInfo> => ({
  name,
  type: {
    tensorType: { elemType, shape: { dim: [{ dimParam: "batch" }, ...shape.map((dimValue) => ({ dimValue }))] } },
  },
});
