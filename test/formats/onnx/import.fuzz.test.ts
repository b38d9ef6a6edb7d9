// Damaged ONNX files: each gives a model or a DownhillError, quickly, and leaves nothing in memory. Every mutation follows from
// its number alone.

import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DownhillError } from "../../../ts/errors";
import { type Draft, type ModelProto, readModel, writeModel } from "../../../ts/formats/onnx/messages";
import { importOnnx, init, type Model, type NDArray, type Runtime } from "../../../ts/index";
import { type Mutation, pick, type Random, random } from "../../support/mutations";
import { floats, int64s, node, onnxFile } from "../../support/onnxFiles";

const PER_KIND = 400;
const CODES = ["format", "memory"];
const folder = new URL("fixtures/", import.meta.url);
const sources: Uint8Array[] = readdirSync(folder)
  .filter((name) => name.endsWith(".onnx"))
  .map((name) => new Uint8Array(readFileSync(new URL(name, folder))));
let runtime: Runtime;

beforeAll(async () => {
  runtime = await init({ maxMemory: 2 ** 24 });
  sources.push(
    onnxFile({
      nodes: [
        node("Shape", ["x"], "s"),
        node("Gather", ["s", "zero"], "n"),
        node("Unsqueeze", ["n", "zeros"], "n1"),
        node("Concat", ["n1", "minus"], "to", { axis: 0 }),
        node("Reshape", ["x", "to"], "r"),
        node("Expand", ["x", "big"], "e"),
        node("ReduceMean", ["e"], "m", { axes: [1, 2] }),
        node("Add", ["r", "m"], "y"),
      ],
      inputs: { x: ["n", 1, 4] },
      constants: { zero: int64s([0], []), zeros: int64s([0]), minus: int64s([-1]), big: int64s([1, 3, 4]) },
    }),
    onnxFile({
      nodes: [
        node("ConstantOfShape", ["sizes"], "c"),
        node("Range", ["a", "b", "a"], "r"),
        node("Mul", ["c", "r"], "p"),
        node("Pad", ["x", "pads"], "q"),
        node("Resize", ["q", "", "scales"], "z"),
        node("MaxPool", ["z"], "m", { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
        node("Conv", ["m", "w"], "v", { auto_pad: "SAME_LOWER" }),
        node("Add", ["v", "p"], "y"),
      ],
      inputs: { x: ["n", 2, 4, 5] },
      constants: {
        ...{ sizes: int64s([5]), a: int64s([1], []), b: int64s([6], []), pads: int64s([0, 0, 1, 1, 0, 0, 0, 1]) },
        ...{ scales: floats([4], [1, 1, 2, 2]), w: floats([3, 2, 2, 2]) },
      },
    }),
  );
});
afterAll(() => runtime.dispose());

const INTEGERS = [0, 1, -1, 2, 3, 5, 7, 64, 255, 1e6, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53, -(2 ** 53), 2 ** 40 + 1];
const FLOATS = [0, -0, 1, -1, 0.5, 1e-45, 3e38, -3e38, Number.NaN, Infinity, -Infinity];
const TEXTS = [
  "",
  "x",
  "y",
  "/",
  "__proto__",
  "constructor",
  "toString",
  "a\nflat",
  "\u0000",
  "batch",
  "é".repeat(300),
];
const OPERATORS = (
  "Conv ConvTranspose Gemm MatMul Relu Softmax PRelu Add Mul Div Sub Max Min Pow Concat Reshape Transpose Squeeze Unsqueeze Flatten Pad " +
  "Resize Upsample MaxPool AveragePool GlobalAveragePool ReduceMean BatchNormalization LayerNormalization GroupNormalization " +
  "InstanceNormalization Dropout Identity Cast Gather Expand Clip Shape Slice Constant ConstantOfShape Range If Loop LSTM Erf constructor"
).split(" ");

/** Every place of a message where a number, text, bytes, list or message stands. */
function spotsOf(root: object): [Record<string, unknown>, string][] {
  const spots: [Record<string, unknown>, string][] = [];
  const open: object[] = [root];
  for (const each of open)
    for (const [key, value] of Object.entries(each)) {
      spots.push([each as Record<string, unknown>, key]);
      if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) open.push(value);
    }
  return spots;
}

function changed(value: unknown, key: string, others: [Record<string, unknown>, string][], rand: Random): unknown {
  const alike = others.filter(([at, name]) => typeof at[name] === typeof value);
  const [at, name] = pick(rand, alike);
  if (typeof value === "number") return rand(3) ? (key === "f" ? pick(rand, FLOATS) : pick(rand, INTEGERS)) : at[name];
  if (typeof value === "string")
    return key === "opType" && rand(2) ? pick(rand, OPERATORS) : rand(4) ? at[name] : pick(rand, TEXTS);
  if (ArrayBuffer.isView(value)) return (value as Uint8Array).subarray(0, rand((value as Uint8Array).length + 1));
  if (Array.isArray(value)) {
    const list = [...value];
    const what = rand(4);
    if (what === 0 && list.length) list.splice(rand(list.length), 1);
    else if (what === 1 && list.length) list.splice(rand(list.length), 0, pick(rand, list));
    else if (what === 2) list.reverse();
    else if (list.length && list.length < 64) return Array.from({ length: 300 }, (_, i) => list[i % list.length]);
    return list;
  }
  return value;
}

/** Messages changed where they stand, as a file again. */
const inMessages =
  (times: number, chosen: (key: string, value: unknown) => boolean): Mutation =>
  (bytes, rand) => {
    const model = readModel(bytes);
    const spots = spotsOf(model).filter(([at, key]) => chosen(key, at[key]));
    for (let i = 0; i <= rand(times); i++) {
      const [at, key] = pick(rand, spots);
      at[key] = changed(at[key], key, spots, rand);
    }
    try {
      return writeModel(model as Draft<ModelProto>);
    } catch {
      return bytes; // a number that no file can have there
    }
  };

const kinds: Record<string, Mutation> = {
  "bits flipped"(bytes, rand) {
    for (let i = 0; i <= rand(4); i++) bytes[rand(bytes.length)]! ^= 1 << rand(8);
    return bytes;
  },
  "bytes overwritten"(bytes, rand) {
    for (let i = 0; i <= rand(8); i++) bytes[rand(bytes.length)] = pick(rand, [0, 1, 0x7f, 0x80, 0xff, rand(256)]);
    return bytes;
  },
  truncated: (bytes, rand) => bytes.slice(0, rand(bytes.length)),
  "bytes added or cut out"(bytes, rand) {
    const at = rand(bytes.length);
    const put = Array.from({ length: rand(3) * rand(9) }, () => rand(256));
    return Uint8Array.of(...bytes.subarray(0, at), ...put, ...bytes.subarray(at + rand(3) * rand(9)));
  },
  "parts of another file"(bytes, rand) {
    const other = pick(rand, sources);
    const from = rand(other.length);
    bytes.set(other.subarray(from, from + rand(200)).subarray(0, bytes.length >> 1), rand(bytes.length >> 1));
    return bytes;
  },
  "numbers attacked": inMessages(2, (_, value) => typeof value === "number"),
  "sizes attacked": inMessages(1, (key) => key === "dims" || key === "dimValue" || key === "ints"),
  "texts exchanged": inMessages(2, (_, value) => typeof value === "string"),
  "operators exchanged": inMessages(1, (key) => key === "opType"),
  "lists changed": inMessages(2, (_, value) => Array.isArray(value)),
  "anything changed": inMessages(4, () => true),
};

/** Whatever was made can be used, or says why not. */
function use(model: Model): void {
  try {
    const { inputs } = model.state.structure;
    const zeros = inputs.map(({ name, value }) => {
      const shape = [2, ...value.shape];
      const size = shape.reduce((a, b) => a * b, 1);
      if (size > 1e6) throw new DownhillError("memory", "large");
      return [name, { data: new Float32Array(size), shape }] as [string, NDArray];
    });
    if (model.countParams() > 1e5) return;
    model.predict((zeros.length === 1 ? zeros[0]![1] : Object.fromEntries(zeros)) as NDArray);
  } catch (error) {
    if (!(error instanceof DownhillError)) throw error;
  }
}

for (const [kind, mutate] of Object.entries(kinds))
  test(`${PER_KIND} × ${kind}: a model or a DownhillError`, () => {
    const used = runtime.memory().used;
    const start = performance.now();
    let made = 0;
    for (let i = 0; i < PER_KIND; i++) {
      const rand = random(i * 7919 + kind.length);
      const bytes = mutate(Uint8Array.from(pick(rand, sources)), rand);
      const before = performance.now();
      try {
        const model = importOnnx(bytes, { runtime });
        if (i % 4 === 0) use(model);
        model.dispose();
        made++;
      } catch (error) {
        if (!(error instanceof DownhillError) || !CODES.includes(error.code))
          throw new Error(`mutation ${i} of "${kind}"`, { cause: error });
      }
      expect(performance.now() - before, `mutation ${i}`).toBeLessThan(5000);
    }
    expect(runtime.memory().used).toBe(used);
    expect(Object.keys(Object.prototype)).toEqual([]);
    if (process.env["FUZZ_VERBOSE"]) console.log(kind, made, (performance.now() - start).toFixed(0), "ms");
  }, 60_000);
