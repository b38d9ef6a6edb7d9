// What importOnnx does not take: all of it is named before anything is built; and files that are made to do harm.

import { expect, test } from "vitest";
import {
  DataType,
  type Draft,
  type ModelProto,
  readModel,
  type TensorProto,
  writeModel,
} from "../../../ts/formats/onnx/messages";
import { importOnnx, init, type NDArray } from "../../../ts/index";
import { type FileSpec, floats, int64s, node, onnxFile } from "../../support/onnxFiles";

const refused = (bytes: Uint8Array, text: string | RegExp, code = "format") =>
  expect(() => importOnnx(bytes)).toThrow(
    expect.objectContaining({ code, message: typeof text === "string" ? text : expect.stringMatching(text) }),
  );

const simple: FileSpec = { nodes: [node("Relu", ["x"], "y")], inputs: { x: ["n", 4] } };

/** The simple file with something changed. */
const but = (change: (model: ModelProto) => void): Uint8Array => {
  const model = readModel(onnxFile(simple));
  change(model);
  return writeModel(model as Draft<ModelProto>);
};

test("all that is not covered is named, with its nodes and reasons, and nothing is built", async () => {
  const runtime = await init();
  const used = runtime.memory().used;
  const bytes = onnxFile({
    nodes: [
      node("Erf", ["x"], "a"),
      node("Relu", ["a"], "b"),
      node("NonZero", ["b"], "c"),
      node("Erf", ["b"], "d"),
      node("Shape", ["d"], "s"),
      node("Gather", ["s", "i"], "t"),
      node("LeakyRelu", ["x"], "e", { alpha: { f: -1 } }),
      node("Gemm", ["x", "w"], "f"),
      node("Sum", ["c", "e", "f", "d", "t"], "y"),
    ],
    inputs: { x: ["n", 4] },
    constants: { w: floats([5, 2]), i: int64s([0], []) },
  });
  refused(
    bytes,
    'importOnnx: what layers do not cover: Erf "Erf a", "Erf d"; NonZero "NonZero c"; LeakyRelu "LeakyRelu e" (alpha is -1); ' +
      'Gemm "Gemm f" (weights of shape [5, 2] for 4 numbers)',
  );
  expect(runtime.memory().used).toBe(used);
  runtime.dispose();
});

test("attention is named, also behind what is not covered", () => {
  const bytes = onnxFile({
    nodes: [
      node("Erf", ["x"], "q"),
      node("MatMul", ["x", "w"], "k"),
      node("MatMul", ["q", "k"], "scores"),
      node("MatMul", ["scores", "w"], "y"),
    ],
    inputs: { x: ["n", 4, 4] },
    constants: { w: floats([4, 4]) },
  });
  refused(bytes, /cover: Erf "Erf q"; MatMul "MatMul scores" \(of two computed values, as in attention\)$/);
});

test("thousands of nodes that are not covered are an error that can be read", () => {
  const many = (op: (i: number) => string) =>
    onnxFile({
      nodes: [
        ...Array.from({ length: 3000 }, (_, i) => node(op(i), ["x"], `h${i}`)),
        node(
          "Sum",
          Array.from({ length: 3000 }, (_, i) => `h${i}`),
          "y",
        ),
      ],
      inputs: { x: ["n", 4] },
    });
  refused(
    many(() => "Erf"),
    /not cover: Erf "Erf h0", .*"Erf h19" and 2980 more$/,
  );
  refused(
    many((i) => `Own${i}`),
    /Own199 "Own199 h199" and 2800 more$/,
  );
});

