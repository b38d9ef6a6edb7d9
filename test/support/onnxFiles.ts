// ONNX files in tests: small graphs, written here, and what onnxruntime computes.

import { InferenceSession, Tensor } from "onnxruntime-node";
import {
  type AttributeProto,
  AttributeType,
  DataType,
  type Draft,
  type NodeProto,
  type TensorProto,
  writeModel,
} from "../../ts/formats/onnx/messages";
import type { NDArray } from "../../ts/index";
import { random } from "./mutations";

/** An attribute: a whole number, `{ f }`, a text or a list. */
export type Attribute = number | { f: number } | string | number[] | { floats: number[] } | { t: Draft<TensorProto> };

function attribute(name: string, value: Attribute): Draft<AttributeProto> {
  if (typeof value === "number") return { name, type: AttributeType.int, i: value };
  if (typeof value === "string") return { name, type: AttributeType.string, s: new TextEncoder().encode(value) };
  if (Array.isArray(value)) return { name, type: AttributeType.ints, ints: value };
  if ("f" in value) return { name, type: AttributeType.float, f: value.f };
  if ("t" in value) return { name, type: AttributeType.tensor, t: value.t };
  return { name, type: AttributeType.floats, floats: value.floats };
}

/** A node: operator, inputs, outputs, attributes. */
export const node = (
  opType: string,
  input: string[],
  output: string | string[],
  attributes: Record<string, Attribute> = {},
): Draft<NodeProto> => ({
  opType,
  input,
  output: [output].flat(),
  name: `${opType} ${[output].flat()[0]}`,
  attribute: Object.entries(attributes).map(([key, value]) => attribute(key, value)),
});

/** A tensor of the numbers given, or of a shape: numbers around 0, or from 0.5 to 1.5, each time the same. */
export const floats = (shape: number[], numbers?: number[] | "positive"): Omit<Draft<TensorProto>, "name"> => {
  const rand = random(shape.join().length * 31 + shape.reduce((a, b) => a * 7 + b, 3));
  const count = shape.reduce((a, b) => a * b, 1);
  const drawn = Float32Array.from({ length: count }, () => rand(2001) / 1000 - 1);
  const data = numbers === "positive" ? drawn.map((v) => v / 2 + 1) : Float32Array.from(numbers ?? drawn);
  return { dims: shape, dataType: DataType.float, rawData: new Uint8Array(data.buffer) };
};

export const int64s = (numbers: number[], dims = [numbers.length]): Omit<Draft<TensorProto>, "name"> => ({
  dims,
  dataType: DataType.int64,
  int64Data: numbers,
});

export interface FileSpec {
  nodes: Draft<NodeProto>[];
  /** Of an example, or whole with their batch. */
  inputs: Record<string, (number | string)[]>;
  constants?: Record<string, Omit<Draft<TensorProto>, "name">>;
  outputs?: string[];
  opset?: number;
  /** Of the inputs. */
  type?: number;
}

export const onnxFile = ({
  nodes,
  inputs,
  constants = {},
  outputs = ["y"],
  opset = 17,
  type = DataType.float,
}: FileSpec): Uint8Array =>
  writeModel({
    irVersion: opset < 10 ? 4 : 8,
    opsetImport: [{ domain: "", version: opset }],
    graph: {
      name: "test",
      node: nodes,
      initializer: Object.entries(constants).map(([name, tensor]) => ({ ...tensor, name })),
      input: Object.entries(inputs).map(([name, shape]) => ({
        name,
        type: {
          tensorType: {
            elemType: type,
            shape: { dim: shape.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: size })) },
          },
        },
      })),
      output: outputs.map((name) => ({ name, type: { tensorType: { elemType: DataType.float } } })),
    },
  });

/** What onnxruntime computes. */
export async function reference(
  bytes: Uint8Array,
  inputs: Record<string, { data: Float32Array; shape: readonly number[] }>,
  whole = false,
): Promise<Record<string, NDArray>> {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 });
  const feeds = Object.entries(inputs).map(([name, { data, shape }]) => [
    name,
    whole ? new Tensor("int64", BigInt64Array.from(data, BigInt), [...shape]) : new Tensor("float32", data, [...shape]),
  ]);
  const results = await session.run(Object.fromEntries(feeds));
  return Object.fromEntries(
    Object.entries(results).map(([name, { data, dims }]) => [name, { data: data as Float32Array, shape: [...dims] }]),
  );
}

/** The largest difference. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let most = 0;
  for (let i = 0; i < a.length; i++)
    most = Math.max(most, Number.isNaN(a[i]! - b[i]!) ? Infinity : Math.abs(a[i]! - b[i]!));
  return most;
}
