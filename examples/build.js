// npm run build:site: the pages, bundled against dist/, as a static site in build/site. All URLs in it are relative: it works from any folder
// of any host.
//
//   index.html, icon.svg       the front page
//   playground/, benchmark/    index.html, style.css, main.js, worker.js, and chunks that the library loads on demand
//
// A page's script is main.ts; its worker's is what `worker` names here, and lies beside it: new URL("./worker.js", import.meta.url).

import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const root = new URL("../", import.meta.url).pathname;

const PAGES = {
  playground: { worker: "train/worker.ts" },
  benchmark: {},
};

const COMMON = {
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  logLevel: "warning",
  tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } }, // without our paths: pages have downhill of dist/bundler
};

/** Bundles a page into its folder. */
async function buildPage(name, { worker }, outdir) {
  const at = (file) => `${root}examples/${name}/${file}`;
  mkdirSync(outdir, { recursive: true });
  cpSync(at("index.html"), `${outdir}/index.html`);
  const scripts = { main: at("main.ts"), ...(worker && { worker: at(worker) }) };
  for (const [out, file] of Object.entries(scripts))
    await build({ ...COMMON, entryPoints: { [out]: file }, outdir, splitting: true });
  if (existsSync(at("style.css"))) await build({ ...COMMON, entryPoints: { style: at("style.css") }, outdir });
}

/** Writes the site into a folder. */
export async function buildSite(outdir = `${root}build/site`) {
  rmSync(outdir, { recursive: true, force: true });
  mkdirSync(outdir, { recursive: true });
  for (const file of ["index.html", "icon.svg"]) cpSync(`${root}examples/${file}`, `${outdir}/${file}`);
  const there = Object.entries(PAGES).filter(([name]) => existsSync(`${root}examples/${name}/index.html`));
  await Promise.all(there.map(([name, page]) => buildPage(name, page, `${outdir}/${name}`)));
}

if (process.argv[1] === new URL(import.meta.url).pathname) await buildSite();
