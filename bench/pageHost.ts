// A page's web worker as a host of the benchmark: it may block, and the page goes on. esbuild puts the modules into its script.

import limitsFastMath from "../build/bench/limits.fastMath.wasm";
import limitsStrict from "../build/bench/limits.strict.wasm";
import strict from "../build/core/strict.wasm";
import { loadModule } from "../ts/runtime/core";
import { followSource } from "./benchCore";
import type { Host, Library } from "./host";
import { median } from "./measure";

export function pageHost(library: Library): Host {
  const modules = new Map<string, Promise<WebAssembly.Module>>();
  const once = (name: string, make: () => Promise<WebAssembly.Module>) => {
    const found = modules.get(name) ?? make();
    modules.set(name, found);
    return found;
  };
  return {
    engine: engineOf(navigator.userAgent),
    cpu: "unknown CPU", // no page is told
    cores: navigator.hardwareConcurrency,
    now: () => performance.now(),
    grain: grain(),
    // the strict core whole, as Node has it: a page's is in two parts, of which the extension joins when a model needs it
    core: (build) =>
      once(build, () =>
        build === "strict"
          ? WebAssembly.compile(strict)
          : loadModule({ fastMath: build.startsWith("fastMath"), shared: build.endsWith("Shared") }),
      ),
    limits: (build) =>
      once(`limits ${build}`, () => WebAssembly.compile(build === "strict" ? limitsStrict : limitsFastMath)),
    startWorker: (data) =>
      new Promise((resolve, reject) => {
        const source = `onmessage = ({ data }) => { const post = postMessage; ${followSource} };`;
        const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
        const worker = new Worker(url);
        worker.onerror = ({ message }) => reject(new Error(message || "the worker did not start"));
        worker.onmessage = () => {
          URL.revokeObjectURL(url);
          resolve(() => worker.terminate());
        };
        worker.postMessage(data);
      }),
    library: async () => library,
    log() {}, // the page shows what `onProgress` is told
  };
}

/** "Firefox 140" */
export function engineOf(userAgent: string): string {
  for (const [pattern, name] of [
    [/Firefox\/([\d.]+)/, "Firefox"],
    [/Edg\/([\d.]+)/, "Edge"],
    [/OPR\/([\d.]+)/, "Opera"],
    [/Chrom(?:e|ium)\/([\d.]+)/, "Chromium"],
    [/Version\/([\d.]+).*Safari/, "WebKit"],
  ] as const) {
    const version = pattern.exec(userAgent)?.[1];
    if (version) return `${name} ${version.replace(/(\.0)+$/, "")}`;
  }
  return userAgent;
}

/** Milliseconds between two values of the clock: where a page is not isolated, 0.1 to 1. */
function grain(): number {
  const steps: number[] = [];
  let last = performance.now();
  while (steps.length < 11) {
    const now = performance.now();
    if (now === last) continue;
    steps.push(now - last);
    last = now;
  }
  return median(steps);
}
