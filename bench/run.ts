// Runs the benchmark: every row's contenders, its limits and a GEMM probe in the same interleaved rounds.
//
// Free of any host: Node (bench.ts) and a page (examples/benchmark) call the same function.

import { BenchCore } from "./benchCore";
import { goals } from "./goals";
import type { Host, Library } from "./host";
import { type Contender, kernelCases, type LimitRule, peakRule } from "./kernels";
import { Machine } from "./machine";
import { type Contestant, measure, type Timing } from "./measure";
import type { BenchmarkOptions } from "./options";
import { rowHeader, rowLine, summary } from "./report";
import type { Results, Row, Skipped } from "./results";
import { type StepCost, stepCases, stepCost, stepInJs, stepInWasm } from "./steps";

/** GEMM in JavaScript below this share of the FMA peak is no fair opponent. */
const JS_FLOOR = 0.09;

/** A row is slow where its probe fell below this share of the best. */
const SLOW = 0.9;

/** Slow rows are measured again in later passes, begun within that time; of several measurements the quietest counts. */
const AGAIN_MS = 240_000;

/** Forms of JavaScript that are this much slower than the best one in a trial run no further. */
const TRIAL = 1.15;

type RowBuild = Row["build"];

interface Entry extends Contestant {
  build: RowBuild;
  threads: number;
  form?: string | undefined;
}

/** What a job of the benchmark has found. */
interface Found {
  rows: Row[];
  skipped: Skipped[];
}

/** Rows of one kernel and shape; may be run again. */
interface Job {
  kernel: string;
  shape: string;
  run(note: (skipped: Omit<Skipped, "kernel" | "shape">) => void): Promise<Row[]>;
}

export async function runBenchmark(host: Host, options: BenchmarkOptions = {}): Promise<Results> {
  const { rounds = 30, filter, threads = [1, 2], passes = 4, onProgress } = options;
  const machine = await Machine.open(host, rounds);
  const library = await host.library();
  let bestProbe = 0;

  /** Measures a row's entries with its limits and a probe. */
  function measureRows(
    kernel: string,
    shape: string,
    amount: number,
    unit: Row["unit"],
    rule: LimitRule,
    entries: Entry[],
  ): Row[] {
    const probe = machine.probe();
    const timings = measure([probe, ...rule.measured, ...entries], rounds, host);
    const probeRate = probe.amount / timings[0]!.median / 1e6;
    bestProbe = Math.max(bestProbe, probe.amount / timings[0]!.best / 1e6);
    const limits = rule.measured.map((limit, i) => limit.amount / timings[1 + i]!.median / 1e6);
    const own = timings.slice(1 + rule.measured.length);
    const rate = (timing: Timing) => amount / timing.median / 1e6;

    // of several forms of JavaScript the best one counts
    const js = entries.map((_, i) => i).filter((i) => entries[i]!.build === "js");
    const jsBest = js.reduce((a, b) => (own[b]!.median < own[a]!.median ? b : a), js[0]!);
    const fma = rule.rate(limits, "fastMath");
    const isVoid = kernel.startsWith("gemm") && rate(own[jsBest]!) < JS_FLOOR * fma;
    return entries.flatMap(({ build, threads, form }, i) => {
      if (build === "js" && i !== jsBest) return [];
      const timing = own[i]!;
      const limit = rule.rate(limits, build);
      return {
        kernel,
        shape,
        build,
        threads,
        ms: timing.median,
        rate: rate(timing),
        unit,
        ofPeak: rate(timing) / limit / threads,
        vsJs: own[jsBest]!.median / timing.median,
        best: timing.best,
        limit,
        probe: probeRate,
        slow: timing.interrupted > 0.5 || own[jsBest]!.interrupted > 0.5,
        void: isVoid,
        ...(form ? { form } : {}),
      };
    });
  }

  const kernelJobs = kernelCases().map((open): Job => {
    const { kernel, shape, amount, unit, tolerance = 1e-3, js, wasm, limits } = open();
    return {
      kernel,
      shape,
      async run(note) {
        const entries: Entry[] = [];
        const cores: BenchCore[] = [];
        let reference: Float32Array | undefined;
        const enter = (build: RowBuild, threads: number, contender: Contender): void => {
          const why = differs(contender, reference, tolerance);
          if (why) note({ build, threads, why });
          else entries.push({ build, threads, run: contender.run, form: contender.form });
        };
        const forms = js();
        for (const contender of fastest(forms, host.now)) enter("js", 1, contender);
        forms[0]!.run();
        reference = js().map((c) => {
          c.run();
          return c.output().slice();
        })[0]!;
        for (const count of threads)
          for (const build of machine.builds) {
            try {
              const core = await BenchCore.open(host, build, count);
              cores.push(core);
              enter(build, count, wasm(core));
            } catch (error) {
              note({ build, threads: count, why: String(error) });
            }
          }
        const rows = measureRows(kernel, shape, amount, unit, limits(machine), entries);
        for (const core of cores) core.close();
        return rows;
      },
    };
  });

  const stepJobs = stepCases.map(
    (step): Job => ({
      kernel: "step",
      shape: step.shape,
      async run(note) {
        const js = stepInJs(step);
        const entries: Entry[] = [{ build: "js", threads: 1, run: js.run }];
        const opened = [js];
        for (const count of threads)
          for (const build of machine.builds) {
            const why = (why: string) => note({ build, threads: count, why });
            try {
              const contender = library && (await stepInWasm(library, step, build === "fastMath", count));
              if (!contender) {
                why(library ? "the library does not offer it here" : "no public API yet");
                continue;
              }
              opened.push(contender);
              if (learns(contender)) entries.push({ build, threads: count, run: contender.run });
              else why("its loss does not fall");
            } catch (error) {
              why(String(error));
            }
          }
        const rows = measureRows("step", step.shape, step.amount, "GFLOP/s", peakRule(machine), entries);
        for (const { close } of opened) close();
        return rows;
      },
    }),
  );

  const wanted = ({ kernel, shape }: { kernel: string; shape: string }) =>
    !filter?.length || filter.some((text) => `${kernel} ${shape}`.includes(text));
  const jobs = [...kernelJobs, ...stepJobs].filter(wanted);
  const found: Found[] = [];
  const probeOf = ({ rows }: Found) => rows[0]?.probe ?? 0;
  const isSlow = (row: Row) => row.slow || row.probe < SLOW * bestProbe;

  host.log(rowHeader);
  const start = host.now();
  let news: Row[] = [];
  for (let pass = 0; pass < passes; pass++) {
    const due = [...jobs.entries()].filter(([i]) => !found[i] || found[i].rows.some(isSlow));
    for (const [at, [i, { kernel, shape, run }]] of due.entries()) {
      const before = found[i];
      if (before && host.now() - start > AGAIN_MS) break;
      onProgress?.({ done: at, of: due.length, next: { kernel, shape }, rows: news });
      news = [];
      const skipped: Skipped[] = [];
      const rows = await run((what) => skipped.push({ kernel, shape, ...what }));
      if (before && probeOf({ rows, skipped }) <= probeOf(before)) continue;
      found[i] = { rows, skipped };
      news = rows;
      for (const row of rows) host.log(rowLine(row));
    }
  }
  onProgress?.({ done: 1, of: 1, rows: news });

  const rows = found.flatMap((f) => f.rows);
  const skipped = found.flatMap((f) => f.skipped);
  let cost: StepCost | undefined;
  if (library && options.cost !== false && wanted({ kernel: "step", shape: "2-16-16-1/32" }))
    cost = await tryCost(library, host, rounds, skipped);

  for (const row of rows) row.slow = isSlow(row);
  const results: Results = {
    machine: {
      cpu: host.cpu,
      cores: host.cores,
      engine: host.engine,
      date: new Date().toISOString(),
      rounds,
      peaks: machine.peaks,
      probe: bestProbe,
    },
    rows,
    skipped,
    goals: goals(rows, cost),
    step: cost,
  };
  for (const text of summary(results)) host.log(text);
  return results;
}

