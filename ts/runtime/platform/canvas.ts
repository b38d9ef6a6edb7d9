// Images in a page or a web worker. A module of its own, which imports nothing: it is loaded with the first image.

import type { ImageRequest } from "./files";

/** See `decodeImage`. */
export async function decode({ source, width, height, channels }: ImageRequest): Promise<Uint8Array> {
  const bitmap = await createImageBitmap(source as Blob);
  try {
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
    if (channels === 3) {
      context.fillStyle = "#000";
      context.fillRect(0, 0, width, height);
    }
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, width, height);
    const { data } = context.getImageData(0, 0, width, height);
    if (channels === 4) return new Uint8Array(data.buffer);
    const pixels = new Uint8Array(3 * width * height);
    for (let from = 0, to = 0; from < data.length; from += 4) {
      pixels[to++] = data[from]!;
      pixels[to++] = data[from + 1]!;
      pixels[to++] = data[from + 2]!;
    }
    return pixels;
  } finally {
    bitmap.close();
  }
}
