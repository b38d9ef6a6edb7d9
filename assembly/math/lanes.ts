// The ends of arrays. (Loops, which asc does not inline: there is one copy of each.)

/** The first `left` < 16 bytes (whole floats) at `p`, then zeros. */
function loadPart(p: usize, left: usize): v128 {
  let v = i64x2.splat(0);
  for (; left != 0; left -= 4) v = v128.shuffle<f32>(v128.load32_zero(p + left - 4), v, 0, 4, 5, 6);
  return v;
}

/** Stores the first `left` < 16 bytes (whole floats) of `v` at `p`. */
function storePart(p: usize, v: v128, left: usize): void {
  for (const end = p + left; p < end; p += 4) {
    v128.store_lane<u32>(p, v, 0);
    v = v128.shuffle<u32>(v, v, 1, 2, 3, 0);
  }
}

// In a list of their own: asc warns of an exported function that takes a v128, though only other files here call it.
export { loadPart, storePart };
