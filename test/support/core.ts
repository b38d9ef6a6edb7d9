// The bare core of a build, for kernel tests in Node.

import { readFileSync } from "node:fs";
import { BareCore } from "./bareCore";

export { Buffer, GUARD, GUARD_WORD } from "./bareCore";

export type Build = "strict" | "fastMath";

/** A single-threaded core. */
export class Core extends BareCore {
  constructor(build: Build = "strict") {
    super(new WebAssembly.Module(readFileSync(new URL(`../../build/core/${build}.wasm`, import.meta.url))));
  }
}
