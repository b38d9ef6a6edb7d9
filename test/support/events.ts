// A reader of event files that shares nothing with what writes them: records from the format's description (TensorFlow's
// record_writer.cc), checksums bit by bit; messages by protobuf's own reader, field numbers from event.proto and summary.proto.

import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import type { Histogram } from "../../ts/formats/events";

export interface Event {
  time: number;
  step: number;
  version: string;
  values: Record<string, number | Histogram>;
}

/** x³² + … + 1 of Castagnoli, the polynomial's lowest power in the highest bit. */
const POLYNOMIAL = 0b1000_0010_1111_0110_0011_1011_0111_1000n;

function maskedCrc(data: Uint8Array): bigint {
  let rest = 0xffff_ffffn;
  for (const byte of data)
    for (let bit = 0; bit < 8; bit++) {
      const out = (rest & 1n) ^ BigInt((byte >> bit) & 1);
      rest = (rest >> 1n) ^ (out * POLYNOMIAL);
    }
  const crc = rest ^ 0xffff_ffffn;
  return (((crc >> 15n) | ((crc << 17n) & 0xffff_ffffn)) + 0xa282_ead8n) & 0xffff_ffffn;
}

/** The payloads; what is cut off at the end is left out, a wrong checksum throws. */
function payloads(file: Uint8Array): Uint8Array[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const found: Uint8Array[] = [];
  const checked = (from: number, to: number) => {
    const part = file.subarray(from, to);
    if (BigInt(view.getUint32(to, true)) !== maskedCrc(part)) throw new Error(`a wrong checksum at ${to}`);
    return part;
  };
  for (let at = 0; at + 12 <= file.length; ) {
    checked(at, at + 8);
    const end = at + 12 + Number(view.getBigUint64(at, true));
    if (end + 4 > file.length) break;
    found.push(checked(at + 12, end));
    at = end + 4;
  }
  return found;
}

/** How a field is read: its wire type, and by what. */
type Field = readonly [WireType, (reader: BinaryReader, to: number) => void];

/** Reads a message whose fields are these; throws at any other, and where one is of another wire type. */
function read(message: Uint8Array, fields: Record<number, Field>): void {
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    const field = fields[number];
    if (field?.[0] !== wire) throw new Error(`field ${number} of wire type ${wire}`);
    field[1](reader, number);
  }
}

const { Varint, Bit64, LengthDelimited, Bit32 } = WireType;

function histogramFrom(message: Uint8Array): Histogram {
  const found: Histogram = { min: 0, max: 0, num: 0, sum: 0, sumSquares: 0, limits: [], counts: [] };
  const number = (name: keyof Histogram): Field => [
    Bit64,
    (reader) => Object.assign(found, { [name]: reader.double() }),
  ];
  const packed = (list: number[]): Field => [
    LengthDelimited,
    (reader) => {
      for (const end = reader.uint32() + reader.pos; reader.pos < end; ) list.push(reader.double());
    },
  ];
  read(message, {
    ...{ 1: number("min"), 2: number("max"), 3: number("num"), 4: number("sum"), 5: number("sumSquares") },
    ...{ 6: packed(found.limits), 7: packed(found.counts) },
  });
  return found;
}

function valueFrom(message: Uint8Array): [tag: string, value: number | Histogram] {
  let tag = "";
  let value: number | Histogram | undefined;
  read(message, {
    1: [LengthDelimited, (reader) => (tag = reader.string(true))],
    2: [Bit32, (reader) => (value = reader.float())],
    5: [LengthDelimited, (reader) => (value = histogramFrom(reader.bytes()))],
  });
  if (value === undefined) throw new Error(`${tag} has no value`);
  return [tag, value];
}

/** The events of a file. */
export const readEvents = (file: Uint8Array): Event[] =>
  payloads(new Uint8Array(file)).map((payload) => {
    const event: Event = { time: Number.NaN, step: 0, version: "", values: {} };
    const summary = (reader: BinaryReader) =>
      read(reader.bytes(), {
        1: [
          LengthDelimited,
          (inner) => {
            const [tag, value] = valueFrom(inner.bytes());
            event.values[tag] = value;
          },
        ],
      });
    read(payload, {
      1: [Bit64, (reader) => (event.time = reader.double())],
      2: [Varint, (reader) => (event.step = Number(reader.int64()))],
      3: [LengthDelimited, (reader) => (event.version = reader.string(true))],
      5: [LengthDelimited, summary],
    });
    return event;
  });
