// Drives an op of ts/ops the way a model does, graph → plan → lower → verify → core, on small tensors, and holds it
// against a reference in float64:
//
//   forward      every output, and the inputs that the op writes
//   gradient     of Σ c·y, c random, against central differences of the reference: element by element on a sample of each
//                input, and over all of it at once, in the direction of the gradient's signs
//   bits         equal for 1, 2 and 3 workers, under a plan that shares no memory and under the library's, in place and not
//   memory       guard words round every tensor and workspace; what an op may not write is as it was
//
// The reference is differenced, not the f32 kernel, so tolerances are tight.

import { describe, expect, test } from "vitest";
import { Base } from "../../assembly/isa";
import { DownhillError } from "../../ts/errors";
import { gradient } from "../../ts/graph/gradient";
import { Graph, type Op, type Shape, Span, sizeOf, type Tensor } from "../../ts/graph/graph";
import { plan } from "../../ts/graph/plan";
import { add } from "../../ts/ops/elementwise";
import { BUILDS } from "./builds";
import { type Buffer, type Build, Core } from "./core";
import { given } from "./graphs";
import { guardedPlan } from "./guardedPlan";
import { runGraph } from "./runGraph";

/** An input: a shape, to be filled with numbers; its content; or absent. `words`: not all floats. */
export type Input = Shape | { shape: Shape; values: ArrayLike<number> } | { shape: Shape; words: Uint32Array } | null;

export type Reals = Float64Array;
export type Expected = ArrayLike<number | undefined>;

/** What an op is checked on. `K` are its inputs' names, in the op's order. */
export interface Table<A, K extends string> {
  /** Follows the op's name in the tests'. */
  title?: string;
  attributes?: A | ((shapes: Record<NoInfer<K>, Shape>) => A);
  cases: readonly Record<K, Input>[];
  /** Element i of n of an input that is given by its shape; default: random, 0.05 ≤ |x| < 2 (no kinks within reach). */
  values?: Partial<Record<NoInfer<K>, (i: number, shape: Shape) => number>>;
  /** Inputs of i32. */
  integers?: readonly NoInfer<K>[];
  /** Inputs that get no gradient. */
  constants?: readonly NoInfer<K>[];
  /** Inputs that the op writes, where they are given. */
  writes?: readonly NoInfer<K>[];
  /** False: attributes that only fusion sets, after the gradient has been built. */
  differentiated?: boolean;
  /** The outputs, then the written inputs as they are afterwards; one alone need not be in a list. Undefined: anything. */
  reference(inputs: Record<NoInfer<K>, Reals>, shapes: Record<NoInfer<K>, Shape>): Expected | readonly Expected[];
  /** The outputs' shapes; default: one, the first input's. */
  shapes?(inputs: Record<NoInfer<K>, Shape>): Shape[];
  /** Largest error of an element, relative to |element| + the output's root mean square. */
  tolerance?: number;
  gradientTolerance?: number;
  /** Sets the state block and what it points to. */
  prepare?(core: Core, buffers: Record<NoInfer<K>, Buffer>): void;
  /** Inputs of wrong shapes, and what the error says. */
  wrong?: readonly (readonly [Record<NoInfer<K>, Shape | null>, RegExp])[];
}

// biome-ignore lint/suspicious/noExplicitAny: attributes are each op's own
type AnyOp = Op<any>;

const checked = new Set<AnyOp>();

/** Declares the tests of an op. */
export function checkOp<A, K extends string>(op: Op<A>, table: Table<A, K>): void {
  checked.add(op);
  describe(`${op.name}${table.title ? `, ${table.title}` : ""}`, () => {
    table.cases.forEach((inputs) => {
      test(describeCase(inputs), () => {
        for (const build of BUILDS) checkCase(op, table, inputs, build);
      });
    });
    for (const [inputs, message] of table.wrong ?? [])
      test(`refuses ${describeCase(inputs)}`, () => {
        const graph = new Graph();
        graph.layer = "layer_1";
        const tensors = Object.values<Shape | null>(inputs).map((shape) => shape && leaf(graph, shape, 0));
        const build = () => graph.apply(op, tensors, attributesOf(table, inputs as Record<K, Shape>));
        expect(build).toThrow(DownhillError);
        expect(build).toThrow(message);
        expect(build).toThrow(/^layer_1: /);
      });
  });
}

/** Declares the test that every op a module exports has been given to checkOp in this file. */
export function checkCoverage(module: Record<string, unknown>): void {
  const isOp = (value: unknown): value is AnyOp => typeof value === "function" && "lower" in value && "shape" in value;
  test.each(Object.entries(module).filter(([, value]) => isOp(value)))("%s has cases", (_, op) => {
    expect(checked).toContain(op);
  });
}

