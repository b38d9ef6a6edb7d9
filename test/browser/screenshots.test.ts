// Pictures of each page, light and dark, on a desk and on a phone, in build/screenshots: to be looked at. Nothing may be wider than
// its window.

import { mkdir } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
// @ts-expect-error: a script
import { serve } from "../../examples/serve.js";
import { BROWSERS, launchChromium, missing, skips } from "./browsers";
import type { Site } from "./server";
import { siteFolder } from "./site";

const folder = new URL("../../build/screenshots/", import.meta.url).pathname;

/** Pages by the names of their pictures, and how long until they show something. */
const PAGES: Record<string, [path: string, milliseconds: number]> = {
  train: ["playground/index.html#train?data=spirals&epochs=60", 2500],
  digits: ["playground/index.html#train?data=digits", 2500],
  descend: ["playground/index.html#descend?f=rosenbrock", 3500],
  chapter: ["playground/index.html#chapter", 1000],
  benchmark: ["benchmark/index.html", 500],
  front: ["index.html", 100],
};

const chromium = BROWSERS.filter(({ name }) => name === "Chromium");
describe.skipIf(chromium.some((browser) => skips("screenshots", missing(browser).join(" and "))))("screenshots", () => {
  let browser: Awaited<ReturnType<typeof launchChromium>>;
  let site: Site;
  beforeAll(async () => {
    await mkdir(folder, { recursive: true });
    browser = await launchChromium();
    site = await serve(siteFolder());
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  test.each([
    ["desk", "light", "en", 1280, 800],
    ["desk", "dark", "ko", 1280, 800],
    ["phone", "light", "ko", 390, 844],
    ["phone", "dark", "en", 390, 844],
  ] as const)("%s, %s, %s", async (name, colorScheme, locale, width, height) => {
    const context = await browser.newContext({
      colorScheme,
      locale,
      viewport: { width, height },
      deviceScaleFactor: 1,
    });
    await Promise.all(
      Object.entries(PAGES).map(async ([of, [path, milliseconds]]) => {
        const page = await context.newPage();
        await page.goto(site.url + path);
        await page.waitForTimeout(milliseconds);
        await page.screenshot({ path: `${folder}${of}-${name}-${colorScheme}.png`, fullPage: true });
        expect(await page.evaluate("document.documentElement.scrollWidth"), of).toBeLessThanOrEqual(width);
      }),
    );
    await context.close();
  });
});
