// The worker's code: the whole library behind ts/worker/host.ts as one classic script, which starts from a Blob (a page) or
// from source (Node). It holds no core but the extension of a page's and the scalars': the core comes as a module by message, compiled.
// build.js writes the script into build/core; the tests (vitest.config.ts) have it made of the sources as they are.

import { build } from "esbuild";

const root = new URL("./", import.meta.url).pathname;

/** What the script's sources name: `platform` is node or browser. */
const resolve = (platform) => ({
  name: "downhill-worker",
  setup({ onResolve }) {
    onResolve({ filter: /^#/ }, ({ path }) => {
      if (path === "#platform") return { path: `${root}ts/runtime/platform/${platform}.ts` };
      const held = path === "#core/scalars.js" || (path === "#core/extension.js" && platform === "browser");
      return { path: `${root}build/${held ? path.slice(1) : "core/none.js"}` };
    });
  },
});

/** The text of the script. */
export async function workerSource(platform) {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: ["ts/worker/host.ts"],
    bundle: true,
    write: false,
    minify: true,
    format: "iife",
    platform,
    target: "es2022",
    legalComments: "none",
    logLevel: "warning",
    plugins: [resolve(platform)],
  });
  return outputFiles[0].text;
}
