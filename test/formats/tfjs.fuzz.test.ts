// Damaged TF.js models: each is read, or is a DownhillError, quickly, and leaves nothing in memory. Every mutation follows from
// its number alone. Between them model.json and the weights are put into one file, whose header is the JSON.

import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DownhillError } from "../../ts/errors";
import { importTfjs, init, type Model, type Runtime } from "../../ts/index";
import { headerOf, jsonOf, type Mutation, mutations, pick, random, tokensOf, withJson } from "../support/mutations";

const PER_KIND = 300;
const at = (path: string) => new URL(`tfjs/${path}`, import.meta.url);
const sources = readdirSync(at(".")).map((name) => {
  const text = readFileSync(at(`${name}/model.json`), "utf8");
  const { weightsManifest } = JSON.parse(text) as { weightsManifest: [{ paths: string[] }] };
  const weights = Buffer.concat(weightsManifest[0].paths.map((path) => readFileSync(at(`${name}/${path}`))));
  const file = withJson(new Uint8Array(8), text);
  return Uint8Array.of(...file, ...weights);
});
let runtime: Runtime;
beforeAll(async () => {
  runtime = await init({ maxMemory: 2 ** 24 });
});
afterAll(() => runtime.dispose());

const VALUES = [null, true, 0, -1, 0.5, 3, 1e9, 2 ** 53, "", "relu", "Dense", "__proto__", [], {}, [[]], [null, 6]];

const kinds: Record<string, Mutation> = {
  ...mutations(sources),
  "values exchanged"(bytes, rand) {
    const value = JSON.parse(jsonOf(bytes)) as unknown;
    const spots: [Record<string, unknown>, string][] = [];
    const visit = (v: unknown) => {
      if (typeof v !== "object" || v === null) return;
      for (const key of Object.keys(v)) {
        spots.push([v as Record<string, unknown>, key]);
        visit((v as Record<string, unknown>)[key]);
      }
    };
    visit(value);
    for (let i = 0; i <= rand(2); i++) {
      const [at, key] = pick(rand, spots);
      const [from, other] = pick(rand, spots);
      const what = rand(4);
      if (what === 0) delete at[key];
      else if (what === 1) at[key] = structuredClone(from[other]);
      else if (what === 2)
        at[pick(rand, ["__proto__", "constructor", "name", "class_name", other])] = structuredClone(from[other]);
      else at[key] = pick(rand, VALUES);
    }
    return withJson(bytes, JSON.stringify(value));
  },
  "layers repeated"(bytes, rand) {
    const tokens = tokensOf(jsonOf(bytes));
    const from = rand(tokens.length);
    const part = tokens.slice(from, from + rand(200));
    tokens.splice(rand(tokens.length), 0, ...Array.from({ length: rand(50) }, () => part).flat());
    return withJson(bytes, tokens.join(""));
  },
};

/** The JSON and the weights of such a file, however damaged its header's length is. */
function parts(bytes: Uint8Array): [json: Uint8Array, weights: Uint8Array] {
  const end = bytes.length < 8 ? bytes.length : Math.min(headerOf(bytes), bytes.length);
  return [bytes.subarray(Math.min(8, end), end), bytes.subarray(end)];
}

/** What was read can be used, or says why not. */
function use(model: Model) {
  const { inputs } = model.state.structure;
  const shapes = inputs.map(({ value }) => value.shape);
  if (shapes.some((shape) => shape.reduce((a, b) => a * b, 1) > 1000)) return;
  const xs = shapes.map((shape) => ({
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
    shape: [1, ...shape],
  }));
  try {
    model.predict(xs.length === 1 ? xs[0]! : xs);
  } catch (error) {
    if (!(error instanceof DownhillError)) throw error;
  }
}

for (const [kind, mutate] of Object.entries(kinds))
  test(`${PER_KIND} × ${kind}: it is read or is a DownhillError`, () => {
    const start = performance.now();
    const { used } = runtime.memory();
    let read = 0;
    for (let i = 0; i < PER_KIND; i++) {
      const rand = random(i * 104729 + kind.length);
      const [json, weights] = parts(mutate(Uint8Array.from(pick(rand, sources)), rand));
      try {
        const model = importTfjs(json, weights, { runtime });
        read++;
        use(model);
        model.dispose();
      } catch (error) {
        if (!(error instanceof DownhillError) || !["format", "shape", "argument", "memory"].includes(error.code))
          throw new Error(`mutation ${i} of "${kind}"`, { cause: error });
        if (error.message.length > 50_000)
          throw new Error(`mutation ${i} of "${kind}": ${error.message.length} characters`);
      }
    }
    expect(read).toBeLessThan(PER_KIND);
    expect(runtime.memory().used).toBe(used);
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(performance.now() - start).toBeLessThan(30_000);
    if (process.env["FUZZ_VERBOSE"]) console.log(kind, read, (performance.now() - start).toFixed(0), "ms");
  }, 60_000);
