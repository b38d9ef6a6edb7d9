// Each limit, and what says that it was met: a 4xx with what was expected and what came.

import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readConfig, settingsTable } from "../../../examples/service/config";
import { flowers, form, LONG, makeFolder, open, toCsv } from "./support";

const service = await open({
  MAX_JSON: 20_000,
  MAX_FILE: 10_000,
  MAX_ROWS: 100,
  MAX_COLUMNS: 6,
  MAX_TABLE: 1_500,
  MAX_CLASSES: 5,
  MAX_PARAMETERS: 1_000,
  MAX_EPOCHS: 10_000,
  MAX_SECONDS: 100,
  MAX_PREDICT_ROWS: 10,
  MAX_QUEUE: 2,
  MAX_STREAMS: 1,
  TIMEOUT: 1,
});
const { ask, trained, until } = service;
const rows = flowers(12);
const OPTIONS = { target: "kind", epochs: 1, hiddenLayers: [4] };

const refused = (status: number, code: string, message: RegExp | string) => ({
  status,
  body: { statusCode: status, code, message: typeof message === "string" ? message : expect.stringMatching(message) },
});

test("the size of a body and of a file", async () => {
  const text = "x".repeat(30_000);
  expect(await ask("POST", "/models", { ...OPTIONS, csv: text })).toMatchObject(
    refused(413, "too_large", "expected a body of at most 20000 bytes, got a larger one"),
  );
  const { id } = await trained({ ...OPTIONS, rows });
  expect((await ask("POST", `/models/${id}/predict`, { row: [text, 1, "red"] })).status).toBe(413);
  const upload = form({ options: JSON.stringify(OPTIONS), file: { filename: "f.csv", content: text } });
  expect(await ask("POST", "/models", undefined, upload)).toMatchObject(
    refused(413, "too_large", "expected a file of at most 10000 bytes, got a larger one"),
  );
  writeFileSync(join(service.folder, "large.csv"), text);
  expect(await ask("POST", "/models", { ...OPTIONS, file: "large.csv" })).toMatchObject(
    refused(413, "too_large", "file: expected at most 10000 bytes, got 30000"),
  );
});

test.each<[string, object, RegExp]>([
  [
    "rows",
    { csv: toCsv(flowers(101).map(({ size, kind }) => ({ size, kind }))) },
    /^expected at most 100 rows, got 101$/,
  ],
  ["rows in JSON", { rows: flowers(101) }, /^rows: expected at most 100 rows, got 101$/],
  [
    "columns",
    { csv: "a,b,c,d,e,f,g,kind\n1,1,1,1,1,1,1,x\n1,1,1,1,1,1,1,y\n" },
    /^expected at most 6 columns, a category counting as one each, got 7$/,
  ],
  [
    "categories",
    { rows: rows.map((row, i) => ({ ...row, color: `c${i}` })) },
    /^expected at most 6 columns, .* got 14$/,
  ],
  ["columns of a line", { csv: `a,kind\n1,x\n${"2,".repeat(9000)}y\n` }, /^expected at most 6 columns, .* got 9000$/],
  ["columns in JSON", { rows: [[1, 2, 3, 4, 5, 6, 7, "x"]], target: "8" }, /^rows: expected at most 6 columns, got 7$/],
  [
    "numbers in JSON",
    { rows: [{ a: 1, b: 2, c: 3, d: 4, e: 5, kind: "x" }, ...new Array(80).fill({})], missing: "drop" },
    /^rows: expected a table of at most 1500 bytes, got at least 1620$/,
  ],
  ["blank lines", { csv: `a,kind\r\n1,x\r\n2,y${"\r\n".repeat(102)}` }, /^expected at most 100 blank lines, got 101$/],
  ["numbers", { csv: toCsv(flowers(99)) }, /^expected a table of at most 1500 bytes, got 1584 for \[99, 4\]$/],
  [
    "classes",
    { csv: `a,kind\n${[1, 2, 3, 4, 5, 6].map((n) => `${n},k${n}\n`).join("")}` },
    /^target: expected at most 5 classes, got 6$/,
  ],
  [
    "a model's size",
    { rows, hiddenLayers: [30, 30] },
    /^hiddenLayers: expected a model of at most 1000 parameters, got 1189$/,
  ],
  ["epochs", { rows, epochs: 10_001 }, /^epochs: expected to be <= 10000, got 10001$/],
  ["time", { rows, maxSeconds: 101 }, /^maxSeconds: expected to be <= 100, got 101$/],
])("a training's %s", async (_, given, message) => {
  expect(await ask("POST", "/models", { ...OPTIONS, ...given })).toMatchObject(refused(422, "unprocessable", message));
});

