// The package, as npm packs it, through the bundlers that pages are made with: what each builds of one small page trains in
// the browsers to Node's bits, with threads, fastMath and a worker.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build as esbuild } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as sources from "../../ts/index";
import { type Project, packedProject } from "../support/packed";
import { BROWSERS, missing, running, SHARES_MEMORY, skips, start } from "./browsers";
import { type EmbedOptions, type EmbedResult, embeddedRun } from "./embed";
import { type Site, serve } from "./server";

const PAGE = `
  import { adam, batchNorm, dense, digits, dropout, init, l2, orthogonal, relu, sequential, softmaxCrossEntropy, weightsHash } from "downhill";
  import { inWorker } from "downhill/worker";
  import { embeddedRun } from "./embed.js";
  const library = { adam, batchNorm, dense, digits, dropout, init, inWorker, l2, orthogonal, relu, sequential, softmaxCrossEntropy, weightsHash };
  globalThis.run = (options) => embeddedRun(library, options);
`;
const html = (script: string) =>
  `<!doctype html><title>downhill</title><script type="module" src="${script}"></script>`;

let project: Project;

/** What each makes of the project's main.js (Vite: of index.html), in the folder of its name; its warnings. */
const BUNDLERS: Record<string, (outdir: string) => Promise<string[]>> = {
  async esbuild(outdir) {
    const { warnings } = await esbuild({
      entryPoints: [join(project.folder, "main.js")],
      outdir,
      bundle: true,
      splitting: true,
      format: "esm",
      minify: true,
      logLevel: "silent",
    });
    return warnings.map(({ text }) => text);
  },

  async Vite(outDir) {
    const { build, createLogger } = await import("vite");
    const warnings: string[] = [];
    const customLogger = createLogger("warn");
    customLogger.warn = (text) => void warnings.push(text);
    customLogger.warnOnce = customLogger.warn;
    await build({
      root: project.folder,
      base: "./",
      configFile: false,
      logLevel: "warn",
      customLogger,
      build: { outDir, chunkSizeWarningLimit: 1000 },
    });
    return warnings;
  },

  async webpack(path) {
    const { default: webpack } = await import("webpack");
    const compiler = webpack({
      mode: "production",
      context: project.folder,
      entry: "./main.js",
      output: { path, filename: "main.js" },
      performance: { hints: false },
    })!;
    const stats = await new Promise<import("webpack").Stats>((resolve, reject) =>
      compiler.run((error, stats) => (error ? reject(error) : resolve(stats!))),
    );
    const { errors, warnings } = stats.toJson({ errors: true, warnings: true });
    return [...errors!, ...warnings!].map(({ message }) => message);
  },

  async Rollup(dir) {
    const [{ rollup }, { default: nodeResolve }] = await Promise.all([
      import("rollup"),
      import("@rollup/plugin-node-resolve"),
    ]);
    const warnings: string[] = [];
    const bundle = await rollup({
      input: join(project.folder, "main.js"),
      plugins: [nodeResolve({ browser: true })],
      onwarn: ({ message }) => void warnings.push(message),
    });
    await bundle.write({ dir, format: "es" });
    await bundle.close();
    return warnings;
  },
};

let isolated: Site;
let plain: Site;
let expected: string;

beforeAll(async () => {
  project = await packedProject();
  const { outputFiles } = await esbuild({
    entryPoints: [new URL("embed.ts", import.meta.url).pathname],
    bundle: true,
    write: false,
    format: "esm",
    logLevel: "warning",
  });
  await project.write("embed.js", outputFiles[0]!.text);
  await project.write("main.js", PAGE);
  await project.write("index.html", html("./main.js"));
  const folders = { "/": pathToFileURL(`${project.folder}/built/`) };
  const files = Object.fromEntries(
    ["esbuild", "webpack", "Rollup"].map((name) => [`/${name}/index.html`, html("main.js")]),
  );
  isolated = await serve(files, true, { folders });
  plain = await serve(files, false, { folders });
  expected = (await embeddedRun(sources)).hash!;
});
afterAll(async () => {
  await isolated?.close();
  await plain?.close();
  await project?.remove();
});

