// A project that depends on downhill, as npm packs it.

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const root = new URL("../../", import.meta.url).pathname;
const run = promisify(execFile);

export const manifest = async () => JSON.parse(await readFile(join(root, "package.json"), "utf8"));

export interface Project {
  folder: string;
  /** The packed files. */
  packed: string[];
  /** Writes a file of the project: its path. */
  write(name: string, text: string): Promise<string>;
  remove(): Promise<void>;
}

export async function packedProject(): Promise<Project> {
  const folder = await mkdtemp(join(tmpdir(), "downhill-package-"));
  const installed = join(folder, "node_modules", "downhill");
  await mkdir(installed, { recursive: true });
  const pack = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  const [{ filename, files }] = JSON.parse((await run("npm", pack, { cwd: root })).stdout);
  await run("tar", ["xzf", join(folder, filename), "--strip-components=1", "-C", installed]);
  for (const name of Object.keys((await manifest()).dependencies)) {
    const link = join(folder, "node_modules", name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(root, "node_modules", name), link, "dir");
  }
  return {
    folder,
    packed: files.map(({ path }: { path: string }) => path),
    async write(name, text) {
      const path = join(folder, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
      return path;
    },
    remove: () => rm(folder, { recursive: true }),
  };
}
