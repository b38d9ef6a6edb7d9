// TensorBoard's event files: records, each a protobuf message Event (TensorFlow's event.proto, summary.proto, record_writer.cc).
//
//   record     u64 length | u32 masked CRC-32C of the length | data | u32 masked CRC-32C of the data, little-endian
//   Event      double wall_time = 1; int64 step = 2; string file_version = 3 or Summary summary = 5
//   Summary    repeated Value value = 1
//   Value      string tag = 1; float simple_value = 2 or HistogramProto histo = 5
//   Histogram  double min = 1, max = 2, num = 3, sum = 4, sum_squares = 5; packed double bucket_limit = 6, bucket = 7
//
// It imports nothing: whoever writes no events never loads it.

/** What the numbers of a histogram are. */
export interface Histogram {
  min: number;
  max: number;
  num: number;
  sum: number;
  sumSquares: number;
  /** Where each bucket ends, ascending; the first begins at `min`. */
  limits: number[];
  counts: number[];
}

const TABLE = /* @__PURE__ */ (() => {
  const table = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    table[i] = crc;
  }
  return table;
})();

/** CRC-32C (Castagnoli): of the digits 1 to 9, 0xe3069283. */
export function crc32c(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 255]!;
  return ~crc >>> 0;
}

/** A checksum rotated and moved, since one of data that hold checksums is weak. */
const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;

/** `data` with its length and checksums. */
export function record(data: Uint8Array): Uint8Array {
  const { length } = data;
  const bytes = new Uint8Array(length + 16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length, true); // the upper word is 0
  view.setUint32(8, masked(crc32c(bytes.subarray(0, 8))), true);
  bytes.set(data, 12);
  view.setUint32(length + 12, masked(crc32c(data)), true);
  return bytes;
}

/** A protobuf message, field by field; 0 is what a field is that is absent, but in a choice between fields (`float`, `bytesOf`). */
class Message {
  readonly #bytes: number[] = [];

  get bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  #varint(value: number): void {
    for (; value >= 128; value = Math.floor(value / 128)) this.#bytes.push(128 + (value % 128));
    this.#bytes.push(value);
  }

  #raw(bytes: Uint8Array): void {
    for (const byte of bytes) this.#bytes.push(byte);
  }

  int64(field: number, value: number): this {
    if (!value) return this;
    this.#varint(field * 8);
    this.#varint(value);
    return this;
  }

  double(field: number, value: number): this {
    if (!value) return this;
    this.#varint(field * 8 + 1);
    this.#raw(littleEndian([value], 8));
    return this;
  }

  float(field: number, value: number): this {
    this.#varint(field * 8 + 5);
    this.#raw(littleEndian([value], 4));
    return this;
  }

  bytesOf(field: number, bytes: Uint8Array): this {
    this.#varint(field * 8 + 2);
    this.#varint(bytes.length);
    this.#raw(bytes);
    return this;
  }

  text(field: number, text: string): this {
    return this.bytesOf(field, new TextEncoder().encode(text));
  }

  doubles(field: number, values: readonly number[]): this {
    return this.bytesOf(field, littleEndian(values, 8));
  }
}

function littleEndian(values: readonly number[], size: 4 | 8): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * size));
  values.forEach((value, i) => {
    if (size === 4) view.setFloat32(i * 4, value, true);
    else view.setFloat64(i * 8, value, true);
  });
  return new Uint8Array(view.buffer);
}

/** With which a file begins. `time` in seconds since 1970. */
export const header = (time: number): Uint8Array =>
  record(new Message().double(1, time).text(3, "brain.Event:2").bytes);

/** What numbers and histograms are at a step, by tag. */
export function event(time: number, step: number, values: ReadonlyMap<string, number | Histogram>): Uint8Array {
  const summary = new Message();
  for (const [tag, given] of values) {
    const value = new Message().text(1, tag);
    if (typeof given === "number") value.float(2, given);
    else value.bytesOf(5, histogram(given));
    summary.bytesOf(1, value.bytes);
  }
  return record(new Message().double(1, time).int64(2, step).bytesOf(5, summary.bytes).bytes);
}

const histogram = ({ min, max, num, sum, sumSquares, limits, counts }: Histogram): Uint8Array =>
  new Message()
    .double(1, min)
    .double(2, max)
    .double(3, num)
    .double(4, sum)
    .double(5, sumSquares)
    .doubles(6, limits)
    .doubles(7, counts).bytes;

/** Counts in buckets of equal width from the least number to the greatest, those that are not finite left out; none of none. */
export function histogramOf(values: Float32Array, buckets = 30): Histogram | undefined {
  let [min, max, num, sum, sumSquares] = [Infinity, -Infinity, 0, 0, 0];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < min) min = value;
    if (value > max) max = value;
    num++;
    sum += value;
    sumSquares += value * value;
  }
  if (!num) return undefined;
  if (min === max) return { min, max, num, sum, sumSquares, limits: [max], counts: [num] };
  const width = (max - min) / buckets;
  const counts = new Array<number>(buckets).fill(0);
  for (const value of values)
    if (Number.isFinite(value)) counts[Math.min(buckets - 1, Math.floor((value - min) / width))]!++;
  const limits = counts.map((_, i) => (i === buckets - 1 ? max : min + (i + 1) * width));
  return { min, max, num, sum, sumSquares, limits, counts };
}
