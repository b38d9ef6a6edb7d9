// What the benchmark needs from where it runs. The measuring code knows only this; Node's answers are in nodeHost.ts, a page's
// in pageHost.ts.

/** Builds of the core; the shared ones are what threads need. */
export type CoreBuild = "strict" | "fastMath" | "strictShared" | "fastMathShared";

/** What a worker of a thread team starts from (team.ts). */
export interface TeamWorker {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  team: number; // address of the team block
  ith: number;
  nth: number;
  start: number; // Team.start as it was before
}

export interface Host {
  engine: string; // "node 24.1.0", "Firefox 140"
  cpu: string;
  cores: number;
  now(): number; // milliseconds
  /** Milliseconds between two values of `now`; absent where they do not matter. */
  grain?: number;
  /** How often this process was taken off its core; absent where nobody can tell. */
  interruptions?(): number;
  /** Bytes of JavaScript heap in use; after a full collection where `collect`. Absent where nobody can tell. */
  heapUsed?(collect: boolean): number;
  core(build: CoreBuild): Promise<WebAssembly.Module>;
  limits(build: "strict" | "fastMath"): Promise<WebAssembly.Module>;
  /** Starts a worker that calls `follow` and resolves when it is about to; the result ends it. */
  startWorker(worker: TeamWorker): Promise<() => void>;
  /** The library, or undefined where it cannot be had. */
  library(): Promise<Library | undefined>;
  log(line: string): void;
}

// The part of the public API (and of a runtime's internals) that the benchmark uses.

export interface Library {
  init(options: { threads?: number; fastMath?: boolean }): Promise<LibraryRuntime>;
  sequential(layers: unknown[], options?: { runtime?: LibraryRuntime }): LibraryModel;
  functional(ends: { inputs: unknown; outputs: unknown }, options?: { runtime?: LibraryRuntime }): LibraryModel;
  input(shape: number[]): unknown;
  dense(units: number, options?: object): unknown;
  conv2d(filters: number, kernelSize: number, options?: object): unknown;
  maxPool2d(size: number, options?: object): unknown;
  flatten(options?: object): unknown;
  relu(options?: object): unknown;
  tanh(options?: object): unknown;
  adam(options?: object): unknown;
  sgd(options?: object): unknown;
  meanSquaredError(): unknown;
  softmaxCrossEntropy(): unknown;
}

export interface LibraryRuntime {
  threads: number;
  fastMath: boolean;
  core?: Record<string, unknown>; // internal: the exports of the core
  heap?: { u32: Uint32Array }; // internal: the views of linear memory
  dispose(): void;
}

export interface LibraryModel {
  compile(options: object): void;
  trainOnBatch(x: Float32Array, y: Float32Array | Int32Array): { loss: number };
  getWeights(): Record<string, unknown>;
  setWeights(weights: Record<string, unknown>): void;
  dispose(): void;
}
