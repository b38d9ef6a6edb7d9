// A competitor's program in a fresh process, pinned to as many cores as it has threads.

import { spawn, spawnSync } from "node:child_process";
import { cpus } from "node:os";

export interface Answer {
  cannot?: string;
  losses?: number[];
  first?: number;
  last?: number;
  ms?: number;
  rss?: number;
  ready?: number;
  gflops?: number;
  blas?: string[];
  variant?: string;
  versions?: Record<string, string>;
}

export const canPin = spawnSync("taskset", ["-V"]).status === 0;

/** The last `threads` cores: the first ones have the interrupts. */
const coresOf = (threads: number) =>
  Array.from({ length: threads }, (_, i) => cpus().length - threads + i).filter((core) => core >= 0);

/** Runs `command` and returns the last line that it prints, or why there is none. `limit`: seconds. */
export function run(
  command: string[],
  threads: number,
  env: Record<string, string> = {},
  limit = 600,
): Promise<Answer> {
  const [program, ...args] = canPin ? ["taskset", "-c", coresOf(threads).join(","), ...command] : command;
  return new Promise((resolve) => {
    const child = spawn(program!, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    let errors = "";
    child.stdout.on("data", (text) => {
      out += text;
    });
    child.stderr.on("data", (text) => {
      errors += text;
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), limit * 1000);
    child.on("error", (error) => resolve({ cannot: error.message }));
    child.on("close", (_, signal) => {
      clearTimeout(timer);
      if (signal === "SIGKILL") return resolve({ cannot: `not done after ${limit} s` });
      try {
        resolve(JSON.parse(out.trim().split("\n").at(-1)!));
      } catch {
        const reason = /^\S*Error.*$/m.exec(errors)?.[0] ?? errors.trim().split("\n").at(-1);
        resolve({ cannot: reason || "it printed nothing" });
      }
    });
  });
}
