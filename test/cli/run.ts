// The built command line in a process of its own.

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";

export const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

export function downhill(...args: string[]): Promise<Ended> {
  const { DEBUG: _, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, ...args], { env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

export const lastLine = (text: string): string => text.trimEnd().split("\n").at(-1)!;

/** A folder that is there while a file of tests runs. */
export function folder(): (name: string) => string {
  const path = mkdtempSync(join(tmpdir(), "downhill-"));
  afterAll(() => rmSync(path, { recursive: true, force: true }));
  return (name) => join(path, name);
}
