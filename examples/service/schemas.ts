// The API's JSON Schemas: they check what comes and describe it in OpenAPI.

import type { Config } from "./config";
import { ACTIVATIONS, OPTIMIZER_NAMES } from "./network";
import { STATES } from "./store";

const string = (description: string, maxLength = 1000) => ({ type: "string", minLength: 1, maxLength, description });

const CELL = { type: ["number", "string", "boolean"] };

/** One row: values in the order of the columns, or by their names. */
const ROW = (cell: object, maxColumns: number) => ({
  type: ["array", "object"],
  items: cell,
  minItems: 1,
  maxItems: maxColumns,
  minProperties: 1,
  maxProperties: maxColumns,
  additionalProperties: cell,
  description: "values in the order of the columns, or by their names",
});

const ERROR = {
  type: "object",
  properties: {
    statusCode: { type: "integer" },
    code: { type: "string", description: "what it is, for programs" },
    message: { type: "string", description: "what was expected and what came" },
  },
  required: ["statusCode", "code", "message"],
};

/** What errors say, by status. */
const WHY = {
  400: "The request cannot be read",
  403: "A browser asks on behalf of another site",
  404: "There is no such model, or no such file",
  408: "The request did not arrive in time",
  409: "The model is in another state, or there are as many as may be",
  413: "The body or the file is too large",
  415: "The body is of another type",
  422: "The request was read, and asks for what cannot be",
  429: "Busy: too much waits, or is read, or is followed",
  503: "The service is being stopped",
  507: "The disk takes no more",
} as const;

const LOGS = { type: "object", additionalProperties: { type: ["number", "null"] } };

const SUMMARY = {
  id: { type: "string" },
  name: { type: "string" },
  state: { type: "string", enum: STATES },
  created: { type: "string", format: "date-time" },
  target: { type: "string" },
  epoch: { type: "integer", description: "epochs done" },
  epochs: { type: "integer", description: "epochs asked for" },
};

const PREDICTION = {
  type: "object",
  properties: {
    label: { type: "string", description: "of classes: the most probable one" },
    probabilities: { type: "object", additionalProperties: { type: "number" } },
    value: { type: "number", description: "of a regression" },
  },
};

/** Responses: the right one, and errors; `default` stands for what may come to any request. */
const answers = (right: Record<number, object>, ...errors: (keyof typeof WHY)[]) => ({
  ...right,
  ...Object.fromEntries(
    errors.map((status) => [
      status,
      {
        description: WHY[status],
        ...(status === 429 && { headers: { "Retry-After": { type: "integer", description: "seconds" } } }),
        ...ERROR,
      },
    ]),
  ),
  default: { description: "Any other error", ...ERROR },
});

/** An answer that is no JSON. */
const text = (type: string, description: string) => ({
  description,
  content: { [type]: { schema: { type: "string" } } },
});