test("what is just within the limits is trained, whatever ends its lines", async () => {
  const line = (i: number, kind: string) => `1,2,3,4,5,${i},${kind}`;
  const lines = ["a,b,c,d,e,f,kind", ...Array.from({ length: 60 }, (_, i) => line(i, i % 2 ? "x" : "y"))];
  const hashes = [];
  for (const end of ["\n", "\r\n", "\r"])
    for (const last of ["", end.repeat(100)])
      hashes.push((await trained({ ...OPTIONS, csv: lines.join(end) + last })).weightsHash);
  const cells = lines.slice(1).map((text) => text.split(",").map((cell) => (cell > "9" ? cell : Number(cell))));
  hashes.push((await trained({ ...OPTIONS, rows: cells, columns: lines[0]!.split(",") })).weightsHash);
  expect(new Set(hashes).size).toBe(1);
});

test("a row that is long beyond reason is refused before it is read", async () => {
  const { ask } = await open();
  const upload = form({
    options: JSON.stringify(OPTIONS),
    file: { filename: "f.csv", content: `a,kind\n1,"${"x".repeat(5_000_000)}"\n2,y\n` },
  });
  expect(await ask("POST", "/models", undefined, upload)).toMatchObject(
    refused(422, "unprocessable", "expected rows of at most 4194304 bytes, got 5000004"),
  );
});

test("the rows of a prediction", async () => {
  const { id } = await trained({ ...OPTIONS, rows });
  const predict = (n: number) => ask("POST", `/models/${id}/predict`, { rows: new Array(n).fill([1, 2, "red"]) });
  expect((await predict(10)).body.predictions).toHaveLength(10);
  expect(await predict(11)).toMatchObject(
    refused(422, "unprocessable", "rows: expected not to have more than 10 items, got a list of 11"),
  );
});

test("the queue, before a body is read", async () => {
  const ids: string[] = [];
  for (let i = 0; i < 3; i++) ids.push((await ask("POST", "/models", { ...OPTIONS, ...LONG, rows })).body.id);
  const full = await ask("POST", "/models", { ...OPTIONS, rows });
  expect(full).toMatchObject(refused(429, "busy", "expected at most 2 trainings to wait, got one more"));
  expect(full.headers["retry-after"]).toBe("10");
  expect((await ask("POST", "/models", { nonsense: "x".repeat(30_000) })).status).toBe(429);
  expect((await ask("GET", "/metrics")).text).toMatch(/^downhill_queue_length 2$/m);
  for (const id of ids) await ask("DELETE", `/models/${id}`);
  expect((await ask("POST", "/models", { ...OPTIONS, rows })).status).toBe(202);
});

