// The machine's limits (limits/limits.micro.ts) as contestants that run in the same rounds as what is held against them.

import type { Host } from "./host";
import { type Contestant, measure } from "./measure";

/** A limit: how much one call does (FLOPs, bytes or elements), so amount over time is the limit's rate. */
export interface Limit extends Contestant {
  amount: number;
}

interface LimitsExports {
  mulAdd8(steps: number, x: number, y: number): number;
  mulAdd10(steps: number, x: number, y: number): number;
  mulAdd12(steps: number, x: number, y: number): number;
  mulAddTile(steps: number, x: number, y: number): number;
  sqrtDiv(steps: number, y: number, epsilon: number): number;
  copy(to: number, from: number, bytes: number): void;
  read(from: number, bytes: number): number;
  probe(c: number, a: number, b: number, k: number): void;
}

const PEAK_STEPS = 10_000;
const ACCUMULATORS = [8, 10, 12] as const;
const BASE = 65536;
const STAGGER = 1088; // not the same offset modulo 2 KiB: that costs some kernels 40 %

export class Machine {
  readonly #memory: WebAssembly.Memory;
  readonly #strict: LimitsExports;
  readonly #fastMath: LimitsExports | undefined;
  /** How many accumulators reached most, and what each reached, in GFLOP/s: filled by `open`. */
  readonly accumulators = { strict: 12, fastMath: 12 };
  readonly peaks: Record<string, number> = {};

  private constructor(memory: WebAssembly.Memory, strict: LimitsExports, fastMath: LimitsExports | undefined) {
    this.#memory = memory;
    this.#strict = strict;
    this.#fastMath = fastMath;
  }

  static async open(host: Host, rounds = 30): Promise<Machine> {
    const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536 });
    const load = async (build: "strict" | "fastMath") =>
      new WebAssembly.Instance(await host.limits(build), { env: { memory } }).exports as unknown as LimitsExports;
    // without relaxed SIMD the second does not compile
    const fastMath = await load("fastMath").catch(() => undefined);
    const machine = new Machine(memory, await load("strict"), fastMath);
    for (const build of machine.builds) {
      const limits = ACCUMULATORS.map((count) => machine.#mulAdd(build, count));
      const timings = measure(limits, rounds, host);
      ACCUMULATORS.forEach((count, i) => {
        machine.peaks[`${build}${count}`] = limits[i]!.amount / timings[i]!.median / 1e6;
      });
      // told, not held against: see limits.micro.ts
      const { mulAddTile } = (build === "fastMath" && fastMath) || machine.#strict;
      const [tile] = measure([{ run: () => void mulAddTile(PEAK_STEPS, 0.999, 0.001) }], rounds, host);
      machine.peaks[`${build}Tile`] = (PEAK_STEPS * 64) / tile!.median / 1e6;
      // by the best of the rounds: a slow minute is not to decide it
      const rates = timings.map(({ best }, i) => limits[i]!.amount / best);
      machine.accumulators[build] = ACCUMULATORS[rates.indexOf(Math.max(...rates))]!;
    }
    return machine;
  }

  /** Builds that run here. */
  get builds(): ("strict" | "fastMath")[] {
    return this.#fastMath ? ["strict", "fastMath"] : ["strict"];
  }

  #mulAdd(build: "strict" | "fastMath", count: (typeof ACCUMULATORS)[number]): Limit {
    const exports = (build === "fastMath" ? this.#fastMath : undefined) ?? this.#strict;
    const mulAdd = exports[`mulAdd${count}`];
    return { run: () => void mulAdd(PEAK_STEPS, 0.999, 0.001), amount: PEAK_STEPS * count * 8 };
  }

  /** Multiply-adds in registers, in FLOPs: fused for fastMath (the strict ones where there are no fused ones). */
  peak(build: "strict" | "fastMath"): Limit {
    return this.#mulAdd(build, this.accumulators[build] as 8 | 10 | 12);
  }

  /** One square root and one division an element, in elements. */
  sqrtDiv(): Limit {
    const steps = 2000;
    const { sqrtDiv } = this.#strict;
    return { run: () => void sqrtDiv(steps, 1, 1e-8), amount: steps * 32 };
  }

  /** Copy speed over a working set of `bytes`, half read and half written: bytes read + bytes written. */
  copy(bytes: number): Limit {
    const half = Math.ceil(bytes / 128) * 64;
    const to = BASE + half + STAGGER;
    this.#reserve(to + half);
    const { copy } = this.#strict;
    return { run: () => copy(to, BASE, half), amount: 2 * half };
  }

  /** Reading `bytes`, in bytes. */
  read(bytes: number): Limit {
    const whole = Math.ceil(bytes / 128) * 128;
    this.#reserve(BASE + whole);
    const { read } = this.#strict;
    return { run: () => void read(BASE, whole), amount: whole };
  }

  /** A GEMM tile from L1, in FLOPs: falls when a neighbour slows the core. */
  probe(): Limit {
    const { probe } = this.#strict;
    const [k, calls] = [128, 64];
    const [c, a, b] = [1024, 2048, 2048 + 4 * k * 4];
    return {
      run() {
        for (let i = 0; i < calls; i++) probe(c, a, b, k);
      },
      amount: calls * k * 64,
    };
  }

  /** Memory of at least `bytes`, written to: what was never written is one page of zeros, and all of it in L1. */
  #reserve(bytes: number): void {
    const had = this.#memory.buffer.byteLength;
    if (bytes > had) this.#memory.grow(Math.ceil((bytes - had) / 65536));
    new Float32Array(this.#memory.buffer, Math.min(had, BASE)).fill(1);
  }
}
