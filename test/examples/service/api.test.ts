import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadModel, type Model, type NDArray, weightsHash } from "downhill";
import { expect, test } from "vitest";
import { flowers, form, LONG, open, toCsv } from "./support";

const service = await open();
const { ask, trained, until } = service;

const OPTIONS = {
  target: "kind",
  epochs: 30,
  batchSize: 8,
  hiddenLayers: [16],
  optimizer: { type: "adam", learningRate: 0.01 },
};
const flower = { size: 2, weight: 0, color: "red" };

test("a model is made of JSON rows, and its classes come back as labels with probabilities", async () => {
  const { status, headers, body } = await ask("POST", "/models", { rows: flowers(), ...OPTIONS });
  expect(status).toBe(202);
  expect(headers["location"]).toBe(`/models/${body.id}`);
  expect(body).toMatchObject({
    task: "classification",
    target: "kind",
    epochs: 30,
    rows: { training: 90, validation: 0 },
  });
  const model = await until(body.id);
  expect(model).toMatchObject({
    state: "trained",
    epoch: 30,
    columns: [{ name: "size" }, { name: "weight" }, { name: "color", values: ["blue", "red"] }],
    classes: ["iris", "rose", "tulip"],
    logs: { loss: expect.any(Number), accuracy: expect.any(Number) },
    weightsHash: expect.stringMatching(/^[0-9a-f]{64}$/),
    options: { seed: 0, activation: "relu", optimizer: { type: "adam", learningRate: 0.01 } },
  });
  const one = await ask("POST", `/models/${body.id}/predict`, { row: flower });
  expect(one).toMatchObject({ status: 200, body: { prediction: { label: "tulip" } } });
  const { probabilities } = one.body.prediction;
  expect(Object.keys(probabilities)).toEqual(["iris", "rose", "tulip"]);
  expect(probabilities.iris + probabilities.rose + probabilities.tulip).toBeCloseTo(1, 6);
  expect(probabilities.tulip).toBeGreaterThan(0.5);

  const rows = flowers().map(({ kind: _, ...row }) => row);
  const many = await ask("POST", `/models/${body.id}/predict`, { rows: [flower, Object.values(flower), ...rows] });
  const labels = many.body.predictions.map(({ label }: { label: string }) => label);
  expect(labels.slice(0, 2)).toEqual(["tulip", "tulip"]);
  const right = flowers().filter(({ kind }, i) => labels[i + 2] === kind).length;
  expect(right).toBeGreaterThan(70);
});

test("the same table gives the same weights, however it comes", async () => {
  const rows = flowers(30);
  const options = { ...OPTIONS, epochs: 2, seed: 7 };
  writeFileSync(join(service.folder, "flowers.csv"), toCsv(rows));
  const upload = await ask(
    "POST",
    "/models",
    undefined,
    form({ options: JSON.stringify(options), file: { filename: "f.csv", content: toCsv(rows) } }),
  );
  expect(upload.status).toBe(202);
  const models = [
    await until(upload.body.id),
    await trained({ ...options, rows }),
    await trained({ ...options, rows: rows.map(Object.values), columns: Object.keys(rows[0]!) }),
    await trained({ ...options, csv: toCsv(rows) }),
    await trained({ ...options, file: "flowers.csv" }),
  ];
  expect(new Set(models.map(({ weightsHash }) => weightsHash)).size).toBe(1);
  expect((await trained({ ...options, csv: toCsv(rows), seed: 8 })).weightsHash).not.toBe(models[0].weightsHash);
});

test("a regression: raw rows in, raw numbers out, in whatever unit", async () => {
  const rows = Array.from({ length: 100 }, (_, i) => ({ x: 1e5 + i * 100, constant: 3, y: 1e6 - 5e3 * i }));
  const { id, task, classes } = await trained({
    rows,
    target: "y",
    epochs: 60,
    batchSize: 10,
    optimizer: { type: "adam", learningRate: 0.02 },
    validationSplit: 0.2,
  });
  expect([task, classes]).toEqual(["regression", undefined]);
  const { body } = await ask("POST", `/models/${id}/predict`, { row: [1e5 + 5000, 3] });
  expect(Math.abs(body.prediction.value - 750_000)).toBeLessThan(50_000);
  const asClasses = await trained({
    rows: [
      { a: 0, y: 3 },
      { a: 1, y: 10 },
      { a: 2, y: 3 },
    ],
    target: "y",
    task: "classification",
    epochs: 1,
  });
  expect(asClasses.classes).toEqual(["3", "10"]);
});

