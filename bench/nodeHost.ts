// Node as a host of the benchmark.

import { readFile } from "node:fs/promises";
import { cpus } from "node:os";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Worker } from "node:worker_threads";
import { followSource } from "./benchCore";
import type { Host, Library } from "./host";

/** `build`: the folder that holds core/ and bench/. */
export function nodeHost(build: URL, library: () => Promise<Library | undefined>): Host {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;

  const modules = new Map<string, Promise<WebAssembly.Module>>();
  const module = (path: string): Promise<WebAssembly.Module> => {
    let found = modules.get(path);
    if (!found) {
      found = readFile(new URL(path, build)).then((bytes) => new WebAssembly.Module(bytes));
      modules.set(path, found);
    }
    return found;
  };

  return {
    engine: `node ${process.versions.node}`,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    now: () => performance.now(),
    interruptions: () => process.resourceUsage().involuntaryContextSwitches,
    heapUsed(full) {
      if (full) collect();
      return process.memoryUsage().heapUsed;
    },
    core: (name) => module(`core/${name}.wasm`),
    limits: (name) => module(`bench/limits.${name}.wasm`),
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
    library,
    log: (line) => console.log(line),
  };
}