async function tryCost(
  library: Library,
  host: Host,
  rounds: number,
  skipped: Skipped[],
): Promise<StepCost | undefined> {
  try {
    return await stepCost(library, host, rounds);
  } catch (error) {
    skipped.push({ kernel: "step", shape: "2-16-16-1/32", build: "cost", threads: 1, why: String(error) });
    return undefined;
  }
}

/** Those of several contenders that a short trial cannot rule out. */
function fastest(contenders: Contender[], now: () => number): Contender[] {
  if (contenders.length === 1) return contenders;
  const best = contenders.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < 4; round++)
    contenders.forEach(({ run }, i) => {
      const start = now();
      let calls = 0;
      do {
        run();
        calls++;
      } while (now() - start < 20);
      best[i] = Math.min(best[i]!, (now() - start) / calls);
    });
  const least = Math.min(...best);
  return contenders.filter((_, i) => best[i]! <= TRIAL * least);
}

/** Why a contender's output is not that of the reference. */
function differs(contender: Contender, reference: Float32Array | undefined, tolerance: number): string | undefined {
  if (!reference) return undefined;
  const before = contender.output().slice();
  contender.run();
  const output = contender.output();
  // NaN where nothing was written yet: compare bits
  const bits = new Uint32Array(before.buffer);
  if (new Uint32Array(output.slice().buffer).every((word, i) => word === bits[i]))
    return "its kernel is not there yet (it writes nothing)";
  let worst = 0;
  for (let i = 0; i < reference.length; i++) {
    const difference = Math.abs(output[i]! - reference[i]!) / (1 + Math.abs(reference[i]!));
    if (!(difference <= worst)) worst = difference;
  }
  return !(worst <= tolerance) ? `its result is not JavaScript's: ${worst.toExponential(1)} apart` : undefined;
}

/** Whether the loss falls over a few steps on the same batch. */
function learns({ run, loss }: { run(): void; loss(): number }): boolean {
  run();
  const first = loss();
  for (let i = 0; i < 50; i++) run();
  return loss() < first;
}
