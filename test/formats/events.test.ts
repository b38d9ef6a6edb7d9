// Event files: against TensorBoard's own writer, byte by byte, and read by protobuf's own reader, checksums checked.

import { describe, expect, test } from "vitest";
import { crc32c, event, type Histogram, header, histogramOf, record } from "../../ts/formats/events";
import { readEvents } from "../support/events";
import { fixture } from "../support/oracle";

const bytes = (text: string) => new TextEncoder().encode(text);
const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));

test("crc32c has the vectors of RFC 3720 and of its catalogue", () => {
  expect(crc32c(bytes("123456789"))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array())).toBe(0);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => 31 - i))).toBe(0x113fdb5c);
  const read =
    "01c00000 00000000 00000000 00000000 14000000 00000400 00000014 00000018 28000000 00000000 02000000 00000000";
  expect(crc32c(hex(read))).toBe(0xd9963a56);
});

test("a record is length, checksum, data, checksum", () => {
  const data = bytes("123456789");
  const masked = (crc: number) => Number(((BigInt(crc) >> 15n) + (BigInt(crc) << 17n) + 0xa282ead8n) & 0xffffffffn);
  const framed = record(data);
  const view = new DataView(framed.buffer);
  expect(framed.length).toBe(9 + 16);
  expect(view.getBigUint64(0, true)).toBe(9n);
  // crc >>> 15 | crc << 17 of 32 bits: the parts do not overlap, so their sum is the same
  expect(view.getUint32(8, true)).toBe(masked(crc32c(hex("09 00 00 00 00 00 00 00"))));
  expect(framed.subarray(12, 21)).toEqual(data);
  expect(view.getUint32(21, true)).toBe(masked(0xe3069283));
});

interface Written {
  time: number;
  header: string;
  events: { step: number; values: Record<string, number | "Infinity" | Record<string, unknown>>; record: string }[];
}

/** As TensorFlow calls a histogram's fields. */
const theirs = ({ sumSquares, limits, counts, ...rest }: Histogram) => ({
  ...rest,
  sum_squares: sumSquares,
  bucket_limit: limits,
  bucket: counts,
});

describe("TensorBoard's writer", () => {
  const written = fixture<Written>("tensorBoard");

  test("writes the same header", () => {
    expect(Buffer.from(header(written.time)).toString("base64")).toBe(written.header);
  });

  test("writes the same events", () => {
    for (const { step, values, record } of written.events) {
      const given = new Map(
        Object.entries(values).map(([tag, value]): [string, number | Histogram] => {
          if (typeof value !== "object") return [tag, Number(value)];
          const { sum_squares: sumSquares, bucket_limit: limits, bucket: counts, ...rest } = value;
          return [tag, { ...rest, sumSquares, limits, counts } as Histogram];
        }),
      );
      expect(Buffer.from(event(written.time, step, given)).toString("base64")).toBe(record);
    }
  });

  test("is understood by the tests' decoder", () => {
    const file = Buffer.concat([written.header, ...written.events.map(({ record }) => record)].map(decode));
    const [first, ...events] = readEvents(file);
    expect(first).toEqual({ time: written.time, step: 0, version: "brain.Event:2", values: {} });
    events.forEach(({ time, step, values }, i) => {
      const expected = written.events[i]!;
      expect({ time, step }).toEqual({ time: written.time, step: expected.step });
      for (const [tag, value] of Object.entries(expected.values))
        if (typeof value === "object") expect(theirs(values[tag] as Histogram)).toEqual(value);
        else expect(values[tag]).toBe(Math.fround(Number(value)));
    });
  });
});

const decode = (base64: string) => Buffer.from(base64, "base64");

test("what is encoded is decoded; NaN and infinities too", () => {
  const values = new Map<string, number | Histogram>([
    ["loss", Number.NaN],
    ["größe/😀", -Infinity],
    ["zero", 0],
    ["w", histogramOf(Float32Array.of(-1, 0, 3))!],
  ]);
  const file = Buffer.concat([header(1.5), event(2.5, 2 ** 53 - 1, values), event(3.5, 0, new Map())]);
  expect(readEvents(file)).toEqual([
    { time: 1.5, step: 0, version: "brain.Event:2", values: {} },
    { time: 2.5, step: 2 ** 53 - 1, version: "", values: Object.fromEntries(values) },
    { time: 3.5, step: 0, version: "", values: {} },
  ]);
});

test("no bit can be turned without the reader's noticing", () => {
  const file = Buffer.concat([header(1.5), event(2.5, 1, new Map([["loss", 0.5]]))]);
  for (let bit = 0; bit < file.length * 8; bit++) {
    const damaged = Buffer.from(file);
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    expect(() => readEvents(damaged), `bit ${bit}`).toThrow("a wrong checksum");
  }
});

describe("histogramOf", () => {
  test("counts in buckets of equal width; the last one has its end", () => {
    expect(histogramOf(Float32Array.of(0, 1, 2, 3, 4, 4, 0.5), 4)).toEqual({
      min: 0,
      max: 4,
      num: 7,
      sum: 14.5,
      sumSquares: 46.25,
      limits: [1, 2, 3, 4],
      counts: [2, 1, 1, 3],
    });
  });

  test("of many numbers has them all, under ascending limits", () => {
    const numbers = Float32Array.from({ length: 5000 }, (_, i) => Math.fround(Math.sin(i * i) * 1e-3 - 0.1));
    const { min, max, num, limits, counts } = histogramOf(numbers)!;
    expect([min, max]).toEqual([Math.min(...numbers), Math.max(...numbers)]);
    expect([num, limits.length, limits.at(-1)]).toEqual([5000, 30, max]);
    limits.forEach((limit, i) => {
      expect(limit).toBeGreaterThan(limits[i - 1] ?? min);
    });
    const below = (limit: number) => numbers.filter((x) => x < limit).length;
    let sum = 0;
    counts.forEach((n, i) => {
      sum += n;
      expect(Math.abs(sum - (i === 29 ? num : below(limits[i]!)))).toBeLessThanOrEqual(1); // borders round
    });
    expect(sum).toBe(5000);
  });

  test("of equal numbers, of the largest, of the least, of none", () => {
    expect(histogramOf(new Float32Array(5).fill(0.5))).toMatchObject({ limits: [0.5], counts: [5], sum: 2.5 });
    const big = 3.4028234663852886e38;
    expect(histogramOf(Float32Array.of(-big, big), 2)).toMatchObject({ limits: [0, big], counts: [1, 1] });
    const small = 1.401298464324817e-45;
    expect(histogramOf(Float32Array.of(0, small), 2)).toMatchObject({ limits: [small / 2, small], counts: [1, 1] });
    expect(histogramOf(Float32Array.of(Number.NaN, 1, Infinity, 2), 1)).toMatchObject({ num: 2, sum: 3, counts: [2] });
    expect(histogramOf(Float32Array.of(Number.NaN, -Infinity))).toBeUndefined();
    expect(histogramOf(new Float32Array())).toBeUndefined();
  });
});
