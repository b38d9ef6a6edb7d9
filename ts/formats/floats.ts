// Floats as the bytes that are hashed.

/** Makes every NaN 0x7fc00000, in place: engines differ in the bits that arithmetic leaves in one. */
export function unifyNaNs(data: Float32Array): void {
  const words = new Uint32Array(data.buffer, data.byteOffset, data.length);
  for (let i = 0; i < words.length; i++) if ((words[i]! & 0x7fffffff) > 0x7f800000) words[i] = 0x7fc00000;
}
