// The messages of ONNX files: what we use of onnx.proto3 (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3), read and
// written by tables. A table has for each field its number and its kind; reading and writing are functions apart, so that a
// bundle carries the half that it uses.
//
// Reading is strict: a wire type that is not the field's, a length beyond the message's own end, text that is not UTF-8 and
// a field that is given twice are `format` errors. Fields that no table names are passed over. What may hold further graphs
// (subgraphs, functions) is kept as bytes: tables do not refer to themselves, so nesting is bounded by them.

import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { DownhillError } from "../../errors";

type Bytes = Uint8Array;

// Read, a field that may be repeated is a list, another one is absent where the file has none. An int64 beyond ±2^53 is rounded.

export interface ModelProto {
  irVersion?: number;
  producerName?: string;
  producerVersion?: string;
  domain?: string;
  modelVersion?: number;
  docString?: string;
  graph?: GraphProto;
  opsetImport: OperatorSetId[];
  metadataProps: StringEntry[];
  /** Not read further. */
  functions: Bytes[];
}

export interface OperatorSetId {
  domain?: string;
  version?: number;
}

export interface StringEntry {
  key?: string;
  value?: string;
}

export interface GraphProto {
  node: NodeProto[];
  name?: string;
  initializer: TensorProto[];
  docString?: string;
  input: ValueInfo[];
  output: ValueInfo[];
  valueInfo: ValueInfo[];
  /** Not read further. */
  sparseInitializer: Bytes[];
}

export interface NodeProto {
  /** An optional one that is left out before others has the name "". */
  input: string[];
  output: string[];
  name?: string;
  opType?: string;
  attribute: AttributeProto[];
  docString?: string;
  domain?: string;
}

export interface AttributeProto {
  name?: string;
  f?: number;
  i?: number;
  s?: Bytes;
  t?: TensorProto;
  floats: number[];
  ints: number[];
  strings: Bytes[];
  /** One of AttributeType. */
  type?: number;
  /** Not read further. */
  g?: Bytes;
  graphs: Bytes[];
}

export interface TensorProto {
  dims: number[];
  /** One of DataType. */
  dataType?: number;
  /** Little-endian, whatever the type is; then the lists are empty. */
  rawData?: Bytes;
  floatData: number[];
  int32Data: number[];
  int64Data: number[];
  doubleData: number[];
  name?: string;
  externalData: StringEntry[];
  dataLocation?: number;
  /** Not read further. */
  segment?: Bytes;
}

export interface ValueInfo {
  name?: string;
  type?: TypeProto;
}

export interface TypeProto {
  /** Absent where it is a sequence, a map or the like. */
  tensorType?: TensorTypeProto;
}

export interface TensorTypeProto {
  /** One of DataType. */
  elemType?: number;
  shape?: ShapeProto;
}

export interface ShapeProto {
  dim: Dimension[];
}

/** A size, or the name of one that is not fixed, or neither. */
export interface Dimension {
  dimValue?: number;
  dimParam?: string;
}

export const AttributeType = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
} as const;

export const DataType = {
  float: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  double: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
} as const;

type Scalar = "string" | "bytes" | "int32" | "int64" | "float" | "double";
type Fields = Record<string, Field>;
type Field = readonly [number: number, kind: Scalar | Fields, repeated?: "repeated"];

/** A table that has each field of `T`. */
type TableOf<T> = { readonly [K in keyof Required<T>]: Field };

const entry: TableOf<StringEntry> = { key: [1, "string"], value: [2, "string"] };

const dimension: TableOf<Dimension> = { dimValue: [1, "int64"], dimParam: [2, "string"] };
const shape: TableOf<ShapeProto> = { dim: [1, dimension, "repeated"] };
const tensorType: TableOf<TensorTypeProto> = { elemType: [1, "int32"], shape: [2, shape] };
const type: TableOf<TypeProto> = { tensorType: [1, tensorType] };
const valueInfo: TableOf<ValueInfo> = { name: [1, "string"], type: [2, type] };

const tensor: TableOf<TensorProto> = {
  dims: [1, "int64", "repeated"],
  dataType: [2, "int32"],
  segment: [3, "bytes"],
  floatData: [4, "float", "repeated"],
  int32Data: [5, "int32", "repeated"],
  int64Data: [7, "int64", "repeated"],
  name: [8, "string"],
  rawData: [9, "bytes"],
  doubleData: [10, "double", "repeated"],
  externalData: [13, entry, "repeated"],
  dataLocation: [14, "int32"],
};

const attribute: TableOf<AttributeProto> = {
  name: [1, "string"],
  f: [2, "float"],
  i: [3, "int64"],
  s: [4, "bytes"],
  t: [5, tensor],
  g: [6, "bytes"],
  floats: [7, "float", "repeated"],
  ints: [8, "int64", "repeated"],
  strings: [9, "bytes", "repeated"],
  graphs: [11, "bytes", "repeated"],
  type: [20, "int32"],
};

const node: TableOf<NodeProto> = {
  input: [1, "string", "repeated"],
  output: [2, "string", "repeated"],
  name: [3, "string"],
  opType: [4, "string"],
  attribute: [5, attribute, "repeated"],
  docString: [6, "string"],
  domain: [7, "string"],
};

