// Compiles what `npm run bench` runs into build/bench: the limits' two modules and the bundle of bench.ts.
//
//   node bench/build.js && node build/bench/bench.js [options]

import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { build } from "esbuild";

mkdirSync("build/bench", { recursive: true });
for (const [name, features] of [
  ["strict", "simd"],
  ["fastMath", "simd,relaxed-simd"],
]) {
  const asc = "node_modules/assemblyscript/bin/asc.js";
  const memory = ["--importMemory", "--initialMemory", "16", "--maximumMemory", "65536"];
  const flags = ["-O3", "--noAssert", "--runtime", "stub", "--use", "abort=", "--enable", features, ...memory];
  execFileSync("node", [asc, "bench/limits/limits.micro.ts", "-o", `build/bench/limits.${name}.wasm`, ...flags], {
    stdio: "inherit",
  });
}

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
