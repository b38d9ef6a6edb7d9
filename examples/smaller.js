// Makes the scripts of a bundle as small as they get: terser; packed texts side by side, where gzip sees what they are of; and of the core's extension
// only the kernels that the bundle names, in a script of its own, extension.js. Who needs it calls `await globalThis.loadExtension?.()` before.

import { readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import binaryen from "binaryen";
import { minify } from "terser";
import { addSmallFunctions } from "../asconfig.transform.js";
import { pack } from "../pack.js";

const { i32, none } = binaryen;
const core = new URL("../build/core/", import.meta.url);

/** The extension, packed, with only the kernels whose opcodes `code` names, `extended(107)`; in the places of the others stands one that traps. */
function extensionOf(code) {
  const named = new Set([...code.matchAll(/\bextended\d*\((\d+)\b/g)].map(([, opcode]) => Number(opcode)));
  if (!named.size) throw new Error("smaller: the bundle names no kernel of the extension");
  const module = binaryen.readBinary(readFileSync(new URL("extension.wasm", core)));
  module.setFeatures(binaryen.Features.All);
  const { name, table, offset, data } = binaryen.getElementSegmentInfo(module.getElementSegmentByIndex(0));
  const first = binaryen.getExpressionInfo(offset).value; // behind the core's kernels, and the entry 0
  module.addFunction("trap", binaryen.createType([i32, i32, i32]), none, [], module.unreachable());
  const kernels = data.map((kernel, i) => (named.has(first - 1 + i) ? kernel : "trap"));
  module.addActiveElementSegment(table, "kernels", kernels, module.i32.const(first));
  module.removeElementSegment(name);
  module.runPasses(["remove-unused-module-elements"]);
  addSmallFunctions(module, binaryen);
  return pack(module.emitBinary(), 2);
}

/** Rewrites the scripts of one bundle, whose names are not minified yet. */
export async function makeSmaller(paths) {
  const codes = paths.map((path) => readFileSync(path, "utf8"));
  const extension = readFileSync(new URL("extension.js", core), "utf8").match(/".*"/)[0];
  const own = `(await import("./extension.js")).default`;
  for (const [i, code] of codes.entries()) {
    const texts = [];
    const rest = code.replace(/(\w+) = ("[(-[\]-~]{5000,}")/g, (_, name, text) => {
      if (text !== extension) return `${name} = PACKED${texts.push(text)}`;
      writeFileSync(`${dirname(paths[i])}/extension.js`, `export default"${extensionOf(codes.join("\n"))}";\n`);
      return `${name} = void 0; globalThis.loadExtension = async () => { ${name} ??= ${own}; }`;
    });
    const { code: script } = await minify(rest, { module: true, ecma: 2022, compress: { passes: 2 } });
    writeFileSync(paths[i], texts.map((text, k) => `const PACKED${k + 1}=${text};`).join("") + script);
  }
}
