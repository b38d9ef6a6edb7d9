// Floats of 16 bits, as other tools write them.

/** The float32 of each IEEE 754 binary16, exactly. `bytes`: two of each, the low one first. */
export function floatsOfHalves(bytes: Uint8Array): Float32Array {
  const floats = new Float32Array(bytes.length >>> 1);
  const words = new Uint32Array(floats.buffer);
  for (let i = 0; i < floats.length; i++) {
    const half = bytes[2 * i]! | (bytes[2 * i + 1]! << 8);
    const sign = (half & 0x8000) << 16;
    const exponent = (half >>> 10) & 31;
    const fraction = half & 0x3ff;
    if (exponent === 0) floats[i] = ((sign ? -1 : 1) * fraction) / 2 ** 24;
    else words[i] = sign | ((exponent === 31 ? 255 : exponent + 112) << 23) | (fraction << 13);
  }
  return floats;
}

/** The float32 of each bfloat16: its upper half. `bytes`: two of each, the low one first. */
export function floatsOfBrains(bytes: Uint8Array): Float32Array {
  const floats = new Float32Array(bytes.length >>> 1);
  const words = new Uint32Array(floats.buffer);
  for (let i = 0; i < floats.length; i++) words[i] = (bytes[2 * i]! << 16) | (bytes[2 * i + 1]! << 24);
  return floats;
}
