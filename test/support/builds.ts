import { setFlagsFromString } from "node:v8";
import type { Build } from "./core";

// Node 20 has relaxed SIMD behind a flag
if (Number(process.versions.node.split(".")[0]) < 22) setFlagsFromString("--experimental-wasm-relaxed-simd");

/** Both builds of the core. */
export const BUILDS: Build[] = ["strict", "fastMath"];
