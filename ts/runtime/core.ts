// Instantiation of the core: the one place that touches @assemblyscript/loader and the compiled bytes.

import strict from "#core/strict.js";

// above: what stands first in a bundle (see index.ts)

import { demangle } from "@assemblyscript/loader";
import { decodeStrict } from "#platform";
import type { Status } from "../../assembly/isa";
import { unpack } from "./unpack";

/** The core's exports. Addresses come and go as unsigned numbers. */
export interface Core {
  readonly heapBase: WebAssembly.Global;
  /** Of kernels, by opcode + 1. */
  readonly table: WebAssembly.Table;
  /** Only where the extension's kernels are in it. */
  readonly extensionCount?: WebAssembly.Global;
  run(from: number, to: number): Status;
  lead(team: number, from: number, to: number, nth: number): Status;
  resume(team: number, nth: number): Status;
  follow(team: number, ith: number, nth: number, start: number): void;
  philox4x32(out: number, c0: number, c1: number, c2: number, c3: number, k0: number, k1: number): void;
}

/** Which of the four builds. */
export interface CoreBuild {
  fastMath: boolean;
  shared: boolean;
}

/** How the embedded core gets the extension's kernels; whoever names one of them says so (extension.ts). */
export const extensions: { extend?: (core: Core, memory: WebAssembly.Memory) => void } = {};

let embedded: WebAssembly.Module | undefined;

/** The strict single-threaded build, which every bundle holds; compiled once. */
export function embeddedModule(): WebAssembly.Module {
  embedded ??= new WebAssembly.Module(decodeStrict(strict));
  return embedded;
}

/** Any of the four builds; the three others are loaded when they are first asked for. */
export async function loadModule({ fastMath, shared }: CoreBuild): Promise<WebAssembly.Module> {
  if (!fastMath && !shared) return embeddedModule();
  const { default: packed } = await (fastMath
    ? shared
      ? import("#core/fastMathShared.js")
      : import("#core/fastMath.js")
    : import("#core/strictShared.js"));
  return WebAssembly.compile(unpack(packed));
}

/**
 * An instance over `memory`. Of the loader, `demangle` alone: the rest is for strings and objects, which the core has none
 * of.
 */
export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Core {
  return demangle(new WebAssembly.Instance(module, { env: { memory } }).exports) as unknown as Core;
}
