// Bundles the service into one file, which runs by itself wherever Node does: the library's cores and workers, SQLite's
// WebAssembly and all packages are in it.
//
// A module by its name, whatever the package.json says of the folder that it is copied to.
//
//   node build.mjs [file]     default: build/service/service.js of where it is called

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** The driver reads its .wasm from beside itself, unless it is given the bytes. */
const SQLITE = {
  name: "sqlite",
  setup({ onLoad }) {
    onLoad({ filter: /node-sqlite3-wasm\.js$/ }, async ({ path }) => {
      const { readFile } = await import("node:fs/promises");
      const wasm = JSON.stringify(path.replace(/\.js$/, ".wasm"));
      return { contents: `var Module = { wasmBinary: require(${wasm}) };\n${await readFile(path, "utf8")}` };
    });
  },
};

/** Where a package.json above says that .js are modules, one beside the bundle says that it is none. */
export async function buildService(outfile = "build/service/service.js") {
  mkdirSync(dirname(outfile), { recursive: true });
  writeFileSync(join(dirname(outfile), "package.json"), '{ "type": "commonjs" }\n');
  await build({
    entryPoints: [join(dirname(fileURLToPath(import.meta.url)), "main.ts")],
    bundle: true,
    platform: "node",
    format: "cjs", // runs as .js in a folder without a package.json
    target: "node20",
    outfile,
    loader: { ".wasm": "binary" },
    define: { "import.meta.url": "fileUrl" },
    banner: { js: `const fileUrl = require("node:url").pathToFileURL(__filename).href;` },
    plugins: [SQLITE],
    tsconfigRaw: "{}", // the built package, as a user has it
    legalComments: "none",
    logLevel: "error",
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildService(process.argv[2]);
