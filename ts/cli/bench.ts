// downhill bench

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { DownhillError } from "../errors";

/** The benchmark, as `node bench/build.js` compiles it in the repository; this file runs as dist/cli.js. */
const BENCHMARK = fileURLToPath(new URL("../build/bench/bench.js", import.meta.url));

/** Runs the benchmark with the given arguments; returns its exit code. */
export async function bench(args: string[]): Promise<number> {
  if (!existsSync(BENCHMARK))
    throw new DownhillError(
      "data",
      `bench: expected the benchmark at ${BENCHMARK}, got none; in the repository node bench/build.js makes it`,
    );
  const child = spawn(process.execPath, [BENCHMARK, ...args], { stdio: "inherit" });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}
