// Linear memory, laid out by us above the core's constants: regions, and one cached view of the whole memory per type.

import { DownhillError } from "../errors";
import { Space } from "./space";

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
  /** Views of the whole memory. Never keep one: growth, which happens in `allocate` alone, replaces them. */
  f32!: Float32Array;
  i32!: Int32Array;
  u32!: Uint32Array;
  u8!: Uint8Array;
  readonly #sizes = new Map<number, number>();
  readonly #space: Space;

  constructor(raw: WebAssembly.Memory, base: number, max: number) {
    this.raw = raw;
    this.max = max;
    this.#space = new Space(roundUp(base));
    this.#renew();
  }

  /** Bytes that the memory has taken from the host. */
  get reserved(): number {
    return this.raw.buffer.byteLength;
  }

  #renew(): void {
    const { buffer } = this.raw;
    this.f32 = new Float32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.u8 = new Uint8Array(buffer);
  }

  /** A region of at least `bytes`, 64-byte aligned, its content undefined. Throws `memory` naming `who` before anything is taken. */
  allocate(bytes: number, who: string): number {
    const size = Math.max(ALIGN, roundUp(bytes));
    const hole = this.#space.find(size);
    const end = hole.at + size;
    const needs = (why: string, cause?: unknown) =>
      new DownhillError("memory", `${who}: needs ${bytes} bytes, ${why}`, { cause });
    if (!(end <= this.max)) throw needs(`but only ${this.max - this.#space.top} of maxMemory (${this.max}) are left`);
    const { reserved } = this;
    if (end > reserved) {
      const grow = (bytes: number) => this.raw.grow(Math.ceil(bytes / PAGE));
      try {
        // in steps of an eighth, so that many small models do not grow page by page
        grow(Math.max(end - reserved, Math.min(reserved >> 3, this.max - reserved)));
      } catch {
        try {
          grow(end - reserved);
        } catch (cause) {
          throw needs("and the platform has no more memory", cause);
        }
      }
      this.#renew();
    }
    this.used += size;
    const at = this.#space.take(size, hole);
    this.#sizes.set(at, size);
    return at;
  }

  /** Bytes of the region at `at`; 0 where none begins. */
  sizeOf(at: number): number {
    return this.#sizes.get(at) ?? 0;
  }

  /** Gives regions back. */
  free(...regions: number[]): void {
    for (const at of regions) {
      const bytes = this.sizeOf(at);
      if (!this.#sizes.delete(at)) continue;
      this.used -= bytes;
      this.#space.give(at, bytes);
    }
  }

  /** Sets `bytes` bytes to zero. */
  clear(at: number, bytes: number): void {
    this.u8.fill(0, at, at + bytes);
  }

  /** Copies so many floats from one address to another. */
  copy(from: number, to: number, floats: number): void {
    this.u8.copyWithin(to, from, from + floats * 4);
  }

  /** A copy of `length` floats. */
  readFloats(at: number, length: number): Float32Array {
    return this.f32.slice(at >>> 2, (at >>> 2) + length);
  }
}

export function roundUp(bytes: number, to = ALIGN): number {
  return Math.ceil(bytes / to) * to;
}