const image = { x: ["n", 3, 6, 7] };
test.each<[string, FileSpec, RegExp]>([
  [
    "a group that does not divide",
    { nodes: [node("Conv", ["x", "w"], "y", { group: 2 })], inputs: image, constants: { w: floats([4, 3, 3, 3]) } },
    /group 2 do not fit 3 channels/,
  ],
  [
    "weights that are no constant",
    { nodes: [node("MatMul", ["x", "x"], "y")], inputs: { x: ["n", 4] } },
    /input 2, "x", is not constant/,
  ],
  [
    "three dimensions",
    {
      nodes: [node("Conv", ["x", "w"], "y")],
      inputs: { x: ["n", 3, 6, 7, 8] },
      constants: { w: floats([4, 3, 3, 3, 3]) },
    },
    /5 axes, not 3 or 4/,
  ],
  [
    "the batch normalized",
    { nodes: [node("Softmax", ["x"], "y", { axis: 0 })], inputs: image },
    /its axis is the batch/,
  ],
  [
    "the batch reduced",
    { nodes: [node("ReduceMean", ["x"], "y", { axes: [0] })], inputs: image },
    /it reduces the batch/,
  ],
  [
    "the batch taken into another axis",
    { nodes: [node("Reshape", ["x", "to"], "y")], inputs: image, constants: { to: int64s([-1, 7]) } },
    /output "y" \(it has 18 rows of each example\)/,
  ],
  [
    "the batch moved",
    { nodes: [node("Transpose", ["x"], "y", { perm: [1, 0, 2, 3] })], inputs: image },
    /output "y" \(the batch is axis 1\)/,
  ],
  ...["Add", "Mul", "Max", "Min", "Pow", "Sub", "Div"].map((op): [string, FileSpec, RegExp] => [
    `${op} with a number of more axes`,
    {
      nodes: [node(op, ["x", "c"], "y")],
      inputs: { x: ["n", 4] },
      constants: { c: floats([1, 1, 1], [2]) },
    },
    /a constant of shape \[1, 1, 1\] makes its axes more/,
  ]),
  [
    "a bias of more axes",
    {
      nodes: [node("MatMul", ["x", "w"], "h"), node("Add", ["h", "b"], "y")],
      inputs: { x: ["n", 4] },
      constants: { w: floats([4, 3]), b: floats([1, 1, 3]) },
    },
    /a constant of shape \[1, 1, 3\] makes its axes more/,
  ],
  [
    "a bound that is wider than what it bounds",
    { nodes: [node("Max", ["x", "c"], "y")], inputs: { x: ["n", 1] }, constants: { c: floats([3], [1, 1, 1]) } },
    /a constant of shape \[3\] and an input of shape \[n, 1\]/,
  ],
  ...["strides", "dilations", "pads", "kernel_shape"].map((name): [string, FileSpec, RegExp] => [
    `${name} beyond what is counted`,
    {
      nodes: [
        node("AveragePool", ["x"], "y", {
          kernel_shape: [2, 2],
          [name]: new Array(name === "pads" ? 4 : 2).fill(2 ** 32 + 1),
        }),
      ],
      inputs: image,
    },
    new RegExp(`${name} (is|are) \\[4294967297, 4294967297`),
  ]),
  [
    "training statistics",
    {
      nodes: [node("BatchNormalization", ["x", "c", "c", "c", "c"], "y", { training_mode: 1 })],
      inputs: image,
      constants: { c: floats([3]) },
    },
    /training_mode is 1/,
  ],
  ["a branch", { nodes: [node("If", ["x"], "y")], inputs: image }, /If "If y"/],
  [
    "a foreign operator",
    { nodes: [{ ...node("Relu", ["x"], "y"), domain: "com.microsoft" }], inputs: image },
    /com\.microsoft\.Relu/,
  ],
  [
    "an operator of JavaScript's",
    { nodes: [node("constructor", ["x"], "y")], inputs: image },
    /constructor "constructor y"/,
  ],
  [
    "indices that are read",
    { nodes: [node("MaxPool", ["x"], ["y", "z"], { kernel_shape: [2, 2] })], inputs: image, outputs: ["y", "z"] },
    /its output "z" is read/,
  ],
  [
    "an output that is constant",
    {
      nodes: [node("Relu", ["x"], "y"), node("Identity", ["c"], "z")],
      inputs: image,
      constants: { c: floats([1]) },
      outputs: ["y", "z"],
    },
    /output "z" \(it is constant\)/,
  ],
  [
    "padding by reflection",
    {
      nodes: [node("Pad", ["x", "p"], "y", { mode: "reflect" })],
      inputs: image,
      constants: { p: int64s([0, 0, 1, 1, 0, 0, 1, 1]) },
    },
    /mode is reflect/,
  ],
  [
    "corners aligned",
    {
      nodes: [node("Resize", ["x", "", "s"], "y", { mode: "linear", coordinate_transformation_mode: "align_corners" })],
      inputs: image,
      constants: { s: floats([4], [1, 1, 2, 2]) },
    },
    /align_corners/,
  ],
  [
    "a factor that is no whole number",
    { nodes: [node("Resize", ["x", "", "s"], "y")], inputs: image, constants: { s: floats([4], [1, 1, 1.5, 2]) } },
    /scales are \[1, 1, 1\.5, 2\]/,
  ],
  [
    "computing with the batch's size",
    {
      nodes: [node("Shape", ["x"], "s"), node("Mul", ["s", "s"], "t"), node("Reshape", ["x", "t"], "y")],
      inputs: image,
    },
    /Mul "Mul t" \(it computes with the batch's size\)/,
  ],
])("%s", (_, spec, text) => refused(onnxFile(spec), text));

const tensor = (change: Partial<TensorProto>): Uint8Array =>
  onnxFile({ ...simple, constants: { w: { ...floats([2, 2]), ...change } as Omit<Draft<TensorProto>, "name"> } });

test.each<[string, () => Uint8Array, RegExp]>([
  ["no bytes", () => new Uint8Array(), /a model with a graph, got one without/],
  ["a graph without inputs", () => but((m) => m.graph!.input.splice(0)), /inputs that the graph has, got "x"/],
  ["a graph without outputs", () => but((m) => m.graph!.output.splice(0)), /at least one output/],
  ["no opset", () => but((m) => m.opsetImport.splice(0)), /one opset of ONNX's own, 7 to 26, got 0/],
  ["an opset of the future", () => onnxFile({ ...simple, opset: 99 }), /7 to 26, got 99/],
  ["an opset of the past", () => onnxFile({ ...simple, opset: 6 }), /7 to 26, got 6/],
  ["functions", () => but((m) => m.functions.push(new Uint8Array())), /1 functions/],
  ["sparse initializers", () => but((m) => m.graph!.sparseInitializer.push(new Uint8Array())), /sparse/],
  [
    "external data",
    () => tensor({ externalData: [{ key: "location", value: "/etc/passwd" }], dataLocation: 1 }),
    /data in another file \("\/etc\/passwd"\)/,
  ],
  ["too few bytes", () => tensor({ rawData: new Uint8Array(15) }), /float of shape \[2, 2\], to have 16 bytes, got 15/],
  ["sizes beyond all bounds", () => tensor({ dims: [2 ** 52, 2 ** 52, 2 ** 52] }), /to have .* bytes, got 16/],
  ["sizes below 0", () => tensor({ dims: [-2, -2] }), /sizes ≥ 0/],
  ["sizes beyond 2^53", () => tensor({ dims: [2 ** 60] }), /sizes ≥ 0/],
  ["texts", () => tensor({ dataType: DataType.string }), /type of numbers .* got string/],
  ["a type that nobody knows", () => tensor({ dataType: 77 }), /got 77/],
  [
    "an input of texts",
    () => onnxFile({ ...simple, type: DataType.string }),
    /input "x" to be a tensor of numbers, got type 8/,
  ],
  ["a name twice", () => but((m) => m.graph!.node.push(m.graph!.node[0]!)), /"y" twice/],
  [
    "an input by a node's output's name",
    () => but((m) => m.graph!.input.push({ ...m.graph!.input[0]!, name: "y" })),
    /"y" twice/,
  ],
  ["an output twice", () => onnxFile({ ...simple, outputs: ["y", "y"] }), /outputs that differ/],
  ["an output that is not there", () => onnxFile({ ...simple, outputs: ["z"] }), /outputs that the graph has, got "z"/],
  [
    "an input that is not there",
    () => onnxFile({ ...simple, nodes: [node("Relu", ["z"], "y")] }),
    /Relu "Relu y": inputs that the graph has, got "z"/,
  ],
  [
    "a cycle",
    () =>
      onnxFile({
        ...simple,
        nodes: [node("Add", ["x", "b"], "a"), node("Relu", ["a"], "b"), node("Relu", ["b"], "y")],
      }),
    /without cycles, got one through Add "Add a"/,
  ],
  ["a node that reads itself", () => onnxFile({ ...simple, nodes: [node("Add", ["x", "y"], "y")] }), /cycles/],
  [
    "an attribute of another type",
    () => onnxFile({ ...simple, nodes: [node("Softmax", ["x"], "y", { axis: { f: 1 } })] }),
    /axis of type int/,
  ],
  [
    "seventeen inputs",
    () => onnxFile({ ...simple, inputs: Object.fromEntries("xabcdefghijklmnop".split("").map((k) => [k, ["n", 4]])) }),
    /1 to 16 inputs, got 17/,
  ],
  [
    "weights that are not finite",
    () =>
      onnxFile({
        nodes: [node("MatMul", ["x", "w"], "y")],
        inputs: { x: ["n", 1] },
        constants: { w: floats([1, 2], [1, Number.NaN]) },
      }),
    /finite numbers for "dense_1\/kernel"/,
  ],
  ["an axis without a batch", () => onnxFile({ ...simple, inputs: { x: [] } }), /input "x" to have a batch's axis/],
])("%s is a format error", (_, bytes, text) => refused(bytes(), text));

test("other arguments than bytes", () => {
  for (const given of ["model.onnx", undefined, [1, 2], { bytes: 1 }])
    expect(() => importOnnx(given as never)).toThrow(expect.objectContaining({ code: "argument" }));
  expect(() => importOnnx(onnxFile(simple), { nmae: "x" } as never)).toThrow(
    /unknown option "nmae"; did you mean name/,
  );
  const bytes = onnxFile(simple);
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  expect((importOnnx(shared).predict([[1, -1, 2, -2]]) as NDArray).data).toEqual(Float32Array.of(1, 0, 2, 0));
  expect(importOnnx(bytes.slice().buffer).layers.length).toBe(1);
});

/** Milliseconds and the error's text, or none. */
function timed(bytes: Uint8Array, runtime?: Parameters<typeof importOnnx>[1]): [number, string] {
  const start = performance.now();
  let text = "";
  try {
    importOnnx(bytes, runtime).dispose();
  } catch (error) {
    text = `${(error as { code: string }).code}: ${(error as Error).message}`;
  }
  return [performance.now() - start, text];
}

test("files made to be slow or large are not", async () => {
  const runtime = await init({ maxMemory: 2 ** 24 });
  const chain = (count: number) =>
    Array.from({ length: count }, (_, i) => node("Relu", [i ? `r${i}` : "x"], i === count - 1 ? "y" : `r${i + 1}`));
  const long = timed(onnxFile({ ...simple, nodes: chain(8000) }));
  expect(long[1]).toBe("");
  expect(long[0]).toBeLessThan(10_000);
  expect(timed(onnxFile({ ...simple, nodes: chain(9000) }))[1]).toMatch(/format: .*at most 8192 nodes, got 9000/);
  // one tensor for thousands of layers
  const wide = Array.from({ length: 8000 }, (_, i) =>
    node("MatMul", [i ? `r${i}` : "x", i % 2 ? "w" : "v"], i === 7999 ? "y" : `r${i + 1}`, { k: i }),
  );
  const many = timed(
    onnxFile({ nodes: wide, inputs: { x: ["n", 256] }, constants: { w: floats([256, 256]), v: floats([256, 256]) } }),
    { runtime },
  );
  expect(many[1]).toMatch(/^memory/);
  expect(many[0]).toBeLessThan(10_000);
  // constants that would be large
  const grown = (op: string, inputs: string[]) =>
    timed(
      onnxFile({
        ...simple,
        nodes: [node(op, inputs, "c"), node("Add", ["x", "c"], "y")],
        constants: {
          big: int64s([2 ** 30, 2 ** 20]),
          a: int64s([0], []),
          b: int64s([2 ** 52], []),
          one: int64s([1], []),
        },
      }),
    )[1];
  expect(grown("ConstantOfShape", ["big"])).toMatch(/constants computed of more than 4194304 numbers/);
  expect(grown("Range", ["a", "b", "one"])).toMatch(/constants computed of more than 4194304 numbers/);
  // what a prediction needs is asked for when it predicts
  const expanded = (...sizes: number[]) =>
    onnxFile({
      nodes: [node("Expand", ["x", "big"], "y")],
      inputs: { x: ["n", 1, 1] },
      constants: { big: int64s([1, ...sizes]) },
    });
  const enlarged = importOnnx(expanded(2 ** 20, 2 ** 10));
  expect(() => enlarged.predict({ data: new Float32Array(1), shape: [1, 1, 1] })).toThrow(
    expect.objectContaining({ code: "memory" }),
  );
  expect(timed(expanded(2 ** 30, 2 ** 20))[1]).toMatch(/^format: .*Expand "Expand y" \(upSampling2d: size/); // no core counts that
  // transposes of transposes
  const deep = Array.from({ length: 1000 }, (_, i) =>
    node("Transpose", [i ? `t${i}` : "w"], `t${i + 1}`, { perm: [1, 0] }),
  );
  const nested = timed(
    onnxFile({
      nodes: [...deep, node("MatMul", ["x", "t1000"], "y")],
      inputs: { x: ["n", 4] },
      constants: { w: floats([4, 4]) },
    }),
  );
  expect(nested[1]).toMatch(/^format: .*Transpose/);
  // nodes that no output needs
  const dead = Array.from({ length: 100_000 }, (_, i) => node("Erf", ["x"], `e${i}`));
  const idle = timed(onnxFile({ ...simple, nodes: [...dead, node("Relu", ["x"], "y")] }));
  expect(idle[1]).toBe("");
  expect(idle[0]).toBeLessThan(10_000);
  runtime.dispose();
}, 60_000);
