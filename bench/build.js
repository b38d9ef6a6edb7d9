// Compiles what `npm run bench` runs into build/bench: the limits' two modules and the bundle of bench.ts.
//
//   node bench/build.js && node build/bench/bench.js [options]

import { build } from "esbuild";
import { buildLimits } from "./limits/build.js";

buildLimits();

/** The library's sources name the cores as #core/… and the platform as #platform. */
const downhill = {
  name: "downhill",
  setup({ onResolve }) {
    const at = (path) => ({ path: new URL(`../${path}`, import.meta.url).pathname });
    onResolve({ filter: /^#core\// }, ({ path }) =>
      at(
        `build/core/${path
          .slice(6)
          .replace(/^strict\.js$/, "plain.js")
          .replace(/^extension\.js$/, "none.js")
          .replace(/^worker\.js$/, "workerNode.js")}`,
      ),
    );
    onResolve({ filter: /^#platform$/ }, () => at("ts/runtime/platform/node.ts"));
  },
};

await build({
  entryPoints: ["bench/bench.ts"],
  bundle: true,
  splitting: true,
  platform: "node",
  format: "esm",
  target: "node20",
  outdir: "build/bench",
  logLevel: "error",
  plugins: [downhill],
});
