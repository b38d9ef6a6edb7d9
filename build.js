// npm run build: the cores (build/core), then the bundles and the declarations (dist).
//
//   node build.js          everything
//   node build.js core     the cores only
//   node build.js dist     dist only, of the cores as they are

import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { minify } from "terser";
import { asleep, deflated } from "./build.asleep.js";
import { workerScript, workerSource } from "./build.worker.js";
import { pack } from "./pack.js";

const run = (script, ...args) => execFileSync(process.execPath, [script, ...args], { stdio: "inherit" });
/** What asc says where it succeeds is of no use (`converge` "was suboptimal"); an error has it in its message. */
const asc = (target, entry, ...options) =>
  execFileSync(
    process.execPath,
    ["node_modules/assemblyscript/bin/asc.js", `assembly/${entry}.ts`, "--target", target, ...options],
    { stdio: "pipe" },
  );

/** Opcodes in assembly/isa.ts. */
function opcodeCount() {
  const isa = readFileSync("assembly/isa.ts", "utf8");
  return ["Op", "ExtensionOp"].reduce((sum, name) => {
    const body = isa.slice(isa.indexOf(`export const enum ${name} {`));
    return sum + [...body.slice(0, body.indexOf("}")).matchAll(/^ {2}(?!count)\w+( = [\w.]+)?,/gm)].length;
  }, 0);
}

/**
 * Compiles one target and writes it, packed, as a module whose default export is text: gzip cannot see through that, so
 * what it is to save must be saved before. Of what a page embeds eight more passes take off 2 %.
 */
function buildCore(target, entry = "index", passes = 2, ...options) {
  asc(target, entry, ...options);
  const bytes = readFileSync(`build/core/${target}.wasm`);
  let text = pack(bytes, passes);
  while (/<(!--|\/?script)/i.test(text)) text = pack(bytes, ++passes); // a page may hold it in an inline script
  writeModule(target, text);
  return bytes;
}

const writeModule = (name, text) => writeFileSync(`build/core/${name}.js`, `export default "${text}";\n`);

/** What a core says of itself. */
function factsOf(bytes, table) {
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536 });
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory, table } }).exports;
}

/**
 * The builds of the core: for a page the strict one in two parts, of which the second has its functions behind the first's
 * in their table and its data behind the first's; the others whole. Node, which downloads nothing, has the strict one
 * whole, and deflated: what a page unpacks in 20 ms takes 2. The numbers of kernels are checked against Op.
 */
function buildCores() {
  mkdirSync("build/core", { recursive: true });
  writeFileSync("build/core/core.d.ts", "declare const packed: string;\nexport default packed;\n");
  const core = factsOf(buildCore("core", "core", 10));
  const from = core.kernelCount.value + 1;
  const top = core.heapBase.value - 8192;
  const part = buildCore("extension", "extension", 6, "--tableBase", `${from}`, "--memoryBase", `${top}`);
  const table = new WebAssembly.Table({ initial: 512, element: "anyfunc" });
  const extension = factsOf(part, table);
  if (extension.heapBase.value > core.heapBase.value) throw new Error("the extension's data do not fit (core.ts)");
  const count = core.kernelCount.value + extension.extensionCount.value;
  if (count !== opcodeCount()) throw new Error(`assembly/ has ${count} kernels, Op has ${opcodeCount()}`);
  buildCore("scalars", "math/scalars", 6);
  asc("strict", "index");
  writeModule("plain", deflated(readFileSync("build/core/strict.wasm")));
  writeModule("none", "");
  for (const target of ["fastMath", "strictShared", "fastMathShared"]) buildCore(target);
  asc("debug", "index"); // for tests: its interpreter checks each instruction; it is not shipped
}

/** The cores under the names that sources have for them, where these are not files of that name in build/core. */
const CORES = {
  browser: { strict: "core" },
  node: { strict: "plain", extension: "none", worker: "workerNode" },
};

/** Sources name the cores as #core/… and the platform as #platform: where these lie is decided here. `apart` stay files of their own. */
const resolve = (platform, apart) => ({
  name: "downhill",
  setup({ onResolve }) {
    onResolve({ filter: /^#/ }, ({ path }) => {
      const core = path.replace(/^#core\/(\w+)\.js$/, (_, name) => CORES[platform][name] ?? name);
      if (apart?.includes(core)) return { path: `./core/${core}.js`, external: true };
      const file = path === "#platform" ? `ts/runtime/platform/${platform}.ts` : `build/core/${core}.js`;
      return { path: new URL(file, import.meta.url).pathname };
    });
  },
});

/** The one file of @bufbuild/protobuf/wire that is used. Its index has one besides at which Rollup warns. */
const PROTOBUF = "./node_modules/@bufbuild/protobuf/dist/esm/wire/binary-encoding.js";

const API = { path: "./downhill.js", external: true };

const LICENSE = "/*! downhill, Apache-2.0 */";

/** Runs terser over the modules in a folder: it finds more than esbuild does, and than most bundlers of who depends on us. */
async function compress(folder, options, mangle, format) {
  for (const name of readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".js"))) {
    const file = `${folder}/${name}`;
    // esbuild puts its own chunks before what is external; the core is to stand first in a bundle (ts/index.ts)
    let source = readFileSync(file, "utf8").replace(/^(.*)(import \w+ from "\.\/core\/core\.js";\n)/s, "$2$1");
    // errors name the class of what they got; esbuild gives a class that names itself another name within
    for (const [, name] of source.matchAll(/ class (_\w+)/g)) source = source.replaceAll(name, name.slice(1));
    const classes = [...source.matchAll(/(\w+) = class\b/g)].map(([, name]) => name);
    const { code } = await minify(source, {
      module: true,
      ecma: 2022,
      compress: { passes: 3, pure_funcs: ["TextDecoder"], ...options }, // the loader makes one
      mangle: mangle && { ...(mangle !== true && mangle), reserved: classes },
      // one character past Latin-1 makes two bytes of every character that an engine holds of a file
      format: { preserve_annotations: true, ascii_only: true, ...format },
    });
    writeFileSync(file, code);
  }
}

