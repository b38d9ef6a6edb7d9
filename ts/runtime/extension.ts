// The extension: kernels that a page downloads only where its code names an op that lowers to one of them. In Node, and
// in the cores that a page loads later, they are in the core itself.

import packed from "#core/extension.js";
import type { ExtensionOp, Op } from "../../assembly/isa";
import { type Core, extensions } from "./core";
import { unpack } from "./unpack";

/** Entries of the function table that the extension may fill. */
const ENTRIES = 256;

let module: WebAssembly.Module | undefined;

/** Puts the extension's kernels into the core's function table; their data lie behind the core's own. */
function extend({ table }: Core, memory: WebAssembly.Memory): void {
  module ??= new WebAssembly.Module(unpack(packed));
  table.grow(ENTRIES);
  new WebAssembly.Instance(module, { env: { memory, table } });
}

/** An opcode of the extension as an instruction's: who writes it down has a core that knows it. */
export function extended(opcode: ExtensionOp): Op {
  extensions.extend = extend;
  return opcode as number as Op;
}
