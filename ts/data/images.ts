// Images that are decoded as batches want them. A module of its own, which imports nothing: it is loaded with the first batch,
// and who has no images does without it.

import type { ImageRequest } from "../runtime/platform/files";

/** Images that are decoded at a time. */
const IN_FLIGHT = 8;

/** What the batches are made of. */
export interface ImageSet {
  files: readonly { path: string; source: string | Blob; label: number }[];
  height: number;
  width: number;
  channels: 1 | 3 | 4;
  decode(request: ImageRequest): Promise<Uint8Array>;
  /** What is thrown where a file cannot be decoded. */
  failure(path: string, cause: unknown): unknown;
}

/** Batches of the images that each part names; the next one is decoded while one is used. */
export async function* imageBatches(set: ImageSet, parts: Iterable<Uint32Array>) {
  let free = IN_FLIGHT;
  const waiting: (() => void)[] = [];
  let stopped = false;
  const load = async (indices: Uint32Array) => {
    const { files, height, width, channels } = set;
    const size = height * width * channels;
    const data = new Uint8Array(indices.length * size);
    const put = async (index: number, i: number) => {
      if (free > 0) free--;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        if (!stopped) data.set(await pixelsOf(set, index), i * size);
      } catch (error) {
        stopped = true; // the others in this batch are of no use
        throw error;
      } finally {
        const next = waiting.shift();
        if (next) next();
        else free++;
      }
    };
    await Promise.all(Array.from(indices, put));
    return {
      x: { data, shape: [indices.length, height, width, channels] },
      y: { data: Int32Array.from(indices, (index) => files[index]!.label), shape: [indices.length] },
    };
  };
  let ahead: ReturnType<typeof load> | undefined;
  try {
    for (const part of parts) {
      const loading = load(part);
      loading.catch(() => {}); // whoever awaits it is told
      if (ahead) yield await ahead;
      ahead = loading;
    }
    if (ahead) yield await ahead;
  } finally {
    stopped = true;
  }
}

async function pixelsOf(set: ImageSet, index: number): Promise<Uint8Array> {
  const { height, width, channels, decode, failure } = set;
  const { path, source } = set.files[index]!;
  try {
    const pixels = await decode({ source, height, width, channels: channels === 4 ? 4 : 3 });
    return channels === 1 ? toGray(pixels) : pixels;
  } catch (cause) {
    throw failure(path, cause);
  }
}

/** Luma of ITU-R BT.601, rounded. */
function toGray(rgb: Uint8Array): Uint8Array {
  const gray = new Uint8Array(rgb.length / 3);
  for (let i = 0; i < gray.length; i++)
    gray[i] = Math.floor((299 * rgb[3 * i]! + 587 * rgb[3 * i + 1]! + 114 * rgb[3 * i + 2]! + 500) / 1000);
  return gray;
}
