// The API.

import type { ServerResponse } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { acceptUploads, ignoreBodies } from "./app";
import type { Config } from "./config";
import { badRequest, busy, unprocessable } from "./errors";
import type { EventStreams } from "./events";
import type { Metrics } from "./metrics";
import type { Spec } from "./network";
import type { Predictor } from "./predictor";
import type { Row } from "./rows";
import { schemasOf } from "./schemas";
import type { Entry, Logs, Summary } from "./store";
import type { Source, Tables } from "./table";
import type { Calls } from "./threads";
import type { Trainings } from "./trainings";

export interface Parts {
  config: Config;
  trainings: Calls<Trainings>;
  tables: Calls<Tables>;
  predictor: Predictor;
  streams: EventStreams;
  metrics: Metrics;
  stopping(): boolean;
}

interface Given extends Spec {
  rows?: Row[];
  columns?: string[];
  csv?: string;
  file?: string;
}

type ById = { Params: { id: string } };

const summaryOf = ({ created, ...rest }: Summary) => ({ ...rest, created: new Date(created).toISOString() });

/** A model as the API shows it. */
export function viewOf(entry: Entry & { logs?: Logs }) {
  const { id, state, created, spec, facts, parameters, epoch, seconds, error, weightsHash, logs } = entry;
  const { name, target, epochs } = spec;
  return {
    ...summaryOf({ id, name, state, created, target, epoch, epochs }),
    task: facts.classes ? "classification" : "regression",
    columns: facts.columns,
    ...(facts.classes && { classes: facts.classes }),
    rows: facts.rows,
    parameters,
    seconds,
    options: spec,
    ...(logs !== undefined && { logs }),
    ...(error !== null && { error }),
    ...(weightsHash !== null && { weightsHash }),
  };
}

/** The tables of requests to train, which are no part of the body that the schema checks. */
const sources = new WeakMap<FastifyRequest, Source>();

/** Reads a request to train: sets its body, and its source where the request has the table itself. */
async function readBody(request: FastifyRequest, tables: Calls<Tables>): Promise<void> {
  if (request.body instanceof Uint8Array) {
    const { body, text } = await tables.json(request.body);
    request.body = body;
    if (text !== undefined) sources.set(request, { text, json: Object.hasOwn(body as object, "rows") });
  }
  if (!request.isMultipart()) return;
  try {
    request.body = await partsOf(request);
  } catch (error) {
    if (error instanceof Error && "statusCode" in error) throw error;
    throw badRequest(`expected multipart/form-data, got what cannot be read (${(error as Error).message})`);
  }
}

async function partsOf(request: FastifyRequest): Promise<Record<string, unknown>> {
  const body: Record<string, unknown> = {};
  for await (const part of request.parts()) {
    const { fieldname } = part;
    if (Object.hasOwn(body, fieldname)) throw badRequest(`expected one part ${fieldname}, got two`);
    if (part.type === "file") {
      const bytes = await part.toBuffer();
      if (fieldname === "file") sources.set(request, { bytes });
      body[fieldname] = part.filename;
    } else body[fieldname] = fieldname === "options" ? parse(part.value) : part.value;
  }
  if (body["file"] !== undefined && !sources.has(request))
    throw unprocessable("file: expected a file with a name, got a field");
  return body;
}

function parse(text: unknown): unknown {
  try {
    return JSON.parse(text as string);
  } catch (error) {
    throw badRequest(`options: expected JSON (${(error as Error).message})`);
  }
}

/** Where the table of a request comes from, and its options. */
function readGiven(request: FastifyRequest): { source: Source; spec: Spec } {
  const source = sources.get(request);
  if (request.isMultipart()) return { source: source!, spec: (request.body as { options: Spec }).options };
  const { rows, columns, csv, file, ...spec } = request.body as Given;
  const given = Object.entries({ rows, csv, file }).flatMap(([name, value]) => (value === undefined ? [] : name));
  if (given.length !== 1)
    throw unprocessable(`expected one of rows, csv and file, got ${given.join(" and ") || "none"}`);
  if (columns && !rows) throw unprocessable("columns: expected with rows only");
  return { source: source ?? { file: file! }, spec };
}

