// The core's extension for one bundle: of its kernels only those whose opcodes the bundle names, `extended(107)`; in the places
// of the others stands one that traps.

import { readFileSync } from "node:fs";
import binaryen from "binaryen";
import { addSmallFunctions } from "../asconfig.transform.js";
import { pack } from "../pack.js";

const { i32, none } = binaryen;

/** What `code`, names not yet minified, is to have in the place of build/core/extension.js's text. */
export function extensionOf(code) {
  const named = new Set([...code.matchAll(/\bextended\d*\((\d+)\)/g)].map(([, opcode]) => Number(opcode)));
  const module = binaryen.readBinary(readFileSync(new URL("../build/core/extension.wasm", import.meta.url)));
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
