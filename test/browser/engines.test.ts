// Same seed, same bits: the reference run in Node 20 and 24, Chromium, Firefox and WebKit, with and without threads. And
// what a page needs beside: one warning where it has no threads.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as sources from "../../ts/index";
import { BROWSERS, CI, missing, type Page, type Running, SHARES_MEMORY, skips, start } from "./browsers";
import type { PageApi } from "./page";
import { baggingRun } from "./reference";
import { type Site, serve } from "./server";

const root = new URL("../../", import.meta.url);
const run = promisify(execFile);

/** A command that runs Node 24. */
const NODE24 = ["/opt/n24/node_modules/.bin/node"].filter(existsSync)[0];
const node24 = NODE24 ? [NODE24] : CI ? ["npx", "-y", "-p", "node@24", "node"] : undefined;

let folder: string;
let isolated: Site;
let plain: Site;
let expected: string;

async function inNode([command, ...args]: string[], options: sources.InitOptions) {
  const script = join(folder, "node.mjs");
  const url = new URL("dist/downhill.js", root).href;
  const { stdout } = await run(command!, [...args, script, url, JSON.stringify(options)], { cwd: folder });
  return JSON.parse(stdout) as Awaited<ReturnType<PageApi["reference"]>> & { node: string };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "downhill-engines-"));
  const common = { bundle: true, format: "esm", target: "es2022", logLevel: "warning" } as const;
  const file = (name: string) => new URL(`test/browser/${name}`, root).pathname;
  await build({ ...common, entryPoints: [file("node.ts")], outfile: join(folder, "node.mjs"), platform: "node" });
  const page = await build({ ...common, entryPoints: [file("page.ts")], write: false });
  const files = {
    "/": '<!doctype html><title>downhill</title><script type="module" src="/page.js"></script>',
    "/page.js": page.outputFiles[0]!.text,
  };
  isolated = await serve(files, true);
  plain = await serve(files, false);
  expected = (await inNode([process.execPath], {})).hash;
});
afterAll(async () => {
  await isolated?.close();
  await plain?.close();
  await rm(folder, { recursive: true, force: true });
});

test("Node: one hash for 1 and 3 threads", async () => {
  expect(await inNode([process.execPath], { threads: 3 })).toMatchObject({ hash: expected, threads: 3 });
});

test.skipIf(skips("Node 24", node24 ? "" : "/opt/n24"))("Node 24: the same hash, and fastMath", async () => {
  expect(await inNode(node24!, {})).toMatchObject({ hash: expected, node: expect.stringMatching(/^v24/) });
  expect(await inNode(node24!, { threads: 2 })).toMatchObject({ hash: expected, threads: 2 });
  const fast = await inNode(node24!, { fastMath: true });
  expect(fast).toMatchObject({ fastMath: true });
  expect(fast.hash).not.toBe(expected);
  expect(await inNode(node24!, { fastMath: true, threads: 3 })).toMatchObject({ hash: fast.hash, threads: 3 });
});

const NO_SHARED_MEMORY = "downhill: going on without threads (no shared memory)";

for (const browser of BROWSERS)
  describe.skipIf(skips(browser.name, missing(browser).join(" and ")))(browser.name, () => {
    let running: Running;
    let shared = false; // whether workers can be sent shared memories
    beforeAll(async () => {
      running = await start(browser);
    }, 200_000);
    afterAll(() => running?.close());

    /** Calls the page's api. */
    async function call<K extends keyof PageApi>(page: Page, name: K, ...args: Parameters<PageApi[K]>) {
      return page.evaluate<Awaited<ReturnType<PageApi[K]>>>(
        `globalThis.page.${name}(...${JSON.stringify(args)}).catch((error) => { throw new Error(String(error).slice(0, 300)); })`,
      );
    }

    test("a page that is not isolated: the same hash; threads are given up with one warning", async () => {
      const page = await running.open(plain.url);
      const one = await call(page, "reference", {});
      expect(one).toMatchObject({ hash: expected, threads: 1, warnings: [] });
      const three = await call(page, "reference", { threads: 3 });
      expect(three).toMatchObject({ hash: expected, threads: 1, features: { crossOriginIsolated: false } });
      expect(three.warnings).toEqual(["downhill: going on without threads (the page is not cross-origin isolated)"]);
    });

    test("an isolated page: the same hash on 1, 2 and 3 threads; one warning where the engine has none", async () => {
      const page = await running.open(isolated.url);
      shared = await page.evaluate<boolean>(SHARES_MEMORY);
      if (browser.name !== "WebKit") expect(shared).toBe(true); // WebKitGTK 2.50.6 says that it is isolated, and has none
      expect(await call(page, "reference", {})).toMatchObject({ hash: expected, threads: 1, warnings: [] });
      for (const threads of [2, 3])
        expect(await call(page, "reference", { threads })).toMatchObject({
          hash: expected,
          features: { crossOriginIsolated: true, threads: shared },
          ...(shared ? { threads, warnings: [] } : { threads: 1, warnings: [NO_SHARED_MEMORY] }),
        });
    });

    test("fastMath has the same bits for any number of threads, and gives way where the engine has no relaxed SIMD", async () => {
      const page = await running.open(isolated.url);
      const one = await call(page, "reference", { fastMath: true });
      const three = await call(page, "reference", { fastMath: true, threads: 3 });
      const fastMath = one.features.relaxedSimd; // Firefox has it from 145 on, WebKitGTK 2.50 not; Debian has older ones too
      if (browser.name === "Chromium") expect(fastMath).toBe(true);
      expect(one).toMatchObject({ fastMath });
      expect(three).toMatchObject({ fastMath, threads: shared ? 3 : 1, hash: one.hash });
      if (!fastMath) expect(one).toMatchObject({ hash: expected, warnings: [expect.stringMatching(/relaxed SIMD/)] });
    });

    test("bagging: workers train the models that they train in Node, on one and on three", async () => {
      const expected = await baggingRun(sources, 2);
      expect(new Set(expected.hashes).size).toBe(3);
      for (const [site, parallel] of [
        [isolated, 3],
        [plain, 1],
      ] as const)
        expect(await call(await running.open(site.url), "bagging", parallel)).toEqual({ ...expected, warnings: [] });
    });

    test("inWorker: the same hash, with and without threads of its own", async () => {
      for (const threads of [1, 2]) {
        const got = await call(await running.open(isolated.url), "worker", threads);
        const warnings = threads === 1 || shared ? [] : [NO_SHARED_MEMORY];
        expect(got).toMatchObject({ hash: expected, epochs: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], warnings });
      }
    });
  });
