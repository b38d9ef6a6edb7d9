// Every setting of the Train tab, in every browser, in the worker as it is built for a host: no kernel is missing of the core where the
// extension is not loaded, nor of the extension, and the weights are Node's.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isInCore } from "../../examples/playground/train/extension";
import type { Settings } from "../../examples/playground/train/settings";
import { changes, layers, outcomeOf, short } from "../examples/playground/support";
import { BROWSERS, missing, running, skips } from "./browsers";
import { type Site, serve } from "./server";
import { SITE } from "./site";

/** Trains what it is given, one run after another in one worker, and asks all that can be asked before and after. */
const PAGE = `<!doctype html><script type="module">
  const worker = new Worker("./worker.js", { type: "module" });
  const asked = (...requests) => {
    for (const request of requests) worker.postMessage(request);
    return new Promise((resolve, reject) => {
      worker.onerror = ({ message }) => reject(message);
      worker.onmessage = ({ data }) => ["rest", "failure"].includes(data.type) && resolve(data);
    });
  };
  const questions = [{ type: "frame", size: 16 }, { type: "statistics" }, { type: "digit", pixels: new Float32Array(64) }];
  window.train = async (all) => {
    const ends = [];
    for (const settings of all) {
      const first = await asked({ type: "start", run: 1, settings, paused: true });
      const end = first.type === "rest" ? await asked(...questions, { type: "resume" }) : first;
      for (const question of questions) worker.postMessage(question);
      ends.push(end.hash ?? end.message);
    }
    return ends;
  };
</script>`;

const cases: [name: string, settings: Settings][] = (["moons", "digits"] as const).flatMap((data) => {
  const base = short(data, { ...layers("8-8-8"), initializer: "glorotUniform", epochs: 2 });
  return Object.entries(changes(base)).map(([name, changed]) => [`${data}: ${name}`, { ...base, ...changed }] as never);
});

let site: Site;
/** What Node ends with. */
const hashes = new Map<string, unknown>();

beforeAll(async () => {
  site = await serve({ "/playground/test.html": PAGE }, false, { folders: { "/": SITE } });
  for (const [name, settings] of cases) hashes.set(name, ((await outcomeOf(settings)).end as { hash?: string }).hash);
});
afterAll(async () => {
  await site?.close();
});

for (const browser of BROWSERS)
  describe.skipIf(skips(browser.name, missing(browser).join(" and ")))(browser.name, () => {
    const { open: openPage } = running(browser);

    test("every setting trains, to Node's weights", { timeout: 200_000 }, async () => {
      const page = await openPage(`${site.url}playground/test.html`);
      // those that need the core only come first: the extension is not there yet
      const sorted = [true, false].flatMap((inCore) => cases.filter(([, settings]) => isInCore(settings) === inCore));
      const found = new Map<string, unknown>();
      while (found.size < sorted.length) {
        const some = sorted.slice(found.size, found.size + 20);
        const ends = await page.evaluate<string[]>(`train(${JSON.stringify(some.map(([, settings]) => settings))})`);
        ends.forEach((end, i) => {
          found.set(some[i]![0], end);
        });
      }
      expect(Object.fromEntries(found)).toEqual(Object.fromEntries(hashes));
    });
  });
