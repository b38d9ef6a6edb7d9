// ONNX Runtime, native, for forward passes: one thread. The model's file is written here by hand: it is a protobuf message of
// a few fields (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), nodes Gemm and Relu.

import { createRequire } from "node:module";
import { compete } from "./protocol.js";

const FLOAT = 1; // TensorProto.DataType

compete(async ({ workload, weights, threads }) => {
  if (!workload.inference) throw new Error("it does not train");
  const require = createRequire(import.meta.url);
  const { InferenceSession, Tensor } = require("onnxruntime-node");
  const { version } = require("onnxruntime-node/package.json");
  const session = await InferenceSession.create(modelOf(workload, weights), {
    executionProviders: ["cpu"],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
  });
  const shape = [workload.batch, ...workload.inputShape];
  return {
    async predict(x) {
      const { y } = await session.run({ x: new Tensor("float32", x, shape) });
      return y.data;
    },
    versions: { onnxruntime: version },
  };
});

function modelOf({ batch, inputShape, layers }, weights) {
  const initializers = Object.entries(weights).map(([name, { data, shape }]) =>
    bytes(
      5,
      message(
        ...shape.map((size) => int(1, size)),
        int(2, FLOAT),
        bytes(8, name),
        bytes(9, new Uint8Array(data.buffer)),
      ),
    ),
  );
  let from = "x";
  const nodes = layers.map(({ name, type }, i) => {
    const to = i === layers.length - 1 ? "y" : name;
    const inputs = type === "dense" ? [from, `${name}/kernel`, `${name}/bias`] : [from];
    from = to;
    const op = { dense: "Gemm", relu: "Relu" }[type];
    if (!op) throw new Error(`the model's file is not written for ${type}`);
    return bytes(1, message(...inputs.map((input) => bytes(1, input)), bytes(2, to), bytes(3, name), bytes(4, op)));
  });
  const value = (field, name, shape) => {
    const dims = message(...shape.map((size) => bytes(1, int(1, size))));
    return bytes(field, message(bytes(1, name), bytes(2, bytes(1, message(int(1, FLOAT), bytes(2, dims))))));
  };
  const ports = [value(11, "x", [batch, ...inputShape]), value(12, "y", [batch, ...layers.at(-1).output])];
  const graph = message(...nodes, bytes(2, "graph"), ...initializers, ...ports);
  return message(int(1, 8), bytes(7, graph), bytes(8, message(bytes(1, ""), int(2, 13)))); // ir 8, opset 13
}

function varint(value) {
  const result = [];
  for (; value > 127; value = Math.floor(value / 128)) result.push((value % 128) | 128);
  return Buffer.from([...result, value]);
}

/** A field of wire type 0. */
function int(field, value) {
  return message(varint(field * 8), varint(value));
}

/** A field of wire type 2. */
function bytes(field, content) {
  const body = Buffer.from(content);
  return message(varint(field * 8 + 2), varint(body.length), body);
}

function message(...fields) {
  return Buffer.concat(fields);
}
