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

/** Bundles sources. */
async function bundle(options) {
  const { outputFiles } = await build({
    absWorkingDir: root,
    bundle: true,
    write: false,
    minify: true,
    target: "es2022",
    legalComments: "none",
    logLevel: "warning",
    ...options,
  });
  return outputFiles[0].text;
}

/** The text of the script. */
export function workerSource(platform) {
  return bundle({ entryPoints: ["ts/worker/host.ts"], format: "iife", platform, plugins: [resolve(platform)] });
}

/**
 * The script that `workerUrl` leads to, for pages that may start no worker from a Blob: a worker that holds a model, and one of
 * a thread team; its first message tells which it is. `source`: what `workerSource` gives for a browser.
 */
export async function workerScript(source) {
  const contents = `
    import source from "./ts/runtime/worker";
    import { Team } from "./assembly/isa";
    export default source(Team.start, Team.poison, Team.generation);
  `;
  const team = await bundle({ stdin: { contents, resolveDir: root, loader: "ts" }, format: "esm" });
  const { default: follower } = await import(`data:text/javascript,${encodeURIComponent(team)}`);
  return `const port = self;${source}
const host = port.onmessage;${follower}
const follow = port.onmessage;
port.onmessage = (event) => ("team" in event.data ? follow : host)(event);
`;
}
