import { DownhillError } from "../../errors";

/** The bytes behind a URL. */
export async function fetchBytes(url: string | URL): Promise<Uint8Array> {
  let why: string;
  let cause: unknown;
  try {
    const response = await fetch(url);
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
    why = `HTTP status ${response.status}`;
  } catch (error) {
    why = (error as Error).message;
    cause = error;
  }
  throw new DownhillError("data", `cannot read the URL ${JSON.stringify(url)}: ${why}`, { cause });
}
