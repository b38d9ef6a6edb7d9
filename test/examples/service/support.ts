// The service in this process, over a folder of its own.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fastify, { type FastifyRequest, type InjectOptions } from "fastify";
import { afterAll, expect } from "vitest";
import { readConfig } from "../../../examples/service/config";
import { openService, type Service } from "../../../examples/service/service";

export interface Reply {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the test looks into it
  body: any;
  headers: Record<string, unknown>;
  text: string;
}

export interface Running extends Service {
  folder: string;
  ask(method: "GET" | "POST" | "DELETE", url: string, body?: unknown, options?: InjectOptions): Promise<Reply>;
  /** Waits until a training has ended, or come to where `reached` says so. */
  until(id: string, reached?: (model: Reply["body"]) => boolean): Promise<Reply["body"]>;
  /** Trains to the end. */
  trained(options: object): Promise<Reply["body"]>;
}

const isOver = ({ state }: { state: string }) => state !== "queued" && state !== "training";

const folders: string[] = [];
const running: Service[] = [];
afterAll(async () => {
  await Promise.all(running.map(({ stop }) => stop()));
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "downhill-service-"));
  folders.push(folder);
  return folder;
}

/** Opens the service; settings are named as in the environment. */
export async function open(settings: Record<string, string | number> = {}, folder = makeFolder()): Promise<Running> {
  const env = Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, `${value}`]));
  const service = await openService(readConfig({ PORT: "0", DATA: folder, ...env }));
  running.push(service);
  const { app } = service;
  const check = checkAnswers((await app.inject("/openapi.json")).json());
  const ask: Running["ask"] = async (method, url, body, options) => {
    const { statusCode, headers, payload } = await app.inject({
      method,
      url,
      ...(body !== undefined && { payload: body as object }),
      ...options,
    });
    const json = `${headers["content-type"]}`.startsWith("application/json");
    const reply = { status: statusCode, headers, text: payload, body: json ? JSON.parse(payload) : undefined };
    await check(method, url, reply);
    return reply;
  };
  const until: Running["until"] = async (id, reached = isOver) => {
    for (;;) {
      const { body } = await ask("GET", `/models/${id}`);
      if (reached(body)) return body;
      if (isOver(body)) throw new Error(`it is ${body.state} at epoch ${body.epoch}: ${body.error}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const trained: Running["trained"] = async (options) => {
    const { status, body } = await ask("POST", "/models", options);
    expect(body).toMatchObject({ id: expect.any(String) });
    expect(status).toBe(202);
    const model = await until(body.id);
    expect(model).toMatchObject({ state: "trained" });
    return model;
  };
  return { ...service, folder, ask, until, trained };
}

/** Something that checks values by a JSON Schema: Fastify's own. */
async function schemaCompiler(): Promise<FastifyRequest["compileValidationSchema"]> {
  const app = fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false } } });
  return new Promise((resolve) => {
    app.get("/", async (request) => resolve((schema) => request.compileValidationSchema(schema)));
    void app.inject("/");
  });
}

const compiler = schemaCompiler();

/** What checks answers by what OpenAPI says of them: the status, the type, the body and its properties. */
// biome-ignore lint/suspicious/noExplicitAny: JSON
function checkAnswers({ paths }: any) {
  const templates = Object.keys(paths).map((path) => ({
    path,
    pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/%]*")}$`),
  }));
  return async (method: string, url: string, { status, headers, text, body }: Reply): Promise<void> => {
    const path = templates.find(({ pattern }) => pattern.test(url.split("?")[0]!))?.path;
    const responses = path && paths[path][method.toLowerCase()]?.responses;
    if (!responses) return; // 404
    const described = responses[status];
    const who = `${method} ${path}: ${status} ${text.slice(0, 300)}`;
    expect(described, who).toBeDefined();
    if (!described.content) return expect(text, who).toBe("");
    const type = `${headers["content-type"]}`.split(";")[0]!;
    expect(Object.keys(described.content), who).toContain(type);
    if (type !== "application/json") return;
    const { schema } = described.content[type];
    const validate = (await compiler)(schema);
    expect(validate(body) ? [] : validate.errors, who).toEqual([]);
    const unknown = Object.keys(body).filter((name) => !Object.hasOwn(schema.properties, name));
    expect(unknown, who).toEqual([]);
    for (const name of Object.keys(described.headers ?? {})) expect(headers[name.toLowerCase()], who).toBeDefined();
  };
}

/** Rows of three classes round three places; a category that tells nothing. */
export const flowers = (n = 90) =>
  Array.from({ length: n }, (_, i) => ({
    size: Math.round(1000 * ((i % 3) + 0.6 * Math.sin(i * 12.9))) / 1000,
    weight: Math.round(1000 * (2 - (i % 3) + 0.6 * Math.sin(i * 78.2))) / 1000,
    color: i % 2 ? "red" : "blue",
    kind: ["iris", "rose", "tulip"][i % 3]!,
  }));

export const toCsv = (rows: Record<string, unknown>[]) =>
  [Object.keys(rows[0]!).join(), ...rows.map((row) => Object.values(row).join()), ""].join("\n");

/** A body of multipart/form-data. */
export function form(parts: Record<string, string | { filename: string; content: string }>): InjectOptions {
  const boundary = "----downhill";
  const lines = Object.entries(parts).map(([name, part]) => {
    const file = typeof part === "object" ? `; filename="${part.filename}"` : "";
    const content = typeof part === "object" ? part.content : part;
    return `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${file}\r\n\r\n${content}\r\n`;
  });
  return {
    payload: `${lines.join("")}--${boundary}--\r\n`,
    headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
  };
}

/** Training that takes long enough for whatever is to happen meanwhile. */
export const LONG = { epochs: 10_000, batchSize: 1 };