test("the file is the model: downhill loads it, and it predicts the same from raw rows", async () => {
  const {
    id,
    parameters,
    weightsHash: hash,
  } = await trained({ rows: flowers(), ...OPTIONS, epochs: 3, hiddenLayers: [8, 4], dropout: 0.2, l1: 1e-4, l2: 1e-3 });
  const { rawPayload, headers } = await service.app.inject(`/models/${id}/file`);
  expect(headers["content-disposition"]).toBe(`attachment; filename="${id}.safetensors"`);
  const model = (await loadModel(new Uint8Array(rawPayload))) as Model<NDArray>;
  expect(model.countParams()).toBe(parameters);
  expect(await weightsHash(model as unknown as Model)).toBe(hash);
  expect(JSON.parse(model.metadata["classes"]!)).toEqual(["iris", "rose", "tulip"]);
  expect(JSON.parse(model.metadata["columns"]!)).toEqual(["size", "weight", "color=blue", "color=red"]);
  const logits = [...model.predict([[2, 0, 0, 1]]).data];
  const sum = logits.reduce((total, v) => total + Math.exp(v), 0);
  const { body } = await ask("POST", `/models/${id}/predict`, { row: flower });
  expect(Object.values(body.prediction.probabilities)).toEqual(logits.map((v) => expect.closeTo(Math.exp(v) / sum, 6)));
  model.dispose();
});

test.each(["sgd", "adagrad", "rmsprop", "adam", "adamw"])("%s trains", async (type) => {
  const { weightsHash } = await trained({ rows: flowers(12), ...OPTIONS, epochs: 1, optimizer: { type } });
  expect(weightsHash).toBeTruthy();
});

test("early stopping ends a training, and the best weights are kept", async () => {
  const rows = Array.from({ length: 40 }, (_, i) => ({ a: Math.sin(i * 12.9), y: `${i % 2}x` }));
  const model = await trained({
    rows,
    target: "y",
    epochs: 1000,
    validationSplit: 0.25,
    earlyStopping: { patience: 3 },
  });
  expect(model.epoch).toBeLessThan(1000);
  expect(model.options.earlyStopping).toMatchObject({ monitor: "valLoss", patience: 3, restoreBestWeights: true });
});

test("models are listed in pages, in the order in which they were made", async () => {
  const all = (await ask("GET", "/models")).body.models;
  expect(all.length).toBeGreaterThan(10);
  expect(all[0]).toMatchObject({ state: "trained", target: "kind", name: "kind", epoch: 30, epochs: 30 });
  expect(all[0].options).toBeUndefined();
  const pages = [];
  for (let after = ""; ; after = pages.at(-1).id) {
    const { models } = (await ask("GET", `/models?limit=4${after && `&after=${after}`}`)).body;
    if (!models.length) break;
    pages.push(...models);
  }
  expect(pages).toEqual(all);
  expect((await ask("GET", "/models?after=0")).status).toBe(404);
});

test("a model that is deleted is gone, and one that trains is cancelled first", async () => {
  const { id } = await trained({ rows: flowers(12), ...OPTIONS, epochs: 1 });
  expect((await ask("POST", `/models/${id}/predict`, { row: flower })).status).toBe(200);
  const long = (await ask("POST", "/models", { rows: flowers(), ...OPTIONS, ...LONG })).body.id;
  await until(long, ({ epoch }) => epoch > 0);
  for (const gone of [id, long]) {
    expect(await ask("DELETE", `/models/${gone}`)).toMatchObject({ status: 204, text: "" });
    for (const [method, path] of [
      ["GET", ""],
      ["DELETE", ""],
      ["POST", "/cancel"],
      ["GET", "/file"],
      ["GET", "/events"],
    ] as const)
      expect(await ask(method, `/models/${gone}${path}`)).toMatchObject({
        status: 404,
        body: { code: "not_found", message: `expected the id of a model, got "${gone}"` },
      });
    expect((await ask("POST", `/models/${gone}/predict`, { row: flower })).status).toBe(404);
  }
});

test("a training is cancelled, queued or under way", async () => {
  const first = (await ask("POST", "/models", { rows: flowers(), ...OPTIONS, ...LONG })).body;
  const second = (await ask("POST", "/models", { rows: flowers(), ...OPTIONS, ...LONG })).body;
  expect(second.state).toBe("queued");
  await until(first.id, ({ epoch }) => epoch > 0);
  for (const { id } of [second, first]) {
    expect(await ask("POST", `/models/${id}/cancel`)).toMatchObject({ status: 200, body: { state: "cancelled" } });
    expect(await ask("POST", `/models/${id}/cancel`)).toMatchObject({ status: 409, body: { code: "wrong_state" } });
    expect((await ask("POST", `/models/${id}/predict`, { row: flower })).status).toBe(409);
  }
});

