// The HTTP server: what all routes share.

import type { Socket } from "node:net";
import multipart from "@fastify/multipart";
import swagger from "@fastify/swagger";
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifySchemaValidationError,
} from "fastify";
import type { Config } from "./config";
import { crossSite, ServiceError, show } from "./errors";

/** A connection on which nothing moves for so long is closed, in milliseconds: its client has gone, or does not read what it asked for. */
const STILL = 300_000;

/** A server without routes; `stopping` tells whether the service is being stopped. */
export async function createApp(config: Config, stopping: () => boolean): Promise<FastifyInstance> {
  const timeout = config.timeout * 1000;
  const app = fastify({
    bodyLimit: config.maxJson,
    requestTimeout: timeout,
    connectionTimeout: STILL,
    http: { headersTimeout: timeout, connectionsCheckingInterval: Math.min(1000, timeout / 2) },
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 2 ** 14 }, // an id that is too long is none, as any other
    frameworkErrors: (_, { url }, reply) => {
      const message = `expected a path that can be decoded, got ${show(url)}`;
      void (reply as FastifyReply).code(400).send({ statusCode: 400, code: "bad_url", message });
    },
    clientErrorHandler({ code }, socket) {
      const [status, text] =
        code === "ERR_HTTP_REQUEST_TIMEOUT"
          ? ["408 Request Timeout", `expected a whole request within ${config.timeout} seconds`]
          : code === "HPE_HEADER_OVERFLOW"
            ? ["431 Request Header Fields Too Large", "expected a head of at most 16 KB"]
            : ["400 Bad Request", `expected HTTP/1.1 (${code})`];
      const body = JSON.stringify({ statusCode: Number(status.slice(0, 3)), code: "http", message: text });
      const head = `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
      if (socket.writable) socket.end(`${head}\r\n\r\n${body}`);
      socket.destroySoon();
    },
    ajv: {
      customOptions: { coerceTypes: false, removeAdditional: false, verbose: true, allowUnionTypes: true },
    },
  });
  app.removeContentTypeParser("text/plain"); // JSON only
  app.addHook("onRequest", (request, reply, done) => {
    reply.header("x-content-type-options", "nosniff");
    if (stopping()) reply.header("connection", "close");
    // a page of another site can send some requests without asking, though it does not see what is answered
    const foreign = request.headers["sec-fetch-site"] === "cross-site" && request.method !== "GET";
    done(foreign ? crossSite(request.headers.origin) : undefined);
  });
  app.setErrorHandler((error: FastifyError, { headers }, reply) => {
    const { validation, validationContext } = error;
    let { statusCode = 500, code = "error", message } = error;
    if (validation) {
      [statusCode, code] = [422, "unprocessable"];
      message = messageOf(validation[0]!, validationContext);
    } else if (code === "FST_ERR_CTP_BODY_TOO_LARGE")
      message = `expected a body of at most ${config.maxJson} bytes, got a larger one`;
    else if (code === "FST_REQ_FILE_TOO_LARGE")
      message = `expected a file of at most ${config.maxFile} bytes, got a larger one`;
    else if (statusCode === 415)
      message = `expected a body of application/json${reply.request.routeOptions.url === "/models" ? " or multipart/form-data" : ""}, got ${show(headers["content-type"])}`;
    if (statusCode >= 500) {
      if (stopping()) [statusCode, code, message] = [503, "stopping", "the service is being stopped"];
      else if (!(error instanceof ServiceError)) {
        console.error(error.stack);
        message = "something went wrong in the service";
      }
    }
    if (statusCode === 413) code = "too_large";
    if (statusCode === 429) reply.header("retry-after", "10");
    return reply.code(statusCode).send({ statusCode, code: codeOf(code), message });
  });
  app.setNotFoundHandler((request, reply) => {
    const message = `expected a path and method of /openapi.json, got ${request.method} ${show(request.url)}`;
    return reply.code(404).send({ statusCode: 404, code: "not_found", message });
  });
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "downhill service", version: "1.0.0", description: "Trains networks on tables, and predicts." },
    },
  });
  app.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger());
  return app;
}

/** For how long a connection that rests counts as one from which more comes, in milliseconds. */
const RECENT = 100;

/**
 * A function that tells whether a connection rests that was in use, or opened, a moment ago: from there another request may come soon.
 * Where there is none, a request need not wait for others to join it.
 */
export function watchConnections({ server }: FastifyInstance): () => boolean {
  /** Since when each has rested; the one that has rested longest comes first. */
  const resting = new Map<Socket, number>();
  server.on("connection", (socket: Socket) => {
    resting.set(socket, performance.now());
    socket.on("close", () => resting.delete(socket));
  });
  server.on("request", ({ socket }, response) => {
    resting.delete(socket);
    response.on("close", () => {
      if (!socket.destroyed) resting.set(socket, performance.now());
    });
  });
  return () => {
    const since = performance.now() - RECENT;
    for (const [socket, time] of resting) {
      if (time >= since) return true;
      resting.delete(socket);
    }
    return false;
  };
}

/** Bodies that nobody reads, of whatever type. */
export function ignoreBodies(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser("*", { parseAs: "buffer" }, async () => undefined);
}

/** Uploads, where they are wanted. */
export const acceptUploads = (scope: FastifyInstance, { maxFile, maxJson }: Config) =>
  scope.register(multipart, {
    limits: { files: 1, fields: 4, parts: 5, fileSize: maxFile, fieldSize: maxJson, fieldNameSize: 100 },
  });

/** FST_ERR_CTP_EMPTY_JSON_BODY → ctp_empty_json_body */
const codeOf = (code: string) => code.replace(/^FST_(ERR_)?/, "").toLowerCase();

/** Where, what was expected, what came. */
function messageOf(error: FastifySchemaValidationError, context = "body"): string {
  const { instancePath, keyword, params, message } = error;
  const where = context === "body" ? [] : [context];
  const path = [...where, ...instancePath.split("/").slice(1)].join(".") || "body";
  const got =
    "data" in error && keyword !== "required" && keyword !== "additionalProperties" ? `, got ${show(error.data)}` : "";
  if (keyword === "additionalProperties") return `${path}: unknown option ${show(params["additionalProperty"])}`;
  if (keyword === "required") return `${path}: expected ${show(params["missingProperty"])}, got none`;
  if (keyword === "enum") return `${path}: expected one of ${show(params["allowedValues"])}${got}`;
  return `${path}: ${message?.replace(/^must /, "expected to ").replace("expected to NOT", "expected not to")}${got}`;
}
