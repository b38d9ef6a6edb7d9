// Bundles the load tests, and the service that they start; downhill is the built package, as a user has it.

import { build } from "esbuild";
import { buildService } from "../../examples/service/build.mjs";

await buildService();
await build({
  entryPoints: ["bench/service/main.ts"],
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  outdir: "build/bench-service",
  packages: "external",
  tsconfigRaw: "{}",
  logLevel: "error",
});
