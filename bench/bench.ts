// npm run bench: what the kernels and whole training steps reach here, against plain JavaScript and the machine's limits.
//
//   --json FILE      writes { machine, rows, goals, … } (results.ts)
//   --filter TEXT    only rows whose "kernel shape" holds TEXT; may be given several times
//   --rounds N       rounds, of which medians are taken (default 30)
//   --threads LIST   numbers of threads (default 1,2)
//   --short          the rows that matter, in about a minute: what the benchmark page shows first
//
// Read it so: a row's time is the median of its rounds; `of limit` is its share of what the machine can do at all,
// measured in the same rounds (results are shares of `threads` times that for several threads); `vs JS` the times that it
// is faster than the same work in plain JavaScript (js/). Rows marked `slow minute` were measured while a neighbour took
// the machine, and so again in later passes; only a row's last line counts. Speed is promised for Node 24, on an idle machine.

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Library } from "./host";
import { nodeHost } from "./nodeHost";
import { SHORT } from "./options";
import { runBenchmark } from "./run";

const USAGE = `npm run bench -- [--json FILE] [--filter TEXT]… [--rounds N] [--threads LIST]

  --json FILE      writes machine, rows and goals
  --filter TEXT    only rows whose "kernel shape" holds TEXT, such as "gemm 64" or adam
  --rounds N       rounds, of which medians are taken (default 30)
  --threads LIST   numbers of threads (default 1,2)
  --short          the rows that matter, in about a minute`;

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    filter: { type: "string", multiple: true },
    rounds: { type: "string" },
    threads: { type: "string", default: "1,2" },
    short: { type: "boolean" },
    help: { type: "boolean" },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit();
}

// this file runs as build/bench/bench.js
const host = nodeHost(new URL("..", import.meta.url), async () => (await import("../ts/index")) as unknown as Library);
const results = await runBenchmark(host, {
  ...(values.short ? SHORT : {}),
  ...(values.rounds ? { rounds: Number(values.rounds) } : {}),
  ...(values.filter ? { filter: values.filter } : {}),
  threads: values.threads.split(",").map(Number),
});
if (values.json) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
