// Files of data in a page: addresses, Blobs and an input's files, read and unpacked without Node.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { saveNpy } from "../../ts/index";
import { BROWSERS, missing, running, skips } from "./browsers";
import { type Site, serve } from "./server";

let site: Site;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "downhill-page-files-"));
  await saveNpy({ data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [3, 2] }, join(folder, "x.npy"));
  await writeFile(join(folder, "t.csv"), "a,y\n1,u\n2,v\n3,u\n");
  const folders = { "/dist/": new URL("../../dist/browser/", import.meta.url), "/data/": pathToFileURL(`${folder}/`) };
  site = await serve({ "/index.html": "<!doctype html><title>files</title>" }, false, { folders });
});
afterAll(async () => {
  await site?.close();
  await rm(folder, { recursive: true });
});

/** Runs in the page; the library is `d`. */
const inPage = (work: string) => `(async () => {
  const d = await import("/dist/downhill.js");
  const all = async (rows) => { const list = []; for await (const batch of rows) list.push(batch); return list; };
  const numbers = (value) => JSON.stringify(value, (_, v) => ArrayBuffer.isView(v) ? [...v] : v);
  ${work}
})()`;

const ARRAYS = inPage(`
  const x = await d.npy("/data/x.npy");
  const rows = await all(await d.npyRows({ x: "/data/x.npy", y: new Blob([await d.saveNpy(Int32Array.of(0, 1, 0))]) }, { rows: 2 }));
  const archive = await d.saveNpz({ x, z: [1.5] }, undefined, { compress: true });
  const { z } = await d.npz(new Blob([archive]));
  const [batch] = await all(await d.npzRows(archive, { arrays: { x: "x" } }));
  const table = await d.csvRows("/data/t.csv", { target: "y", rows: 2 });
  const text = new TextDecoder().decode(await d.saveCsv((await all(table))[0], undefined, { classes: table.classes }));
  const refused = await d.npyRows("/data/none.npy").catch(({ code }) => code);
  const folder = await d.saveNpy([x], "x.npy").catch(({ code }) => code);
  return numbers({ x, rows, z, batch, text, refused, folder });
`);

const IMAGES = (files: Record<string, string>) =>
  inPage(`
  const files = Object.entries(${JSON.stringify(files)}).map(([path, text]) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const file = new File([bytes], path.split("/").at(-1));
    Object.defineProperty(file, "webkitRelativePath", { value: path });
    return file;
  });
  const data = d.dataset.fromFiles(files.slice(0, 3), { size: [2, 2] });
  const [batch] = await all(data.arrays().batches(0));
  const [alpha] = await all(d.dataset.fromFiles(files.slice(0, 3), { size: [1, 1], channels: 4 }).arrays().batches(0));
  const model = d.sequential([d.rescaling({ scale: 1 / 255, inputShape: [2, 2, 3] }), d.flatten(), d.dense(2)]);
  model.compile({ optimizer: d.adam(), loss: d.softmaxCrossEntropy() });
  const { epochs } = await model.fit(data.shuffle().batch(2), { epochs: 2 });
  const broken = await all(d.dataset.fromFiles(files, { size: [2, 2] }).arrays().batches(0)).catch(({ code, message }) => [code, message]);
  return numbers({ batch, classes: data.classes, alpha: alpha.x, epochs: epochs.length, broken });
`);

for (const browser of BROWSERS)
  describe.skipIf(skips(browser.name, missing(browser).join(" and ")))(browser.name, () => {
    const { open: openPage } = running(browser);

    test("arrays, archives and tables: addresses, Blobs, bytes", async () => {
      const page = await openPage(`${site.url}index.html`);
      expect(JSON.parse(await page.evaluate<string>(ARRAYS))).toEqual({
        x: { data: [1, 2, 3, 4, 5, 6], shape: [3, 2] },
        rows: [
          { x: { data: [1, 2, 3, 4], shape: [2, 2] }, y: { data: [0, 1], shape: [2] } },
          { x: { data: [5, 6], shape: [1, 2] }, y: { data: [0], shape: [1] } },
        ],
        z: { data: [1.5], shape: [1] },
        batch: { x: { data: [1, 2, 3, 4, 5, 6], shape: [3, 2] } },
        text: "x1,y\n1,u\n2,v\n",
        refused: "data",
        folder: "data",
      });
      await page.close();
    });

    test("images of an input's files", async () => {
      const png = async (background: { r: number; g: number; b: number; alpha: number }) => {
        const image = sharp({ create: { width: 6, height: 4, channels: 4, background } });
        return (await image.png().toBuffer()).toString("base64");
      };
      const files = {
        "pets/b/1.png": await png({ r: 250, g: 100, b: 0, alpha: 1 }),
        "pets/a/1.png": await png({ r: 10, g: 20, b: 30, alpha: 1 }),
        "pets/a/2.png": await png({ r: 10, g: 20, b: 30, alpha: 0 }),
        "pets/a/3.png": btoa("no image"),
      };
      const page = await openPage(`${site.url}index.html`);
      const found = JSON.parse(await page.evaluate<string>(IMAGES(files)));
      const same = (color: number[]) => [...color, ...color, ...color, ...color];
      expect(found.batch).toEqual({
        x: { data: [...same([10, 20, 30]), ...same([0, 0, 0]), ...same([250, 100, 0])], shape: [3, 2, 2, 3] },
        y: { data: [0, 0, 1], shape: [3] },
      });
      expect(found.alpha.data.filter((_: number, i: number) => i % 4 === 3)).toEqual([255, 0, 255]);
      expect([found.classes, found.epochs, found.broken[0]]).toEqual([["a", "b"], 2, "data"]);
      expect(found.broken[1]).toMatch(/^dataset.fromFiles: cannot decode "a\/3.png": /);
      await page.close();
    });
  });
