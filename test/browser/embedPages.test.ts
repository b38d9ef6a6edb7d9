// Pages without a bundler: modules from another origin, the classic script, and a strict Content-Security-Policy. Each trains to Node's
// bits, in the page and in a worker, with threads where the page is isolated.

import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as sources from "../../ts/index";
import { BROWSERS, missing, type Page, type Running, SHARES_MEMORY, skips, start } from "./browsers";
import { type EmbedOptions, type EmbedResult, embeddedRun } from "./embed";
import { baggingRun } from "./reference";
import { type Site, serve } from "./server";

const STRICT = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self'"; // the last for the tab's icon
const page = (...scripts: string[]) => `<!doctype html><title>downhill</title>${scripts.join("")}`;

const sites: Site[] = [];
/** The same pages with and without isolation, behind a policy if there is one. */
async function pages(files: Record<string, string>, policy?: string): Promise<{ isolated: Site; plain: Site }> {
  const headers: Record<string, string> = policy ? { "content-security-policy": policy } : {};
  const [isolated, plain] = [await serve(files, true, { headers }), await serve(files, false, { headers })];
  sites.push(isolated, plain);
  return { isolated, plain };
}

let cdn: Site; // sends what a CDN sends: no isolation, and who may read it
let foreign: Awaited<ReturnType<typeof pages>>;
let strict: Awaited<ReturnType<typeof pages>>;
let blobs: Awaited<ReturnType<typeof pages>>;
let onDisk: Record<string, string>;
let expected: string;
let bagged: Awaited<ReturnType<typeof baggingRun>>;

beforeAll(async () => {
  const { outputFiles } = await build({
    entryPoints: [new URL("embed.ts", import.meta.url).pathname],
    bundle: true,
    write: false,
    format: "iife",
    globalName: "embed",
    logLevel: "warning",
  });
  cdn = await serve({}, false, { headers: { "access-control-allow-origin": "*" } });
  sites.push(cdn);
  const embed = '<script src="/embed.js"></script>';
  const runs = `
    globalThis.violations = [];
    document.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) => violations.push(effectiveDirective + " " + blockedURI));
    globalThis.use = (library) => {
      globalThis.run = (options) => embed.embeddedRun(library, options);
      globalThis.bag = () => embed.bagged(library);
    };
  `;
  const module = (from: string) =>
    `<script type="module">import * as downhill from "${from}dist/downhill.js"; use({ ...downhill });</script>`;
  const classic = (from: string, attributes = "") =>
    `<script src="${from}dist/downhill.classic.js"${attributes}></script>`;
  const files = {
    "/embed.js": outputFiles[0]!.text + runs,
    "/module.js": 'import * as downhill from "/dist/downhill.js"; use({ ...downhill });',
    "/classic.js": "use(downhill);",
    "/module.html": page(embed, '<script type="module" src="/module.js"></script>'),
    "/classic.html": page(embed, classic("/"), '<script src="/classic.js"></script>'),
  };
  const here = ["embed", "downhill", "classic"].map((name) => `<script src="${name}.js"></script>`);
  onDisk = { "embed.js": files["/embed.js"], "classic.js": files["/classic.js"], "index.html": page(...here) };
  foreign = await pages({
    ...files,
    "/module.html": page(embed, module(cdn.url)),
    "/classic.html": page(embed, classic(cdn.url, " crossorigin"), '<script src="/classic.js"></script>'),
  });
  strict = await pages(files, STRICT);
  blobs = await pages(files, `${STRICT}; worker-src blob:`);
  expected = (await embeddedRun(sources)).hash!;
  bagged = await baggingRun(sources, 2);
});
afterAll(() => Promise.all(sites.map((site) => site.close())));

