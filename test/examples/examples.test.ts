// The examples run, against the built package, for a few steps.

import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);
const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

async function outputOf(name: string, ...args: string[]): Promise<string> {
  const env = { ...process.env };
  delete env["MNIST_DIR"];
  const { stdout, stderr } = await run(process.execPath, [at(`examples/${name}/train.js`), ...args], { env });
  expect(stderr).not.toMatch(/Error/);
  return stdout;
}

test("transformer: bits a character fall, and it writes", { timeout: 120_000 }, async () => {
  const text = await outputOf("transformer", "100", "20");
  const [, seen, unseen] = /epoch 1: ([\d.]+) bits a character, ([\d.]+) of text/.exec(text)!;
  expect(Number(seen)).toBeLessThan(6); // log₂ of the alphabet's size: 6.7
  expect(Number(unseen)).toBeLessThan(Number(seen));
  expect([...text.split("\n\n").slice(1).join("\n\n").trimEnd()].length).toBeGreaterThan(20);
});

test("mnist: learns the digits", { timeout: 120_000 }, async () => {
  const text = await outputOf("mnist", "4");
  expect(Number(/test accuracy ([\d.]+)/.exec(text)![1])).toBeGreaterThan(0.85);
});

test("resnet: learns the digits", { timeout: 120_000 }, async () => {
  const text = await outputOf("resnet", "3");
  expect(Number(/test accuracy ([\d.]+)/.exec(text)![1])).toBeGreaterThan(0.8);
});

test("each is named in the README and is tested here", () => {
  const examples = readdirSync(at("examples")).filter((name) => existsSync(at(`examples/${name}/train.js`)));
  expect(examples).toEqual(["mnist", "resnet", "transformer"]);
  const readme = readFileSync(at("README.md"), "utf8");
  for (const name of examples) expect(readme).toContain(`node examples/${name}/train.js`);
});
