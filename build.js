// npm run build: the four cores (build/core), then the bundles and declarations (dist).
//
//   node build.js          everything
//   node build.js core     the cores only

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

const TARGETS = ["strict", "fastMath", "strictShared", "fastMathShared"];

/** Opcodes in assembly/isa.ts, Op.count left out. */
function opcodeCount() {
  const isa = readFileSync("assembly/isa.ts", "utf8");
  const body = isa.slice(isa.indexOf("export const enum Op {"));
  return [...body.slice(0, body.indexOf("}")).matchAll(/^ {2}(\w+),/gm)].length - 1;
}

/** Compiles one target and writes it as a module whose default export is its base64. */
function buildCore(target) {
  execFileSync("node", ["node_modules/assemblyscript/bin/asc.js", "--target", target], { stdio: "inherit" });
  const bytes = readFileSync(`build/core/${target}.wasm`);
  writeFileSync(`build/core/${target}.js`, `export default "${bytes.toString("base64")}";\n`);
  return bytes;
}

mkdirSync("build/core", { recursive: true });
writeFileSync("build/core/core.d.ts", "declare const base64: string;\nexport default base64;\n");
for (const target of TARGETS) {
  const bytes = buildCore(target);
  if (target !== "strict") continue;
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  if (exports.kernelCount.value !== opcodeCount())
    throw new Error(`assembly/table.ts has ${exports.kernelCount.value} kernels, Op has ${opcodeCount()}`);
}
