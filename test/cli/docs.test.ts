// docs/command-line.md: it names the commands and options that there are, and its examples run.

import { execFile } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { CLI, downhill, folder } from "./run";

const page = readFileSync(fileURLToPath(new URL("../../docs/command-line.md", import.meta.url)), "utf8");
const at = folder();

const found = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, name]) => name!);

test("the page names each command and each of its options, and none that there is not", async () => {
  const commands = found(page, /^\| `(\w+)[^`]*` \| [^`|]*\|$/gm);
  const { stdout } = await downhill("--help");
  expect(commands).toEqual(found(stdout, /^ {2}([a-z]+) (?:\[|<)/gm));
  const rows = found(page, /^(\| `--.*)$/gm).map((row) => row.split(" | "));
  for (const command of commands) {
    const { stdout: help } = await downhill(command, "--help");
    const options = found(help, /^ {2}(--[\w-]+)/gm);
    const documented = rows.flatMap(([names, of]) => (of!.includes(command) ? found(names!, /`(--[\w-]+)/g) : []));
    expect(documented.sort(), command).toEqual(options.sort());
  }
}, 60_000);

test("its examples run", async () => {
  const rows = Array.from({ length: 60 }, (_, i) => `${i % 7},${(i * i) % 5},${i % 7 > 3 ? "iris" : "rose"}`);
  writeFileSync(at("data.csv"), ["size,weight,species", ...rows].join("\n"));
  const lines = found(page, /^npx downhill ([^#\n]*)/gm);
  expect(lines.length).toBe(7);
  for (const line of lines)
    await promisify(execFile)(process.execPath, [CLI, ...line.trim().split(/ +/)], { cwd: at("") });
  expect(readFileSync(at("predictions.json"), "utf8").trim().split("\n").length).toBe(60);
  expect(existsSync(at("run.safetensors"))).toBe(true);
}, 120_000);
