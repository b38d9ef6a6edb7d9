// How long the processes that this one started, and those that they started, have run on a core.

import { readdirSync, readFileSync } from "node:fs";

/** Ticks of the kernel's clock are a hundredth of a second. */
const TICK = 0.01;

/** Seconds of all descendants that are alive. */
export function processorTime(): number {
  const processes = new Map<number, { parent: number; seconds: number }>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // behind the name, which may have spaces: state, parent, …, at 12 and 13 user and system time
      const fields = readFileSync(`/proc/${name}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ");
      const seconds = (Number(fields[11]) + Number(fields[12])) * TICK;
      processes.set(Number(name), { parent: Number(fields[1]), seconds });
    } catch {
      // it has ended
    }
  }
  const isOurs = (id: number): boolean => {
    const parent = processes.get(id)?.parent;
    return parent === process.pid || (parent !== undefined && parent > 1 && isOurs(parent));
  };
  return [...processes].reduce((sum, [id, { seconds }]) => sum + (isOurs(id) ? seconds : 0), 0);
}
