// What users give and get: arrays with a shape.

/** A typed array with a shape, row-major. What a call returns is the caller's own copy. */
export interface NDArray<T = Float32Array> {
  /** The numbers, the last axis running fastest. */
  data: T;
  /** How many there are along each axis. */
  shape: readonly number[];
}

/** Typed arrays that numbers may come in. */
export type NumberArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint8ClampedArray
  | Uint16Array
  | Uint32Array;

/** Nested numbers: a scalar, a list, a list of lists, … */
export type NestedArray = readonly number[] | readonly NestedArray[];

/** What an argument that takes an array takes; a flat typed array where the shape is implied. */
export type ArrayLike = NDArray<NumberArray> | NumberArray | NestedArray;
