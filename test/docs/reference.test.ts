// The API reference: it is complete, which is the check that every public name has documentation, and its links lead somewhere.

import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as downhill from "../../ts/index";
import * as landscapes from "../../ts/landscapes";

const run = promisify(execFile);
const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const SITE = at("build/reference");
const FOLDER = `${SITE}/reference`;

let complaints: string;
let pages: Map<string, string>;

beforeAll(async () => {
  rmSync(SITE, { recursive: true, force: true });
  const ran = await run(process.execPath, [at("examples/reference/build.js"), FOLDER]).catch((error) => error);
  complaints = ran.stderr;
  const files = readdirSync(FOLDER, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".html"));
  pages = new Map(files.map((name) => [name, readFileSync(join(FOLDER, name), "utf8")]));
}, 240_000);
afterAll(() => rmSync(SITE, { recursive: true, force: true }));

/** What attributes of that name hold, entities resolved. */
const attributes = (html: string, pattern: RegExp) =>
  [...html.matchAll(pattern)].map(([, value]) => value!.replaceAll("&amp;", "&").replaceAll("&quot;", '"'));

test("each public name has documentation, each link in it leads to one, and what a public name's type names is public", () => {
  expect(complaints).toBe("");
});

test("what is incomplete is complained of", async () => {
  const of = { files: ["test/docs/incomplete/exports"], tsconfig: "test/docs/incomplete/tsconfig.json", pages: [] };
  const script = `import { buildReference } from "./examples/reference/build.js";
    console.log(JSON.stringify(await buildReference("build/reference/incomplete", ${JSON.stringify(of)})));`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], { cwd: at("") });
  const found = (JSON.parse(stdout) as string[]).map((text) => text.replaceAll(/\S*\bexports\./g, ""));
  const undocumented = found.flatMap((text) => /^(\S+) .* does not have any documentation/.exec(text)?.[1] ?? []);
  expect(undocumented.sort()).toEqual(["Bare", "Options.bare", "bare", "five"]);
  const others = found.filter((text) => !/does not have any documentation/.test(text)).sort();
  expect(others).toEqual([
    expect.stringMatching(/^Failed to resolve link to "nowhere"/),
    expect.stringMatching(/^Hidden, .* is referenced by odd but not included/),
    expect.stringMatching(/^The signature odd has an @param with name "wrong"/),
  ]);
}, 120_000);

test("each module of the package has a page, and each of its names", () => {
  const { exports } = JSON.parse(readFileSync(at("package.json"), "utf8"));
  const modules = Object.entries<{ types?: string }>(exports).filter(([path, to]) => to.types && path !== "./browser");
  const names = modules.map(([path]) => join("downhill", path));
  expect([...pages.keys()].filter((page) => page.startsWith("modules/")).sort()).toEqual(
    names.map((name) => `modules/${name.replaceAll("/", "_")}.html`).sort(),
  );
  const known = new Set([...pages.keys()].map((page) => page.replace(/.*[/.](\w+)\.html$/, "$1")));
  for (const name of Object.keys({ ...downhill, ...landscapes })) expect(known).toContain(name);
});

test("factories are shown as functions, under their family", () => {
  expect(pages.get("functions/dense.html")).toContain("Function dense");
  expect([...pages.keys()].filter((page) => page.startsWith("variables/") && !/landscapes/.test(page))).toEqual([]);
  const module = pages.get("modules/downhill.html")!;
  const headings = [...module.matchAll(/<h2[^>]*>(?:<svg.*?<\/svg>)?([^<]+)/g)].map(([, name]) => name);
  expect(headings).toEqual(
    expect.arrayContaining(["Models", "Layers", "Losses", "Optimizers", "Callbacks", "Workers"]),
  );
  expect(headings).not.toContain("Other");
  const layers = module.slice(module.indexOf('id="layers'), module.indexOf('id="losses'));
  expect(layers).toContain("functions/dense.html");
  expect(layers).not.toContain("functions/adam.html");
});

test("each page under docs/ is there, under its own title", () => {
  for (const file of readdirSync(at("docs")).filter((name) => name.endsWith(".md"))) {
    const [, title] = /^# (.*)/.exec(readFileSync(at(`docs/${file}`), "utf8"))!;
    const page = pages.get(`docs/${file.replace(".md", ".html")}`);
    const [, heading] = /<h1[^>]*>(.*?)<\/h1>/.exec(page ?? "") ?? [];
    expect(heading?.replaceAll("<wbr/>", "").replaceAll("&#39;", "'"), file).toContain(title);
  }
});

test("the service's page is there", () => {
  expect(pages.get("docs/service.html")).toContain("<h1>downhill as a service</h1>");
});

test("what overloads have in common is said once; [Symbol.dispose] is no name in quotes, and stands behind dispose", () => {
  const summaries = [
    ...pages.get("functions/csv.html")!.matchAll(/<div class="tsd-description">\s*<div class="tsd-comment/g),
  ];
  expect(summaries.length).toBe(1);
  const model = pages.get("interfaces/Model.html")!;
  expect(model).not.toContain("&quot;[Symbol.dispose]");
  expect(model.indexOf("[Symbol.dispose]")).toBeGreaterThan(model.indexOf(">dispose<"));
});

test("links are relative and lead to what is there; nothing is loaded from elsewhere", () => {
  const ids = new Map([...pages].map(([page, html]) => [page, new Set(attributes(html, / id="([^"]*)"/g))]));
  for (const [page, html] of pages) {
    expect(attributes(html, /<(?:script|img|use)[^>]* (?:src|href)="(https?:[^"]*)"/g), page).toEqual([]);
    expect(attributes(html, /<link[^>]* href="(https?:[^"]*)"/g), page).toEqual([]);
    for (const link of attributes(html, /<(?:a|link|use)\b[^>]* href="([^"]*)"/g)) {
      if (/^https?:|^#?$/.test(link)) continue;
      const [path, fragment] = link.split("#") as [string, string?];
      const target = path ? join(dirname(page), decodeURIComponent(path)) : page;
      // the site's other pages
      if (/^\.\.\/(playground|benchmark)\/index\.html$/.test(target)) continue;
      expect(existsSync(join(FOLDER, target)), `${page}: ${link}`).toBe(true);
      if (fragment && ids.has(target))
        expect(ids.get(target)!.has(decodeURIComponent(fragment)), `${page}: ${link}`).toBe(true);
    }
  }
});

test("what pages name of the playground's runs leads there", () => {
  const links = [...pages.values()].flatMap((html) => attributes(html, /href="([^"]*playground\/index\.html#[^"]*)"/g));
  expect(links.length).toBeGreaterThan(20);
  for (const link of links) expect(link).toMatch(/^\.\.\/\.\.\/playground\/index\.html#(train|descend|chapter)/);
});
