// npm run bench:peers: the training steps of bench/workloads.ts in downhill and in its peers, side by side.
//
//   --workloads LIST     W2,W5 (default: all; W7 is W7a and W7b)
//   --competitors LIST   of downhill-fast downhill-strict downhill-winograd4 downhill-fast-2 downhill-strict-2 pytorch pytorch-2 plain jax
//                        tfjs-wasm tfjs-cpu convnetjs brain onnx (default: all); `downhill` and `tfjs` are all of these
//   --rounds N           rounds, of which medians are taken (default 7)
//   --json FILE          writes everything
//   --no-measures        leaves out readiness, memory and bundle
//
// Each (workload, competitor) first proves that it trains: its loss falls, and its first ten losses, dropout off, are within
// 1 % of PyTorch's; else its cell is marked as another computation. (With dropout on, every framework has its own random
// numbers, so there only the fall is looked at.) Then come the rounds: in each, every competitor of a workload runs in a fresh
// process, pinned to one core, in an order that turns with the round. Steps of more than a second are timed in three rounds.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { median } from "../measure";
import { workloads } from "../workloads";
import { type Competitor, competitors, PYTHON, PYTORCH_ENV, takesPart, threadsEnv } from "./competitors";
import { writeWorkload } from "./files";
import { goalsOf } from "./goals";
import { goalTable, head, table } from "./report";
import type { Cell, Results } from "./results";
import { type Answer, canPin, run } from "./run";

const FOLDER = "build/peers";
const TOLERANCE = 0.01;
const SLOW_MS = 1000;
const SLOW_ROUNDS = 3;
const VOID_BELOW = 1.4;