function describeCase(inputs: Record<string, Input>): string {
  return Object.entries(inputs)
    .map(([name, input]) => `${name} ${input ? `[${shapeOf(input)}]` : "–"}`)
    .join(", ");
}

const isContent = (input: NonNullable<Input>): input is Exclude<NonNullable<Input>, Shape> => !Array.isArray(input);
const shapeOf = (input: NonNullable<Input>): Shape => (isContent(input) ? input.shape : input);

function attributesOf<A, K extends string>({ attributes }: Table<A, K>, shapes: Record<K, Shape>): A {
  if (typeof attributes === "function") return (attributes as (shapes: Record<K, Shape>) => A)(shapes);
  return attributes ?? ({} as A);
}

/** Numbers in ±[0.05, 2), the same for every run. */
export function numbers(n: number, seed: number): Float32Array {
  let s = (seed * 2654435761) >>> 0;
  const next = () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return s / 2 ** 32;
  };
  next();
  return Float32Array.from({ length: n }, () => (0.05 + 1.95 * next()) * (next() < 0.5 ? -1 : 1));
}

/** Checks one case in one build; throws where the op does not hold. */
export function checkCase<A, K extends string>(
  op: Op<A>,
  table: Table<A, K>,
  inputs: Record<K, Input>,
  build: Build,
): void {
  new OpCase(op, table, inputs, coreOf(build), build).check();
  if (build === "strict") new OpCase(op, table, inputs, coreOf("debug"), build).checkInstructions();
}

const cores = new Map<Build | "debug", Core>();

function coreOf(build: Build | "debug"): Core {
  let core = cores.get(build);
  if (!core) {
    core = new Core(build);
    cores.set(build, core);
  }
  return core;
}

const leaf = (graph: Graph, shape: Shape, offset: number, name = "leaf") =>
  graph.leaf(shape, name, { base: Base.absolute, offset });

/** How one run is planned. */
interface Mode {
  threads: number;
  /** Guard words round everything, no memory shared. */
  guarded: boolean;
  /** With the gradient. */
  backward: boolean;
  /** Inputs whose buffers may be taken over; the gradient of y may be where `backward`. */
  dying: readonly number[];
}

/** What one run left, as bits. */
interface Outcome {
  results: Uint32Array[];
  gradients: (Uint32Array | undefined)[];
  /** Whether output 0 took an input's place. */
  tookPlace: boolean;
}

class OpCase<A, K extends string> {
  readonly names: K[];
  readonly shapes = {} as Record<K, Shape>;
  readonly #attributes: A;
  readonly #bits: (Uint32Array | null)[];
  readonly #reals = {} as Record<K, Reals>;
  #seeds: Float32Array = new Float32Array();

