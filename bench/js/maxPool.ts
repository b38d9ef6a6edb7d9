// Max pooling of NHWC images in plain JavaScript: windows side by side, what is left over at the edges is not read.

export interface MaxPool {
  forward(y: Float32Array, x: Float32Array): void;
  /** dx of the last `forward`: dy where the largest stood, the first of equals. */
  backward(dx: Float32Array, dy: Float32Array): void;
}

export function createMaxPool(batch: number, inH: number, inW: number, channels: number, size: number): MaxPool {
  const outH = Math.floor(inH / size);
  const outW = Math.floor(inW / size);
  const largest = new Int32Array(batch * outH * outW * channels);
  return {
    forward(y, x) {
      let to = 0;
      for (let n = 0; n < batch; n++)
        for (let oy = 0; oy < outH; oy++)
          for (let ox = 0; ox < outW; ox++) {
            const corner = ((n * inH + oy * size) * inW + ox * size) * channels;
            for (let c = 0; c < channels; c++) {
              let best = corner + c;
              let value = x[best]!;
              for (let ky = 0; ky < size; ky++)
                for (let kx = 0; kx < size; kx++) {
                  const at = corner + (ky * inW + kx) * channels + c;
                  if (x[at]! > value) {
                    value = x[at]!;
                    best = at;
                  }
                }
              y[to] = value;
              largest[to++] = best;
            }
          }
    },
    backward(dx, dy) {
      dx.fill(0);
      for (let i = 0; i < largest.length; i++) dx[largest[i]!] = dy[i]!; // windows do not overlap
    },
  };
}
