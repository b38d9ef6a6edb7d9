// Archives where the platform's streams have no "deflate-raw": Node before 20.12.

import { expect, test, vi } from "vitest";
import { npz, npzRows, saveNpz } from "../../ts/data/npz";

// before zip.js, which is loaded with the first archive, looks for them
for (const name of ["CompressionStream", "DecompressionStream"] as const) {
  const { [name]: Real } = globalThis;
  const Old = class extends Real {
    constructor(format: CompressionFormat) {
      if (format === "deflate-raw") throw new TypeError(`${name}: deflate-raw`);
      super(format);
    }
  };
  vi.stubGlobal(name, Old);
}

test.each([false, true])("are written and read, compress: %s", async (compress) => {
  const x = { data: Float32Array.from({ length: 30_000 }, (_, i) => i % 7), shape: [10_000, 3] };
  const file = await saveNpz({ x }, undefined, { compress });
  expect(await npz(file)).toEqual({ x });
  let rows = 0;
  for await (const batch of await npzRows(file, { rows: 999 })) rows += batch["x"]!.shape[0]!;
  expect(rows).toBe(10_000);
  file[file.length >> 1]! ^= 1;
  await expect(npz(file)).rejects.toMatchObject({ code: "format", message: expect.stringMatching(/a damaged one/) });
});
