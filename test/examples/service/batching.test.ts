import { dense, type Model, type NDArray, sequential } from "downhill";
import { expect, test } from "vitest";
import { Batcher } from "../../../examples/service/batcher";
import { Predictor } from "../../../examples/service/predictor";
import type { Facts } from "../../../examples/service/table";
import { flowers, open } from "./support";

const columns = [{ name: "a" }, { name: "kind", values: ["x", "y"] }];
const facts = { columns, width: 3, target: "t" } as unknown as Facts;

function makeBatcher(options: { rows?: number; wait?: number; more?: () => boolean } = {}) {
  const model = sequential([dense(2, { inputShape: [3] })]) as Model<NDArray>;
  const batches: [number, number][] = [];
  const ran = (rows: number, requests: number) => batches.push([rows, requests]);
  return { model, batches, batcher: new Batcher(model, facts, { rows: 8, wait: 20, ...options, ran }) };
}

const name = (i: number) => `rows[${i}]`;

test("requests within the wait are one batch, and each gets what it would get alone", async () => {
  const { model, batcher, batches } = makeBatcher();
  const outputs = await Promise.all([
    batcher.predict([[1, "x"]], name),
    batcher.predict([{ kind: "y", a: 2 }, [3, "y"]], name),
    batcher.predict([[-1, "y"]], name),
  ]);
  expect(batches).toEqual([[4, 3]]);
  const rows = [
    [1, 1, 0],
    [2, 0, 1],
    [3, 0, 1],
    [-1, 0, 1],
  ];
  const got = outputs.flatMap(({ data, first, rows, width }) => [
    ...data.subarray(first * width, (first + rows) * width),
  ]);
  expect(got).toEqual(rows.flatMap((row) => [...model.predict([row]).data]));
});

test("a full batch goes at once, and a request larger than one goes alone", async () => {
  const { batcher, batches } = makeBatcher({ wait: 100_000 });
  const many = (n: number) => batcher.predict(new Array(n).fill([1, "x"]), name);
  await Promise.all([many(4), many(4)]);
  expect((await many(20)).rows).toBe(20);
  const waiting = many(3);
  const late = many(6);
  batcher.flush();
  await Promise.all([waiting, late]);
  expect(batches).toEqual([
    [8, 2],
    [20, 1],
    [3, 1],
    [6, 1],
  ]);
});

test("where no other request can come, none is waited for", async () => {
  const { batcher, batches } = makeBatcher({ wait: 100_000, more: () => false });
  await batcher.predict([[1, "x"]], name);
  await Promise.all([batcher.predict([[1, "x"]], name), batcher.predict([[2, "x"]], name)]);
  expect(batches).toEqual([
    [1, 1],
    [2, 2],
  ]);
});

test("a row that does not fit is refused alone, and leaves nothing behind", async () => {
  const { model, batcher, batches } = makeBatcher();
  const good = batcher.predict([[1, "x"]], name);
  await expect(
    batcher.predict(
      [
        [5, "y"],
        [6, "z"],
      ],
      name,
    ),
  ).rejects.toThrow('rows[1], column "kind": expected one of ["x", "y"], got "z"');
  const after = batcher.predict([[2, "x"]], name);
  const [{ data }] = await Promise.all([good, after]);
  expect(batches).toEqual([[2, 2]]);
  expect([...data]).toEqual([
    ...model.predict([
      [1, 1, 0],
      [2, 1, 0],
    ]).data,
  ]);
});

test("an error of the model's reaches every request", async () => {
  const { model, batcher } = makeBatcher();
  const both = [batcher.predict([[1, "x"]], name), batcher.predict([[1, "x"]], name)];
  model.dispose();
  for (const result of await Promise.allSettled(both)) expect(result.status).toBe("rejected");
});

test("concurrent requests to the service join", async () => {
  const { ask, trained } = await open({ BATCH_WAIT: 50 });
  const { id } = await trained({ rows: flowers(12), target: "kind", epochs: 1, hiddenLayers: [4] });
  const predict = (row: unknown) => ask("POST", `/models/${id}/predict`, { row });
  const rows = flowers(40).map(({ size, weight, color }) => [size, weight, color]);
  const alone = [];
  for (const row of rows.slice(0, 5)) alone.push((await predict(row)).body);
  const count = async () => {
    const { text } = await ask("GET", "/metrics");
    return ["predict_batch_rows_count", "predict_requests_total"].map((name) =>
      Number(new RegExp(`^downhill_${name} (\\d+)$`, "m").exec(text)![1]),
    );
  };
  const [batches] = await count();
  const together = await Promise.all(rows.map(predict));
  expect(together.slice(0, 5).map(({ body }) => body)).toEqual(alone);
  const [after, requests] = await count();
  expect(requests).toBe(45);
  // in this process nobody else has a connection: those of one turn join
  expect(after! - batches!).toBeLessThan(20);
});

test("models are let go of where they take too much memory, the least recently used first", async () => {
  const loads: string[] = [];
  const model = sequential([dense(256, { inputShape: [256] })]);
  const { saveModel } = await import("downhill");
  const bytes = await saveModel(model as Model);
  const wide = { columns: Array.from({ length: 256 }, (_, i) => ({ name: `${i}` })), width: 256 } as Facts;
  const origin = {
    get: async () => ({ facts: wide }),
    file: async (id: string) => {
      loads.push(id);
      return bytes.slice();
    },
  };
  const predictor = await Predictor.create(origin, 4 * 2 ** 20, { rows: 8, wait: 0 });
  const predict = (id: string) => predictor.predict(id, [new Array(256).fill(1)], name);
  for (let i = 0; i < 40; i++) {
    await predict(`${i}`);
    await predict("0");
  }
  expect(predictor.figures.bytes).toBeLessThanOrEqual(4 * 2 ** 20);
  expect(predictor.figures.models).toBeGreaterThan(2);
  expect(loads).toEqual(Array.from({ length: 40 }, (_, i) => `${i}`)); // 0 is in use all the time
  await predict("1");
  expect(loads.at(-1)).toBe("1");
  const both = Promise.all([predict("x"), predict("x")]);
  await both;
  expect(loads.filter((id) => id === "x")).toHaveLength(1);
  predictor.drop("x");
  predictor.dispose();
});
