import { GEMM_IN_PLACE, GEMM_KC, GEMM_NC, GEMM_TILE } from "../../assembly/isa";

/**
 * Bytes of workspace that each thread needs for a GEMM of these sizes (assembly/kernels/gemm.ts), in any build: a tile,
 * and one panel of b, packed: its columns in strips of 8, or the last strip alone where b is read where it lies.
 */
export function gemmWorkspaceBytes(m: number, n: number, k: number, _transA: boolean, transB: boolean): number {
  const depth = Math.min(k, GEMM_KC);
  const columns = !transB && m <= GEMM_IN_PLACE ? 8 : Math.min(GEMM_NC, Math.ceil(n / 8) * 8);
  return 4 * (GEMM_TILE + depth * columns);
}
