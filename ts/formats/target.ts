// Where the bytes of a file go.

import { writeFileAtomic } from "#platform";
import { argumentError } from "../errors";

/** Where bytes are put: a path, written atomically; a function, or an object with `save`, which is given them. */
export type SaveTarget = string | ((bytes: Uint8Array) => unknown) | { save(bytes: Uint8Array): unknown };

/** Throws `argument` where it is none; nothing given is one too. */
export function checkTarget(who: string, target: unknown): asserts target is SaveTarget | undefined {
  const object = typeof target === "object" && target !== null && "save" in target && typeof target.save === "function";
  if (target !== undefined && typeof target !== "string" && typeof target !== "function" && !object)
    throw argumentError(who, "target as a path, a function or an object with save(bytes)", target);
}

/** Puts the bytes there, if anywhere, and returns them. */
export async function put(target: SaveTarget | undefined, bytes: Uint8Array): Promise<Uint8Array> {
  if (typeof target === "string") await writeFileAtomic(target, bytes);
  else if (typeof target === "function") await target(bytes);
  else await target?.save(bytes);
  return bytes;
}
