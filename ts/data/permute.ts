// The axes of an array in another order, in memory.

/** Row-major numbers of that shape with their axes in another order, into y: axis k of y is axis axes[k] of x. */
export function permute<T extends { [index: number]: number }>(
  y: T,
  x: ArrayLike<number>,
  shape: readonly number[],
  axes: readonly number[],
): T {
  const strides = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  const steps = axes.map((axis) => strides[axis]!);
  const sizes = axes.map((axis) => shape[axis]!);
  const place = sizes.map(() => 0);
  const to: { [index: number]: number } = y;
  let from = 0;
  for (let i = 0; i < x.length; i++) {
    to[i] = x[from]!;
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      if (++place[axis]! < sizes[axis]!) break;
      from -= steps[axis]! * sizes[axis]!;
      place[axis] = 0;
    }
  }
  return y;
}
