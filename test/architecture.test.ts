// What docs/design.md says of the house, held against the sources: imports point one way, the core does the arithmetic,
// and a page is never asked for a Node module.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

const sources = readdirSync(join(ROOT, "ts"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".data.ts"))
  .map((file) => `ts/${file}`)
  .sort();

/** Without comments and the contents of strings. */
const codeOf = (file: string) =>
  readFileSync(join(ROOT, file), "utf8")
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/(^|[^:"'`])\/\/.*$/gm, "$1");

interface Import {
  from: string;
  /** A file of the repository, or a name such as `node:os`, `#platform`. */
  to: string;
  typeOnly: boolean;
}

function importsOf(file: string): Import[] {
  const statements = codeOf(file).matchAll(
    /\b(import|export)\b\s*(type\b)?[^;"'`]*?\bfrom\s*"([^"]+)"|\bimport\(\s*"([^"]+)"/g,
  );
  return [...statements].map(([, , type, statically, dynamically]) => {
    const name = (statically ?? dynamically)!;
    const path = name.startsWith(".") ? relative(ROOT, join(ROOT, dirname(file), `${name}.ts`)) : name;
    return { from: file, to: path, typeOnly: type !== undefined };
  });
}

const imports = sources.flatMap(importsOf);

/** From below to above; a folder may import those of lower levels, and itself. */
const LEVELS: string[][] = [
  ["errors", "ndarray"],
  ["options"],
  ["registry", "runtime"],
  ["graph", "random"],
  ["ops", "data", "formats"],
  ["schedules", "initializers", "regularizers", "constraints"],
  ["optimizers", "losses", "layers"],
  ["metrics", "augment"],
  ["custom"],
  ["training"],
  ["adversarial", "callbacks", "diagnostics"],
  ["formats/model", "formats/weights", "formats/onnx/import", "formats/onnx/export"], // what makes models of files, and files of models
  ["formats/tfjs"],
  ["worker"],
  ["ensembles"],
  ["index", "cli"],
  ["landscapes"],
];

/** The entry of LEVELS that a file belongs to: its own, or that of a folder that it is in, the innermost. */
function partOf(file: string): string {
  let name = file.replace(/^ts\/|\.ts$/g, "");
  while (name.includes("/") && !LEVELS.some((level) => level.includes(name))) name = dirname(name);
  return name;
}
const levelOf = (file: string) => LEVELS.findIndex((level) => level.includes(partOf(file)));

describe("imports", () => {
  test("every file has a place in the house", () => {
    expect(sources.filter((file) => levelOf(file) < 0)).toEqual([]);
    expect(imports.length).toBeGreaterThan(200);
  });

  test("point from above to below", () => {
    const wrong = imports.filter(({ from, to }) => {
      if (!to.startsWith("ts/") || partOf(from) === partOf(to)) return false;
      return levelOf(to) >= levelOf(from);
    });
    expect(wrong.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });

  test("of assembly are its instruction set alone", () => {
    const wrong = imports.filter(({ to }) => to.startsWith("assembly/") && to !== "assembly/isa.ts");
    expect(wrong).toEqual([]);
  });

  test("have no cycles but for types", () => {
    const edges = new Map<string, string[]>();
    for (const { from, to, typeOnly } of imports) if (!typeOnly) edges.set(from, [...(edges.get(from) ?? []), to]);
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, path: string[]): void => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(" → "));
      else if (!done.has(file)) for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
      done.add(file);
    };
    for (const file of edges.keys()) visit(file, []);
    expect(cycles).toEqual([]);
  });

  test("of a page's modules reach no Node module", () => {
    const seen = new Set<string>();
    const open = ["ts/index.ts", "ts/random.ts", "ts/worker/host.ts", "ts/worker/inWorker.ts"];
    for (let file = open.pop(); file; file = open.pop()) {
      if (seen.has(file)) continue;
      seen.add(file);
      for (const { to } of importsOf(file)) {
        const target = to === "#platform" ? "ts/runtime/platform/browser.ts" : to;
        if (target.startsWith("ts/")) open.push(target);
        else
          expect(target, `imported by ${file}`).toMatch(
            /^(assembly\/isa\.ts|#core\/.*|@assemblyscript\/loader|@bufbuild\/protobuf\/wire|package\.json\.ts|csv-parse\/browser\/.*|@zip\.js\/zip\.js.*)$/,
          );
      }
    }
    expect(seen).toContain("ts/runtime/platform/browser.ts");
    expect(seen).toContain("ts/training/fit.ts");
    expect([...seen].filter((file) => file.includes("node"))).toEqual([]);
  });
});

/** Lines of the sources that match, as `file: line`. */
function hits(pattern: RegExp, files = sources): string[] {
  return files.flatMap((file) =>
    codeOf(file)
      .split("\n")
      .filter((line) => pattern.test(line))
      .map((line) => `${file}: ${line.trim()}`),
  );
}

describe("arithmetic", () => {
  test("uses of the host's mathematics only what every engine rounds alike", () => {
    expect(hits(/\bMath\.(?!(sqrt|fround|imul|abs|floor|ceil|min|max|trunc|sign|PI)\b)\w+/)).toEqual([]);
    expect(hits(/\{[^}]*\}\s*=\s*Math\b|\bMath\[/)).toEqual([]);
  });

  test("has no powers but of whole numbers that are written out", () => {
    expect(hits(/\*\*(?!=)/).filter((line) => !/\b\d+ \*\* \d+\b/.test(line))).toEqual([]);
    expect(hits(/\*\*=/)).toEqual([]);
  });

  const computing = sources.filter((file) => !/^ts\/(data|formats|cli)\//.test(file));

  test("on tensors' elements is the core's: no loop over a tensor's size or data", () => {
    expect(
      hits(/\bfor \(.*(<|<=) *[\w.!?[\]]*(\.size|\.data\.length|Floats|floats|\.byteLength)\b/, computing),
    ).toEqual([]);
    expect(hits(/\bfor \((const|let) .* of [^()]*(\.data|\.f32|\.i32|\.u32|\.u8)!?\)/, computing)).toEqual([]);
    expect(
      hits(/(\.data|\.f32|\.i32|\.u32|\.u8)!?\.(map|forEach|reduce|every|some|filter|findIndex)\(/, computing),
    ).toEqual([]);
    expect(hits(/\b(Float32|Float64|Int32|Uint32|Uint8)Array\.from\([^)]*=>/, computing)).toEqual([]);
  });

  test("the patterns find what they are for", () => {
    const found = (pattern: RegExp, line: string) => pattern.test(line);
    expect(found(/\bMath\.(?!(sqrt|fround|imul|abs|floor|ceil|min|max|trunc|sign|PI)\b)\w+/, "y = Math.exp(x)")).toBe(
      true,
    );
    expect(
      found(/\bMath\.(?!(sqrt|fround|imul|abs|floor|ceil|min|max|trunc|sign|PI)\b)\w+/, "y = Math.signal(x)"),
    ).toBe(true);
    expect(
      found(/\bfor \(.*(<|<=) *[\w.!?[\]]*(\.size|\.data\.length|Floats)\b/, "for (let i = 0; i < x.size; i++)"),
    ).toBe(true);
  });
});
