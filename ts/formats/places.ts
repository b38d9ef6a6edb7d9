// Where the bytes of files come from and go to: what saveModel, loadModel and the like take.

import { readFile, writeFileAtomic } from "#platform";
import { argumentError } from "../errors";

/** Where `saveModel` puts the bytes: a path, a function, or an object with `save`. */
export type SaveTarget = string | ((bytes: Uint8Array) => unknown) | { save(bytes: Uint8Array): unknown };

/** Where `loadModel` finds them: a path (in a page an address), a URL, bytes, a File or Blob, or an object with `load`. */
export type LoadSource =
  | string
  | URL
  | Uint8Array
  | ArrayBuffer
  | { arrayBuffer(): Promise<ArrayBuffer> }
  | { load(): Uint8Array | Promise<Uint8Array> };

/** Throws `argument` for what is no target. */
export function checkTarget(who: string, target: SaveTarget | undefined): void {
  const object = typeof target === "object" && target !== null && typeof target.save === "function";
  if (target !== undefined && typeof target !== "string" && typeof target !== "function" && !object)
    throw argumentError(who, "target as a path, a function or an object with save(bytes)", target);
}

/** Puts the bytes where they are to go, a path atomically. */
export async function writeTarget(target: SaveTarget | undefined, bytes: Uint8Array): Promise<void> {
  if (typeof target === "string") await writeFileAtomic(target, bytes);
  else if (typeof target === "function") await target(bytes);
  else await target?.save(bytes);
}

/** The bytes of a source; throws under the name of `who`. */
export async function readSource(who: string, source: unknown): Promise<Uint8Array> {
  if (typeof source === "string" || source instanceof URL) return readFile(source);
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (typeof source === "object" && source !== null) {
    if ("arrayBuffer" in source && typeof source.arrayBuffer === "function")
      return new Uint8Array(await source.arrayBuffer());
    if ("load" in source && typeof source.load === "function") {
      const bytes: unknown = await source.load();
      if (bytes instanceof Uint8Array) return bytes;
      throw argumentError(who, "load() to give a Uint8Array", bytes);
    }
  }
  throw argumentError(who, "a path, a URL, bytes, a Blob or an object with load()", source);
}
