// What the project has promised to reach (single thread unless said otherwise), held against a run.

import type { Goal, Row } from "./results";
import type { StepCost } from "./steps";

const SQUARES = [64, 128, 256, 512].map((n) => `${n}x${n}x${n}`);
const TRAINING = ["32x784x128", "64x784x512", "128x784x512", "128x512x512"];
const BUILDS = ["fastMath", "strict"] as const;
const MLP = "784-512-512-10/128";
const TINY = "2-16-16-1/32";

export function goals(rows: Row[], step: StepCost | undefined): Goal[] {
  const find = (kernel: string, shape: string, build: Row["build"], threads = 1) =>
    rows.find((r) => r.kernel === kernel && r.shape === shape && r.build === build && r.threads === threads);

  const result: Goal[] = [];
  function add(
    what: string,
    of: (Row | undefined)[],
    value: (rows: Row[]) => number,
    bound: number,
    unit: Goal["unit"],
    atMost = false,
  ): void {
    const there = of.filter((row) => row !== undefined);
    const measured = there.length === of.length ? value(there) : undefined;
    const isVoid = value === vsJs && there.some((row) => row.void);
    result.push({
      what,
      value: measured,
      bound,
      unit,
      atMost,
      reached: measured === undefined || isVoid ? undefined : atMost ? measured <= bound : measured >= bound,
      void: isVoid,
      slow: there.some((row) => row.slow),
    });
  }
  const ofPeak = ([row]: Row[]) => row!.ofPeak;
  const vsJs = ([row]: Row[]) => row!.vsJs;
  const least = (of: Row[]) => Math.min(...of.map((row) => row.ofPeak));
  const geometricMean = (of: Row[]) => Math.exp(of.reduce((sum, row) => sum + Math.log(row.ofPeak), 0) / of.length);

  for (const build of BUILDS) {
    const fast = build === "fastMath";
    for (const shape of SQUARES)
      add(`gemm ${shape} ${build}, of the peak`, [find("gemm", shape, build)], ofPeak, fast ? 0.92 : 0.86, "share");
    const squares = SQUARES.map((shape) => find("gemm", shape, build));
    add(`gemm 64 … 512 ${build}, geometric mean`, squares, geometricMean, fast ? 0.95 : 0.9, "share");
    for (const [kernel, shape] of [
      ...TRAINING.map((shape) => ["gemm", shape] as const),
      ["gemmTN", "784x128x512"] as const,
      ["gemmNT", "128x512x784"] as const,
    ])
      add(
        `${kernel} ${shape} ${build}, of the peak`,
        [find(kernel, shape, build)],
        ofPeak,
        fast ? 0.88 : 0.82,
        "share",
      );
  }
  add("gemm 128x512x10 fastMath, of the peak", [find("gemm", "128x512x10", "fastMath")], ofPeak, 0.7, "share");
  // the others do not say which build: both must
  const both = (kernel: string, shape: string) => [find(kernel, shape, "strict"), find(kernel, shape, "fastMath")];
  for (const shape of ["1x784x128", "1x512x512"])
    add(`gemv ${shape}, of an f32x4 read`, both("gemv", shape), least, 0.7, "share");
  for (const [build, bound] of [
    ["fastMath", 8],
    ["strict", 6.5],
  ] as const)
    add(`gemm 512x512x512 ${build}, against JavaScript`, [find("gemm", "512x512x512", build)], vsJs, bound, "times");
  add("adam 1 M, of copy speed or sqrt + div", both("adam", "1000000"), least, 0.9, "share");
  add("momentum 1 M, of copy speed", both("momentum", "1000000"), least, 0.8, "share");
  add("batchNorm 128x512, of copy speed", both("batchNorm", "128x512"), least, 0.75, "share");
  add("batchNorm 64x28x28x32, of copy speed", both("batchNorm", "64x28x28x32"), least, 0.65, "share");
  add(`step ${MLP} fastMath, of the peak`, [find("step", MLP, "fastMath")], ofPeak, 0.82, "share");
  add(`step ${MLP} strict, of the peak`, [find("step", MLP, "strict")], ofPeak, 0.74, "share");
  for (const build of ["strict", "fastMath"] as const) {
    const [one, two] = [1, 2].map((threads) => find("step", TINY, build, threads));
    add(`step ${TINY} ${build}, time of 2 threads over 1`, [one, two], ([a, b]) => b!.ms / a!.ms, 1.05, "times", true);
  }
  for (const build of ["strict", "fastMath"] as const) {
    const [one, two] = [1, 2].map((threads) => find("step", MLP, build, threads));
    add(`step ${MLP} ${build}, 2 threads against 1`, [one, two], ([a, b]) => a!.ms / b!.ms, 1.7, "times");
  }
  const cost = (what: string, value: number | undefined, bound: number, unit: Goal["unit"]) =>
    result.push({
      what,
      value,
      bound,
      unit,
      atMost: true,
      reached: value === undefined ? undefined : value <= bound,
    });
  cost(`trainOnBatch ${TINY}, over the sum of its kernels`, step?.overhead, 2.5, "µs");
  cost(`trainOnBatch ${TINY}, calls into wasm`, step?.callsPerStep, 1, "calls");
  cost(`trainOnBatch ${TINY}, JavaScript heap`, step?.heapPerStep, 1024, "bytes");
  return result;
}
