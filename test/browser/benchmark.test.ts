// The benchmark page in every browser: it loads, a small run ends with its rows as JSON, and a run can be cancelled.

import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Results } from "../../bench/results";
// @ts-expect-error: a script of the build
import { buildSite } from "../../examples/build.js";
import { BROWSERS, missing, type Page, running, SHARES_MEMORY, skips } from "./browsers";
import { type Site, serve } from "./server";
import { AXE, complaints, WATCH } from "./watch";

const root = new URL("../../", import.meta.url);
const folder = new URL("build/site-benchmark/", root);

let isolated: Site;
let plain: Site;

beforeAll(async () => {
  await buildSite(folder.pathname.replace(/\/$/, ""), { quick: true });
  const html = (await readFile(new URL("benchmark/index.html", folder), "utf8")).replace("<head>", `<head>${WATCH}`);
  const axe = await readFile(new URL("node_modules/axe-core/axe.min.js", root), "utf8");
  const options = { folders: { "/": folder } };
  const files = { "/benchmark/index.html": html, "/axe.js": axe };
  isolated = await serve(files, true, options);
  plain = await serve(files, false, options);
});
afterAll(async () => {
  await isolated?.close();
  await plain?.close();
});

for (const browser of BROWSERS)
  describe.skipIf(skips(browser.name, missing(browser).join(" and ")))(browser.name, () => {
    const { open: openPage } = running(browser);

    /** Waits until the status is of that pattern, and gives it. */
    const until = (page: Page, status: RegExp) =>
      page.evaluate<string>(`new Promise((resolve) => {
        const look = () => {
          const text = document.querySelector("[role=status]")?.textContent ?? "";
          if (${status}.test(text) || /failed/.test(text)) resolve(text);
          else setTimeout(look, 20);
        };
        look();
      })`);
    const open = (site: Site, query: string) => openPage(`${site.url}benchmark/index.html?${query}`);

    test("an isolated page: a small run ends with its rows as JSON, on two threads where there are any", async () => {
      const query = "run=short&rounds=2&filter=gemm+64x64x64&filter=conv&filter=step+2-16-16-1&filter=step+cnn";
      const page = await open(isolated, query);
      expect(await until(page, /^Done/)).toMatch(/^Done: \d+ rows in \d+ s\.$/);
      const { machine, rows, skipped } = JSON.parse(
        await page.evaluate<string>(`document.querySelector("#json").value`),
      ) as Results;
      const fused = machine.peaks["fastMath12"] !== undefined;
      const threads = (await page.evaluate<boolean>(SHARES_MEMORY)) ? [1, 2] : [1];
      const expected = ["gemm 64x64x64", "conv 64x13x13x32-64", "step 2-16-16-1/32", "step cnn-28x28x1/64"].flatMap(
        (what) => [
          `${what} js 1`,
          ...threads.flatMap((n) =>
            (fused ? ["strict", "fastMath"] : ["strict"]).map((build) => `${what} ${build} ${n}`),
          ),
        ],
      );
      expect(rows.map((r) => `${r.kernel} ${r.shape} ${r.build} ${r.threads}`)).toEqual(expected);
      expect(skipped).toEqual([]);
      for (const row of rows) {
        expect(row.ms).toBeGreaterThan(0);
        expect(row.vsJs).toBeGreaterThan(0);
        expect(row.ofPeak).toBeGreaterThan(0);
      }
      expect(machine.engine).toMatch(browser.name);
      expect(machine).toMatchObject({ features: { simd: true, relaxedSimd: fused, threads: threads.length > 1 } });
      expect(await page.evaluate(`document.querySelectorAll(".rows tbody tr").length`)).toBe(rows.length);
      expect(await complaints(page)).toEqual([]);
      await page.evaluate(`import("/axe.js")`);
      expect(await page.evaluate(AXE)).toEqual([]);
    });

    test("a page that is not isolated measures one thread", async () => {
      const page = await open(plain, "run=short&rounds=1&filter=gemm+64x64x64");
      await until(page, /^Done/);
      const { rows } = JSON.parse(await page.evaluate<string>(`document.querySelector("#json").value`)) as Results;
      expect(rows.every((row) => row.threads === 1)).toBe(true);
      expect(rows.length).toBeGreaterThan(1);
      expect(await complaints(page)).toEqual([]);
    });

    test("cancel ends a run at once, and the next one starts anew", async () => {
      const page = await open(isolated, "run=full&rounds=60&filter=gemm+512x512x512");
      await until(page, /^\d/);
      await page.evaluate(`document.querySelector("#cancel").click()`);
      expect(await until(page, /./)).toBe("Cancelled.");
      expect(await page.evaluate(`document.querySelector("#cancel").disabled`)).toBe(true);
      await page.evaluate(`document.querySelector("#short").click()`);
      await until(page, /^1 of 1/);
      await page.evaluate(`document.querySelector("#cancel").click()`);
      expect(await complaints(page)).toEqual([]);
    });

    test("Korean and dark: the buttons change the page", async () => {
      const page = await open(plain, "");
      await until(page, /^Ready/);
      const press = (label: string) =>
        page.evaluate(
          `[...document.querySelectorAll("button")].find((b) => (b.ariaLabel ?? b.textContent) === ${JSON.stringify(label)}).click()`,
        );
      const look = `[document.documentElement.lang, document.documentElement.dataset.theme, document.querySelector("[role=status]").textContent]`;
      expect(await page.evaluate(look)).toEqual(["en", "light", "Ready."]);
      await press("Dark theme");
      await press("한국어");
      expect(await page.evaluate(look)).toEqual(["ko", "dark", "준비되었습니다."]);
      await press("English");
      await press("Dark theme");
      expect(await page.evaluate(look)).toEqual(["en", "light", "Ready."]);
    });
  });
