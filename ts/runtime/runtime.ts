// A runtime: one core over one memory, perhaps with a thread team.

import { type Core, embeddedModule, extensions, instantiate, loadModule } from "./core";

// above: what stands first in a bundle (see index.ts)

import { cores, mayBlock } from "#platform";
import { Status } from "../../assembly/isa";
import { argumentError, DownhillError } from "../errors";
import { boolean, count, either, natural, oneOf, optional, or, readOptions, text } from "../options";
import { ADDRESS_SPACE, Memory } from "./memory";
import { Team } from "./team";

/** What the platform offers. */
export interface Features {
  /** 128-bit vectors, which everything needs. */
  simd: boolean;
  /** What `fastMath` needs. */
  relaxedSimd: boolean;
  /** Shared memory between workers; in a page only where it is cross-origin isolated. */
  threads: boolean;
  /** Whether the page is so; in Node true. */
  crossOriginIsolated: boolean;
}

/** Options of `init`. */
export interface InitOptions {
  /** Threads of the team, the calling one included; `"auto"` takes the machine's cores. Default 1. */
  threads?: number | "auto";
  /** Fused multiply-add (relaxed SIMD): faster; bits may differ between CPUs. Default false. */
  fastMath?: boolean;
  /** Bytes that the linear memory may grow to. Default 1 GiB. */
  maxMemory?: number;
  /** As `setSeed`. */
  seed?: number;
  /**
   * For a page whose Content-Security-Policy forbids `blob:` workers: where the package's `worker.classic.js` is served, on
   * the page's own origin. `inWorker` and `bagging` of models on this runtime use it too.
   */
  workerUrl?: string;
}

const DEFAULT_MAX_MEMORY = 2 ** 30;
const PAGE = 65536;
const INITIAL_PAGES = 16;

/** A part of a tape. */
export interface Range {
  from: number;
  to: number;
  /** Whether any instruction in it wants the team. */
  team: boolean;
  /** Estimated time on one thread, in nanoseconds. */
  work: number;
}

/** What owns regions of a runtime's memory and goes when it goes. */
export interface Disposable {
  dispose(): void;
}

/** One core over one memory. Made by `init`, or with defaults by the first model. */
export class Runtime {
  /** What the platform offers; `init` has looked. */
  readonly features!: Features;
  /** @internal As `init` was given it. */
  readonly workerUrl?: string;
  /** @internal */ readonly residents = new Set<Disposable>();
  #disposed = false;
  #extended: boolean;

  /** @internal */
  constructor(
    /** @internal */ readonly core: Core,
    /** @internal */ readonly heap: Memory,
    /** Whether relaxed SIMD is in force. */
    readonly fastMath = false,
  ) {
    this.#extended = !!core.extensionCount;
  }

  /** Threads that a training step runs on. */
  get threads(): number {
    return 1;
  }

  /** The linear memory, in bytes. */
  memory(): {
    /** What models and their buffers hold. */
    used: number;
    /** What is taken from the host; it never shrinks. */
    reserved: number;
    /** What it may grow to: `maxMemory`. */
    max: number;
  } {
    const { used, reserved, max } = this.heap;
    return { used, reserved, max };
  }

  /** @internal Waits for a run in flight: memory then holds whole steps. */
  settle(): void {}

