// The playground's Descend and Chapter tabs in every browser: what they run has Node's bits; keys do what a mouse does; formulas
// are drawn; Axe finds nothing serious.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../examples/playground/chapter/demos";
import { mapOf, race } from "../../examples/playground/descend/race";
import { fromParameters, LANDSCAPES, RACERS, SCHEDULES } from "../../examples/playground/descend/settings";
import { BROWSERS, missing, type Page, running, skips } from "./browsers";
import { type Site, serve } from "./server";
import { SITE, siteFolder } from "./site";
import { AXE, complaints, until, WATCH } from "./watch";

let site: Site;

beforeAll(async () => {
  const html = await readFile(join(siteFolder(), "playground/index.html"), "utf8");
  const files = {
    "/playground/index.html": html.replace("<head>", `<head>${WATCH}`),
    "/playground/axe.js": await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"),
  };
  site = await serve(files, true, { folders: { "/": SITE } });
});
afterAll(() => site?.close());

const ALL = `o=${RACERS.join(",")}&noise=0.1&clip=5&clipValue=3&twins=1&n=30`;
/** Every landscape, every optimizer, every schedule. */
const RACES = LANDSCAPES.map((name, i) => `f=${name}&schedule=${SCHEDULES[i % SCHEDULES.length]}&${ALL}`);

/** SHA-256 of numbers, as the page makes it and as Node does. */
const HASH = `async (arrays) => {
  const bytes = await new Blob(arrays).arrayBuffer();
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}`;
const hashOf = (arrays: readonly Float32Array[]): Promise<string> => new Function(`return ${HASH}`)()(arrays);

for (const browser of BROWSERS)
  describe.skipIf(skips(browser.name, missing(browser).join(" and ")))(browser.name, () => {
    const { open: openPage } = running(browser);

    const pages: Page[] = [];
    // behind another window a page draws nothing in WebKit
    afterEach(async () => {
      for (const page of pages.splice(0)) await page.close();
    });
    const open = async (hash: string) => {
      const page = await openPage(`${site.url}playground/index.html#${hash}`);
      pages.push(page);
      return page;
    };
    test("races and maps have Node's bits, with every optimizer, schedule and landscape", async () => {
      const page = await open("chapter");
      const requests = RACES.flatMap((query) => {
        const settings = fromParameters(new URLSearchParams(query));
        const { landscape, condition } = settings;
        return [
          { type: "race", settings },
          { type: "map", landscape, condition, columns: 40, rows: 30 },
        ];
      });
      const found = await page.evaluate<string[]>(`(async () => {
        const hashOf = ${HASH};
        const worker = new Worker(new URL("./worker.js", location.href), { type: "module" });
        const replies = [];
        for (const [id, request] of ${JSON.stringify(requests)}.entries()) {
          worker.postMessage({ tab: "descend", id, ...request });
          const { data } = await new Promise((resolve) => (worker.onmessage = resolve));
          replies.push(
            data.type === "race"
              ? await hashOf(data.tracks.flatMap(({ path, losses }) => [path, losses]))
              : data.type === "map"
                ? await hashOf([data.map.heights])
                : data.message,
          );
        }
        worker.terminate();
        return replies;
      })()`);
      const expected = await Promise.all(
        RACES.flatMap((query) => {
          const settings = fromParameters(new URLSearchParams(query));
          const tracks = race(settings).flatMap(({ path, losses }) => [path, losses]);
          return [hashOf(tracks), hashOf([mapOf(settings.landscape, settings.condition, 40, 30).heights])];
        }),
      );
      expect(found).toEqual(expected);
    });

    test("Descend: a race is shown; arrow keys move its start, which is in the URL", async () => {
      const page = await open("descend?f=rosenbrock&o=sgd,adam&n=50");
      const SUMMARY = `document.querySelector(".descend [role=status]").textContent`;
      const [plain, adaptive] = race(fromParameters(new URLSearchParams("f=rosenbrock&o=sgd,adam&n=50")));
      const best = plain!.losses.at(-1)! < adaptive!.losses.at(-1)! ? "SGD" : "Adam";
      expect(await until<string>(page, `document.querySelector(".descend") && ${SUMMARY}`)).toMatch(
        new RegExp(`^After 50 steps ${best} is lowest`),
      );
      expect(await page.evaluate(`document.querySelectorAll(".descend .scroll tbody tr").length`)).toBe(2);
      await page.evaluate(`(() => {
        const map = document.querySelector(".descend .map");
        map.focus();
        for (const [key, shiftKey] of [["ArrowRight", false], ["ArrowUp", true]])
          map.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey, bubbles: true, cancelable: true }));
      })()`);
      const hash = await until<string>(page, `location.hash.includes("at=") && decodeURIComponent(location.hash)`);
      const [, x, y] = /at=([-\d.]+),([-\d.]+)/.exec(hash)!;
      expect(Number(x)).toBeGreaterThan(-1.2);
      expect(Number(y)).toBeGreaterThan(1);
      expect(await page.evaluate(`document.querySelectorAll(".descend .start input")[0].valueAsNumber`)).toBe(
        Number(x),
      );
      expect(await complaints(page)).toEqual([]);
    });

    test("Chapter: formulas are drawn, its links open runs, its demos have Node's results", async () => {
      const page = await open("chapter?m=multitask&run=1");
      const heights = await until<number[]>(
        page,
        `document.querySelectorAll("mfrac").length > 10 && [...document.querySelectorAll("mfrac")].map((f) => f.getBoundingClientRect().height / f.firstChild.getBoundingClientRect().height)`,
      );
      expect(Math.min(...heights)).toBeGreaterThan(1.5);
      const figures = await until<string[]>(
        page,
        `(() => {
          const all = [...document.querySelectorAll(".chapter .result li")].map((row) => /[\\d.]+(?= %)/.exec(row.textContent)?.[0]);
          return all.length === 2 && all.every(Boolean) && all;
        })()`,
      );
      const expected: string[] = [];
      for await (const { accuracy } of run("multitask")) expected.push((100 * accuracy).toFixed(1));
      expect(figures).toEqual(expected);
      await page.evaluate(`document.querySelector('.chapter a[href^="#train"]').click()`);
      expect(
        await until(page, `location.hash.startsWith("#train?") && !document.getElementById("panel-train").hidden`),
      ).toBe(true);
      expect(await complaints(page)).toEqual([]);
    });

    test("Axe finds nothing serious, light and dark", async () => {
      for (const hash of [
        "descend?f=cliff&o=momentum:0.1&clip=0.5&noise=0.1&at=0.2,0.5&n=100&twins=1",
        "chapter?m=bagging&run=1",
      ]) {
        const page = await open(hash);
        await until(page, `document.querySelector(".descend .scroll tbody tr, .chapter .result li")`);
        await page.evaluate(`new Promise((resolve) => {
          const script = document.createElement("script");
          script.src = "axe.js";
          script.onload = () => resolve(true);
          document.head.append(script);
        })`);
        for (const theme of ["light", "dark"]) {
          await page.evaluate(`void (document.documentElement.dataset.theme = "${theme}")`);
          expect(await page.evaluate(AXE), `${hash}, ${theme}`).toEqual([]);
        }
      }
    });
  });
