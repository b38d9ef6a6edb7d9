// Damaged model files: each loads, or is a DownhillError, quickly, and leaves nothing in memory. Every mutation follows
// from its number alone.

import { afterAll, beforeAll, expect, test } from "vitest";
import { DownhillError } from "../../ts/errors";
import { encodeSafetensors } from "../../ts/formats/safetensors";
import { earlyStopping, init, loadModel, type Model, type NDArray, type Runtime, saveModel } from "../../ts/index";
import {
  headerOf,
  jsonOf,
  type Mutation,
  mutations,
  pick,
  type Random,
  random,
  TOKENS,
  tokensOf,
  withJson,
} from "../support/mutations";
import { compiledNet, examples, net } from "../support/training";

const PER_KIND = 550;
const batch = examples(5);
const CODES = ["format", "shape", "argument", "memory"];
const sources: Uint8Array[] = [];
let runtime: Runtime;

beforeAll(async () => {
  const model = compiledNet();
  const { x, y } = examples(40);
  await model.fit(
    { x, y },
    { epochs: 3, validationSplit: 0.2, callbacks: [earlyStopping({ restoreBestWeights: true })] },
  );
  sources.push(await saveModel(model), await saveModel(net()));
  sources.push(encodeSafetensors({ a: { data: Float32Array.of(1), shape: [1] } }, { format: "downhill 1" }));
  runtime = await init({ maxMemory: 2 ** 24 });
});
afterAll(() => runtime.dispose());

/** Changes one text of the metadata, which is JSON itself. */
const inMetadata =
  (change: (text: string, rand: Random) => string): Mutation =>
  (bytes, rand) => {
    const header = JSON.parse(jsonOf(bytes)) as { __metadata__: Record<string, string> };
    const key = pick(rand, Object.keys(header.__metadata__));
    header.__metadata__[key] = change(header.__metadata__[key]!, rand);
    return withJson(bytes, JSON.stringify(header));
  };

const NUMBERS = [0, -1, 0.5, 1, 2, 7, 1e3, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1e300];

const kinds: Record<string, Mutation> = {
  ...mutations(sources),
  "metadata: tokens spliced": inMetadata((text, rand) => {
    const tokens = tokensOf(text);
    for (let i = 0; i <= rand(3); i++) {
      const at = rand(tokens.length);
      const what = rand(4);
      if (what === 0) tokens[at] = pick(rand, TOKENS);
      else if (what === 1) tokens.splice(at, 1 + rand(3));
      else if (what === 2) tokens.splice(at, 0, ...tokens.slice(at - rand(20), at));
      else tokens[at] = tokens[rand(tokens.length)]!;
    }
    return tokens.join("");
  }),
  "metadata: numbers attacked": inMetadata((text, rand) => {
    const spots = [...text.matchAll(/-?\d+(?:\.\d+)?(?:e-?\d+)?/g)];
    if (!spots.length) return `${pick(rand, NUMBERS)}`;
    const { index, 0: old } = pick(rand, spots);
    return text.slice(0, index) + pick(rand, NUMBERS) + text.slice(index + old.length);
  }),
  "metadata: values exchanged": inMetadata((text, rand) => {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return text.slice(rand(8));
    }
    const spots: [Record<string, unknown>, string][] = [];
    const visit = (v: unknown) => {
      if (typeof v !== "object" || v === null) return;
      for (const key of Object.keys(v)) {
        spots.push([v as Record<string, unknown>, key]);
        visit((v as Record<string, unknown>)[key]);
      }
    };
    visit(value);
    if (spots.length === 0) return text;
    const [at, key] = pick(rand, spots);
    const [from, other] = pick(rand, spots);
    const what = rand(5);
    if (what === 0) delete at[key];
    else if (what === 1) at[key] = structuredClone(from[other]);
    else if (what === 2) at[pick(rand, ["__proto__", "constructor", "type", "name", "units", other])] = from[other];
    else if (what === 3) at[key] = pick(rand, NUMBERS);
    else
      at[key] = pick(rand, [
        null,
        true,
        "",
        "dense",
        "sgd",
        "l2",
        [],
        {},
        { type: "l1", c: -1 },
        { type: "constructor" },
        [[]],
      ]);
    try {
      return JSON.stringify(value);
    } catch {
      return "{}"; // it holds itself
    }
  }),
  "metadata: nested": inMetadata((text, rand) => {
    const tokens = tokensOf(text);
    const depth = 1 << rand(15);
    const [open, close] = pick(rand, [
      ["[", "]"],
      ['{"a":', "}"],
      ['{"type":"warmup","steps":1,"then":', "}"],
    ] as const);
    const at = rand(tokens.length);
    tokens[at] = open.repeat(depth) + tokens[at] + close.repeat(depth);
    return tokens.join("");
  }),
  "metadata: large": inMetadata((text, rand) => {
    const tokens = tokensOf(text);
    const at = rand(tokens.length);
    const filler = pick(rand, [
      '"a":1,',
      "1,",
      "{},",
      '{"layer":0,"inputs":[0]},',
      '{"name":"x","config":{"type":"relu"}},',
    ]);
    tokens.splice(at, 0, filler.repeat(1 << rand(12)));
    return tokens.join("");
  }),
  "metadata: texts exchanged"(bytes, rand) {
    const header = JSON.parse(jsonOf(bytes)) as { __metadata__: Record<string, string> };
    const other = JSON.parse(jsonOf(pick(rand, sources))) as typeof header;
    const key = pick(rand, Object.keys(header.__metadata__));
    if (rand(3) === 0) delete header.__metadata__[key];
    else header.__metadata__[key] = pick(rand, Object.values(other.__metadata__));
    return withJson(bytes, JSON.stringify(header));
  },
  "weights flipped"(bytes, rand) {
    for (let i = 0; i <= rand(4); i++) bytes[headerOf(bytes) + rand(bytes.length - headerOf(bytes))]! ^= 1 << rand(8);
    return bytes;
  },
};

/** Whatever loaded can be used, or says why not. */
function use(model: Model<NDArray>) {
  const { inputs } = model.state.structure;
  if (inputs.length !== 1 || inputs[0]!.value.shape.join() !== "12") return;
  try {
    model.predict(batch.x);
    model.trainOnBatch(batch.x, batch.y);
  } catch (error) {
    if (!(error instanceof DownhillError)) throw error;
  }
}

for (const [kind, mutate] of Object.entries(kinds))
  test(`${PER_KIND} × ${kind}: it loads or is a DownhillError`, async () => {
    const start = performance.now();
    const used = runtime.memory().used;
    let loaded = 0;
    for (let i = 0; i < PER_KIND; i++) {
      const rand = random(i * 7919 + kind.length);
      const bytes = mutate(Uint8Array.from(pick(rand, sources)), rand);
      try {
        const model = await loadModel(bytes, { runtime });
        const saved = await saveModel(model);
        expect(saved.length).toBeLessThan(bytes.length + 4096);
        use(model as Model<NDArray>);
        model.dispose();
        loaded++;
      } catch (error) {
        if (!(error instanceof DownhillError) || !CODES.includes(error.code))
          throw new Error(`mutation ${i} of "${kind}"`, { cause: error });
      }
    }
    expect(runtime.memory().used).toBe(used);
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(performance.now() - start).toBeLessThan(40_000);
    if (process.env["FUZZ_VERBOSE"]) console.log(kind, loaded, (performance.now() - start).toFixed(0), "ms");
  });
