// The curvature of a model's objective: extreme eigenvalues of its Hessian, from products with vectors alone.
//
//   H·v ≈ (g(θ + h·v) − g(θ − h·v))/2h,   h = ∛ε·(1 + ‖θ‖)/‖v‖,  ε of float32
//
// both gradients on the same examples, with the same random masks. Lanczos: T = Qᵀ·H·Q is tridiagonal, and its extreme
// eigenvalues soon are H's; each new vector is made orthogonal to all before it, twice, in float64.

import { State } from "../../assembly/isa";
import { isBatchSource, readFitData } from "../data/sources";
import { argumentError, wrong } from "../errors";
import { boolean, count, natural, or, positive, readOptions } from "../options";
import { philoxWords } from "../runtime/philox";
import { readBatch } from "../training/evaluate";
import { Model } from "../training/model";
import type { ModelState } from "../training/state";
import { beginUpdate, numericError, programFor, runStaged } from "../training/step";
import { tridiagonal } from "./tridiagonal";

/** Options of `hessianSpectrum`, `conditionNumber` and `isSaddle`. */
export interface HessianOptions {
  /** Products with H, at most; more are never needed than there are parameters. Default 64. */
  iterations?: number;
  /** Ends it where both extremes are known to within this share of themselves, > 0. Default 1e-3. */
  tolerance?: number;
  /** With batch statistics and random masks. Default false: the objective as `evaluate` has it. */
  training?: boolean;
  /** Of the first vector. Default 0. */
  seed?: number;
}

/** What `hessianSpectrum` finds. */
export interface HessianSpectrum {
  /** The largest eigenvalue. */
  max: number;
  /** The smallest: below 0 where the objective curves down. */
  min: number;
  /** All eigenvalues of T, ascending: those at both ends are H's, the ones between them tell where others lie. */
  eigenvalues: number[];
  /** Products with H. */
  iterations: number;
  /** Whether both extremes are known to within `tolerance`. */
  converged: boolean;
}

/** ∛ε, ε = 2⁻²³. */
const STEP = 0.004921566601151848;

const schema = () => ({
  iterations: or(count(), 64),
  tolerance: or(positive(), 1e-3),
  training: or(boolean(), false),
  seed: or(natural(), 0),
});

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

/** a += c·b */
const addScaled = (a: Float64Array, c: number, b: Float64Array): void => {
  for (let i = 0; i < a.length; i++) a[i]! += c * b[i]!;
};

/** Calls `use` with a function that multiplies by the Hessian at the weights in force; they stay as they are, whatever happens. */
function withProducts<T>(
  who: string,
  state: ModelState,
  data: unknown,
  training: boolean,
  use: (product: (v: Float64Array) => Float64Array, size: number) => T,
): T {
  const source = readFitData(who, data);
  if (isBatchSource(source)) throw argumentError(who, "data as arrays { x, y }", data);
  const examples = readBatch(who, state, source);
  const compiled = state.need(who);
  state.needIdle(who);
  const { heap } = state.runtime;
  const parameters = state.structure.parameters.filter(({ layer }) => layer.trainable);
  const size = parameters.reduce((sum, entry) => sum + entry.size, 0);
  if (!size) throw wrong("state", who, "at least one trainable parameter", "none");
  /** Numbers of the trainable parameters in a block, one after another. */
  const packed = (at: number): Float64Array => {
    const out = new Float64Array(size);
    let to = 0;
    for (const { offset, size } of parameters) {
      const from = (at >>> 2) + offset;
      out.set(heap.f32.subarray(from, from + size), to);
      to += size;
    }
    return out;
  };
  const bytes = state.structure.parameterFloats * 4;
  const moved = heap.allocate(bytes, who);
  const lane = beginUpdate(state);
  try {
    const program = programFor(state, lane, "gradients", examples, examples.rows, training);
    const theta = packed(state.parameters);
    const reach = STEP * (1 + Math.sqrt(dot(theta, theta)));
    /** The gradient at θ + c·v. */
    const gradientAt = (c: number, v: Float64Array): Float64Array => {
      const { f32, u8 } = heap;
      u8.copyWithin(moved, state.parameters, state.parameters + bytes);
      let from = 0;
      for (const { offset, size } of parameters)
        for (let at = (moved >>> 2) + offset, end = at + size; at < end; at++, from++)
          f32[at] = theta[from]! + c * v[from]!;
      state.prepare(lane);
      lane.set(State.parameters, moved);
      if (!runStaged(state, lane, program, examples, who)) throw numericError(who, lane);
      return packed(compiled.gradients);
    };
    return use((v) => {
      const h = reach / Math.sqrt(dot(v, v));
      const product = gradientAt(h, v);
      addScaled(product, -1, gradientAt(-h, v));
      for (let i = 0; i < size; i++) product[i]! /= 2 * h;
      return product;
    }, size);
  } finally {
    lane.set(State.parameters, state.parameters);
    heap.free(moved);
  }
}

