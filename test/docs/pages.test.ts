// The methods' pages: each has its parts, its snippet runs against the built package, and what the chapter measures of it
// has an experiment.

import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EXPERIMENTS } from "../../bench/chapter/experiments";

const run = promisify(execFile);
const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const FOLDER = at("build/pages"); // in the package, so that they may import it by its name

/** Those of another kind: test/cli/docs.test.ts is of the command line's. */
const OTHERS = ["design.md", "command-line.md"];
const pages = readdirSync(at("docs")).filter((name) => name.endsWith(".md") && !OTHERS.includes(name));
const textOf = (page: string) => readFileSync(at(`docs/${page}`), "utf8");
const measured = (text: string) => [...text.matchAll(/<!-- chapter ([\w-]+) -->/g)].map(([, method]) => method!);

beforeAll(() => {
  mkdirSync(FOLDER, { recursive: true });
});
afterAll(() => rmSync(FOLDER, { recursive: true }));

describe.each(pages)("%s", (page) => {
  const text = textOf(page);

  test("has a title, an example and its source", () => {
    expect(text).toMatch(/^# \S/);
    expect(text).toMatch(/^## Example$/m);
    if (measured(text).length) expect(text).toMatch(/^## Source$/m);
  });

  test("its example runs", async () => {
    const snippets = [...text.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code!);
    expect(snippets.length).toBeGreaterThan(0);
    for (const [i, code] of snippets.entries()) {
      const file = `${FOLDER}/${page}.${i}.mjs`;
      writeFileSync(file, code);
      const { stdout, stderr } = await run(process.execPath, [file], { cwd: FOLDER });
      expect(stdout.trim()).not.toBe("");
      expect(stderr).not.toMatch(/Error/);
    }
  }, 60_000);

  test("what it says is measured has an experiment", () => {
    const known = EXPERIMENTS.map(({ method }) => method);
    for (const method of measured(text)) expect(known).toContain(method);
  });
});

test("every experiment's result stands on one page", () => {
  const shown = pages.flatMap((page) => measured(textOf(page)));
  const methods = EXPERIMENTS.map(({ method }) => method);
  expect(methods.filter((method) => shown.filter((name) => name === method).length !== 1)).toEqual([]);
});

test("the README leads to every page, and links lead to pages", () => {
  const readme = readFileSync(at("README.md"), "utf8");
  expect([...pages, ...OTHERS].filter((page) => !readme.includes(`](docs/${page})`))).toEqual([]);
  const linked = pages.flatMap((page) => [...textOf(page).matchAll(/\]\(([^)#]+\.md)/g)].map(([, to]) => to!));
  const fromReadme = [...readme.matchAll(/\]\(docs\/([^)#]+\.md)/g)].map(([, to]) => to!);
  expect([...linked, ...fromReadme].filter((to) => ![...pages, ...OTHERS].includes(to))).toEqual([]);
});
