// exp, log, pow and cos of the host's scalars, with the same bits in every engine (assembly/math/scalars.ts): a module of its
// own, so that who names none of them does not download it.

import packed from "#core/scalars.js";
import { unpack } from "./unpack";

interface Scalars {
  exp64(x: number): number;
  log64(x: number): number;
  pow64(x: number, y: number): number;
  cos64(x: number): number;
}

let found: Scalars | undefined;

/** The functions; compiled when they are first asked for. */
export function scalars(): Scalars {
  found ??= new WebAssembly.Instance(new WebAssembly.Module(unpack(packed))).exports as unknown as Scalars;
  return found;
}
