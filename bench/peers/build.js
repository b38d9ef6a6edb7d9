// Bundles the runner, and the competitors that are written in TypeScript; downhill itself is the built package, as a user has it.

import { build } from "esbuild";

await build({
  entryPoints: ["bench/peers/main.ts", "bench/peers/plain.ts", "bench/peers/peak.ts"],
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  outdir: "build/peers",
  packages: "external",
  tsconfigRaw: "{}", // no paths to the sources
  logLevel: "error",
});
