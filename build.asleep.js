// Functions of dist/downhill.js that sleep: what few programs call, and large, stands there as deflated text, which an engine takes in at
// the price of a string; the first call compiles it. They are called synchronously, so no import() could bring them. For Node alone: pages
// have bundlers, which leave out what is not named.
//
// A sleeping file's imports of files that are awake stay requires of these, which the library answers with its own modules.

import { deflateRawSync } from "node:zlib";
import { build } from "esbuild";

const root = new URL("./", import.meta.url).pathname;

/** The files, with the names that others import from them. */
const SLEEPING = {
  "ts/formats/onnx/import/importOnnx.ts": ["importOnnx"],
  "ts/formats/onnx/messages.ts": ["writeModel"],
  "ts/formats/tfjs/importTfjs.ts": ["importTfjs"],
  "ts/formats/weights/weights.ts": ["loadWeights", "saveWeights"],
  "ts/adversarial/attack.ts": ["attack"],
  "ts/augment/augmentBatch.ts": ["augmentBatch"],
  "ts/custom/define.ts": ["defineLayer", "defineLoss", "defineMetric"],
  "ts/data/csv.ts": ["csv"],
  "ts/data/csvRows.ts": ["csvRows"],
  "ts/data/idx.ts": ["idx", "idxRows"],
  "ts/data/npy.ts": ["npy", "npyRows", "saveNpy"],
  "ts/data/npz.ts": ["npz", "npzRows", "saveNpz"],
  "ts/data/saveCsv.ts": ["saveCsv"],
  "ts/data/saveIdx.ts": ["saveIdx"],
  "ts/diagnostics/hessian.ts": ["conditionNumber", "hessianSpectrum", "isSaddle"],
  "ts/ensembles/bagging.ts": ["bagging"],
  "ts/training/explain.ts": ["explain"],
  "ts/training/jointly.ts": ["jointly"],
  "ts/training/profileText.ts": ["profileText"],
};

/** What `inflate` of ts/runtime/platform/node.ts reads. */
export const deflated = (data) => deflateRawSync(data, { level: 9 }).toString("base64");

/** Of which a bundle has the numbers it reads, unless somebody asks for the enums themselves: 64 KB. */
const ENUMS = "assembly/isa.ts";

const named = Object.entries(SLEEPING);
/** A file of the sources that a relative import means. */
const fileOf = (path, resolveDir) => new URL(`${path}.ts`, `file://${resolveDir}/`).pathname.slice(root.length);

/** Resolves imports of sleeping files, by whom it is not asleep itself, to one module with that text. */
const stubs = (contents) => ({
  name: "asleep",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\./ }, ({ path, resolveDir }) =>
      fileOf(path, resolveDir) in SLEEPING ? { path: "asleep", namespace: "asleep" } : undefined,
    );
    onLoad({ filter: /^/, namespace: "asleep" }, () => ({ contents, resolveDir: root }));
  },
});

/** The plugin for a build with these options, in which the files sleep. */
export async function asleep(options) {
  const names = named.flatMap(([, exported]) => exported);
  const empty = names.map((name) => `export const ${name} = 0;`).join("\n");
  const given = { ...options, absWorkingDir: root, write: false };
  const { metafile } = await build({ ...given, metafile: true, plugins: [stubs(empty), ...options.plugins] });
  const awake = new Set([...Object.keys(metafile.inputs), "ts/data/packages.ts"]); // which can import()
  const used = new Set();
  const shared = {
    name: "shared",
    setup({ onResolve }) {
      onResolve({ filter: /^\.|^#platform$/ }, ({ path, resolveDir }) => {
        const file = path === "#platform" ? "ts/runtime/platform/node.ts" : fileOf(path, resolveDir);
        if (!awake.has(file) || file in SLEEPING || file === ENUMS) return;
        used.add(file);
        return { path: file, external: true };
      });
    },
  };
  const contents = named.map(([file, exported]) => `export { ${exported} } from "./${file}";`).join("\n");
  const {
    outputFiles: [{ text }],
  } = await build({
    ...given,
    stdin: { contents, resolveDir: root },
    entryPoints: undefined,
    banner: undefined,
    splitting: false,
    format: "cjs",
    minify: true,
    plugins: [shared, ...options.plugins],
  });
  if (/\bimport\(/.test(text)) throw new Error("what sleeps cannot import(): let a file do it that is awake");
  // each module's exports by name: a namespace would bring a helper, which lazy chunks would share, and so a module more
  const entryPoints = [...used];
  const apart = await build({
    entryPoints,
    absWorkingDir: root,
    format: "esm",
    metafile: true,
    write: false,
    outdir: "x",
  });
  const modules = Object.values(apart.metafile.outputs).map(({ exports, entryPoint }, i) => ({
    exports,
    entryPoint,
    i,
  }));
  const imports = modules.map(
    ({ exports, entryPoint, i }) =>
      `import { ${exports.map((name) => `${name} as ${name}_${i}`)} } from "./${entryPoint}";`,
  );
  const table = modules.map(
    ({ exports, entryPoint, i }) => `"${entryPoint}": { ${exports.map((name) => `${name}: ${name}_${i}`)} }`,
  );
  return stubs(`
    import { builtin, inflate } from "./ts/runtime/platform/node";
    ${imports.join("\n")}
    const SOURCE = "${deflated(text)}";
    let awake;
    function wake() {
      if (awake) return awake;
      const module = { exports: {} };
      const modules = { ${table} };
      const source = inflate(SOURCE).toString();
      builtin("node:vm").compileFunction(source, ["module", "require"], { filename: "downhill/asleep.js" })(module, (file) => modules[file]);
      return (awake = module.exports);
    }
    ${names.map((name) => `export function ${name}(...given) { return wake().${name}(...given); }`).join("\n")}
  `);
}
