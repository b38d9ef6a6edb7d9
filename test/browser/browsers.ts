// The browsers that tests run in. One more is one more entry of BROWSERS: where it lies, and how a page of it is opened.

import { existsSync } from "node:fs";

export interface Page {
  /** The value of an expression, a promise's once it is settled. */
  evaluate<T>(expression: string): Promise<T>;
}

export interface Running {
  open(url: string): Promise<Page>;
  close(): Promise<void>;
}

export interface Browser {
  name: string;
  /** The programs that have to be there. */
  needs: string[];
  start(): Promise<Running>;
}

/** Milliseconds for a browser to start, and for one expression. */
const START = 60_000;
const EVALUATE = 240_000;

const chromium: Browser = {
  name: "Chromium",
  needs: ["/usr/bin/chromium"],
  async start() {
    const { chromium } = await import("playwright-core");
    const browser = await chromium.launch({
      executablePath: this.needs[0]!,
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
    return {
      async open(url) {
        const page = await browser.newPage();
        await page.goto(url);
        return { evaluate: (expression) => page.evaluate(expression) };
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
        return { evaluate: <T>(expression: string) => page.evaluate(expression) as Promise<T> };
      },
      close: () => browser.close(),
    };
  },
};

export const BROWSERS: Browser[] = [chromium, firefox];

/** Programs that are missing. */
export const missing = ({ needs }: Browser): string[] => needs.filter((path) => !existsSync(path));

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