/** A vector of length 1 in a direction that `seed` chooses. */
function direction(size: number, seed: number): Float64Array {
  const words = philoxWords(size, 0, 0, seed, seed / 2 ** 32);
  const v = Float64Array.from(words.subarray(0, size), (word) => word / 2 ** 31 - 1 + 2 ** -32);
  const norm = Math.sqrt(dot(v, v));
  return v.map((x) => x / norm);
}

/** `nearest`: whether the eigenvalue nearest to 0 has to be known, too. */
function spectrum(who: string, model: Model, data: unknown, options: unknown, nearest = false): HessianSpectrum {
  if (!(model instanceof Model)) throw argumentError(who, "a model", model);
  const { iterations, tolerance, training, seed } = readOptions(who, options, schema());
  const { state } = model;
  return withProducts(who, state, data, training, (product, size) => {
    const basis: Float64Array[] = [];
    const alphas: number[] = [];
    const betas: number[] = [];
    let v = direction(size, seed);
    for (;;) {
      basis.push(v);
      const w = product(v);
      alphas.push(dot(w, v));
      for (let pass = 0; pass < 2; pass++) for (const q of basis) addScaled(w, -dot(w, q), q);
      const beta = Math.sqrt(dot(w, w));
      const { values, last } = tridiagonal(alphas, betas);
      const [min, max] = [values[0]!, values.at(-1)!];
      const largest = Math.max(Math.abs(min), Math.abs(max));
      // all that the first vector has a part of is found, to what float32 gradients tell; or both ends are
      const exhausted = basis.length === size || beta <= 1e-5 * largest;
      const known = (at: number) => beta * Math.abs(last.at(at)!) <= tolerance * Math.abs(values.at(at)!);
      const small = nearest ? values.reduce((at, v, i) => (Math.abs(v) < Math.abs(values[at]!) ? i : at), 0) : 0;
      const converged = exhausted || (known(0) && known(-1) && known(small));
      if (converged || basis.length === iterations)
        return { max, min, eigenvalues: values, iterations: basis.length, converged };
      betas.push(beta);
      v = w.map((x) => x / beta);
    }
  });
}

/**
 * Extreme eigenvalues of the Hessian of the whole objective (data loss, penalties) with respect to the trainable parameters, at
 * the weights in force, by Lanczos with full reorthogonalisation in float64 on Hessian-vector products, each of which is the
 * difference of two gradients. Nothing of the model changes. The examples go through in one batch; vectors of float64 take
 * 8 · iterations bytes a parameter.
 *
 * Estimates: gradients are float32, so eigenvalues below about 1e-4 of the largest one are noise, and where `converged` is
 * false the ends lie further out than `min` and `max` say.
 *
 * @param data `{ x, y, sampleWeight? }`, arrays
 * @example const { min, max } = hessianSpectrum(model, { x, y });
 * @throws DownhillError `argument`, `shape`, `data`, `state` (not compiled, a `fit` under way), `numeric`, `memory`
 */
export function hessianSpectrum(model: Model, data: unknown, options?: HessianOptions): HessianSpectrum {
  return spectrum("hessianSpectrum", model, data, options);
}

/**
 * |λ|max/|λ|min of the spectrum that Lanczos finds, which goes on until it knows the eigenvalue next to 0, too, or is through
 * with its `iterations`: an estimate, for that one lies within the spectrum and not at its end, unless H is definite, and
 * small ones drown in float32's rounding. Of a singular H it is large or infinite.
 */
export function conditionNumber(model: Model, data: unknown, options?: HessianOptions): number {
  const { eigenvalues } = spectrum("conditionNumber", model, data, options, true);
  const sizes = eigenvalues.map(Math.abs);
  return Math.max(...sizes) / Math.min(...sizes);
}

/**
 * Whether the objective curves up along one direction and down along another: min < −s and max > s, s = 1e-3·|λ|max. At a
 * point where the gradient is 0 that is a saddle; that it is 0 is not asked.
 */
export function isSaddle(model: Model, data: unknown, options?: HessianOptions): boolean {
  const { min, max } = spectrum("isSaddle", model, data, options);
  const small = 1e-3 * Math.max(Math.abs(min), Math.abs(max));
  return min < -small && max > small;
}
