// A bare core for kernel tests and benchmarks: no graph, no planner, no host. Buffers are guarded, instructions are
// written by hand. Runs in Node and in a page.

import { type Fault, Header, Mode, State, type Status } from "../../assembly/isa";

/** Words on either side of a buffer. */
export const GUARD = 16;
export const GUARD_WORD = 0x7fbadbad; // a NaN: whoever reads past an end shows it

/** A buffer in the core's memory, as f32, u32, i32 and bytes. */
export class Buffer {
  constructor(
    readonly core: BareCore,
    readonly address: number,
    readonly length: number,
  ) {}
  get f32() {
    return new Float32Array(this.core.memory.buffer, this.address, this.length);
  }
  get f64() {
    return new Float64Array(this.core.memory.buffer, this.address, this.length >> 1);
  }
  get u32() {
    return new Uint32Array(this.core.memory.buffer, this.address, this.length);
  }
  get i32() {
    return new Int32Array(this.core.memory.buffer, this.address, this.length);
  }
  get u8() {
    return new Uint8Array(this.core.memory.buffer, this.address, this.length * 4);
  }
}

export interface CoreExports {
  heapBase: { value: number };
  run(from: number, to: number): Status;
  runShare(at: number, ith: number, nth: number): void;
  lead(team: number, from: number, to: number, nth: number): Status;
  resume(team: number, nth: number): Status;
  follow(team: number, ith: number, nth: number, start: number): void;
  [name: string]: unknown;
}

/** What the debug build imports beside its memory: it throws where its interpreter will not go on. */
export const CHECK = {
  refused(at: number, fault: Fault): never {
    throw new Refused(at, fault);
  },
};

/** The instruction at `at` is not what it must be. */
export class Refused extends Error {
  constructor(
    readonly at: number,
    readonly fault: Fault,
  ) {
    super(`fault ${fault} in the instruction at ${at}`);
  }
}

/** An instruction by hand. Operands: outputs and inputs (null: absent), sizes, reals. */
export interface Instruction {
  op: number;
  pointers: (Buffer | null)[];
  sizes?: number[];
  reals?: number[];
}

/** Instructions that follow one another, for `run` and `lead`. */
export interface Tape {
  from: number;
  to: number;
}

/** A core and a bump allocator. `shared`: the module is one of the shared builds. */
export class BareCore {
  readonly memory: WebAssembly.Memory;
  readonly exports: CoreExports;
  readonly state: Buffer;
  #top: number;
  #buffers: Buffer[] = [];

  constructor(module: WebAssembly.Module, shared = false) {
    this.memory = new WebAssembly.Memory({ initial: 16, maximum: 65536, shared });
    this.exports = new WebAssembly.Instance(module, { env: { memory: this.memory }, check: CHECK })
      .exports as unknown as CoreExports;
    this.#top = (this.exports.heapBase.value + 63) & ~63;
    this.state = this.buffer(State.words);
  }

  /** Forgets all buffers but the state block, which it clears. */
  clear(): void {
    this.#buffers.length = 1;
    this.#top = (this.state.address + (State.words + GUARD) * 4 + 63) & ~63;
    this.state.u32.fill(0);
  }

  /** A buffer of `length` words, 64-byte aligned (plus `offset` words), with guard words round it; filled with NaN until written. */
  buffer(length: number, offset = 0): Buffer {
    const address = this.#top + (GUARD + offset) * 4;
    this.#top = (address + (length + GUARD) * 4 + 63) & ~63;
    const missing = this.#top - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / 65536));
    const buffer = new Buffer(this, address, length);
    new Uint32Array(this.memory.buffer, address - GUARD * 4, length + 2 * GUARD).fill(GUARD_WORD);
    if (this.#buffers.length === 0) buffer.u32.fill(0); // the state block
    this.#buffers.push(buffer);
    return buffer;
  }

  /** A buffer that holds `values`. */
  floats(values: ArrayLike<number>, offset = 0): Buffer {
    const buffer = this.buffer(values.length, offset);
    buffer.f32.set(values);
    return buffer;
  }

  ints(values: ArrayLike<number>): Buffer {
    const buffer = this.buffer(values.length);
    buffer.i32.set(values);
    return buffer;
  }

  /** Writes an instruction and returns its address. Operands: outputs and inputs (null: absent), sizes, reals. */
  instruction(op: number, pointers: (Buffer | null)[], sizes: number[] = [], reals: number[] = []): number {
    return this.tape([{ op, pointers, sizes, reals }], Mode.solo).from;
  }

  /** Writes instructions one after another; with Mode.team every rank does its share of each. */
  tape(instructions: Instruction[], mode: Mode = Mode.team): Tape {
    const words = instructions.flatMap(({ op, pointers, sizes = [], reals = [] }) => [
      op,
      Header.args + pointers.length + sizes.length + reals.length,
      mode,
      this.state.address,
      ...pointers.map((p) => p?.address ?? 0),
      ...sizes,
      ...new Uint32Array(Float32Array.from(reals).buffer),
    ]);
    const tape = this.buffer(words.length);
    tape.u32.set(words);
    return { from: tape.address, to: tape.address + words.length * 4 };
  }

  /** Runs an instruction as `nth` ranks would, one after another, last rank first. */
  runShares(at: number, nth = 1): void {
    for (let ith = nth - 1; ith >= 0; ith--) this.exports.runShare(at, ith, nth);
  }

  /** Throws where something was written outside a buffer. */
  checkGuards(): void {
    for (const [index, b] of this.#buffers.entries()) {
      const words = new Uint32Array(this.memory.buffer, b.address - GUARD * 4, b.length + 2 * GUARD);
      for (let i = 0; i < GUARD; i++) {
        if (words[i] !== GUARD_WORD) throw new Error(`buffer ${index}: written ${GUARD - i} words before its start`);
        if (words[GUARD + b.length + i] !== GUARD_WORD)
          throw new Error(`buffer ${index}: written ${i} words after its end`);
      }
    }
  }
}