for (const browser of BROWSERS)
  describe.skipIf(skips(browser.name, missing(browser).join(" and ")))(browser.name, () => {
    let running: Running;
    let shared: boolean;
    /** What a run of two threads says of them. */
    let two: { threads: number; warnings: string[] };
    beforeAll(async () => {
      running = await start(browser);
      const probe = await running.open(`${foreign.isolated.url}module.html`);
      shared = await probe.evaluate<boolean>(SHARES_MEMORY);
      two = shared
        ? { threads: 2, warnings: [] }
        : { threads: 1, warnings: ["downhill: going on without threads (no shared memory)"] };
    }, 200_000);
    afterAll(() => running?.close());

    const open = async (site: Site, name: string) => {
      const opened = await running.open(`${site.url}${name}.html`);
      for (let left = 100; left > 0 && !(await opened.evaluate("!!globalThis.run")); left--)
        await new Promise((resolve) => setTimeout(resolve, 50));
      return opened;
    };
    const run = (page: Page, options: EmbedOptions = {}) =>
      page.evaluate<EmbedResult>(`globalThis.run(${JSON.stringify(options)})`);
    const violations = (page: Page) => page.evaluate<string[]>("violations");

    describe.each(["module", "classic"])("a %s script from another origin", (kind) => {
      test("in a page that is not isolated: nothing to configure", async () => {
        const page = await open(foreign.plain, kind);
        expect(await run(page)).toEqual({ hash: expected, threads: 1, fastMath: false, images: 1437, warnings: [] });
        expect(await run(page, { worker: {} })).toMatchObject({ hash: expected, warnings: [] });
        const warnings = ["downhill: going on without threads (the page is not cross-origin isolated)"];
        expect(await run(page, { worker: { threads: 2 } })).toMatchObject({ hash: expected, warnings });
      });

      test("in an isolated page: threads, fastMath, a worker with threads", async () => {
        const page = await open(foreign.isolated, kind);
        expect(await run(page, { threads: 2 })).toMatchObject({ hash: expected, ...two });
        expect(await run(page, { threads: 2, worker: {} })).toMatchObject({ hash: expected, ...two });
        const fast = await run(page, { fastMath: true, threads: 2 });
        if (browser.name === "Chromium") expect(fast).toMatchObject({ fastMath: true, threads: 2, warnings: [] });
        expect(fast).toMatchObject({ hash: fast.fastMath ? expect.not.stringContaining(expected) : expected });
      });
    });

    test("the classic script works in a page from the disk", async () => {
      const folder = await mkdtemp(join(tmpdir(), "downhill-disk-"));
      try {
        for (const [path, text] of Object.entries(onDisk)) await writeFile(join(folder, path), text);
        await copyFile(new URL("../../dist/browser/downhill.classic.js", import.meta.url), join(folder, "downhill.js"));
        const page = await running.open(pathToFileURL(join(folder, "index.html")).href);
        expect(await run(page, { worker: {} })).toMatchObject({ hash: expected, warnings: [] });
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    test("the classic script has all that the package exports", async () => {
      const page = await open(foreign.plain, "classic");
      expect(await page.evaluate("Object.keys(downhill.landscapes)")).toContain("descend");
      expect(await page.evaluate("Object.keys(downhill).length")).toBe(Object.keys(sources).length + 1);
    });

    describe.each(["module", "classic"])("a %s script behind script-src 'self' 'wasm-unsafe-eval'", (kind) => {
      test("with worker-src blob: there is nothing to configure", async () => {
        const page = await open(blobs.isolated, kind);
        expect(await run(page, { threads: 2 })).toMatchObject({ hash: expected, ...two });
        expect(await run(page, { threads: 2, worker: {} })).toMatchObject({ hash: expected, ...two });
        expect(await violations(page)).toEqual([]);
      });

      test("without it, workerUrl", async () => {
        const page = await open(strict.isolated, kind);
        const workerUrl = "dist/worker.classic.js"; // beside the page
        expect(await run(page, { threads: 2, workerUrl })).toMatchObject({ hash: expected, ...two });
        expect(await run(page, { threads: 2, workerUrl, worker: {} })).toMatchObject({ hash: expected, ...two });
        expect(await run(page, { worker: { workerUrl } })).toMatchObject({ hash: expected, warnings: [] });
        expect(await page.evaluate("globalThis.bag()")).toMatchObject({ hashes: bagged.hashes, warnings: [] });
        expect(await violations(page)).toEqual([]);
      });

      test("without both: one warning that names workerUrl, and no worker", async () => {
        const page = await open(strict.isolated, kind);
        const refused =
          /no worker starts from a blob: URL; where a Content-Security-Policy forbids that, set workerUrl/;
        const threads = await run(page, { threads: 2 });
        expect(threads).toMatchObject({ hash: expected, threads: 1 });
        expect(threads.warnings).toEqual(shared ? [expect.stringMatching(refused)] : two.warnings);
        expect(await run(page, { worker: {} })).toMatchObject({ error: expect.stringMatching(refused), warnings: [] });
        const gone = await run(page, { worker: { workerUrl: "/none.js" } });
        expect(gone.error).toMatch(/no worker starts from \/none\.js/);
        const plain = await open(strict.plain, kind);
        expect(await run(plain)).toMatchObject({ hash: expected, warnings: [] });
        expect(await violations(plain)).toEqual([]);
      });
    });
  });
