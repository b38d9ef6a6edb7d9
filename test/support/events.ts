// A reader of event files, of the formats' descriptions alone: checksums bit by bit, 64-bit numbers as BigInt, any order of fields.

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

/** A message's fields, in order: of wire type 0 BigInts, else bytes. */
function fieldsOf(message: Uint8Array): [number, bigint | Uint8Array][] {
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const take = (length: number) => {
    if (at + length > message.length) throw new Error("a field past the end");
    at += length;
    return message.slice(at - length, at);
  };
  const found: [number, bigint | Uint8Array][] = [];
  while (at < message.length) {
    const key = Number(varint());
    const wire = key & 7;
    if (wire === 0) found.push([key >> 3, varint()]);
    else if (wire === 1) found.push([key >> 3, take(8)]);
    else if (wire === 2) found.push([key >> 3, take(Number(varint()))]);
    else if (wire === 5) found.push([key >> 3, take(4)]);
    else throw new Error(`wire type ${wire}`);
  }
  return found;
}

const text = (bytes: Uint8Array) => new TextDecoder("utf-8", { fatal: true }).decode(bytes);
const doubles = (bytes: Uint8Array) => [...new Float64Array(bytes.buffer)];
const float = (bytes: Uint8Array) => new Float32Array(bytes.buffer)[0]!;

function histogramFrom(message: Uint8Array): Histogram {
  const found: Histogram = { min: 0, max: 0, num: 0, sum: 0, sumSquares: 0, limits: [], counts: [] };
  const names = ["", "min", "max", "num", "sum", "sumSquares", "limits", "counts"] as const;
  for (const [field, value] of fieldsOf(message)) {
    const numbers = doubles(value as Uint8Array);
    Object.assign(found, { [names[field]!]: field < 6 ? numbers[0] : numbers });
  }
  return found;
}

/** The events of a file. */
export const readEvents = (file: Uint8Array): Event[] =>
  payloads(new Uint8Array(file)).map((payload) => {
    const event: Event = { time: Number.NaN, step: 0, version: "", values: {} };
    for (const [field, value] of fieldsOf(payload)) {
      if (field === 1) event.time = doubles(value as Uint8Array)[0]!;
      else if (field === 2) event.step = Number(value);
      else if (field === 3) event.version = text(value as Uint8Array);
      else if (field === 5)
        for (const [, summary] of fieldsOf(value as Uint8Array)) {
          const fields = new Map(fieldsOf(summary as Uint8Array) as [number, Uint8Array][]);
          event.values[text(fields.get(1)!)] = fields.has(2) ? float(fields.get(2)!) : histogramFrom(fields.get(5)!);
        }
    }
    return event;
  });
