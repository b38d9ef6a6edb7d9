// The ends of arrays. Recursive, for asc does not inline what calls: there is one copy of each.

/** The first `left` < 16 bytes (whole floats, at least one) at `p`, then zeros. */
function loadPart(p: usize, left: usize): v128 {
  const first = v128.load32_zero(p);
  return left === 4 ? first : v128.shuffle<f32>(first, loadPart(p + 4, left - 4), 0, 4, 5, 6);
}

/** Stores the first `left` < 16 bytes (whole floats, at least one) of `v` at `p`. */
function storePart(p: usize, v: v128, left: usize): void {
  v128.store_lane<u32>(p, v, 0);
  if (left > 4) storePart(p + 4, v128.shuffle<f32>(v, v, 1, 2, 3, 0), left - 4);
}

// In a list of their own: asc warns of an exported function that takes a v128, though only other files here call it.
export { loadPart, storePart };
