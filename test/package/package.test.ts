// The package as users meet it: what npm packs, through a bundler, by require().

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { build, type Plugin } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { manifest, type Project, packedProject } from "../support/packed";

const root = new URL("../../", import.meta.url).pathname;
const run = promisify(execFile);

let project: Project;
let folder: string;
beforeAll(async () => {
  project = await packedProject();
  folder = project.folder;
});
afterAll(() => project.remove());

const TRAIN = `
  const model = sequential([dense(16, { inputShape: [2], activation: "tanh" }), dense(1)]);
  model.compile({ optimizer: adam({ learningRate: 0.03 }), loss: meanSquaredError() });
  const x = [[0, 0], [0, 1], [1, 0], [1, 1]], y = [[0], [1], [1], [0]];
  for (let i = 0; i < 300; i++) model.trainOnBatch(x, y);
  console.log([...model.predict(x).data].map(Math.round).join(""));
`;
const NAMES = "{ sequential, dense, adam, meanSquaredError }";

/** The project's entry. */
const entry = (name: string, text: string) => project.write(name, text);

const output = async (command: string, ...args: string[]) => (await run(command, args, { cwd: folder })).stdout.trim();

test("what is packed: the built files, their types, README, LICENSE, pages and the service to copy; no sources, no tests", async () => {
  const { packed } = project;
  const others = packed.filter((path) => !/^(dist|docs|examples\/service)\//.test(path));
  expect(others.sort()).toEqual(["LICENSE", "README.md", "package.json"]);
  const { exports, imports, bin } = await manifest();
  const targets = JSON.stringify([exports, imports, bin]).match(/"\.?\/?dist[^"]*"/g)!;
  expect(targets.length).toBeGreaterThan(6);
  for (const target of targets) expect(packed).toContain(JSON.parse(target).replace(/^\.\//, ""));
});

test("links of the packed README and pages lead to packed files", async () => {
  const pages = project.packed.filter((path) => path.endsWith(".md"));
  expect(pages.length).toBeGreaterThan(40);
  for (const page of pages) {
    const text = await readFile(join(folder, "node_modules/downhill", page), "utf8");
    for (const [, to] of text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g))
      expect(project.packed, page).toContain(join(dirname(page), to!));
  }
});

test("a bundle for a page has nothing of Node in it, and works", async () => {
  const seen: string[] = [];
  const watch: Plugin = {
    name: "watch",
    setup({ onLoad }) {
      onLoad({ filter: /./ }, ({ path }) => {
        seen.push(path);
        return undefined;
      });
    },
  };
  const outdir = join(folder, "page");
  await build({
    entryPoints: [await entry("page.mjs", `import ${NAMES} from "downhill";${TRAIN}`)],
    outdir,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "browser",
    outExtension: { ".js": ".mjs" },
    logLevel: "warning",
    plugins: [watch],
  });
  expect(seen.some((path) => path.includes("dist/bundler/"))).toBe(true);
  expect(seen.some((path) => path.endsWith("dist/downhill.js"))).toBe(false);
  expect(await output(process.execPath, join(outdir, "page.mjs"))).toBe("0110");
});

test("a bundle for Node starts its threads", async () => {
  const outfile = join(folder, "service.mjs");
  const text = `
    import { init } from "downhill";
    const runtime = await init({ threads: 2 });
    console.log(runtime.threads);
  `;
  const entryPoints = [await entry("node.mjs", text)];
  await build({ entryPoints, outfile, bundle: true, format: "esm", platform: "node", logLevel: "warning" });
  expect(await output(process.execPath, outfile)).toBe("2");
});

const WORKERS = `
  import ${NAMES.replace("}", ", bagging, weightsHash }")} from "downhill";
  import { inWorker } from "downhill/worker";
  const make = () => {
    const model = sequential([dense(4, { inputShape: [2] }), dense(1)]);
    model.compile({ optimizer: adam(), loss: meanSquaredError() });
    return model;
  };
  const x = [[0, 0], [0, 1], [1, 0], [1, 1]], y = [0, 1, 1, 2];
  const { failed } = await bagging(make, { estimators: 3, parallel: 2 }).fit({ x, y });
  const model = make();
  const remote = await inWorker(model);
  await remote.fit({ x, y });
  await model.fit({ x, y });
  console.log(failed.length, await remote.weightsHash() === await weightsHash(model)); // and Node ends
`;

test("bagging and downhill/worker: workers start without a bundler and in a bundle for Node", async () => {
  const path = await entry("workers.mjs", WORKERS);
  expect(await output(process.execPath, path)).toBe("0 true");
  const outfile = join(folder, "workersBundle.mjs");
  await build({
    entryPoints: [path],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    logLevel: "warning",
  });
  expect(await output(process.execPath, outfile)).toBe("0 true");
});

test("dataset.fromFiles without sharp says what to install, bundled or not", async () => {
  await entry("images/a/0.png", "no image");
  const path = await entry(
    "images.mjs",
    `import { dataset, npz, saveNpz } from "downhill";
    console.log((await npz(await saveNpz({ a: [1, 2] }))).a.shape[0]);
    const images = dataset.fromFiles("images", { size: [2, 2] });
    try { for await (const batch of images.arrays().batches(0)) console.log(batch); } catch (error) { console.log(error.message); }`,
  );
  const expected = "2\ndataset.fromFiles decodes images with the package sharp: npm install sharp";
  expect(await output(process.execPath, path)).toBe(expected);
  const outfile = join(folder, "imagesBundle.mjs");
  const options = { outfile, bundle: true, format: "esm", platform: "node", logLevel: "warning" } as const;
  const { warnings } = await build({ ...options, entryPoints: [path] });
  expect(warnings).toEqual([]);
  expect(await output(process.execPath, outfile)).toBe(expected);
});

const TYPED = `
  import { bagging, csvRows, dataset, defineLayer, dense, digits, functional, gradientMonitor, hessianSpectrum, idxRows, input, jointly, npy, npyRows, npz, npzRows, prune, saveCsv, saveIdx, saveNpy, saveNpz,
    saveModel, sequential, sgd, softmaxCrossEntropy, tied, type Callback, type Model, type NDArray } from "downhill";
  import { descend, quadratic } from "downhill/landscapes";
  import { inWorker } from "downhill/worker";
  const { train, test } = digits();
  const twice = defineLayer({ type: "twice", parameters: ([width]) => ({ w: { shape: [width] } }), call: (x, { w }, ops) => ops.multiply(x, w) });
  const make = (): Model<NDArray> => sequential([twice({ inputShape: [64] }), dense(10)]);
  const stop: Callback = { onEpochEnd(epoch, logs, model) { if (epoch > 2 && logs.loss < 0.1) model.stopTraining = true; } };
  const [a, b] = [make(), make()];
  a.compile({ optimizer: sgd(), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
  export const { epochs } = await a.fit(dataset(train).shuffle(1).batch(8), { callbacks: [stop, gradientMonitor()] });
  export const { max } = hessianSpectrum(a, test);
  await bagging(make, { estimators: 2 }).fit(dataset(train).take(9));
  const both = jointly({ a, b });
  both.compile({ optimizer: sgd(), loss: { a: softmaxCrossEntropy(), b: softmaxCrossEntropy() }, penalties: [tied(a.getLayer("dense_1"), b.getLayer("dense_1"), 1)] });
  const x = input([64]);
  const two = functional({ inputs: x, outputs: { digit: dense(10)(x), odd: dense(2)(x) } });
  export const shapes: (readonly number[])[] = [both.predict({ a: test.x, b: test.x }).a.shape, two.predict(test.x).odd.shape];
  prune(two, { sparsity: 0.5 });
  await saveModel(two);
  export const { path } = descend(quadratic({ condition: 10 }), { optimizer: sgd(), start: [1, 1] });
  const images = dataset.fromFiles("images", { size: [8, 8], channels: 1 });
  await a.fit(images.shuffle().batch(8));
  await a.fit((await npyRows({ x: "x.npy", y: "y.npy" })).shuffle(), { epochs: 2 });
  await a.fit(await csvRows("t.csv", { target: "y", rows: 8 }));
  await a.fit((await idxRows("mnist")).train.map(({ x, y }) => ({ x, y })));
  await a.evaluate((await npzRows("d.npz")).map(({ x, y }) => ({ x: x!, y: y! })));
  for await (const { data, shape } of await npyRows("x.npy")) console.log(data.length, shape);
  export const bytes: Uint8Array[] = [await saveNpy(test.x, "x.npy"), await saveNpz(two.getWeights(), "w.npz", { compress: true }), await saveCsv({ x: await npy("x.npy") })];
  await saveNpz(images.batch(4), "images.npz");
  await saveIdx({ train: images.batch(4), test: { x: (await npz("i.npz")).x!, y: [1] } }, "folder");
  export const remote = await (await inWorker(a)).evaluate(dataset(test).batch(8));
`;

test("its types, under strict, noUncheckedIndexedAccess and without skipLibCheck", async () => {
  const options = { strict: true, noUncheckedIndexedAccess: true, noEmit: true, types: [], target: "es2023" };
  const lib = ["es2023", "dom", "esnext.disposable"];
  const compilerOptions = { ...options, lib, module: "nodenext", moduleResolution: "nodenext" };
  await entry("typed.mts", TYPED);
  await entry("tsconfig.json", JSON.stringify({ compilerOptions, files: ["typed.mts"] }));
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const { stdout } = await run(process.execPath, [compiler, "-p", folder]).catch((error) => error);
  expect(stdout).toBe("");
});

test("without a bundler: import", async () => {
  const path = await entry("import.mjs", `import ${NAMES} from "downhill";${TRAIN}`);
  expect(await output(process.execPath, path)).toBe("0110");
});

test("classes keep their names, which errors tell", async () => {
  const path = await entry(
    "names.mjs",
    `import { csvRows, dataset, dense, DownhillError, loadModel, sequential } from "downhill";
    const model = sequential([dense(1, { inputShape: [2] })]);
    const what = (error) => [error.constructor.name, /got (.*)/.exec(error.message)[1]];
    const loaded = await loadModel(model).catch(what);
    const rows = await csvRows("a,b\\n1,2\\n", { target: "b" });
    const predicted = [dataset({ x: [[1, 2]], y: [[3]] }), rows].map((x) => {
      try { model.predict(x); } catch (error) { return what(error); }
    });
    console.log(JSON.stringify([loaded, ...predicted]));`,
  );
  expect(JSON.parse(await output(process.execPath, path))).toEqual([
    ["DownhillError", "a Model"],
    ["DownhillError", "a Dataset"],
    ["DownhillError", "a Rows"],
  ]);
});

test("what is built holds no trained model that nobody else holds", async () => {
  const path = await entry(
    "collected.mjs",
    `import { sequential, dense, init, sgd, meanSquaredError } from "downhill";
    const runtime = await init();
    const train = async () => {
      const model = sequential([dense(1, { inputShape: [2] })]);
      model.compile({ optimizer: sgd(), loss: meanSquaredError() });
      await model.fit({ x: [[1, 2]], y: [[3]] });
    };
    await train();
    for (let turns = 0; turns < 100 && runtime.memory().used; turns++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      gc();
    }
    console.log(runtime.memory().used);`,
  );
  expect(await output(process.execPath, "--expose-gc", path)).toBe("0");
});

// Node 20 cannot require() an ES module
const requires = [process.execPath, "/opt/n24/node_modules/.bin/node"].find(
  (path, i) => existsSync(path) && (i > 0 || Number(process.versions.node.split(".")[0]) >= 22),
);
const command = requires ? [requires] : process.env["CI"] ? ["npx", "-y", "-p", "node@24", "node"] : undefined;
if (!command) console.warn("\n*** SKIPPED: require(), because there is no Node ≥ 22 ***\n");
test.skipIf(!command)("require() of the ES module works from Node 22 on", async () => {
  const path = await entry("require.cjs", `const ${NAMES} = require("downhill");${TRAIN}`);
  expect(await output(command![0]!, ...command!.slice(1), path)).toBe("0110");
});