test.each(Object.keys(BUNDLERS))(
  "%s builds the page without a warning, of dist/bundler, and nothing of Node",
  async (name) => {
    const outdir = join(project.folder, "built", name);
    expect(await BUNDLERS[name]!(outdir)).toEqual([]);
    const scripts = (await readdir(outdir, { recursive: true })).filter((file) => file.endsWith(".js"));
    expect(scripts.length).toBeGreaterThan(3); // the other cores and the worker are loaded on demand
    for (const file of scripts)
      expect(/["'`]node:\w+/.exec(await readFile(join(outdir, file), "utf8"))?.[0]).toBe(undefined);
  },
);

const noChromium = skips("Vite's pages", missing(BROWSERS[0]!).join(" and "));
test.skipIf(noChromium)("Vite gives workerUrl a URL, for a page behind a strict policy", async () => {
  const { build } = await import("vite");
  const root = join(project.folder, "policy");
  await project.write("policy/index.html", html("./main.js"));
  await project.write(
    "policy/main.js",
    `import workerUrl from "downhill/worker.classic.js?url";
     import { dense, meanSquaredError, sequential, sgd } from "downhill";
     import { inWorker } from "downhill/worker";
     globalThis.run = async () => {
       const model = sequential([dense(1, { inputShape: [1] })]);
       model.compile({ optimizer: sgd(), loss: meanSquaredError() });
       const remote = await inWorker(model, { workerUrl });
       return (await remote.fit({ x: [[1]], y: [[2]] }, { epochs: 3 })).epochs.length;
     };`,
  );
  await build({ root, base: "./", configFile: false, logLevel: "error" });
  const headers = { "content-security-policy": "script-src 'self' 'wasm-unsafe-eval'" };
  const site = await serve({}, false, { folders: { "/": pathToFileURL(`${root}/dist/`) }, headers });
  const chromium = await start(BROWSERS[0]!);
  try {
    const page = await chromium.open(`${site.url}index.html`);
    expect(await page.evaluate("globalThis.run()")).toBe(3);
  } finally {
    await chromium.close();
    await site.close();
  }
});

test.skipIf(noChromium)("Vite's own server", async () => {
  const { createServer } = await import("vite");
  const server = await createServer({ root: project.folder, configFile: false, logLevel: "warn", server: { port: 0 } });
  const chromium = await start(BROWSERS[0]!);
  try {
    await server.listen();
    const page = await chromium.open(server.resolvedUrls!.local[0]!);
    // the first time it prepares the package, then the page is loaded again
    let got: unknown;
    for (let left = 20; left > 0 && !got; left--) {
      got = await page.evaluate("globalThis.run?.({ worker: {} })").catch(console.log);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    expect(got).toMatchObject({ hash: expected, warnings: [] });
  } finally {
    await chromium.close();
    await server.close();
  }
});

for (const browser of BROWSERS)
  describe.skipIf(skips(browser.name, missing(browser).join(" and ")))(browser.name, () => {
    const { open: openPage } = running(browser);

    test.each(Object.keys(BUNDLERS))("what %s built trains to Node's bits", async (name) => {
      const page = await openPage(`${isolated.url}${name}/index.html`);
      const run = (options: EmbedOptions) => page.evaluate<EmbedResult>(`globalThis.run(${JSON.stringify(options)})`);
      const shared = await page.evaluate<boolean>(SHARES_MEMORY);
      const warnings = shared ? [] : ["downhill: going on without threads (no shared memory)"];
      const threads = shared ? 2 : 1;
      expect(await run({ threads: 2, worker: {} })).toMatchObject({ hash: expected, threads, warnings });
      if (browser.name !== "Chromium") return;
      expect(await run({})).toEqual({ hash: expected, threads: 1, fastMath: false, images: 1437, warnings: [] });
      expect(await run({ threads: 2 })).toMatchObject({ hash: expected, threads, warnings });
      const fast = await run({ fastMath: true, threads: 2 });
      expect(fast).toMatchObject({
        fastMath: true,
        threads: 2,
        warnings: [],
        hash: expect.not.stringContaining(expected),
      });
      const other = await openPage(`${plain.url}${name}/index.html`);
      expect(await other.evaluate("globalThis.run({ worker: {} })")).toMatchObject({ hash: expected, warnings: [] });
    });
  });
