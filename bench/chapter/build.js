// Bundles the chapter's runner; what it shows is the built package, as a user has it.

import { build } from "esbuild";

await build({
  entryPoints: ["bench/chapter/main.ts"],
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  outdir: "build/chapter",
  packages: "external",
  tsconfigRaw: "{}", // no paths to the sources
  logLevel: "error",
});
