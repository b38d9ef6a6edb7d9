// npm run bench: what the kernels and whole training steps reach here, against plain JavaScript and the machine's limits.
//
//   --json FILE      writes { machine, rows, goals, … } (results.ts)
//   --filter TEXT    only rows whose "kernel shape" holds TEXT; may be given several times
//   --rounds N       rounds, of which medians are taken (default 30)
//   --threads LIST   numbers of threads (default 1,2)
//
// Read it so: a row's time is the median of its rounds; `of limit` is its share of what the machine can do at all,
// measured in the same rounds (results are shares of `threads` times that for several threads); `vs JS` the times that it
// is faster than the same work in plain JavaScript (js/). Rows marked `slow minute` were measured while a neighbour took
// the machine: run them again. Speed is promised for Node 24, on an idle machine.

import { writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Worker } from "node:worker_threads";
import { followSource } from "./benchCore";
import type { Host, Library } from "./host";
import { runBenchmark } from "./run";

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    filter: { type: "string", multiple: true },
    rounds: { type: "string", default: "30" },
    threads: { type: "string", default: "1,2" },
  },
});

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const modules = new Map<string, Promise<WebAssembly.Module>>();
const module = (path: string): Promise<WebAssembly.Module> => {
  let found = modules.get(path);
  if (!found) {
    // this file runs as build/bench/bench.js
    found = readFile(new URL(path, import.meta.url)).then((bytes) => new WebAssembly.Module(bytes));
    modules.set(path, found);
  }
  return found;
};

const host: Host = {
  engine: `node ${process.versions.node}`,
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: cpus().length,
  now: () => performance.now(),
  interruptions: () => process.resourceUsage().involuntaryContextSwitches,
  heapUsed(full) {
    if (full) collect();
    return process.memoryUsage().heapUsed;
  },
  core: (build) => module(`../core/${build}.wasm`),
  limits: (build) => module(`limits.${build}.wasm`),
  startWorker: (data) =>
    new Promise((resolve, reject) => {
      const source = `const { parentPort, workerData: data } = require("node:worker_threads");
        const post = (message) => parentPort.postMessage(message); ${followSource}`;
      const worker = new Worker(source, { eval: true, workerData: data });
      worker.once("error", reject);
      worker.once("message", () => {
        worker.unref(); // it is no reason for the process to stay
        resolve(() => void worker.terminate());
      });
    }),
  library: async () => (await import("../ts/index")) as unknown as Library,
  log: (line) => console.log(line),
};

const results = await runBenchmark(host, {
  rounds: Number(values.rounds),
  filter: values.filter ?? [],
  threads: values.threads.split(",").map(Number),
});
if (values.json) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
