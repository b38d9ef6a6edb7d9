import {
  GEMM_ALIASED,
  GEMM_IN_PLACE,
  GEMM_IN_PLACE_ALIASED,
  GEMM_KC,
  GEMM_MC,
  GEMM_NC,
  GEMM_PACK_A,
  GEMM_TILE,
} from "../../assembly/isa";

/**
 * Bytes of workspace that each thread needs for a GEMM of these sizes (assembly/kernels/gemm.ts), in any build: a tile;
 * one panel of b, packed: its columns in strips of 8; and a block of a transposed a, in strips of up to 6. Where b is read
 * as it lies only the last strip is packed; where there is one row or column, what is left of it after strips of 16.
 */
export function gemmWorkspaceBytes(m: number, n: number, k: number, transA?: boolean, transB?: boolean): number {
  const strips = (columns: number) => Math.ceil(columns / 8) * 8;
  const depth = Math.min(k, GEMM_KC);
  const columns =
    m === 1 || n === 1
      ? Math.min(16, strips(Math.max(m, n)))
      : !transB && m <= (n < GEMM_ALIASED ? GEMM_IN_PLACE : GEMM_IN_PLACE_ALIASED)
        ? 8
        : Math.min(GEMM_NC, strips(n));
  const rows = transA && n >= GEMM_PACK_A ? Math.min(GEMM_MC, Math.ceil(m / 4) * 4) : 0;
  return 4 * (GEMM_TILE + depth * (columns + rows));
}
