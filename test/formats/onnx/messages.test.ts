// The messages of ONNX files: what is written is read again, and what is not of the format is refused.

import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { expect, test } from "vitest";
import {
  AttributeType,
  DataType,
  type Draft,
  type ModelProto,
  readModel,
  writeModel,
} from "../../../ts/formats/onnx/messages";

const MODEL: Draft<ModelProto> = {
  irVersion: 8,
  producerName: "a producer",
  opsetImport: [{ version: 17 }],
  metadataProps: [{ key: "k", value: "ü" }],
  graph: {
    name: "g",
    node: [
      {
        input: ["x", "w", ""],
        output: ["y"],
        opType: "Gemm",
        attribute: [
          { name: "alpha", type: AttributeType.float, f: 0.5 },
          { name: "transB", type: AttributeType.int, i: 0 },
          { name: "pads", type: AttributeType.ints, ints: [1, -2, 2 ** 40, -(2 ** 53)] },
          { name: "scales", type: AttributeType.floats, floats: [1, 0.25] },
          { name: "mode", type: AttributeType.string, s: Uint8Array.of(110) },
          { name: "value", type: AttributeType.tensor, t: { dims: [], dataType: DataType.float, floatData: [3] } },
        ],
      },
    ],
    initializer: [{ name: "w", dims: [300], dataType: DataType.uint8, rawData: new Uint8Array(300).fill(7) }],
    input: [
      {
        name: "x",
        type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: "batch" }, { dimValue: 4 }, {}] } } },
      },
    ],
    output: [{ name: "y" }],
  },
};

test("what is written is read again", () => {
  const read = readModel(writeModel(MODEL));
  expect(read).toMatchObject(MODEL);
  expect(read.functions).toEqual([]);
  expect(read.graph!.valueInfo).toEqual([]);
  expect("docString" in read).toBe(false);
  expect(writeModel(read as Draft<ModelProto>)).toEqual(writeModel(MODEL));
});

test("an int64 beyond 2^53 is rounded; numbers may come one by one", () => {
  const file = (build: (dims: BinaryWriter) => void) => {
    const writer = new BinaryWriter();
    writer.tag(7, 2).fork().tag(5, 2).fork();
    build(writer);
    return readModel(writer.join().join().finish()).graph!.initializer[0]!;
  };
  expect(
    file((w) => w.tag(1, 0).int64(3).tag(1, 0).int64("9223372036854775807").tag(1, 2).bytes(Uint8Array.of(5))).dims,
  ).toEqual([3, 2 ** 63, 5]);
  expect(file((w) => w.tag(4, 5).float(1.5).tag(99, 0).int64(1).tag(4, 5).float(2)).floatData).toEqual([1.5, 2]);
});

const inGraph = (build: (graph: BinaryWriter) => unknown): Uint8Array => {
  const writer = new BinaryWriter();
  writer.tag(7, 2).fork();
  build(writer);
  return writer.join().finish();
};

test.each<[string, Uint8Array, RegExp]>([
  ["a wire type", inGraph((w) => w.tag(2, 0).int64(1)), /expected model\.graph\.name as ONNX has it, got wire type 0/],
  ["no ONNX file", Uint8Array.of(1, 2, 3), /^importOnnx: expected an ONNX file, got illegal tag/],
  ["a length beyond the message", inGraph((w) => w.tag(2, 2).uint32(9)), /model\.graph\.name/],
  ["a message beyond the file", Uint8Array.of(0x3a, 0x05, 0), /model\.graph/],
  ["a tag cut off", Uint8Array.of(0x80), /an ONNX file/],
  ["field 0", Uint8Array.of(0, 0), /illegal tag/],
  ["a field given twice", inGraph((w) => w.tag(2, 2).string("a").tag(2, 2).string("a")), /it twice/],
  ["text that is not UTF-8", inGraph((w) => w.tag(2, 2).bytes(Uint8Array.of(0xff))), /model\.graph\.name/],
  ["a group", inGraph((w) => w.tag(90, 3).tag(90, 4)), /group/],
  ["half a float", inGraph((w) => w.tag(5, 2).bytes(Uint8Array.of(0x22, 3, 0, 0, 0))), /floatData/],
  ["an endless varint", inGraph((w) => w.tag(5, 2).bytes(new Uint8Array(12).fill(0xff, 1).fill(0x08, 0, 1))), /dims/],
  [
    "too many messages",
    inGraph((w) => w.raw(new Uint8Array(2 ** 21 + 2).map((_, i) => (i % 2 ? 0 : 0x0a)))),
    /1048576 messages/,
  ],
])("%s is a format error", (_, bytes, text) => {
  expect(() => readModel(bytes)).toThrow(
    expect.objectContaining({ code: "format", message: expect.stringMatching(text) }),
  );
});