export function schemasOf(config: Config) {
  const { maxEpochs, maxSeconds, maxRows, maxColumns, maxPredictRows, maxJson, maxFile, maxClasses, maxTable } = config;
  const { maxParameters, maxQueue, maxUploads, maxModels, maxStreams } = config;
  const options = {
    target: string("the column to be predicted"),
    name: string("a name for people", 200),
    task: {
      type: "string",
      enum: ["classification", "regression"],
      description: "default: regression where all of the target's values are numbers",
    },
    missing: {
      type: "string",
      enum: ["error", "drop"],
      default: "error",
      description: "where a value is empty, NA, NaN, null or ?: refuse the table, or leave the row out",
    },
    hiddenLayers: {
      type: "array",
      items: { type: "integer", minimum: 1, maximum: 65536 },
      maxItems: 16,
      default: [32],
      description: "units of each hidden layer",
    },
    activation: { type: "string", enum: ACTIVATIONS, default: "relu" },
    dropout: { type: "number", minimum: 0, exclusiveMaximum: 1, default: 0, description: "the share that is dropped" },
    l1: { type: "number", minimum: 0, maximum: 1e6, default: 0 },
    l2: { type: "number", minimum: 0, maximum: 1e6, default: 0 },
    epochs: { type: "integer", minimum: 1, maximum: maxEpochs, default: Math.min(50, maxEpochs) },
    batchSize: { type: "integer", minimum: 1, maximum: 65536, default: 32 },
    optimizer: {
      type: "object",
      properties: {
        type: { type: "string", enum: OPTIMIZER_NAMES },
        learningRate: { type: "number", exclusiveMinimum: 0, maximum: 1e6 },
        momentum: { type: "number", minimum: 0, exclusiveMaximum: 1 },
        weightDecay: { type: "number", minimum: 0, maximum: 1e6 },
      },
      required: ["type"],
      additionalProperties: false,
      default: { type: "adam" },
    },
    validationSplit: {
      type: "number",
      minimum: 0,
      maximum: 0.9,
      default: 0,
      description: "the share of the rows, drawn by the seed, that are only evaluated",
    },
    earlyStopping: {
      type: "object",
      properties: {
        monitor: {
          type: "string",
          enum: ["valLoss", "loss"],
          description: "default: valLoss where there are such rows",
        },
        patience: { type: "integer", minimum: 0, maximum: maxEpochs, default: 5 },
        minDelta: { type: "number", minimum: 0, maximum: 1e6, default: 0 },
        restoreBestWeights: { type: "boolean", default: true },
      },
      additionalProperties: false,
    },
    seed: { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER, default: 0 },
    maxSeconds: { type: "number", exclusiveMinimum: 0, maximum: maxSeconds, default: maxSeconds },
  };
  const model = {
    type: "object",
    properties: {
      ...SUMMARY,
      task: { type: "string", enum: ["classification", "regression"] },
      columns: {
        type: "array",
        description: "what rows to predict have: numbers, or one of values",
        items: {
          type: "object",
          properties: { name: { type: "string" }, values: { type: "array", items: { type: "string" } } },
          required: ["name"],
        },
      },
      classes: { type: "array", items: { type: "string" } },
      rows: { type: "object", properties: { training: { type: "integer" }, validation: { type: "integer" } } },
      parameters: { type: "integer" },
      seconds: { type: "number", description: "time of training, as of the last checkpoint" },
      options: { type: "object", additionalProperties: true, description: "as they were given, with defaults" },
      logs: { ...LOGS, description: "of the last epoch" },
      error: { type: "string", description: "why the training failed" },
      weightsHash: { type: "string", description: "SHA-256 over the weights" },
    },
    required: [...Object.keys(SUMMARY), "task", "columns", "rows", "parameters", "seconds", "options"],
  };
  const params = { type: "object", properties: { id: { type: "string", description: "of a model" } } };
  return {
    create: {
      summary: "Train a model",
      description:
        "Of rows, CSV text or a CSV file in the data folder (JSON), or of an uploaded CSV file (multipart). The training is queued; " +
        `Location says where the model is. A JSON body has at most ${maxJson} bytes, a CSV file ${maxFile}; a table ${maxRows} rows, ` +
        `${maxColumns} columns (a category counting as one each), ${maxClasses} classes and ${maxTable} bytes in memory; a model ` +
        `${maxParameters} parameters. At most ${maxQueue} trainings wait, ${maxUploads} requests are read at once, and ${maxModels} models are kept.`,
      body: {
        content: {
          "application/json": {
            schema: {
              type: "object",
              properties: {
                rows: {
                  type: "array",
                  minItems: 1,
                  maxItems: maxRows,
                  items: ROW({ type: [...CELL.type, "null"] }, maxColumns + 1), // with the target
                },
                columns: {
                  type: "array",
                  minItems: 2,
                  maxItems: maxColumns + 1,
                  items: string("names for rows that are lists"),
                },
                csv: { type: "string", description: "a table with a line of names" },
                file: string("the path of a .csv file in the data folder"),
                ...options,
              },
              required: ["target"],
              additionalProperties: false,
            },
          },
          "multipart/form-data": {
            schema: {
              type: "object",
              properties: {
                file: { type: "string", format: "binary", description: "a CSV file with a line of names" },
                options: {
                  type: "object",
                  properties: options,
                  required: ["target"],
                  additionalProperties: false,
                  description: "the same options as in JSON",
                },
              },
              required: ["file", "options"],
              additionalProperties: false,
            },
          },
        },
      },
      response: answers(
        {
          202: {
            ...model,
            description: "The model, whose training is queued",
            headers: { Location: { type: "string", description: "the path of the model" } },
          },
        },
        ...([400, 403, 404, 408, 409, 413, 415, 422, 429, 503, 507] as const),
      ),
    },
    list: {
      summary: "Models, in the order in which they were made",
      querystring: {
        type: "object",
        properties: {
          limit: { type: "string", pattern: "^([1-9]\\d{0,2}|1000)$", default: "100", description: "1 to 1000" },
          after: { type: "string", maxLength: 100, description: "the id of the last model of the page before" },
        },
        additionalProperties: false,
      },
      response: answers(
        {
          200: {
            description: "A page of models; behind the last one comes an empty one",
            type: "object",
            properties: {
              models: {
                type: "array",
                items: { type: "object", properties: SUMMARY, required: Object.keys(SUMMARY) },
              },
            },
            required: ["models"],
          },
        },
        404,
        422,
      ),
    },
    get: { summary: "A model", params, response: answers({ 200: { ...model, description: "The model" } }, 404) },
    cancel: {
      summary: "Cancel a training",
      description: "A body is not read.",
      params,
      response: answers({ 200: { ...model, description: "The model, cancelled" } }, 403, 404, 409, 413, 507),
    },
    remove: {
      summary: "Delete a model, or cancel its training and delete it",
      params,
      response: answers({ 204: { type: "null", description: "It is no more" } }, 403, 404, 413, 507),
    },
    events: {
      summary: "Follow a training by server-sent events",
      description:
        '`epoch` with { epoch, logs }, its id being the epoch; `state` with { state }; at last `end` with the model, or with { id, state: "deleted" }. ' +
        `At most ${maxStreams} clients follow.`,
      params,
      headers: {
        type: "object",
        properties: { "last-event-id": { type: "string", description: "an epoch: only later ones are sent" } },
      },
      response: answers(
        {
          200: text("text/event-stream", "Events, until the training ends"),
          204: {
            type: "null",
            description: "The training has ended, and the client with Last-Event-ID has had all of it",
          },
        },
        404,
        429,
      ),
    },
    predict: {
      summary: "Predict for one row, or for many",
      description: `Either row or rows. The body has at most ${maxJson} bytes.`,
      params,
      body: {
        type: "object",
        properties: {
          row: ROW(CELL, maxColumns),
          rows: { type: "array", minItems: 1, maxItems: maxPredictRows, items: ROW(CELL, maxColumns) },
        },
        additionalProperties: false,
      },
      response: answers(
        {
          200: {
            description: "A prediction for row, or predictions for rows in their order",
            type: "object",
            properties: { prediction: PREDICTION, predictions: { type: "array", items: PREDICTION } },
          },
        },
        ...([400, 403, 404, 408, 409, 413, 415, 422] as const),
      ),
    },
    file: {
      summary: "The model as a .safetensors file, for downhill's loadModel",
      params,
      response: answers({ 200: text("application/octet-stream", "The file") }, 404, 409),
    },
    metrics: {
      summary: "Figures in Prometheus' format",
      response: answers({ 200: text("text/plain", "Figures, by name and labels") }),
    },
    health: {
      summary: "Whether the service takes requests",
      response: { 200: health("ok", "It does"), 503: health("stopping", "It is being stopped") },
    },
  };
}

const health = (status: string, description: string) => ({
  description,
  type: "object",
  properties: { status: { type: "string", enum: [status] } },
  required: ["status"],
});
