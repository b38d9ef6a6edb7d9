// Our FMA peak: fused multiply-adds in registers, GFLOP/s (bench/limits). What torch.mm is held against.

import { Machine } from "../machine";
import { nodeHost } from "../nodeHost";

const machine = await Machine.open(nodeHost(new URL("..", import.meta.url), async () => undefined));
const rates = Object.entries(machine.peaks).filter(([name]) => /^fastMath\d/.test(name));
console.log(
  JSON.stringify(
    machine.builds.includes("fastMath")
      ? { gflops: Math.max(...rates.map(([, rate]) => rate)) }
      : { cannot: "this Node has no relaxed SIMD" },
  ),
);
