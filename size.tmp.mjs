import { gzipSync } from "node:zlib"; import { build } from "esbuild"; import { minify } from "terser";
const root = (path) => process.cwd()+"/"+path;
const sources = { name: "sources", setup({ onResolve, onLoad }) {
    onResolve({ filter: /^downhill$/ }, () => ({ path: root("ts/index.ts") }));
    onResolve({ filter: /^#core\// }, ({ path }) => ({ path: root(`build/core/${path.slice(6).replace("strict.js", "core.js")}`) }));
    onResolve({ filter: /^#platform$/ }, () => ({ path: root("ts/runtime/platform/browser.ts") }));
} };
const { outputFiles, metafile } = await build({ entryPoints: [root("bench/size.entry.js")], bundle: true, splitting: true, minify: false, format: "esm", platform: "browser", target: "es2022", legalComments: "none", outdir: root("build/size"), write: false, metafile: true, plugins: [sources], logLevel: "error" });
const outputs = Object.entries(metafile.outputs); const chosen = new Set();
const visit = (p) => { if (chosen.has(p)) return; chosen.add(p); for (const { path: n, kind } of metafile.outputs[p].imports) if (kind === "import-statement") visit(n); };
visit(outputs.find(([, o]) => o.entryPoint?.endsWith("size.entry.js"))[0]);
let t = [...chosen].map((p) => outputFiles.find((f) => f.path.endsWith(p)).text).join("\n");
const { code } = await minify(t, { module: true, ecma: 2022, compress: { passes: 3, pure_funcs: ["TextDecoder"] }, mangle: true });
const core = /"[#-[\]-~]{10000,}"/.exec(code)[0];
console.log(process.argv[2] ?? "", code.length - core.length, gzipSync(code.replace(core, '""'), { level: 9 }).length);
