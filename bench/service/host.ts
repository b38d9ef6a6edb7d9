// The bundled service in a process of its own, and requests to it.

import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** How long a service has to start, and a training to end, in milliseconds: a slow machine's time. */
const PATIENCE = 60_000;

/** A folder outside of the repository with nothing in it but the bundle. */
export interface Place {
  folder: string;
  file: string;
  remove(): void;
}

export function makePlace(bundle: string): Place {
  const folder = mkdtempSync(join(tmpdir(), "downhill-service-"));
  const file = join(folder, "service.js");
  cpSync(bundle, file);
  return { folder, file, remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }) };
}

export interface Ended {
  code: number | null;
  signal: string | null;
  /** From the signal to the end, in milliseconds. */
  took: number;
}

export interface Host {
  pid: number;
  url: string;
  /** What it has said on standard error. */
  errors(): string;
  /** Sends a signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<Ended>;
}

/** Starts the service; rejects with what it says where it does not. */
export async function startHost(
  { folder, file }: Place,
  settings: Record<string, string | number> = {},
): Promise<Host> {
  const env = { ...process.env, PORT: "0", DATA: join(folder, "data"), ...texts(settings) };
  const child = spawn(process.execPath, [file], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  let errors = "";
  child.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    const late = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`the service did not start in time: ${errors}`));
    }, PATIENCE);
    let said = "";
    child.stdout.on("data", (chunk) => {
      said += chunk;
      const found = /on (http:\S+)/.exec(said);
      if (found) resolve(found[1]!);
    });
    void exited.then(() => reject(new Error(`the service ended: ${errors}`)));
    void exited.then(() => clearTimeout(late));
    child.stdout.once("data", () => clearTimeout(late));
  });
  return { pid: child.pid!, url, errors: () => errors, end: (signal) => end(child, exited, signal) };
}

const texts = (settings: Record<string, string | number>) =>
  Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, `${value}`]));

async function end(child: ChildProcess, exited: Promise<void>, signal: NodeJS.Signals): Promise<Ended> {
  const begin = performance.now();
  child.kill(signal);
  const late = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
  await exited;
  clearTimeout(late);
  return { code: child.exitCode, signal: child.signalCode, took: performance.now() - begin };
}

/** What is read of a model here. */
export interface ModelView {
  id: string;
  state: string;
  epoch: number;
  weightsHash?: string;
  error?: string;
}

/** A request with a JSON body; throws where the answer is an error. */
export async function ask<T>(url: string, method = "GET", body?: unknown): Promise<T> {
  const response = await fetch(url, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    signal: AbortSignal.timeout(PATIENCE),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`);
  return (text ? JSON.parse(text) : undefined) as T;
}

/** Waits until a training has come to where `reached` says so. */
export async function until(
  url: string,
  id: string,
  reached: (model: ModelView) => boolean = ({ state }) => state !== "queued" && state !== "training",
): Promise<ModelView> {
  const begin = performance.now();
  for (;;) {
    const model = await ask<ModelView>(`${url}/models/${id}`);
    if (reached(model)) return model;
    if (performance.now() - begin > PATIENCE) throw new Error(`${id} is ${model.state} at epoch ${model.epoch}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
