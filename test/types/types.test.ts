// The compiler as a judge: test/types/api.ts, and every snippet of the README under strict and noUncheckedIndexedAccess.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const path = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url));
const FOLDER = path("build/snippets");

/** Code blocks of a Markdown text, scripts of its HTML blocks; the package's addresses all become its name. */
function snippetsOf(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/^```(ts|js|html)\n([\s\S]*?)^```/gm)];
  return blocks.map(([, language, code]) => {
    const script = language === "html" ? /<script type="module">([\s\S]*?)<\/script>/.exec(code!)![1]! : code!;
    return script.replace(/from "[^"]*downhill(\.js)?"/g, 'from "downhill"');
  });
}

/** What tsc complains of, a line each. */
function complaints(files: Record<string, string>): string[] {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(`${FOLDER}/${name}`, text);
  const config = {
    extends: "../../tsconfig.json",
    compilerOptions: {
      noUnusedLocals: false,
      moduleDetection: "force",
      paths: {
        downhill: ["../../ts/index.ts"],
        "#platform": ["../../ts/runtime/platform/node.ts"],
        "#core/*": ["../core/core.d.ts"],
      },
    },
    include: Object.keys(files),
    exclude: [],
  };
  writeFileSync(`${FOLDER}/tsconfig.json`, JSON.stringify(config));
  try {
    execFileSync(process.execPath, [path("node_modules/typescript/bin/tsc"), "-p", FOLDER], { encoding: "utf8" });
    return [];
  } catch (error) {
    return (error as { stdout: string }).stdout.trim().split("\n");
  }
}

let found: string[];

beforeAll(() => {
  const snippets = snippetsOf(readFileSync(path("README.md"), "utf8"));
  expect(snippets.length).toBeGreaterThanOrEqual(2);
  found = complaints({
    ...Object.fromEntries(snippets.map((code, i) => [`readme${i + 1}.ts`, code])),
    "api.ts": readFileSync(path("test/types/api.ts"), "utf8"),
    "wrong.ts": 'import { dense } from "downhill";\nexport const layer = dense(4, { unit: 3 });\n',
  });
});

afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

test("the README's snippets compile", () => {
  expect(found.filter((line) => line.includes("readme"))).toEqual([]);
});

test("what must compile does, and what must not does not (test/types/api.ts)", () => {
  expect(found.filter((line) => line.includes("api.ts"))).toEqual([]);
});

test("a snippet that is wrong is found", () => {
  expect(found.filter((line) => line.includes("wrong.ts"))).toHaveLength(1);
});
