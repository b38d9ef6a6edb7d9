// Linear memory, laid out by us above the core's constants: regions with first fit, freed ones joined, and one cached
// view of the whole memory per type.

import { DownhillError } from "../errors";

const PAGE = 65536;
const ALIGN = 64;

/** Bytes that no 32-bit memory can go beyond. */
export const ADDRESS_SPACE = 65536 * PAGE;

/** A memory and its regions. Addresses are byte offsets. */
export class Memory {
  readonly raw: WebAssembly.Memory;
  readonly max: number;
  /** Bytes in regions that are in use. */
  used = 0;
  readonly #sizes = new Map<number, number>();
  #free: { at: number; bytes: number }[] = []; // by address; none touch
  #top: number;
  #f32!: Float32Array;
  #i32!: Int32Array;
  #u32!: Uint32Array;
  #u8!: Uint8Array;

  constructor(raw: WebAssembly.Memory, base: number, max: number) {
    this.raw = raw;
    this.max = max;
    this.#top = roundUp(base);
    this.#renew();
  }

  /** Views of the whole memory. Never keep one: growth, which happens here alone, replaces them. */
  get f32(): Float32Array {
    return this.#f32;
  }
  get i32(): Int32Array {
    return this.#i32;
  }
  get u32(): Uint32Array {
    return this.#u32;
  }
  get u8(): Uint8Array {
    return this.#u8;
  }

  /** Bytes that the memory has taken from the host. */
  get reserved(): number {
    return this.raw.buffer.byteLength;
  }

  #renew(): void {
    const { buffer } = this.raw;
    this.#f32 = new Float32Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#u8 = new Uint8Array(buffer);
  }

  /** A region of at least `bytes`, 64-byte aligned, its content undefined. Throws `memory` naming `who` before anything is taken. */
  allocate(bytes: number, who: string): number {
    const size = Math.max(ALIGN, roundUp(bytes));
    const hole = this.#free.findIndex((h) => h.bytes >= size);
    let at: number;
    if (hole >= 0) {
      const h = this.#free[hole]!;
      at = h.at;
      if (h.bytes === size) this.#free.splice(hole, 1);
      else this.#free[hole] = { at: h.at + size, bytes: h.bytes - size };
    } else {
      at = this.#top;
      this.#grow(at + size, bytes, who);
      this.#top = at + size;
    }
    this.#sizes.set(at, size);
    this.used += size;
    return at;
  }

  #grow(end: number, bytes: number, who: string): void {
    if (!(end <= this.max))
      throw new DownhillError(
        "memory",
        `${who}: needs ${bytes} bytes, but only ${Math.max(0, this.max - this.#top)} of maxMemory (${this.max}) are left`,
      );
    const missing = end - this.reserved;
    if (missing <= 0) return;
    // in steps of an eighth, so that many small models do not grow page by page
    const wanted = Math.min(Math.max(missing, this.reserved >> 3), Math.max(missing, this.max - this.reserved));
    try {
      this.raw.grow(Math.ceil(wanted / PAGE));
    } catch {
      try {
        this.raw.grow(Math.ceil(missing / PAGE));
      } catch (cause) {
        throw new DownhillError("memory", `${who}: needs ${bytes} bytes, and the platform has no more memory`, {
          cause,
        });
      }
    }
    this.#renew();
  }

  /** Bytes of the region at `at`; 0 where none begins. */
  sizeOf(at: number): number {
    return this.#sizes.get(at) ?? 0;
  }

  /** Gives a region back. */
  free(at: number): void {
    const bytes = this.#sizes.get(at);
    if (bytes === undefined) return;
    this.#sizes.delete(at);
    this.used -= bytes;
    let i = this.#free.findIndex((h) => h.at > at);
    if (i < 0) i = this.#free.length;
    this.#free.splice(i, 0, { at, bytes });
    const next = this.#free[i + 1];
    if (next && at + bytes === next.at) {
      this.#free[i]!.bytes += next.bytes;
      this.#free.splice(i + 1, 1);
    }
    const before = this.#free[i - 1];
    if (before && before.at + before.bytes === at) {
      before.bytes += this.#free[i]!.bytes;
      this.#free.splice(i, 1);
    }
    const last = this.#free.at(-1);
    if (last && last.at + last.bytes === this.#top) {
      this.#top = last.at;
      this.#free.pop();
    }
  }

  /** Sets `bytes` bytes to zero. */
  clear(at: number, bytes: number): void {
    this.u8.fill(0, at, at + bytes);
  }

  /** A copy of `length` floats. */
  readFloats(at: number, length: number): Float32Array {
    return this.f32.slice(at >>> 2, (at >>> 2) + length);
  }
}

export function roundUp(bytes: number, to = ALIGN): number {
  return Math.ceil(bytes / to) * to;
}
