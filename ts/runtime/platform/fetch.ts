import { DownhillError } from "../../errors";
import type { ByteSource } from "./files";

/** The answer of a URL, as `read` reads it. */
async function fetched<T>(url: string | URL, read: (response: Response) => Promise<T>): Promise<T> {
  let why: string;
  let cause: unknown;
  try {
    const response = await fetch(url);
    if (response.ok) return await read(response);
    why = `HTTP status ${response.status}`;
  } catch (error) {
    why = (error as Error).message;
    cause = error;
  }
  throw new DownhillError("data", `cannot read the URL ${JSON.stringify(url)}: ${why}`, { cause });
}

/** The bytes behind a URL. */
export const fetchBytes = (url: string | URL): Promise<Uint8Array> =>
  fetched(url, async (response) => new Uint8Array(await response.arrayBuffer()));

/** The same as a Blob, which browsers keep out of memory where it is large. */
export const fetchBlob = (url: string | URL): Promise<Blob> => fetched(url, (response) => response.blob());

/** A Blob's bytes, in parts. */
export const blobSource = (name: string, blob: Blob): ByteSource => ({
  name,
  size: blob.size,
  read: async (at, length) => new Uint8Array(await blob.slice(at, at + length).arrayBuffer()),
  close() {},
});
