// The browsers that tests run in. One more is one more entry of BROWSERS: where it lies, and how a page of it is opened.

import { existsSync } from "node:fs";
import { afterAll, beforeAll } from "vitest";
import { type Browser, EVALUATE, type Running, START } from "./browser";
import { webkit } from "./webkit";

export type { Browser, Page, Running } from "./browser";

const CHROMIUM = "/usr/bin/chromium";

/** Playwright's Chromium, for what only that can do. */
export async function launchChromium() {
  const { chromium } = await import("playwright-core");
  return chromium.launch({
    executablePath: CHROMIUM,
    timeout: START,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

const chromium: Browser = {
  name: "Chromium",
  needs: [CHROMIUM],
  async start() {
    const browser = await launchChromium();
    return {
      async open(url) {
        const page = await browser.newPage();
        await page.goto(url);
        return { evaluate: (expression) => page.evaluate(expression), close: () => page.close() };
      },
      close: () => browser.close(),
    };
  },
};

const firefox: Browser = {
  name: "Firefox",
  needs: ["/usr/bin/firefox-esr"],
  async start() {
    const { launch } = await import("puppeteer-core");
    const browser = await launch({
      browser: "firefox",
      executablePath: this.needs[0]!,
      timeout: START,
      protocolTimeout: EVALUATE,
    });
    return {
      async open(url) {
        const page = await browser.newPage();
        await page.goto(url);
        return {
          evaluate: <T>(expression: string) => page.evaluate(expression) as Promise<T>,
          close: () => page.close(),
        };
      },
      close: () => browser.close(),
    };
  },
};

export const BROWSERS: Browser[] = [chromium, firefox, webkit];

/** Programs that are missing. */
export const missing = ({ needs }: Browser): string[] => needs.filter((path) => !existsSync(path));

/** In CI nothing may be missing; elsewhere what is missing is left out, and said. */
export const CI = Boolean(process.env["CI"]);
export function skips(what: string, lacks: string): boolean {
  if (!lacks) return false;
  if (CI) throw new Error(`${what}: ${lacks} is missing, and in CI that is a failure`);
  console.warn(`\n*** SKIPPED: ${what}, because ${lacks} is missing ***\n`);
  return true;
}

/** An expression: whether a worker of the page's can be sent a shared memory. */
export const SHARES_MEMORY = `new Promise((resolve) => {
  const url = URL.createObjectURL(new Blob(["onmessage = () => postMessage(true)"], { type: "text/javascript" }));
  const worker = new Worker(url);
  worker.onmessage = () => resolve(true);
  worker.onmessageerror = () => resolve(false);
  try {
    worker.postMessage(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }));
  } catch {
    resolve(false);
  }
})`;

/** Starts a browser; a start that fails is tried again, three times in all. */
export async function start(browser: Browser): Promise<Running> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await browser.start();
    } catch (error) {
      if (attempt === 3) throw error;
      console.warn(`${browser.name} did not start (attempt ${attempt}): ${String(error).slice(0, 300)}`);
    }
  }
}

/** A browser that runs during the tests of the `describe` in which this is called. */
export function running(browser: Browser): Pick<Running, "open"> {
  let started: Running;
  beforeAll(async () => {
    started = await start(browser);
  }, 200_000);
  afterAll(() => started?.close());
  return { open: (url) => started.open(url) };
}
