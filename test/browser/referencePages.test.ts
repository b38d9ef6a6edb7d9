// The API reference of build/site in Chromium: no page of it is wider than a phone, its search finds what docstrings and pages say, and a run
// of the playground that a page names is there.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BROWSERS, launchChromium, missing, skips } from "./browsers";
import { type Site, serve } from "./server";
import { SITE, siteFolder } from "./site";

const chromium = BROWSERS.find(({ name }) => name === "Chromium")!;

describe.skipIf(skips("the reference's pages", missing(chromium).join(" and ")))("the reference", () => {
  let browser: Browser;
  let site: Site;
  let page: Page;
  beforeAll(async () => {
    expect(existsSync(new URL("reference/index.html", SITE)), "npm run build:site").toBe(true);
    [browser, site] = [await launchChromium(), await serve({}, true, { folders: { "/": SITE } })];
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  const open = async (path: string, width = 1280) => {
    await page?.close();
    page = await browser.newPage({ viewport: { width, height: 800 } });
    await page.goto(`${site.url}reference/${path}`);
  };

  test("no page is wider than a phone", async () => {
    const files = readdirSync(join(siteFolder(), "reference"), { recursive: true, encoding: "utf8" });
    const paths = files.filter((name) => name.endsWith(".html"));
    expect(paths.length).toBeGreaterThan(200);
    await open("index.html", 390);
    // the bodies one after the other, which is much faster than to go to each
    const widths = await page.evaluate(`(async () => {
      const widths = {};
      for (const path of ${JSON.stringify(paths)}) {
        const html = await (await fetch(path)).text();
        document.body.replaceChildren(...new DOMParser().parseFromString(html, "text/html").body.children);
        widths[path] = document.documentElement.scrollWidth;
      }
      return widths;
    })()`);
    const wide = Object.entries(widths as Record<string, number>).filter(([, width]) => width > 390);
    expect(wide).toEqual([]);
  }, 60_000);

  test.each([
    ["safetensors", "saveModel"],
    ["freeze", "ModelLayer.trainable"],
    ["freeze", "Transfer learning and fine-tuning"],
    ["command", "The command line"],
    ["learning rate", "Learning-rate schedules"],
    ["HTTP", "downhill as a service"],
  ])(
    "a search for %s finds %s",
    async (words, found) => {
      await open("index.html");
      await page.click("#tsd-search-trigger");
      await page.fill("#tsd-search-input", words);
      await page.waitForSelector("#tsd-search-results li");
      expect(await page.$$eval("#tsd-search-results li", (list) => list.map((li) => li.textContent).join())).toContain(
        found,
      );
    },
    30_000,
  );

  test("a run that a page names is a link to the playground", async () => {
    await open("docs/dropout.html");
    await page.click("a[href*='playground/index.html#train']");
    await page.waitForSelector("#content");
    expect(page.url()).toMatch(/\/playground\/index\.html#train\?.*dropout=0\.5/);
  }, 30_000);
});