const { values } = parseArgs({
  options: {
    workloads: { type: "string" },
    competitors: { type: "string" },
    rounds: { type: "string", default: "7" },
    json: { type: "string" },
    "no-measures": { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(
    "npm run bench:peers -- [--workloads W2,W5] [--competitors downhill,pytorch] [--rounds 7] [--json FILE] [--no-measures]",
  );
  process.exit();
}

/** Whether `list` names `id`, or, where no id is called so, all ids that begin so. */
function named(list: string | undefined, id: string, ids: string[], begins: (name: string) => boolean): boolean {
  return list === undefined || list.split(",").some((name) => (ids.includes(name) ? name === id : begins(name)));
}
const workloadIds = workloads.map(({ id }) => id);
const competitorIds = competitors.map(({ id }) => id);
const chosen = workloads.filter(({ id }) =>
  named(values.workloads, id, workloadIds, (name) => name === "W7" && id.startsWith(name)),
);
const taking = competitors.filter(
  ({ id, threads }) =>
    threads <= cpus().length && named(values.competitors, id, competitorIds, (name) => id.startsWith(`${name}-`)),
);
const rounds = Number(values.rounds);
if (!chosen.length || !taking.length || !(rounds >= 1)) throw new Error("bench:peers: nothing to run; see --help");

const say = (text: string) => console.error(text);

/** Installs what bench/peers/package.json names and is not there; what cannot be had stays away. */
function install(): void {
  const { optionalDependencies } = JSON.parse(readFileSync("bench/peers/package.json", "utf8"));
  const missing = Object.keys(optionalDependencies).filter((name) => !existsSync(`bench/peers/node_modules/${name}`));
  if (!missing.length) return;
  say(`installing ${missing.join(", ")} in bench/peers`);
  const { status } = spawnSync("npm", ["install", "--no-audit", "--no-fund", "--no-package-lock"], {
    cwd: "bench/peers",
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip" }, // its script fetches CUDA
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) say("npm install failed: who is not there cannot take part");
}

const ask = ({ command, threads, env }: Competitor, workload: string, mode: string): Promise<Answer> => {
  const [program, file, ...options] = command;
  return run([program!, file!, workload, mode, "--folder", FOLDER, ...options], threads, env);
};

const versions: Record<string, string> = {};

/** Whether everyone trains. Returns the cells, timed by nobody yet. */
async function check(): Promise<{ cells: Cell[]; reference: string }> {
  const cells: Cell[] = [];
  const reference = taking.find(({ id }) => id === "pytorch") ?? taking[0]!;
  for (const workload of chosen) {
    const { id, layers, inference } = workload;
    const hasDropout = layers.some(({ type }) => type === "dropout");
    const answers = new Map<string, Answer>();
    for (const competitor of taking)
      if (takesPart(competitor, workload)) answers.set(competitor.id, await ask(competitor, id, "check"));
    const expected = answers.get(reference.id)?.losses;
    for (const competitor of taking) {
      const answer = answers.get(competitor.id);
      if (!answer) continue;
      Object.assign(versions, answer.versions);
      const cell: Cell = { workload: id, competitor: competitor.id, rounds: [] };
      cells.push(cell);
      if (answer.cannot) {
        cell.cannot = answer.cannot;
        say(`${id} ${competitor.name}: cannot: ${answer.cannot}`);
        continue;
      }
      if (expected) {
        cell.apart = Math.max(...expected.map((loss, i) => Math.abs(answer.losses![i]! - loss) / Math.abs(loss)));
        cell.other = !(cell.apart <= TOLERANCE);
      }
      const trained = hasDropout ? await ask(competitor, id, "train") : answer;
      if (!inference) cell.learns = trained.last! < trained.first!;
      say(
        `${id} ${competitor.name}: losses ${cell.apart?.toExponential(1) ?? "?"} apart, ${trained.first} → ${trained.last}`,
      );
    }
  }
  return { cells, reference: reference.name };
}

const peaks: number[] = [];
const mms: number[] = [];
let blas: string[] = [];

/** torch.mm and our peak, beside the workloads. */
async function probe(): Promise<void> {
  const peak = await run([process.execPath, `${FOLDER}/peak.js`], 1);
  if (peak.gflops) peaks.push(peak.gflops);
  const mm = await run([PYTHON, "bench/peers/pytorch.py", "-", "blas"], 1, { ...PYTORCH_ENV, ...threadsEnv(1) });
  if (mm.gflops) mms.push(mm.gflops);
  blas = mm.blas ?? blas;
}

async function time(cells: Cell[]): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`);
    if (taking.some(({ id }) => id === "pytorch")) await probe();
    for (const { id } of chosen) {
      const of = cells.filter((cell) => cell.workload === id && !cell.cannot);
      for (let i = 0; i < of.length; i++) {
        const cell = of[(round + i) % of.length]!;
        if (round >= SLOW_ROUNDS && cell.rounds[0]! > SLOW_MS) continue;
        const answer = await ask(taking.find((competitor) => competitor.id === cell.competitor)!, id, "time");
        if (answer.ms === undefined) say(`${id} ${cell.competitor}: ${answer.cannot}`);
        else cell.rounds.push(answer.ms);
        if (answer.variant) cell.variant = answer.variant;
      }
    }
  }
  for (const cell of cells)
    if (cell.rounds.length) cell.ms = median(cell.rounds);
    else cell.cannot ??= "every timed run failed";
}

/** Medians over rounds of what each program prints, over what an empty Node does. */
async function overEmpty(programs: Record<string, string[]>, figure: "ready" | "rss"): Promise<Record<string, number>> {
  const names = Object.keys(programs);
  const taken = new Map(names.map((name) => [name, [] as number[]]));
  for (let round = 0; round < rounds; round++)
    for (const name of names) {
      const figureOf = (await run([process.execPath, ...programs[name]!], 1))[figure];
      if (figureOf !== undefined) taken.get(name)!.push(figureOf);
    }
  const empty = median(taken.get("empty")!);
  return Object.fromEntries(
    names
      .filter((name) => name !== "empty" && taken.get(name)!.length > 0)
      .map((name) => [name, median(taken.get(name)!) - empty]),
  );
}

async function measures(): Promise<Results["measures"]> {
  const ready = await overEmpty(
    {
      empty: ["bench/peers/ready/empty.js"],
      downhill: ["bench/peers/ready/downhill.js"],
      tfjs: ["bench/peers/ready/tfjs.js"],
    },
    "ready",
  );
  const w2 = ["W2", "memory", "--folder", FOLDER];
  const memory = await overEmpty(
    {
      empty: ["bench/peers/empty.js", ...w2],
      downhill: ["bench/peers/downhill.js", ...w2],
      "downhill fastMath": ["bench/peers/downhill.js", ...w2, "--fastMath"],
      "tfjs wasm": ["bench/peers/tfjs.js", ...w2, "--device", "wasm"],
      "tfjs cpu": ["bench/peers/tfjs.js", ...w2, "--device", "cpu"],
    },
    "rss",
  );
  const ofTensorFlow = ["tfjs wasm", "tfjs cpu"].flatMap((name) => memory[name] ?? []);
  if (ofTensorFlow.length) memory["tfjs"] = Math.min(...ofTensorFlow);
  const size = spawnSync(process.execPath, ["bench/size.js"], { encoding: "utf8" }).stdout;
  const bundle = Number(/bundle of a trained MLP, min \+ gzip\s+(\d+)/.exec(size)?.[1]);
  return { ready, memory, ...(bundle ? { bundle } : {}) };
}

install();
mkdirSync(FOLDER, { recursive: true });
for (const workload of workloads)
  if (chosen.includes(workload) || workload.id === "W2") writeWorkload(workload, FOLDER);
const { cells, reference } = await check();
await time(cells);
const results: Results = {
  machine: {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    node: process.versions.node,
    pinned: canPin,
    date: new Date().toISOString().slice(0, 10),
  },
  versions,
  rounds,
  workloads: chosen.map(({ id }) => id),
  competitors: taking.map(({ id }) => id),
  reference,
  cells,
  measures: values["no-measures"] ? {} : await measures(),
  goals: [],
};
if (mms.length) {
  const [mm, peak] = [median(mms), peaks.length ? median(peaks) : undefined];
  results.pytorch = { blas, mm, peak, void: peak !== undefined && mm < VOID_BELOW * peak };
}
results.goals = goalsOf(results);
console.log(head(results));
console.log(table(results, competitors, (id) => workloads.find((workload) => workload.id === id)!.what));
if (results.goals.length) console.log(`\n${goalTable(results)}`);
if (values.json) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
