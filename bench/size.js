// What a page downloads that trains an MLP: the bundle of bench/size.entry.js, which imports the built package as a page would,
// minified and gzipped, the core included.
//
//   node build.js && node bench/size.js          prints it and exits with 1 where it is over the bound
//
// Counted is what the page loads at once: the entry and the chunks that it imports statically. The extension and the other cores are
// chunks of their own that a page without threads and fastMath never asks for. The core's share is what the bundle's
// gzip shrinks by when the embedded core is left out. Bytes of each kernel family are those of its functions' code
// in the strict core (from a build with names; before compression).

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const BOUNDS = { bundle: 42_000, core: 24_000 };

const root = (path) => new URL(`../${path}`, import.meta.url).pathname;
const gzip = (text) => gzipSync(text, { level: 9 }).length;

/** In the place of dist/, the sources: they name the cores as #core/… and the platform as #platform. */
const sources = {
  name: "sources",
  setup({ onResolve }) {
    onResolve({ filter: /^downhill$/ }, () => ({ path: root("ts/index.ts") }));
    onResolve({ filter: /^#core\// }, ({ path }) => ({
      path: root(`build/core/${path.slice(6).replace("strict.js", "core.js")}`),
    }));
    onResolve({ filter: /^#platform$/ }, () => ({ path: root("ts/runtime/platform/browser.ts") }));
  },
};

/** The chunks that a page loads at once, joined, and what esbuild says of the bytes in them. */
async function bundle(entry, options) {
  const { outputFiles, metafile } = await build({
    entryPoints: [root(entry)],
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    legalComments: "none",
    outdir: root("build/size"),
    write: false,
    metafile: true,
    logLevel: "error",
    ...options,
  });
  const outputs = Object.entries(metafile.outputs);
  const chosen = new Set();
  const visit = (path) => {
    if (chosen.has(path)) return;
    chosen.add(path);
    for (const { path: next, kind } of metafile.outputs[path].imports) if (kind === "import-statement") visit(next);
  };
  visit(outputs.find(([, output]) => output.entryPoint?.endsWith(entry))[0]); // chunks that are imported dynamically are entries too
  const texts = [...chosen].map((path) => outputFiles.find((file) => file.path.endsWith(path)).text);
  const inputs = {};
  for (const path of chosen)
    for (const [file, { bytesInOutput }] of Object.entries(metafile.outputs[path].inputs))
      inputs[file] = (inputs[file] ?? 0) + bytesInOutput;
  return { text: texts.join("\n"), inputs, later: outputs.length - chosen.size };
}

/** Code bytes of each function of a wasm module that carries names: [name, bytes]. */
function functionSizes(bytes) {
  let at = 8;
  const u32 = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  const text = () => {
    const length = u32();
    at += length;
    return new TextDecoder().decode(bytes.subarray(at - length, at));
  };
  let imported = 0;
  const sizes = [];
  const names = new Map();
  while (at < bytes.length) {
    const section = bytes[at++];
    const length = u32();
    const end = at + length;
    if (section === 2) {
      for (let i = u32(); i > 0; i--) {
        text();
        text();
        const kind = bytes[at++];
        if (kind === 0) {
          u32();
          imported++;
        } else if (kind === 2) {
          const limits = bytes[at++];
          u32();
          if (limits & 1) u32();
        } else throw new Error(`size: an import of kind ${kind}`);
      }
    } else if (section === 10) {
      for (let i = u32(); i > 0; i--) {
        const size = u32();
        sizes.push(size);
        at += size;
      }
    } else if (section === 0 && text() === "name") {
      while (at < end) {
        const kind = bytes[at++];
        const next = u32() + at;
        if (kind === 1)
          for (let i = u32(); i > 0; i--) {
            const index = u32();
            names.set(index, text());
          }
        at = next;
      }
    }
    at = end;
  }
  return sizes.map((size, i) => [names.get(imported + i) ?? "?", size]);
}

function kernelFamilies() {
  mkdirSync(root("build/bench"), { recursive: true });
  const out = root("build/bench/strict.named.wasm");
  const asc = root("node_modules/assemblyscript/bin/asc.js");
  execFileSync(process.execPath, [asc, "assembly/core.ts", "--target", "core", "--debug", "-o", out], {
    stdio: "inherit",
    cwd: root(""),
  });
  const families = new Map();
  for (const [name, size] of functionSizes(readFileSync(out))) {
    const family = /^(?:export:)?assembly\/(.+?)\/[^/]+$/.exec(name)?.[1].replace(".micro", "") ?? name.split("/")[0];
    families.set(family, (families.get(family) ?? 0) + size);
  }
  return [...families].sort((a, b) => b[1] - a[1]);
}

const { text, later } = await bundle("bench/size.entry.js", { tsconfigRaw: "{}" }); // a page has not our paths
const { inputs } = await bundle("bench/size.entry.js", { plugins: [sources] });
const core = /"[#-[\]-~]{10000,}"/.exec(text)?.[0];
if (!core) throw new Error("size: no embedded core in the bundle");
const total = gzip(text);
const withoutCore = gzip(text.replace(core, '""'));
const wasm = readFileSync(root("build/core/core.wasm"));

const line = (what, bytes, note = "") => console.log(`${what.padEnd(44)} ${String(bytes).padStart(7)} ${note}`);
line("bundle of a trained MLP, min + gzip", total, `(bound ${BOUNDS.bundle})`);
line("  of it the core", total - withoutCore, `(bound ${BOUNDS.core})`);
line("  of it JavaScript", withoutCore);
line("bundle, minified", text.length, `(${later} more chunks that are loaded on demand)`);
line("core: wasm", wasm.length, `gzip ${gzip(wasm)}, packed ${core.length - 2} characters`);
console.log("\nJavaScript, minified, by file of the sources (the twelve largest)");
for (const [file, bytes] of Object.entries(inputs)
  .filter(([file]) => !file.includes("build/core"))
  .sort((a, b) => b[1] - a[1])
  .slice(0, 12))
  line(`  ${file}`, bytes);
console.log("\ncore, code by family");
for (const [family, bytes] of kernelFamilies()) line(`  ${family}`, bytes);

if (total >= BOUNDS.bundle || total - withoutCore > BOUNDS.core) {
  console.error("size: over the bound");
  process.exitCode = 1;
}
