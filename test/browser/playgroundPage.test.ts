// The playground's page and its Train tab in every browser, by hand: Axe finds nothing serious in it, in any state; keys alone do what a mouse does;
// what goes wrong is told in place.

import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
// @ts-expect-error: a script of the build
import { buildSite } from "../../examples/build.js";
import { defaults, fromParameters, pointAt, toParameters } from "../../examples/playground/train/settings";
import { BROWSERS, missing, type Page, running, skips } from "./browsers";
import { type Site, serve } from "./server";
import { AXE, complaints, until, WATCH } from "./watch";

let folder: string;
let site: Site;
/** What is loaded on demand does not come. */
let broken: Site;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "downhill-page-"));
  await buildSite(folder, { quick: true });
  const html = await readFile(join(folder, "playground/index.html"), "utf8");
  const files = {
    "/playground/index.html": html.replace("<head>", `<head>${WATCH}`),
    "/playground/axe.js": await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"),
  };
  const options = { folders: { "/": pathToFileURL(`${folder}/`) } };
  site = await serve(files, true, options);
  const later = (await readdir(join(folder, "playground"))).filter((name) => /^(asides|digits)\b.*\.js$/.test(name));
  expect(later.length).toBe(2);
  const throwing = later.map((name) => [`/playground/${name}`, 'throw new Error("not there")']);
  broken = await serve({ ...files, ...Object.fromEntries(throwing) }, true, options);
}, 60_000);
afterAll(async () => {
  await site?.close();
  await broken?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Each shows something that the others do not. */
const STATES = [
  "train",
  `train?${toParameters({ ...defaults("points"), points: [pointAt(0, 0, 0), pointAt(1, 1, 1)] })}`,
  "train?data=digits&epochs=2&layers=c4-p-16&adv=0.1",
  "train?opt=sgd&lr=10&act=linear&layers=32-32&stretch=50",
];

for (const browser of BROWSERS)
  describe.skipIf(skips(browser.name, missing(browser).join(" and ")))(browser.name, () => {
    const { open: openPage } = running(browser);

    const open = async (hash: string, { url } = site) => {
      const page = await openPage(`${url}playground/index.html#${hash}`);
      await until(page, `document.getElementById("content")`); // WebKit may be here before its script
      return page;
    };
    const text = (page: Page, of: string) =>
      page.evaluate<string>(`document.querySelector(${JSON.stringify(of)}).textContent`);
    const pause = (page: Page, milliseconds: number) =>
      page.evaluate(`new Promise((resolve) => setTimeout(resolve, ${milliseconds}))`);
    /** Presses keys, one after another, in the element that a selector finds. */
    const keys = (page: Page, of: string, ...names: string[]) =>
      page.evaluate(`(() => {
        const element = document.querySelector(${JSON.stringify(of)});
        element.focus();
        for (const key of ${JSON.stringify(names)})
          element.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
      })()`);

    test("Axe finds nothing serious, light and dark", async () => {
      for (const hash of STATES) {
        const page = await open(hash);
        await pause(page, 1000);
        await page.evaluate(`new Promise((resolve, reject) => {
          for (const group of document.querySelectorAll("details")) group.open = true;
          const script = Object.assign(document.createElement("script"), { src: "axe.js", onload: resolve, onerror: reject });
          document.head.append(script);
        }).then(() => true)`);
        for (const dark of [false, true]) {
          await page.evaluate(`(() => {
            const theme = document.querySelector(".preferences .round");
            if (theme.getAttribute("aria-pressed") !== "${dark}") theme.click();
          })()`);
          expect(await page.evaluate(AXE), `${hash}, ${dark ? "dark" : "light"}`).toEqual([]);
        }
        expect(await complaints(page), hash).toEqual([]);
      }
    });

    test("the arrow keys go from tab to tab, and set points on the plane", async () => {
      const page = await open("train?data=points");
      await keys(page, "#tab-train", "ArrowLeft");
      expect(await page.evaluate("location.hash")).toBe("#chapter");
      expect(await page.evaluate("document.activeElement.id")).toBe("tab-chapter");
      await keys(page, "#tab-chapter", "Home");
      await until(
        page,
        'location.hash.startsWith("#train") && document.getElementById("panel-train").checkVisibility()',
      );
      const right = Array<string>(10).fill("ArrowRight");
      await keys(page, ".plane", ...right, "Enter", ...right, "2", "Enter", "ArrowUp", "ArrowUp", "ArrowUp", "Enter");
      const settings = async () =>
        fromParameters(new URLSearchParams((await page.evaluate<string>("location.hash")).slice("#train?".length)));
      const { points } = await settings();
      expect(points.map(({ x, y, label }) => [x.toFixed(1), y.toFixed(1), label])).toEqual([
        ["1.0", "0.0", 0],
        ["2.0", "0.0", 1],
        ["2.0", "0.3", 1],
      ]);
      await keys(page, ".plane", "Enter"); // on a point it takes it away
      expect((await settings()).points).toEqual(points.slice(0, 2));
      await until(page, "painted > 2");
    });

    test("a digit drawn with keys is recognized", async () => {
      const page = await open("train?data=digits");
      await until(page, 'document.querySelector(".hash:not([hidden])")');
      const up = Array<string>(8).fill("ArrowUp");
      const down = Array<string>(16).fill("ArrowDown");
      await keys(page, ".pad", ...up, " ", ...down, " ");
      await until(page, 'document.querySelector(".bars .best b")?.textContent === "1"');
      await keys(page, ".pad", "Delete");
      await until(page, '!document.querySelector(".bars .best")');
      // a stroke ends where the pen is lifted: an L has nothing between its ends
      const right = Array<string>(8).fill("ArrowRight");
      await keys(page, ".pad", ...up, ...up, " ", ...down, ...right, " ");
      const inked = (x: number, y: number) =>
        page.evaluate<boolean>(`(() => {
          const pad = document.querySelector(".pad");
          const at = [${x}, ${y}].map((share) => Math.round(share * pad.width));
          return pad.getContext("2d").getImageData(...at, 1, 1).data[3] > 0;
        })()`);
      expect([await inked(0.5, 0.5), await inked(0.5 + 4 / 24, 0.5)]).toEqual([true, false]);
    });

    test("what could not be loaded is told", async () => {
      for (const [hash, where] of [
        ["train?data=digits", ".trouble"],
        ["descend", ".descend [role=status]"],
        ["chapter?m=bagging&run=1", ".chapter"],
      ] as const) {
        const page = await open(hash, broken);
        await until(page, `/not there/.test(document.querySelector("${where}")?.textContent)`);
      }
    });

    test("a run that diverges says so, and what helps", async () => {
      const page = await open("train?opt=sgd&lr=10&act=linear&layers=32-32&stretch=50");
      await until(page, 'document.querySelector(".trouble:not([hidden])")');
      expect(await text(page, ".trouble")).toMatch(/diverged|발산/);
      await page.evaluate('document.querySelector(".trouble button").click()');
      expect(await page.evaluate("location.hash")).toMatch(/[?&]lr=1(&|$)/);
    });
  });