test("OpenAPI describes every path, options and errors included", async () => {
  const { body } = await ask("GET", "/openapi.json");
  const paths = Object.entries(body.paths).flatMap(([path, methods]) =>
    Object.keys(methods as object).map((m) => `${m} ${path}`),
  );
  expect(paths.sort()).toEqual([
    "delete /models/{id}",
    "get /health",
    "get /metrics",
    "get /models",
    "get /models/{id}",
    "get /models/{id}/events",
    "get /models/{id}/file",
    "post /models",
    "post /models/{id}/cancel",
    "post /models/{id}/predict",
  ]);
  const { content } = body.paths["/models"].post.requestBody;
  expect(Object.keys(content)).toEqual(["application/json", "multipart/form-data"]);
  expect(content["application/json"].schema.properties.epochs).toMatchObject({ maximum: 10_000, default: 50 });
  for (const methods of Object.values(body.paths) as Record<string, { summary: string; responses: object }>[])
    for (const { summary, responses } of Object.values(methods)) {
      expect(summary).toBeTruthy();
      for (const { description } of Object.values(responses)) expect(description).not.toBe("Default Response");
    }
  const statuses = (path: string, method: string) => Object.keys(body.paths[path][method].responses).join(" ");
  const all = "400 403 404 408 409 413 415 422 429 503 507";
  expect(statuses("/models", "post")).toBe(`202 ${all} default`);
  expect(statuses("/models/{id}/events", "get")).toBe("200 204 404 429 default");
  const { description } = body.paths["/models"].post;
  for (const limit of [8388608, 33554432, 1000000, 134217728]) expect(description).toContain(` ${limit}`);
});

test("bodies that nobody reads are no errors; pages of other sites, and paths that are none, are refused in the same words", async () => {
  for (const body of ["", "{", "x"])
    for (const type of ["application/json", "text/plain"])
      for (const [method, path] of [
        ["POST", "/cancel"],
        ["DELETE", ""],
      ] as const) {
        const options = { payload: body, headers: { "content-type": type } };
        expect(await ask(method, `/models/x${path}`, undefined, options)).toMatchObject({ status: 404 });
      }
  const { id } = await trained({ rows: flowers(12), ...OPTIONS, epochs: 1 });
  const foreign = { headers: { "sec-fetch-site": "cross-site", origin: "http://else.where" } };
  for (const path of ["", `/${id}/cancel`, `/${id}/predict`])
    expect(await ask("POST", `/models${path}`, undefined, foreign)).toMatchObject({
      status: 403,
      body: {
        code: "cross_site",
        message: 'expected a request that no page of another site sends, got one of "http://else.where"',
      },
    });
  expect(await ask("GET", `/models/${id}`, undefined, foreign)).toMatchObject({
    status: 200,
    headers: { "x-content-type-options": "nosniff" },
  });
  expect((await ask("GET", `/models/${id}`, undefined, foreign)).headers).not.toHaveProperty(
    "access-control-allow-origin",
  );
  expect(await ask("GET", "/models/%zz")).toMatchObject({
    status: 400,
    body: { statusCode: 400, code: "bad_url", message: 'expected a path that can be decoded, got "/models/%zz"' },
  });
  expect(await ask("GET", `/models/${"x".repeat(2000)}`)).toMatchObject({ status: 404, body: { code: "not_found" } });
});

test("metrics and health", async () => {
  const { headers, text } = await ask("GET", "/metrics");
  expect(headers["content-type"]).toMatch(/^text\/plain; version=0.0.4/);
  for (const line of [
    /^downhill_models\{state="trained"\} [1-9]/m,
    /^downhill_queue_length 0$/m,
    /^downhill_trainings_running 0$/m,
    /^downhill_trainings_total\{state="cancelled"\} [1-9]/m,
    /^downhill_epochs_total [1-9]/m,
    /^downhill_predict_requests_total [1-9]/m,
    /^downhill_predict_batch_rows_bucket\{le="1"\} [1-9]/m,
    /^downhill_http_request_seconds_count\{method="POST",route="\/models\/:id\/predict",status="200"\} [1-9]/m,
    /^downhill_models_loaded [1-9]/m,
    /^process_resident_memory_bytes [1-9]/m,
    /^nodejs_eventloop_lag_seconds /m,
  ])
    expect(text).toMatch(line);
  expect(await ask("GET", "/health")).toMatchObject({ status: 200, body: { status: "ok" } });
});
