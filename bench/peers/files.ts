// A workload as the two files that competitors read (bench/workloads.ts).

import { writeFileSync } from "node:fs";
import { numbersOf, resolve, type Workload } from "../workloads";

/** Writes `folder`/W2.json and `folder`/W2.safetensors. */
export function writeWorkload(workload: Workload, folder: string): void {
  const resolved = resolve(workload);
  const numbers = Object.entries(numbersOf(resolved));
  let at = 0;
  const header: Record<string, object> = {};
  for (const [name, { data, shape }] of numbers) {
    const dtype = data instanceof Int32Array ? "I32" : "F32";
    header[name] = { dtype, shape, data_offsets: [at, at + data.byteLength] };
    at += data.byteLength;
  }
  let text = JSON.stringify(header);
  text += " ".repeat((8 - (text.length % 8)) % 8);
  const length = new BigUint64Array([BigInt(text.length)]);
  const parts = [length, new TextEncoder().encode(text), ...numbers.map(([, { data }]) => data)];
  writeFileSync(`${folder}/${workload.id}.json`, `${JSON.stringify(resolved, null, 1)}\n`);
  writeFileSync(
    `${folder}/${workload.id}.safetensors`,
    Buffer.concat(parts.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength))),
  );
}
