// The benchmark of `npm run bench` in a web worker.

import {
  adam,
  conv2d,
  dense,
  flatten,
  functional,
  init,
  input,
  maxPool2d,
  meanSquaredError,
  relu,
  sequential,
  sgd,
  softmaxCrossEntropy,
  tanh,
} from "downhill";
import type { Library } from "../../bench/host";
import type { Progress } from "../../bench/options";
import { pageHost } from "../../bench/pageHost";
import { runBenchmark } from "../../bench/run";
import type { Reply, Request } from "./protocol";

const library = {
  ...{ init, sequential, functional, input, dense, conv2d, maxPool2d, flatten, relu, tanh },
  ...{ adam, sgd, meanSquaredError, softmaxCrossEntropy },
} as unknown as Library;

const post = (reply: Reply) => postMessage(reply);
const failed = (error: unknown) => post({ type: "failed", why: String(error) });

addEventListener("message", ({ data: options }: MessageEvent<Request>) => {
  const onProgress = (progress: Progress) => post({ type: "progress", progress });
  runBenchmark(host, { ...options, onProgress }).then((results) => post({ type: "done", results }), failed);
});

const host = pageHost(library);
init().then((runtime) => {
  const { engine, cores, grain = 0 } = host;
  post({ type: "ready", facts: { engine, cores, grain, features: runtime.features } });
  runtime.dispose();
}, failed);
