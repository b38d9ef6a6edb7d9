// Files that are larger than what a process may hold: written and read in one whose heap is small, its memory measured.

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const run = promisify(execFile);
const HEAP = 40;
/** MiB that such a process may take beside what it begins with. */
const MOST = 130;

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "downhill-large-"));
});
afterAll(() => rm(root, { recursive: true }));

/** Runs `work` in a process of its own; it may count rows, and has batches of 1 MiB. */
async function inSmallProcess(work: string): Promise<{ rows: number; size: number; mib: number }> {
  const script = `
    import * as d from ${JSON.stringify(fileURLToPath(new URL("../../dist/downhill.js", import.meta.url)))};
    import { statSync } from "node:fs";
    const before = process.resourceUsage().maxRSS;
    const path = "large";
    async function* tables(batches, columns = 256) {
      const n = 2 ** 18 / columns;
      for (let i = 0; i < batches; i++)
        yield { x: { data: new Float32Array(n * columns).fill(i / 7), shape: [n, columns] }, y: new Int32Array(n).fill(i % 10) };
    }
    async function* images(batches) {
      for (let i = 0; i < batches; i++)
        yield { x: { data: new Uint8Array(2 ** 20).fill(i), shape: [1024, 32, 32] }, y: new Int32Array(1024).fill(i % 10) };
    }
    let rows = 0;
    const count = async (read) => { for await (const batch of read) rows += (batch.x ?? batch).shape[0]; };
    ${work}
    const mib = (process.resourceUsage().maxRSS - before) / 1024;
    console.log(JSON.stringify({ rows, size: statSync(path).size / 2 ** 20, mib }));
  `;
  const file = join(root, "work.mjs");
  await writeFile(file, script);
  const { stdout } = await run(process.execPath, [`--max-old-space-size=${HEAP}`, file], { cwd: root });
  if (process.env["LARGE_VERBOSE"]) console.log(stdout.trim());
  return JSON.parse(stdout);
}

test("npy: 200 MiB written and read by rows, shuffled too", async () => {
  const { rows, size, mib } = await inSmallProcess(`
    async function* xs() { for await (const { x } of tables(200)) yield x; }
    await d.saveNpy(xs(), path);
    await count((await d.npyRows({ x: path, y: path })).shuffle(8192));
    await count((await d.npyRows(path)).map((x) => x));
  `);
  expect(rows).toBe(2 * 200 * 1024);
  expect(size).toBeGreaterThan(200);
  expect(mib).toBeLessThan(MOST);
});

test.each([false, true])("npz: the same, compressed: %s", async (compress) => {
  const { rows, size, mib } = await inSmallProcess(`
    await d.saveNpz(tables(150), path, { compress: ${compress} });
    await count(await d.npzRows(path));
  `);
  expect(rows).toBe(150 * 1024);
  if (!compress) expect(size).toBeGreaterThan(150);
  expect(mib).toBeLessThan(MOST);
});

test("idx: the same", async () => {
  const { rows, mib } = await inSmallProcess(`
    const path2 = ".";
    await d.saveIdx({ train: images(150), test: images(1) }, path2);
    await count((await d.idxRows(path2)).train);
    await d.saveNpy([1], path);
  `);
  expect(rows).toBe(150 * 1024);
  expect(mib).toBeLessThan(MOST);
});

test("csv: a table whose texts do not fit the heap", async () => {
  const { rows, size, mib } = await inSmallProcess(`
    await d.saveCsv(tables(6, 8), path);
    await count(await d.csvRows(path, { target: "y", rows: 4096 }));
  `);
  expect(rows).toBe(6 * 2 ** 15);
  expect(size).toBeGreaterThan(12); // its 1.8 million texts take some 70 MiB
  expect(mib).toBeLessThan(MOST);
});