/** Defaults that depend on other options. */
function complete(spec: Spec): Spec {
  const validates = spec.validationSplit > 0;
  const { earlyStopping } = spec;
  if (earlyStopping?.monitor === "valLoss" && !validates)
    throw unprocessable("earlyStopping: expected a validationSplit for the monitor valLoss, got 0");
  return {
    ...spec,
    name: spec.name ?? spec.target,
    ...(earlyStopping && {
      earlyStopping: { ...earlyStopping, monitor: earlyStopping.monitor ?? (validates ? "valLoss" : "loss") },
    }),
  };
}

/** Throws where more requests to train are being read than may be: each may hold a table. */
function countUploads({ maxUploads }: Config): (response: ServerResponse) => void {
  let reading = 0;
  return (response) => {
    if (reading >= maxUploads) throw busy(`expected at most ${maxUploads} requests to train at once, got one more`);
    reading++;
    response.on("close", () => reading--);
  };
}

const nameOne = () => "row";
const nameMany = (i: number) => `rows[${i}]`;

export function addRoutes(app: FastifyInstance, parts: Parts): void {
  const { config, trainings, tables, predictor, streams, metrics } = parts;
  const schemas = schemasOf(config);

  app.register(async (scope) => {
    await acceptUploads(scope, config);
    const countUpload = countUploads(config);
    const onRequest = async (_: FastifyRequest, { raw }: FastifyReply) => {
      countUpload(raw);
      await trainings.checkRoom();
    };
    scope.addContentTypeParser("application/json", { parseAs: "buffer" }, async (_: unknown, body: Buffer) => body);
    const preValidation = (request: FastifyRequest) => readBody(request, tables);
    scope.post("/models", { schema: schemas.create, onRequest, preValidation }, async (request, reply) => {
      const given = readGiven(request);
      const spec = complete(given.spec);
      const entry = await trainings.create(await tables.read(given.source, spec), spec);
      return reply.code(202).header("location", `/models/${entry.id}`).send(viewOf(entry));
    });
  });

  app.get<{ Querystring: { limit: string; after?: string } }>(
    "/models",
    { schema: schemas.list },
    async ({ query }) => ({
      models: (await trainings.list(Number(query.limit), query.after)).map(summaryOf),
    }),
  );

  app.get<ById>("/models/:id", { schema: schemas.get }, async ({ params }) => viewOf(await trainings.get(params.id)));

  app.register(async (scope) => {
    ignoreBodies(scope);
    scope.post<ById>("/models/:id/cancel", { schema: schemas.cancel }, async ({ params }) =>
      viewOf(await trainings.cancel(params.id)),
    );

    scope.delete<ById>("/models/:id", { schema: schemas.remove }, async ({ params }, reply) => {
      await trainings.remove(params.id);
      predictor.drop(params.id);
      return reply.code(204).send();
    });
  });

  app.get<ById>("/models/:id/events", { schema: schemas.events }, async ({ params, headers }, reply) => {
    const { id } = params;
    const { state, epoch } = await trainings.get(id);
    const last = headers["last-event-id"];
    const after = typeof last === "string" && /^\d{1,9}$/.test(last) ? Number(last) : 0;
    const over = state !== "queued" && state !== "training";
    if (over && last !== undefined && after >= epoch) return reply.code(204).send(); // tells an EventSource to come back no more
    if (streams.size >= config.maxStreams)
      throw busy(`expected at most ${config.maxStreams} clients that follow trainings, got one more`);
    reply.hijack();
    await streams.follow(id, after, reply.raw);
  });

  app.post<ById & { Body: { row?: Row; rows?: Row[] } }>(
    "/models/:id/predict",
    { schema: schemas.predict },
    async ({ params, body: { row, rows } }) => {
      if ((row === undefined) === (rows === undefined))
        throw unprocessable(`expected row or rows, got ${row ? "both" : "none"}`);
      if (rows) return { predictions: await predictor.predict(params.id, rows, nameMany) };
      return { prediction: (await predictor.predict(params.id, [row!], nameOne))[0] };
    },
  );

  app.get<ById>("/models/:id/file", { schema: schemas.file }, async ({ params }, reply) => {
    const bytes = await trainings.file(params.id);
    return reply
      .type("application/octet-stream")
      .header("content-disposition", `attachment; filename="${params.id}.safetensors"`)
      .send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  });

  const refresh = metrics.watch(trainings, predictor, () => streams.size);
  app.get("/metrics", { schema: schemas.metrics }, async (_, reply) => {
    await refresh();
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });

  app.get("/health", { schema: schemas.health }, async (_, reply) =>
    reply.code(parts.stopping() ? 503 : 200).send({ status: parts.stopping() ? "stopping" : "ok" }),
  );
}