  constructor(
    readonly op: Op<A>,
    readonly table: Table<A, K>,
    inputs: Record<K, Input>,
    readonly core: Core,
    readonly build: Build,
  ) {
    this.names = Object.keys(inputs) as K[];
    this.#bits = this.names.map((name, seed) => {
      const input = inputs[name];
      if (!input) return null;
      const shape = shapeOf(input);
      this.shapes[name] = shape;
      if (isContent(input) && "words" in input) return input.words;
      const own = table.values?.[name];
      const values = isContent(input)
        ? input.values
        : own
          ? Array.from({ length: sizeOf(shape) }, (_, i) => own(i, shape))
          : numbers(sizeOf(shape), seed + 1);
      const typed = table.integers?.includes(name) ? Int32Array.from(values) : Float32Array.from(values);
      this.#reals[name] = Float64Array.from(typed);
      return new Uint32Array(typed.buffer);
    });
    this.#attributes = attributesOf(table, this.shapes);
  }

  check(): void {
    const { op } = this;
    const mode: Mode = { threads: 1, guarded: true, backward: false, dying: [] };
    const forward = this.run(mode);
    const wanted = this.#wanted(this.#reals);
    if (wanted.length !== forward.results.length)
      throw new Error(`${wanted.length} references for ${forward.results.length} results`);
    wanted.forEach((want, i) => {
      near(`${this.build}: result ${i}`, this.#valuesOf(forward.results[i]!, i), want, this.table.tolerance ?? 2e-6);
    });
    for (const threads of [1, 2, 3]) {
      this.#same("forward", forward, this.run({ ...mode, threads }));
      this.#same("forward, shared memory", forward, this.run({ ...mode, threads, guarded: false }));
      for (const index of op.inPlace ?? []) {
        if (!this.#bits[index] || this.#bits[index].length !== forward.results[0]!.length) continue;
        const outcome = this.run({ ...mode, threads, guarded: false, dying: [index] });
        if (!outcome.tookPlace) throw new Error(`${op.name} does not run in place of ${this.names[index]}`);
        this.#same(`in place of ${this.names[index]}`, forward, outcome);
      }
    }
    if (this.#differentiable) this.#checkGradient();
  }

  /** Runs it where the interpreter holds each instruction against its opcode's operands. */
  checkInstructions(): void {
    const mode: Mode = { threads: 1, guarded: false, backward: false, dying: [] };
    this.run(mode);
    if (!this.#differentiable) return;
    this.#seeds = numbers(this.#wanted(this.#reals)[0]!.length, 77);
    this.run({ ...mode, backward: true });
  }

  get #differentiable(): boolean {
    return !!this.op.gradient && this.table.differentiated !== false;
  }

  #checkGradient(): void {
    const { table, names } = this;
    const size = this.#wanted(this.#reals)[0]!.length;
    this.#seeds = numbers(size, 77);
    const mode: Mode = { threads: 1, guarded: true, backward: true, dying: [] };
    const backward = this.run(mode);
    names.forEach((name, i) => {
      const dx = backward.gradients[i];
      const constant = !this.#bits[i] || table.constants?.includes(name);
      if (constant && dx) throw new Error(`${name} has a gradient`);
      if (constant) return;
      if (!dx) throw new Error(`${name} has no gradient`);
      this.#differences(name, floats(dx));
    });
    const all = names.map((_, i) => i);
    for (const threads of [1, 2, 3]) {
      this.#same("backward", backward, this.run({ ...mode, threads }));
      this.#same("backward, shared memory", backward, this.run({ ...mode, threads, guarded: false }));
      this.#same("backward, in place", backward, this.run({ ...mode, threads, guarded: false, dying: all }));
    }
  }

  /** Holds the gradient of one input against differences of the reference. */
  #differences(name: K, dx: Float32Array): void {
    const tolerance = this.table.gradientTolerance ?? 1e-5;
    const x = this.#reals[name];
    if (dx.length !== x.length) throw new Error(`gradient of ${name}: ${dx.length} elements for ${x.length}`);
    const H = 1e-5;
    const slope = (direction: (i: number) => number) => {
      const at = (h: number) => this.#objective({ ...this.#reals, [name]: x.map((v, i) => v + h * direction(i)) });
      return (at(H) - at(-H)) / (2 * H);
    };
    const what = `${this.build}: gradient of ${name}`;
    const samples = Math.min(x.length, 24);
    const places = Array.from({ length: samples }, (_, s) =>
      samples === 1 ? 0 : Math.round((s * (x.length - 1)) / (samples - 1)),
    );
    const want: (number | undefined)[] = Array.from({ length: x.length });
    for (const place of places) want[place] = slope((i) => (i === place ? 1 : 0));
    near(what, dx, want, tolerance);
    const signs = dx.map((v) => (v < 0 ? -1 : 1));
    const sum = dx.reduce((s, v) => s + Math.abs(v), 0);
    const total = slope((i) => signs[i]!);
    if (!(Math.abs(total - sum) <= tolerance * (sum + 1e-3)))
      throw new Error(`${what}: Σ|dx| is ${sum}, differences give ${total}`);
  }

  #wanted(inputs: Record<K, Reals>): Expected[] {
    const wanted = this.table.reference(inputs, this.shapes);
    const isList = wanted.length === 0 || typeof wanted[0] === "object";
    return isList ? [...(wanted as Expected[])] : [wanted as Expected];
  }

  /** The inputs that the op writes, by their places. */
  get #written(): number[] {
    return (this.table.writes ?? []).map((name) => this.names.indexOf(name)).filter((i) => this.#bits[i]);
  }

  /** What a result's bits stand for. */
  #valuesOf(bits: Uint32Array, result: number): ArrayLike<number> {
    const outputs = this.#wanted(this.#reals).length - this.#written.length;
    const name = this.names[this.#written[result - outputs] ?? -1];
    return name && this.table.integers?.includes(name) ? new Int32Array(bits.buffer) : floats(bits);
  }

  #objective(inputs: Record<K, Reals>): number {
    const y = this.#wanted(inputs)[0]!;
    return this.#seeds.reduce((sum, c, i) => sum + c * y[i]!, 0);
  }

  #same(what: string, a: Outcome, b: Outcome): void {
    const compare = (x: Uint32Array | undefined, y: Uint32Array | undefined, of: string) => {
      const at = x && y ? x.findIndex((v, i) => v !== y[i]) : -1;
      if (x?.length !== y?.length || at >= 0)
        throw new Error(`${this.build}: ${what}: other bits in ${of}, element ${at} of ${x?.length}`);
    };
    a.results.forEach((x, i) => {
      compare(x, b.results[i], `result ${i}`);
    });
    a.gradients.forEach((x, i) => {
      compare(x, b.gradients[i], `the gradient of ${this.names[i]}`);
    });
  }

  /** Builds, plans, lowers, verifies and runs the op. */
  run({ threads, guarded, backward, dying }: Mode): Outcome {
    const { core, op, table, names } = this;
    core.clear();
    const buffers = this.#bits.map((bits) => {
      if (!bits) return null;
      const buffer = core.buffer(bits.length);
      buffer.u32.set(bits);
      return buffer;
    });
    const graph = new Graph();
    graph.layer = "layer_1";
    const inputs = buffers.map((buffer, i) => {
      if (!buffer) return null;
      const x = leaf(graph, this.shapes[names[i]!], buffer.address, names[i]);
      return op.effect ? x : given([x], {});
    });
    const outputs = graph.apply(op, inputs, this.#attributes);
    this.#checkShapes(outputs);
    for (const y of outputs) graph.kept.add(y);
    inputs.forEach((x, i) => {
      if (x && !dying.includes(i)) graph.kept.add(x);
    });

    let gradients: (Tensor | undefined)[] = [];
    let seeds: Buffer | undefined;
    if (backward) {
      graph.span = Span.backward;
      seeds = core.floats(this.#seeds);
      const dy = given([leaf(graph, outputs[0]!.shape, seeds.address, "dy")], {});
      if (dying.length === 0) graph.kept.add(dy);
      const targets = inputs.filter((x) => x !== null);
      const found = gradient(graph, [[outputs[0]!, dy]], targets, (a, b) => add([a, b], {}));
      gradients = inputs.map((x) => x! && found.get(x));
      for (const dx of gradients) if (dx) graph.kept.add(dx);
    }

    table.prepare?.(core, Object.fromEntries(names.map((name, i) => [name, buffers[i]])) as Record<K, Buffer>);
    const memory = guarded ? guardedPlan(graph, threads) : plan(graph, threads);
    const { read } = runGraph(core, graph, memory, threads);
    inputs.forEach((x, i) => {
      if (!x || dying.includes(i) || this.#written.includes(i)) return;
      if (read(x).some((v, e) => v !== this.#bits[i]![e])) throw new Error(`${op.name} writes ${names[i]}`);
    });
    const written = this.#written.map((i) => buffers[i]!.u32.slice());
    return {
      results: [...outputs.map(read), ...written],
      gradients: gradients.map((dx) => dx && read(dx)),
      tookPlace: inputs.some((x) => x && x.place!.offset === outputs[0]?.place?.offset),
    };
  }

  #checkShapes(outputs: Tensor[]): void {
    const { op, table, names, shapes } = this;
    const want = table.shapes?.(shapes) ?? (op.effect ? [] : [shapes[names[0]!]]);
    const got = outputs.map((y) => y.shape);
    if (JSON.stringify(want) !== JSON.stringify(got))
      throw new Error(`${op.name} has shapes ${JSON.stringify(got)}, expected ${JSON.stringify(want)}`);
  }
}

const floats = (bits: Uint32Array) => new Float32Array(bits.buffer);

/** Throws where an element is off; what is undefined in `want` may be anything. */
function near(what: string, got: ArrayLike<number>, want: Expected, tolerance: number): void {
  if (got.length !== want.length) throw new Error(`${what}: ${got.length} elements, expected ${want.length}`);
  let squares = 0;
  let count = 0;
  for (let i = 0; i < want.length; i++) {
    const w = want[i];
    if (w === undefined || !Number.isFinite(w)) continue;
    squares += w * w;
    count++;
  }
  const rms = Math.sqrt(squares / Math.max(1, count));
  for (let i = 0; i < want.length; i++) {
    const [g, w] = [got[i]!, want[i]];
    if (w === undefined || g === w || (Number.isNaN(g) && Number.isNaN(w))) continue;
    if (!(Math.abs(g - w) <= tolerance * (Math.abs(w) + rms + 1e-3)))
      throw new Error(`${what}: element ${i} of ${want.length}: expected ${w}, got ${g}`);
  }
}
