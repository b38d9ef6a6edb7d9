// The bare core of a build, for kernel tests in Node.

import { readFileSync } from "node:fs";
import { BareCore } from "./bareCore";

export { Buffer, GUARD, GUARD_WORD, Refused } from "./bareCore";

export type Build = "strict" | "fastMath";

/** The module of a build; "debug": strict, and its interpreter checks every instruction. */
export const moduleOf = (build: Build | "debug"): WebAssembly.Module =>
  new WebAssembly.Module(readFileSync(new URL(`../../build/core/${build}.wasm`, import.meta.url)));

/** A single-threaded core. */
export class Core extends BareCore {
  constructor(build: Build | "debug" = "strict") {
    super(moduleOf(build));
  }
}