test("the time of a training", async () => {
  const { body } = await ask("POST", "/models", { ...OPTIONS, ...LONG, rows, maxSeconds: 0.2 });
  const model = await until(body.id, ({ state }) => state === "failed");
  expect(model.error).toBe("expected a training of at most 0.2 seconds, got a longer one");
  expect(await ask("POST", `/models/${body.id}/predict`, { row: [1, 2, "red"] })).toMatchObject(
    refused(
      409,
      "wrong_state",
      /^expected a model that is trained, got one that is failed \(expected a training of at most/,
    ),
  );
});

test("a time that no timer holds", async () => {
  const { trained } = await open({ MAX_SECONDS: 3_000_000 });
  expect(await trained({ ...OPTIONS, rows })).toMatchObject({ options: { maxSeconds: 3_000_000 } });
});

test("requests to train that are read at once", async () => {
  const { app } = await open({ MAX_UPLOADS: 1 });
  await app.listen({ host: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/models`;
  const headers = { "content-type": "application/json" };
  const post = (body: BodyInit) => fetch(url, { method: "POST", headers, body, duplex: "half" } as RequestInit);
  let go: (() => void) | undefined;
  const slow = post(
    new ReadableStream({
      async start(controller) {
        controller.enqueue(Buffer.from("{"));
        await new Promise<void>((resolve) => {
          go = resolve;
        });
        controller.close();
      },
    }),
  );
  await expect.poll(async () => (await post("{}")).status, { timeout: 30_000 }).toBe(429);
  go!();
  expect((await slow).status).toBe(400);
  await expect.poll(async () => (await post("{}")).status, { timeout: 30_000 }).toBe(422);
});

test("the number of models", async () => {
  const { ask, trained } = await open({ MAX_MODELS: 1 });
  const { id } = await trained({ ...OPTIONS, rows });
  expect(await ask("POST", "/models", { ...OPTIONS, rows })).toMatchObject(
    refused(409, "wrong_state", "expected at most 1 models, got one more; delete some"),
  );
  await ask("DELETE", `/models/${id}`);
  await trained({ ...OPTIONS, rows });
});

test("clients that follow, and requests that do not come to their end", async () => {
  const { body } = await ask("POST", "/models", { ...OPTIONS, ...LONG, rows });
  await service.app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = service.app.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/models/${body.id}/events`;
  const first = await fetch(url);
  expect(first.status).toBe(200);
  const second = await fetch(url);
  expect(second.status).toBe(429);
  expect(await second.json()).toMatchObject({
    message: "expected at most 1 clients that follow trainings, got one more",
  });
  await first.body!.cancel();
  await ask("DELETE", `/models/${body.id}`);

  const answer = await new Promise<string>((resolve) => {
    let text = "";
    const socket = connect(port, "127.0.0.1", () =>
      socket.write(
        "POST /models HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
      ),
    );
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("close", () => resolve(text));
  });
  expect(answer).toMatch(/^HTTP\/1.1 408 .*"message":"expected a whole request within 1 seconds"}$/s);
});

describe("files stay in the data folder", () => {
  const csv = toCsv(rows);
  const outside = makeFolder();
  writeFileSync(join(outside, "secret.csv"), csv);
  mkdirSync(join(service.folder, "deep"));
  writeFileSync(join(service.folder, "deep", "fine.csv"), csv);
  writeFileSync(join(service.folder, "table.txt"), csv);
  mkdirSync(join(service.folder, "folder.csv"));
  symlinkSync(join(outside, "secret.csv"), join(service.folder, "link.csv"));
  symlinkSync(outside, join(service.folder, "way"));
  symlinkSync(join(service.folder, "service.db"), join(service.folder, "db.csv"));

  test("what is in it is found", async () => {
    expect((await ask("POST", "/models", { ...OPTIONS, file: "deep/fine.csv" })).status).toBe(202);
  });

  test.each([
    `${outside}/secret.csv`,
    "../secret.csv",
    "deep/../../x.csv",
    "..\\secret.csv",
    "C:\\x.csv",
    "table.txt",
    "service.db",
    "link.csv",
    "way/secret.csv",
    "db.csv",
    "x\u0000.csv",
  ])("%j is refused", async (file) => {
    const message = /^file: expected the path of a \.csv file in the data folder, got "/;
    expect(await ask("POST", "/models", { ...OPTIONS, file })).toMatchObject(refused(400, "bad_request", message));
  });

  test.each(["none.csv", "folder.csv", "deep/none.csv", "deep/fine.csv/x.csv"])("%j is not there", async (file) => {
    expect(await ask("POST", "/models", { ...OPTIONS, file })).toMatchObject(
      refused(404, "not_found", /which is not there$/),
    );
  });

  test("a text is never taken for a path", async () => {
    for (const csv of [join(outside, "secret.csv"), "/etc/passwd"])
      expect((await ask("POST", "/models", { ...OPTIONS, csv })).status).toBe(422);
  });
});

test("what is no JSON, and what is not taken", async () => {
  const post = (type: string, payload: string) =>
    ask("POST", "/models", undefined, { headers: { "content-type": type }, payload });
  expect(await post("application/json", "{")).toMatchObject({ status: 400 });
  for (const deep of ["[".repeat(2000) + "]".repeat(2000), `${'{"a":'.repeat(2000)}1${"}".repeat(2000)}`])
    expect(await post("application/json", `{"target":"kind","optimizer":${deep}}`)).toMatchObject(
      refused(422, "unprocessable", "expected JSON at most 16 deep, got a deeper one"),
    );
  expect(await post("text/csv", "a,b")).toMatchObject(
    refused(
      415,
      "ctp_invalid_media_type",
      'expected a body of application/json or multipart/form-data, got "text/csv"',
    ),
  );
  const { id } = await trained({ ...OPTIONS, rows });
  const predict = form({ row: "[1, 2]" });
  expect((await ask("POST", `/models/${id}/predict`, undefined, predict)).status).toBe(415);
  expect(await ask("GET", "/nothing")).toMatchObject(refused(404, "not_found", /got GET "\/nothing"$/));
});

test.each<[object, string]>([
  [{ rows }, 'body: expected "target", got none'],
  [{ ...OPTIONS, rows, epoch: 3 }, 'body: unknown option "epoch"'],
  [{ ...OPTIONS }, "expected one of rows, csv and file, got none"],
  [{ ...OPTIONS, rows: [] }, "rows: expected not to have fewer than 1 items, got []"],
  [{ ...OPTIONS, rows: {} }, "rows: expected to be array, got an object of nothing"],
  [{ ...OPTIONS, rows: [1] }, "rows[0]: expected a list of values, or values by name, got 1"],
  [
    {
      ...OPTIONS,
      rows: [
        [1, "x"],
        [{}, "y"],
      ],
    },
    "rows[1][0]: expected a number, a string, true, false or null, got an object",
  ],
  [{ ...OPTIONS, rows: [{ a: "x\ny" }] }, "rows[0].a: expected text without line breaks"],
  [{ ...OPTIONS, rows, columns: [1, 2] }, "columns.0: expected to be string, got 1"],
  [{ ...OPTIONS, rows: rows.map(Object.values), columns: ["a", "kind"] }, "rows[0]: expected 2 values, got 4"],
  [{ ...OPTIONS, rows, csv: "a" }, "expected one of rows, csv and file, got rows and csv"],
  [{ ...OPTIONS, rows, epochs: "3" }, 'epochs: expected to be integer, got "3"'],
  [{ ...OPTIONS, rows, activation: "Relu" }, /^activation: expected one of \["relu", .*\], got "Relu"$/ as never],
  [{ ...OPTIONS, rows, optimizer: { type: "adam", momentum: 0.5 } }, 'adam: unknown option "momentum"'],
  [
    { ...OPTIONS, rows, earlyStopping: { monitor: "valLoss" } },
    "earlyStopping: expected a validationSplit for the monitor valLoss, got 0",
  ],
  [{ ...OPTIONS, rows, target: "x" }, 'target to be a column, one of ["size", "weight", "color", "kind"], got "x"'],
  [
    {
      ...OPTIONS,
      rows: [
        { a: 1, kind: "x" },
        { a: null, kind: "y" },
      ],
    },
    'rows[1], column 1 ("a"): expected a value, got "" (missing: "drop" leaves the row out)',
  ],
  [
    {
      ...OPTIONS,
      rows: [
        { a: 1, kind: "x" },
        { a: 2, kind: "x" },
      ],
    },
    'target: expected at least 2 classes, got ["x"]',
  ],
  [
    {
      ...OPTIONS,
      rows: [
        { a: 1, kind: "x" },
        { b: 2, kind: "y" },
      ],
    },
    'rows[1]: expected the columns ["a", "kind"], got "b"',
  ],
  [
    {
      ...OPTIONS,
      rows: [
        { a: 1, kind: "x" },
        { a: "u", kind: "y" },
      ],
    },
    'rows[1], column 1 ("a"): expected a number as in rows[0], got "u"',
  ],
])("an error says what was expected and what came: %#", async (body, message) => {
  const reply = await ask("POST", "/models", body);
  expect(reply.status).toBe(422);
  if ((message as unknown) instanceof RegExp) expect(reply.body.message).toMatch(message);
  else expect(reply.body.message).toContain(message);
});

test.each<[object, RegExp]>([
  [{}, /^expected row or rows, got none$/],
  [{ row: [1, 2, "red"], rows: [[1, 2, "red"]] }, /^expected row or rows, got both$/],
  [{ row: [1, 2] }, /^row: expected 3 values, got 2$/],
  [
    {
      rows: [
        [1, 2, "red"],
        [1, "2", "red"],
      ],
    },
    /^rows\[1\], column "weight": expected a number that is finite in float32, got "2"$/,
  ],
  [{ row: [1, 1e39, "red"] }, /got 1e\+39$/],
  [{ row: [1, 2, "green"] }, /^row, column "color": expected one of \["blue", "red"\], got "green"$/],
  [{ row: { size: 1, weight: 2 } }, /^row: expected a value for "color", got none$/],
  [
    { row: { size: 1, weight: 2, color: "red", toString: 1 } },
    /^row: expected the columns \["size", "weight", "color"\], got "toString"$/,
  ],
])("a wrong row is told: %#", async (body, message) => {
  const { id } = await trained({ ...OPTIONS, rows });
  const reply = await ask("POST", `/models/${id}/predict`, body);
  expect([reply.status, reply.body.message]).toEqual([422, expect.stringMatching(message)]);
  expect((await ask("POST", `/models/${id}/predict`, { row: [1, 2, "red"] })).status).toBe(200);
});

test("a prediction that is not finite is no prediction", async () => {
  const line = Array.from({ length: 10 }, (_, i) => ({ x: i / 100, y: i }));
  const { id } = await trained({ rows: line, target: "y", hiddenLayers: [], epochs: 1 });
  expect(await ask("POST", `/models/${id}/predict`, { rows: [[0], [3e38]] })).toMatchObject(
    refused(
      422,
      "unprocessable",
      /^rows\[1\]: expected values for which the model's output is finite, got -?Infinity$/,
    ),
  );
});

test("settings are checked", () => {
  expect(readConfig({})).toMatchObject({ port: 3000, host: "127.0.0.1", maxQueue: 100 });
  expect(readConfig({ PORT: "8080", CHECKPOINT: "0.5", DATA: "/x", MAX_ROWS: "" })).toMatchObject({
    port: 8080,
    checkpoint: 0.5,
    data: "/x",
    maxRows: 1_000_000,
  });
  for (const [name, text] of [
    ["PORT", "x"],
    ["MAX_ROWS", "0"],
    ["MAX_ROWS", "1.5"],
    ["TRAININGS", "-1"],
  ] as const)
    expect(() => readConfig({ [name]: text })).toThrow(`${name}: expected a number such as`);
  expect(new Set(settingsTable().map(([name]) => name)).size).toBe(settingsTable().length);
});