const graph: TableOf<GraphProto> = {
  node: [1, node, "repeated"],
  name: [2, "string"],
  initializer: [5, tensor, "repeated"],
  docString: [10, "string"],
  input: [11, valueInfo, "repeated"],
  output: [12, valueInfo, "repeated"],
  valueInfo: [13, valueInfo, "repeated"],
  sparseInitializer: [15, "bytes", "repeated"],
};

const model: TableOf<ModelProto> = {
  irVersion: [1, "int64"],
  producerName: [2, "string"],
  producerVersion: [3, "string"],
  domain: [4, "string"],
  modelVersion: [5, "int64"],
  docString: [6, "string"],
  graph: [7, graph],
  opsetImport: [8, { domain: [1, "string"], version: [2, "int64"] } satisfies TableOf<OperatorSetId>, "repeated"],
  metadataProps: [14, entry, "repeated"],
  functions: [25, "bytes", "repeated"],
};

/** How a kind lies in a file: as a varint, in 8 bytes, behind its length, in 4 bytes. */
const wireOf = (kind: Scalar | Fields): number =>
  kind === "int32" || kind === "int64" ? 0 : kind === "double" ? 1 : kind === "float" ? 5 : 2;

const LENGTH_DELIMITED = 2;

/** Messages of a file, at most: an empty one takes two bytes there and a hundred times that in memory. */
const MAX_MESSAGES = 2 ** 20;

type Message = Record<string, unknown>;

/** A table by its fields' numbers. */
type Table = Map<number, readonly [name: string, kind: Scalar | Fields, repeated?: "repeated" | undefined]>;

/**
 * What an ONNX file holds. Byte fields are views of `bytes`.
 *
 * @throws DownhillError `format` where it is not exactly of the format
 */
export function readModel(bytes: Bytes): ModelProto {
  let messages = 0;
  let where = "model";
  const tables = new Map<Fields, Table>();

  function byNumber(fields: Fields) {
    const known = tables.get(fields);
    if (known) return known;
    const table: Table = new Map();
    for (const [name, [number, kind, repeated]] of Object.entries(fields)) table.set(number, [name, kind, repeated]);
    tables.set(fields, table);
    return table;
  }

  function read(bytes: Bytes, fields: Fields, path: string): Message {
    if (++messages > MAX_MESSAGES) throw new Error(`more than ${MAX_MESSAGES} messages`);
    const table = byNumber(fields);
    const message: Message = {};
    for (const [name, , repeated] of table.values()) if (repeated) message[name] = [];
    const reader = new BinaryReader(bytes);
    while (reader.pos < bytes.length) {
      where = path;
      const [number, wire] = reader.tag();
      const known = table.get(number);
      if (!known) {
        if (wire === 3 || wire === 4) throw new Error(`a group as field ${number}`);
        reader.skip(wire);
        continue;
      }
      const [name, kind, repeated] = known;
      where = `${path}.${name}`;
      const packed = repeated && wire === LENGTH_DELIMITED && wireOf(kind) !== wire;
      if (wire !== wireOf(kind) && !packed) throw new Error(`wire type ${wire}`);
      if (packed) {
        const inner = new BinaryReader(reader.bytes());
        const list = message[name] as unknown[];
        while (inner.pos < inner.len) list.push(value(inner, kind, where));
      } else if (repeated) (message[name] as unknown[]).push(value(reader, kind, where));
      else if (Object.hasOwn(message, name)) throw new Error("it twice");
      else message[name] = value(reader, kind, where);
    }
    return message;
  }

  function value(reader: BinaryReader, kind: Scalar | Fields, path: string): unknown {
    if (typeof kind !== "string") return read(reader.bytes(), kind, path);
    if (kind === "string") return reader.string(true);
    return kind === "int64" ? Number(reader.int64()) : reader[kind]();
  }

  try {
    return read(bytes, model, where) as unknown as ModelProto;
  } catch (cause) {
    // the reader's own errors are plain ones and RangeErrors
    const expected = where === "model" ? "an ONNX file" : `${where} as ONNX has it`;
    throw new DownhillError("format", `importOnnx: expected ${expected}, got ${(cause as Error).message}`, { cause });
  }
}

/** What may be left out of a message to write: any field. */
export type Draft<T> = T extends Bytes | string | number
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Draft<Item>[]
    : { readonly [K in keyof T]?: Draft<Exclude<T[K], undefined>> | undefined };

/** The bytes of an ONNX file. Fields come in the order of their tables; equal messages give equal bytes. Numbers are packed. */
export function writeModel(content: Draft<ModelProto>): Bytes {
  const writer = new BinaryWriter();

  function write(message: Message, fields: Fields): void {
    for (const [name, [number, kind, repeated]] of Object.entries(fields)) {
      const given = message[name];
      if (given === undefined) continue;
      const wire = wireOf(kind);
      if (!repeated) value(writer.tag(number, wire), kind, given);
      else if (wire === LENGTH_DELIMITED)
        for (const item of given as unknown[]) value(writer.tag(number, wire), kind, item);
      else if ((given as unknown[]).length) {
        writer.tag(number, LENGTH_DELIMITED).fork();
        for (const item of given as unknown[]) value(writer, kind, item);
        writer.join();
      }
    }
  }

  function value(writer: BinaryWriter, kind: Scalar | Fields, given: unknown): void {
    if (typeof kind === "string") writer[kind](given as never);
    else {
      writer.fork();
      write(given as Message, kind);
      writer.join();
    }
  }

  write(content as Message, model);
  return writer.finish();
}
