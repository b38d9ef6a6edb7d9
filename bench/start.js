// How long a service waits for downhill: importing it, and from there to the first training step of an MLP 64-32-10.
//
//   node build.js && node bench/start.js [rounds]     15 by default
//
// A process for each reading (this file again); what Node takes to start is not counted. The goals are issue 7's.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const GOALS = [
  ["import", 15],
  ["import to first step", 50],
];

/** Milliseconds until downhill is imported, and until a step is done. */
async function start() {
  const begin = performance.now();
  const { adam, dense, relu, sequential, softmaxCrossEntropy } = await import("downhill");
  const imported = performance.now() - begin;
  const model = sequential([dense(32, { inputShape: [64] }), relu(), dense(10)]);
  model.compile({ optimizer: adam(), loss: softmaxCrossEntropy() });
  model.trainOnBatch({ data: new Float32Array(32 * 64).fill(0.5), shape: [32, 64] }, new Int32Array(32));
  return [imported, performance.now() - begin];
}

/** Median, least and most of each in so many fresh processes. */
function report(rounds) {
  const args = [fileURLToPath(import.meta.url), "once"];
  const read = () => JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
  read(); // the files are in memory from here on
  const readings = Array.from({ length: rounds }, read);
  for (const [i, [name, goal]] of GOALS.entries()) {
    const times = readings.map((reading) => reading[i]).sort((a, b) => a - b);
    const [median, least, most] = [times[rounds >> 1], times[0], times.at(-1)].map((time) => time.toFixed(1));
    const verdict = median <= goal ? "reached" : "NOT reached";
    console.log(`${name.padEnd(20)} ${median} ms (${least} to ${most}), goal ${goal}: ${verdict}`);
  }
}

if (process.argv[2] === "once") console.log(JSON.stringify(await start()));
else report(Number(process.argv[2] ?? 15));
