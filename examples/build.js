// npm run build:site: the pages, bundled, as a static site in build/site. All URLs in it are relative: it works
// from any folder of any host.
//
//   index.html, icon.svg       the front page
//   playground/, benchmark/    index.html, style.css, main.js, worker.js, and chunks that the library loads on demand
//   reference/                 the public names, and the repository's pages: reference/build.js
//   offline.js                 keeps the site for when there is no net
//
// A page's script is main.ts; its worker's is what PAGES names, and lies beside it: new URL("./worker.js", import.meta.url). What `later`
// names is a bundle of its own, which the others import when they want it: `await import("./digits.js")`.

import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build, transform } from "esbuild";
import { buildLimits } from "../bench/limits/build.js";
import { makeSmaller } from "./smaller.js";

const root = new URL("../", import.meta.url).pathname;

const PAGES = {
  playground: { worker: "train/worker.ts", small: true, later: { digits: "train/digits.ts" } },
  benchmark: { worker: "worker.ts" },
};

const MINIFIED = { minify: true, target: "es2022", legalComments: "none" };

const BUNDLED = {
  ...MINIFIED,
  bundle: true,
  format: "esm",
  splitting: true,
  metafile: true,
  logLevel: "warning",
  absWorkingDir: root,
  loader: { ".wasm": "binary" },
  tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
};

/** The file of each name that ts/index.ts exports. */
const homes = new Map(
  [...readFileSync(`${root}ts/index.ts`, "utf8").matchAll(/export \{([^}]*)\} from "\.\/([^"]*)"/g)].flatMap(
    ([, names, file]) => names.split(",").map((name) => [name.trim(), file]),
  ),
);

/**
 * Pages are bundled of the sources, not of dist/bundler: the benchmark runs single kernels too; and where a page's script takes each name
 * from the file that has it, what only one that is loaded later uses is loaded with that.
 */
const SOURCES = {
  name: "sources",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(#|downhill)/ }, ({ path }) => {
      const name = path.replace(/^#core\/strict\.js$/, "#core/core.js").replace(/^downhill$/, "downhill/index");
      const file = name
        .replace("#platform", "ts/runtime/platform/browser.ts")
        .replace("#core", "build/core")
        .replace(/^downhill\/(.*)/, "ts/$1.ts");
      return { path: root + file };
    });
    onLoad({ filter: /\/examples\/.*\.ts$/ }, ({ path }) => {
      const direct = (_, kind, names) =>
        names
          .split(",")
          .map((name) => name.trim())
          .filter((name) => name && !name.startsWith("type "))
          .map((name) => `${kind} { ${name} } from "downhill/${homes.get(name)}";`)
          .join("");
      const text = readFileSync(path, "utf8").replace(/^(import|export) \{([^}]*)\} from "downhill";/gm, direct);
      return { contents: text, loader: "ts" };
    });
  },
};

/** What is loaded at once with an output: itself, and what it imports statically. */
function loadedWith(path, outputs, found = new Set()) {
  if (found.has(path)) return found;
  found.add(path);
  for (const { path: next, kind } of outputs[path].imports)
    if (kind === "import-statement") loadedWith(next, outputs, found);
  return found;
}

/** Bundles a page into its folder of the site. Returns the files to keep for when there is no net. */
async function buildPage(name, { worker, later = {}, small: smallest }, site, quick) {
  const at = (file) => `examples/${name}/${file}`;
  const outdir = `${site}/${name}`;
  mkdirSync(outdir, { recursive: true });
  cpSync(root + at("index.html"), `${outdir}/index.html`);
  const entries = { main: "main.ts", style: "style.css", ...(worker && { worker }), ...later };
  const inFolder = (path) => `${name}/${path.split("/").at(-1)}`;
  const files = new Set([inFolder("index.html")]);
  for (const [out, file] of Object.entries(entries)) {
    const small = !quick && smallest && file.endsWith(".ts");
    const { metafile } = await build({
      ...BUNDLED,
      plugins: [SOURCES],
      external: Object.keys(later).map((out) => `*/${out}.js`),
      ...(small && { minify: false, minifySyntax: true }), // the rest by terser
      entryPoints: { [out]: at(file) },
      outdir,
    });
    const { outputs } = metafile;
    const own = new Set();
    for (const [path, { entryPoint }] of Object.entries(outputs))
      if (entryPoint?.startsWith("examples/")) loadedWith(path, outputs, own);
    if (small) await makeSmaller([...own].map((path) => root + path));
    // what else the library may load is for threads and fastMath
    for (const path of own) files.add(inFolder(path));
    if (existsSync(`${outdir}/extension.js`)) files.add(inFolder("extension.js"));
  }
  return files;
}

/** Writes the site into a folder; a quick one is larger. `reference`: whether it has the reference, which takes the longest. */
export async function buildSite(site = `${root}build/site`, { quick = false, reference = !quick } = {}) {
  rmSync(site, { recursive: true, force: true });
  mkdirSync(site, { recursive: true });
  if (!existsSync(`${root}build/bench/limits.fastMath.wasm`)) buildLimits();
  const own = ["index.html", "icon.svg"];
  for (const file of own) cpSync(`${root}examples/${file}`, `${site}/${file}`);
  const files = [...own];
  for (const [name, page] of Object.entries(PAGES)) files.push(...(await buildPage(name, page, site, quick)));
  if (reference) {
    const { buildReference } = await import("./reference/build.js");
    for (const complaint of await buildReference(`${site}/reference`)) console.warn(complaint);
  }
  const all = readdirSync(site, { recursive: true }).filter((name) => name.includes("."));
  const later = all.filter((name) => /^((reference\/)?(docs|assets)|benchmark)\//.test(name) && !files.includes(name));
  const hash = createHash("sha256");
  for (const name of all) hash.update(name).update(readFileSync(`${site}/${name}`));
  const lists = `FILES = ${JSON.stringify(files)}, LATER = ${JSON.stringify(later)}`;
  const facts = `const VERSION = "${hash.digest("hex").slice(0, 16)}", ${lists};\n`;
  const { code } = await transform(facts + readFileSync(`${root}examples/offlineWorker.js`, "utf8"), MINIFIED);
  writeFileSync(`${site}/offline.js`, code);
}

if (process.argv[1] === new URL(import.meta.url).pathname) await buildSite();
