// bench/workloads.ts: downhill's first ten losses of each are PyTorch's (test/oracle/fixtures/workloads.json, written by
// test/oracle/workloads.py), and the files that competitors read hold what they should.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { writeWorkload } from "../../bench/peers/files";
// @ts-expect-error: JavaScript, as the competitors are
import { modelOf } from "../../bench/peers/model.js";
import { type Numbers, numbersOf, type Resolved, resolve, workloads } from "../../bench/workloads";
import * as downhill from "../../ts/index";
import oracle from "../oracle/fixtures/workloads.json";

/** The first ten losses with dropout off. */
function lossesOf(workload: Resolved): number[] {
  const { layers, inference, batches } = workload;
  const quiet = layers.map((layer) => (layer.type === "dropout" ? { ...layer, rate: 0 } : layer));
  const { x, y, ...weights } = numbersOf(workload) as Record<"x" | "y", Numbers>;
  const model: downhill.Model = modelOf(downhill, { ...workload, layers: quiet }, weights);
  const part = ({ data }: Numbers, i: number) =>
    data.slice((i * data.length) / batches, ((i + 1) * data.length) / batches);
  return Array.from({ length: 10 }, (_, i) => {
    const [images, labels] = [part(x, i % batches), part(y, i % batches)];
    return (inference ? model.testOnBatch(images, labels) : model.trainOnBatch(images, labels)).dataLoss;
  });
}

describe.each(workloads)("$id", (workload) => {
  test("ten losses equal PyTorch's", () => {
    const expected = oracle[workload.id as keyof typeof oracle];
    const losses = lossesOf(resolve(workload));
    losses.forEach((loss, i) => {
      expect(Math.abs(loss / expected[i]! - 1), `loss ${i + 1}`).toBeLessThan(2e-3);
    });
  });

  test("its files hold its description, batches and weights", () => {
    const folder = mkdtempSync(join(tmpdir(), "downhill-"));
    try {
      writeWorkload(workload, folder);
      const resolved = resolve(workload);
      expect(JSON.parse(readFileSync(join(folder, `${workload.id}.json`), "utf8"))).toEqual(resolved);
      const bytes = readFileSync(join(folder, `${workload.id}.safetensors`));
      const length = Number(bytes.readBigUInt64LE(0));
      const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
      const numbers = numbersOf(resolved);
      expect(Object.keys(header)).toEqual(Object.keys(numbers));
      for (const [name, { data, shape }] of Object.entries(numbers)) {
        const [from, to] = header[name].data_offsets;
        expect(header[name].shape).toEqual(shape);
        expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
        const there = bytes.subarray(8 + length + from, 8 + length + to);
        expect(there.equals(Buffer.from(data.buffer, data.byteOffset, data.byteLength))).toBe(true);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