  /** @internal Throws where nothing can run any more. Who calls this may read and free memory: no run is in flight. */
  check(): void {
    if (this.#disposed) throw new DownhillError("state", "the runtime has been disposed");
  }

  /** @internal Sees to it that the core has the extension's kernels. */
  extend(): void {
    if (!this.#extended) extensions.extend!(this.core, this.heap.raw);
    this.#extended = true;
  }

  /** @internal Runs a range to its end. */
  run({ from, to }: Range): Status {
    return from === to ? Status.done : this.core.run(from, to);
  }

  /**
   * @internal Runs a range; returns a promise only where a team runs it. `landed` is called as soon as it has ended: who
   * reads memory before the promise is seen finds what it has set.
   */
  runAsync(range: Range, landed?: (status: Status) => void): Status | Promise<Status> {
    const status = this.run(range);
    landed?.(status);
    return status;
  }

  /** Frees the memory and stops the workers; the runtime's models are disposed too. A second call does nothing. */
  dispose(): void {
    for (const resident of [...this.residents]) resident.dispose();
    this.#disposed = true;
    if (current === this) current = undefined;
  }

  /** `dispose()`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** A runtime with a thread team. */
class TeamRuntime extends Runtime {
  readonly #team: Team;

  constructor(core: Core, heap: Memory, fastMath: boolean, team: Team) {
    super(core, heap, fastMath);
    this.#team = team;
  }

  override get threads(): number {
    return this.#team.threads;
  }

  override settle(): void {
    this.#team.settle();
  }

  override check(): void {
    super.check();
    this.settle();
    if (this.#team.failure) throw this.#team.failure;
  }

  override run(range: Range): Status {
    this.settle();
    // a page's main thread may not wait: it runs alone there, with the same bits
    if (!range.team || !mayBlock) return super.run(range);
    return this.#team.run(range.from, range.to, boundOf(range));
  }

  override runAsync(range: Range, landed?: (status: Status) => void): Status | Promise<Status> {
    if (range.team) return this.#team.runAsync(range.from, range.to, boundOf(range), landed);
    return super.runAsync(range, landed);
  }

  override dispose(): void {
    super.dispose();
    this.#team.end();
  }
}

/** Ten times a range's own time, in milliseconds. */
const boundOf = ({ work }: Range): number => work / 1e5;

/** A module that only validates where relaxed SIMD is on: i8x16.relaxed_swizzle. */
const RELAXED = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15,
  253, 128, 2, 11,
];

/** @internal */
export function detectFeatures(): Features {
  const isolated = (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated;
  return {
    simd: true, // the embedded core does not compile without
    relaxedSimd: WebAssembly.validate(new Uint8Array(RELAXED)),
    threads: typeof SharedArrayBuffer === "function" && isolated !== false,
    crossOriginIsolated: isolated ?? true,
  };
}

/** @internal Why a platform that has no threads has none. */
export const noThreads = ({ crossOriginIsolated }: Features): string =>
  crossOriginIsolated ? "no shared memory" : "the page is not cross-origin isolated";

/** `max`: from INITIAL_PAGES to ADDRESS_SPACE. */
function makeMemory(max: number, shared: boolean): WebAssembly.Memory {
  for (let maximum = Math.floor(max / PAGE); ; maximum = Math.ceil(maximum / 2)) {
    try {
      return new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum, shared });
    } catch (cause) {
      // some browsers refuse shared memories with a large maximum
      if (maximum <= 256) throw new DownhillError("memory", `init: no memory of ${max} bytes can be had`, { cause });
    }
  }
}

function build(module: WebAssembly.Module, maxMemory: number, shared: boolean): [Core, Memory] {
  const raw = makeMemory(maxMemory, shared);
  const core = instantiate(module, raw);
  return [core, new Memory(raw, core.heapBase.value as number, maxMemory)];
}

let current: Runtime | undefined;

/** @internal The runtime of models that name none. */
export function defaultRuntime(): Runtime {
  current ??= new Runtime(...build(embeddedModule(), DEFAULT_MAX_MEMORY, false));
  return current;
}

let seed = 0;
let streams = 0;

/**
 * The seed of models built from now on; the default is 0. Their streams count from 0 again, so the same calls give the
 * same weights, masks and shuffles.
 */
export function setSeed(n: number): void {
  if (!natural().accepts(n)) throw argumentError("setSeed", "an integer ≥ 0", n);
  seed = n;
  streams = 0;
}

/** @internal What `make` returns; the models that it builds have this seed, and streams from this one on. */
export function withStreams<T>(first: { seed: number; stream: number }, make: () => T): T {
  const before = { seed, streams };
  ({ seed, stream: streams } = first);
  try {
    return make();
  } finally {
    ({ seed, streams } = before);
  }
}

/** @internal The seed and a stream of its own for a model that is being built. */
export function nextStream(): { seed: number; stream: number } {
  return { seed, stream: streams++ };
}

/** @internal A runtime of `threads` threads on the module of a build for as many. */
export async function runtimeOn(
  module: WebAssembly.Module,
  threads: number,
  fastMath: boolean,
  maxMemory: number,
  workerUrl?: string,
): Promise<Runtime> {
  const [core, heap] = build(module, maxMemory, threads > 1);
  if (threads === 1) return new Runtime(core, heap, fastMath);
  return new TeamRuntime(core, heap, fastMath, await Team.start(threads, module, core, heap, workerUrl));
}

/**
 * Makes a runtime and makes it the default of models built afterwards. Optional: without it the first model makes a
 * single-threaded one. What the platform lacks is given up with one warning; the runtime's fields tell what is in force.
 *
 * @throws DownhillError `argument` for a bad option, `memory` where no memory can be had
 */
export async function init(options?: InitOptions): Promise<Runtime> {
  const read = readOptions("init", options, {
    threads: or(either(count(), oneOf("auto")), 1 as number | "auto"),
    fastMath: or(boolean(), false),
    maxMemory: or(count(), DEFAULT_MAX_MEMORY),
    seed: optional(natural()),
    workerUrl: optional(text()),
  });
  const features = detectFeatures();
  const lacks: string[] = [];
  let threads = read.threads === "auto" ? cores() : read.threads;
  if (threads > 1 && !features.threads) {
    lacks.push(`threads (${noThreads(features)})`);
    threads = 1;
  }
  let fastMath = read.fastMath;
  if (fastMath && !features.relaxedSimd) {
    lacks.push("fastMath (no relaxed SIMD)");
    fastMath = false;
  }
  const maxMemory = Math.max(INITIAL_PAGES * PAGE, Math.min(read.maxMemory, ADDRESS_SPACE));
  let made: Runtime | undefined;
  if (threads > 1) {
    try {
      const module = await loadModule({ fastMath, shared: true });
      made = await runtimeOn(module, threads, fastMath, maxMemory, read.workerUrl);
    } catch (error) {
      if (error instanceof DownhillError && error.code === "memory") throw error;
      lacks.push(`threads (${(error as Error).message})`);
    }
  }
  made ??= await runtimeOn(await loadModule({ fastMath, shared: false }), 1, fastMath, maxMemory);
  if (lacks.length) console.warn(`downhill: going on without ${lacks.join(" and ")}`);
  if (read.seed !== undefined) setSeed(read.seed);
  current = made;
  return Object.assign(made, { features, workerUrl: read.workerUrl });
}
