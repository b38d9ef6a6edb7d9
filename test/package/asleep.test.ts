// What sleeps in dist/downhill.js (build.asleep.js): importing wakes none of it, and where code may not be made of strings it works too.

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);
const cwd = new URL("../../", import.meta.url).pathname; // in the package, which may import itself by name

/** What a program that imports the built package prints. */
async function printed(program: string, ...flags: string[]): Promise<unknown> {
  const { stdout } = await run(process.execPath, [...flags, "--input-type=module", "--eval", program], { cwd });
  return JSON.parse(stdout);
}

test("importing the library loads nothing of Node's that only its parts need", async () => {
  const loaded = await printed(`
    await import("downhill");
    console.log(JSON.stringify(process.moduleLoadList.filter((name) => /NativeModule (fs.promises|os|stream|vm|worker_threads|zlib)$/.test(name))));
  `);
  const before = await printed(`
    console.log(JSON.stringify(process.moduleLoadList.filter((name) => /NativeModule (fs.promises|os|stream|vm|worker_threads|zlib)$/.test(name))));
  `);
  expect(loaded).toEqual(before);
});

test("of the core's enums are numbers alone: their names would be a fifth of what an engine reads", () => {
  const names = readFileSync(`${cwd}dist/downhill.js`, "utf8").match(/\] = "/g) ?? [];
  expect(names.length).toBeLessThan(20);
});

test("what sleeps is the same library: its errors, its models, its layers", async () => {
  const seen = await printed(
    `
    import * as d from "downhill";
    const model = d.sequential([d.dense(3, { inputShape: [4] }), d.relu(), d.dense(2)]);
    const twin = d.importOnnx(await d.exportOnnx(model));
    const x = [[1, 2, 3, 4]];
    let error;
    try { d.importOnnx(new Uint8Array(5)); } catch (e) { error = e; }
    const twice = d.defineLayer({ type: "twice", call: (x, _, ops) => ops.multiply(x, 2) });
    const own = d.sequential([d.input ? twice({ inputShape: [4] }) : twice()]);
    const both = d.jointly({ a: model, b: own });
    console.log(JSON.stringify({
      same: String(twin.predict(x).data) === String(model.predict(x).data),
      error: [error instanceof d.DownhillError, error.code],
      own: [...own.predict(x).data],
      names: [d.importOnnx, d.npz, d.bagging, d.defineLayer, d.jointly].map(({ name }) => name),
      outputs: Object.keys(both.predict({ a: x, b: x })),
      none: await d.npy("no such file").catch(({ code }) => code),
    }));
    `,
    "--disallow-code-generation-from-strings",
  );
  expect(seen).toEqual({
    same: true,
    error: [true, "format"],
    own: [2, 4, 6, 8],
    names: ["importOnnx", "npz", "bagging", "defineLayer", "jointly"],
    outputs: ["a", "b"],
    none: "data",
  });
});
