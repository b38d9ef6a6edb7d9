// The data folder has one owner: a process that says so in service.pid.
//
// SQLite's driver locks by a folder `service.db.lock`, which a killed process leaves behind. Who has found that the owner is
// dead may remove it.

import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** Folders that this process owns. */
const owned = new Set<string>();

/** When a process was started, where the system tells: numbers of processes are used again. */
function startOf(pid: number): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return `${boot} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return "";
  }
}

function isAlive(pid: number, started: string): boolean {
  try {
    process.kill(pid, 0); // signal 0 only asks
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const now = startOf(pid);
  return now === "" || started === "" || now === started;
}

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};

/**
 * Makes this process the owner of a folder, which is made where it is missing. Returns how to give it up; throws where another process
 * that is alive owns it.
 */
export function ownFolder(path: string): () => void {
  const folder = resolve(path);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "service.pid");
  const own = `${process.pid}\n${startOf(process.pid)}\n`;
  const mine = join(folder, `service.pid.${process.pid}`);
  for (;;) {
    const before = read(file);
    if (before !== undefined) {
      const [pid, started = ""] = before.split("\n");
      const alive = Number(pid) === process.pid && before === own ? owned.has(folder) : isAlive(Number(pid), started);
      if (Number(pid) > 0 && alive) throw new Error(`${folder} belongs to the process ${pid}, which runs`);
      const aside = `${mine}.old`;
      try {
        renameSync(file, aside);
      } catch {
        continue; // another was first
      }
      const taken = read(aside);
      // another has taken the folder meanwhile: that one keeps it
      if (taken !== before) linkSync(aside, file);
      rmSync(aside);
      continue;
    }
    writeFileSync(mine, own);
    try {
      linkSync(mine, file); // fails where there is one
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    } finally {
      rmSync(mine);
    }
  }
  owned.add(folder);
  rmSync(join(folder, "service.db.lock"), { recursive: true, force: true });
  return () => {
    if (owned.delete(folder) && read(file) === own) rmSync(file);
  };
}
