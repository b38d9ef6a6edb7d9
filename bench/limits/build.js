// Compiles the limits' two modules into build/bench.

import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";

const root = new URL("../../", import.meta.url).pathname;

export function buildLimits() {
  mkdirSync(`${root}build/bench`, { recursive: true });
  for (const [name, features] of [
    ["strict", "simd"],
    ["fastMath", "simd,relaxed-simd"],
  ]) {
    const asc = "node_modules/assemblyscript/bin/asc.js";
    const memory = ["--importMemory", "--initialMemory", "16", "--maximumMemory", "65536"];
    const flags = ["-O3", "--noAssert", "--runtime", "stub", "--use", "abort=", "--enable", features, ...memory];
    const files = ["bench/limits/limits.micro.ts", "-o", `build/bench/limits.${name}.wasm`];
    execFileSync(process.execPath, [asc, ...files, ...flags], { cwd: root, stdio: "inherit" });
  }
}
