// kill -9: a run that is killed at random moments and resumed from its last checkpoint ends as the uninterrupted one.

import { spawn } from "node:child_process";
import { existsSync, watch } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadModel } from "../../ts/index";
import { random } from "../support/mutations";
import { EPOCHS, run } from "../support/resumable";

const KILLS = 6;

let folder: string;
let program: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "downhill-killed-"));
  program = join(folder, "resumable.mjs");
  const here = (path: string) => new URL(`../../${path}`, import.meta.url).pathname;
  await build({
    entryPoints: [here("test/support/resumable.ts")],
    outfile: program,
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["csv-parse", "csv-parse/*"],
    plugins: [
      {
        name: "downhill",
        setup({ onResolve }) {
          onResolve({ filter: /^#core\// }, ({ path }) => ({
            path: here(
              `build/core/${path.slice(6).replace("strict.js", "plain.js").replace("extension.js", "none.js")}`,
            ),
          }));
          onResolve({ filter: /^#platform$/ }, () => ({ path: here("ts/runtime/platform/node.ts") }));
        },
      },
    ],
  });
});
afterAll(() => rm(folder, { recursive: true }));

/** A child, the lines that it prints, and its end. */
function start(path: string) {
  const child = spawn(process.execPath, [program, path], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return { child, lines, ended };
}

test(`killed ${KILLS} times and resumed, it ends with the weights of the uninterrupted run`, async () => {
  const path = join(folder, "checkpoint");
  const rand = random(2024);
  let done = 0;
  for (let kill = 0; kill < KILLS && done < EPOCHS; kill++) {
    const { child, lines, ended } = start(path);
    let left = 1 + rand(3);
    const moment = rand(15_000); // µs after that epoch
    const writing = watch(folder, (_, name) => {
      // every other time: as soon as a new checkpoint has a temporary file
      if (kill % 2 && left <= 0 && name?.endsWith(".tmp")) child.kill("SIGKILL");
    });
    lines.on("line", () => {
      if (--left !== 0 || kill % 2) return;
      const at = performance.now() + moment / 1000;
      while (performance.now() < at);
      child.kill("SIGKILL");
    });
    await ended;
    writing.close();
    if (!existsSync(path)) continue;
    const model = await loadModel(path);
    expect(model.epoch).toBeGreaterThanOrEqual(done);
    done = model.epoch;
    model.dispose();
  }
  expect(done).toBeGreaterThan(0);

  const { lines, ended } = start(path);
  let last = "";
  lines.on("line", (line) => {
    last = line;
  });
  await ended;
  expect(last).toBe(await run(join(folder, "uninterrupted")));
  expect((await loadModel(path)).epoch).toBe(EPOCHS);
  if (process.env["KILL_VERBOSE"]) console.log(done, await readdir(folder));
});