/**
 * For a page's <script>, without modules: everything in one file, as window.downhill; the landscapes, a module of their own in the
 * package, are an object in it. And the script for workers that a Content-Security-Policy wants from a file.
 */
async function buildClassic(common, worker) {
  const contents = `
    export * from "./ts/index";
    export * as landscapes from "./ts/landscapes";
  `;
  const { outputFiles } = await build({
    ...common,
    stdin: { contents, resolveDir: ".", loader: "ts" },
    splitting: false,
    format: "iife",
    globalName: "downhill",
    minify: true,
    write: false,
    plugins: [resolve("browser")],
  });
  writeFileSync("dist/browser/downhill.classic.js", outputFiles[0].text);
  writeFileSync("dist/browser/worker.classic.js", `${LICENSE}\n${await workerScript(worker)}`);
}

/**
 * dist/: for Node, where a module more is a millisecond more until it has started; dist/bundler/: modules for bundlers, of which pages
 * are made; dist/browser/: for a page's <script type="module">.
 */
async function buildBundles() {
  rmSync("dist", { recursive: true, force: true });
  const common = {
    bundle: true,
    splitting: true,
    format: "esm",
    target: "es2022",
    legalComments: "none",
    banner: { js: LICENSE },
    logLevel: "warning",
    alias: { "@bufbuild/protobuf/wire": PROTOBUF },
  };
  const external = ["commander", "csv-parse", "csv-parse/*", "@zip.js/zip.js", "@zip.js/zip.js/*", "sharp", "node:*"];
  const workers = { worker: await workerSource("browser"), workerNode: await workerSource("node") };
  for (const [name, source] of Object.entries(workers))
    writeFileSync(`build/core/${name}.js`, `export default ${JSON.stringify(source)};\n`);
  const library = { downhill: "ts/index.ts", random: "ts/random.ts" };
  // each whole: of two that share a module, both would load one more, which is a tenth of what importing downhill takes
  for (const program of [{ downhill: "ts/index.ts" }, { cli: "ts/cli/main.ts" }]) {
    const options = { ...common, external, entryPoints: program, outdir: "dist", plugins: [resolve("node")] };
    await build(program.cli ? options : { ...options, plugins: [await asleep(options), ...options.plugins] });
  }
  // lines and the names of functions stay: a trace can be read
  const names = { keep_fnames: true, keep_classnames: true };
  const lines = { reduce_funcs: false, sequences: false };
  await compress("dist", { ...lines, ...names }, names, { beautify: true, indent_level: 0 });
  // files of their own: the core stands first then in a bundle, bundlers that name by frequency do not count the data, and who reads no
  // ONNX has none of protobuf's enums
  const apart = { "core/core": "build/core/core.js", digits: "ts/data/digits.data.ts", protobuf: PROTOBUF };
  await build({
    ...common,
    external,
    entryPoints: { ...library, ...apart },
    outdir: "dist/bundler",
    plugins: [resolve("browser", ["core"])],
  });
  // all names too: bundlers minify anyway
  await compress("dist/bundler", lines, false, { beautify: true, indent_level: 2 });
  await build({ ...common, minify: true, entryPoints: library, outdir: "dist/browser", plugins: [resolve("browser")] });
  await compress("dist/browser", {}, true, {});
  await buildClassic(common, workers.worker);
  // entries of their own would cut downhill.js into chunks by what they share with it, and a page's bundle would compress worse:
  // what they are made of is the public API
  const api = { name: "api", setup: ({ onResolve }) => onResolve({ filter: /^\.\/index$/ }, () => API) };
  for (const outdir of ["dist", "dist/bundler", "dist/browser"]) {
    writeFileSync(`${outdir}/worker.js`, `${LICENSE}\nexport { inWorker, transfer } from "./downhill.js";\n`);
    // in Node a module that both have would be one more to load for each
    if (outdir === "dist") writeFileSync(`dist/random.js`, `${LICENSE}\nexport { philox4x32 } from "./downhill.js";\n`);
    await build({ ...common, entryPoints: { landscapes: "ts/landscapes.ts" }, outdir, plugins: [api] });
  }
  run("node_modules/typescript/bin/tsc", "-p", "tsconfig.types.json");
  // Node's own resolution wants whole file names
  for (const file of readdirSync("dist/types", { recursive: true }).filter((name) => name.endsWith(".d.ts"))) {
    const text = readFileSync(`dist/types/${file}`, "utf8");
    const whole = text.replace(/(from |import\()"(\.[^"]*)"/g, '$1"$2.js"');
    // who compiles for an older library than that is still to read these
    const dispose = text.includes("Symbol.dispose") ? '/// <reference lib="esnext.disposable" />\n' : "";
    writeFileSync(`dist/types/${file}`, dispose + whole);
  }
}

if (process.argv[2] !== "dist") {
  console.error("compiling the cores");
  buildCores();
}
if (process.argv[2] !== "core") {
  console.error("bundling");
  await buildBundles();
}
