// An object in a worker thread, behind promises: the HTTP server's thread does nothing that takes long.

import { parentPort, Worker } from "node:worker_threads";
import { ServiceError } from "./errors";

/** The methods of T, each a promise. */
export type Calls<T> = {
  [K in keyof T as T[K] extends (...args: never[]) => unknown ? K : never]: T[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};

interface Call {
  call: number;
  method: string;
  args: unknown[];
}

interface Answer {
  call: number;
  value?: unknown;
  error?: { statusCode?: number; code?: string; message: string; stack?: string | undefined };
}

/** From the thread: an answer to a call, or what it tells by itself. */
type FromThread = Answer | { told: unknown };

/** Buffers that nobody else looks into, which go over instead of copies. */
function buffersIn(value: unknown, found = new Set<ArrayBuffer>()): ArrayBuffer[] {
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteLength } = value;
    if (buffer instanceof ArrayBuffer && byteLength > 0 && byteLength === buffer.byteLength) found.add(buffer);
  } else if (typeof value === "object" && value !== null && !Array.isArray(value))
    for (const item of Object.values(value)) buffersIn(item, found);
  return [...found];
}

/** In a thread: answers calls of the object's methods, in any order. */
export function serve(target: object): void {
  const port = parentPort!;
  port.on("message", async ({ call, method, args }: Call) => {
    try {
      const value = await (target as Record<string, (...args: unknown[]) => unknown>)[method]!(...args);
      port.postMessage({ call, value }, buffersIn(value));
    } catch (error) {
      const { statusCode, code, message, stack } = error as ServiceError;
      port.postMessage({ call, error: { statusCode, code, message, stack } });
    }
  });
}

/** In a thread: tells the other side. */
export const tell = (told: unknown): void => parentPort!.postMessage({ told });

/** A thread that runs `file` in a role, and the object that it serves. `end` resolves when it has ended. */
export interface Thread<T> {
  calls: Calls<T>;
  end(): Promise<void>;
}

export function startThread<T>(
  file: URL,
  workerData: { role: string },
  { told, died }: { told?: (what: unknown) => void; died: (why: Error) => void },
): Thread<T> {
  const worker = new Worker(file, { workerData });
  const pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let number = 0;
  let ended: Error | undefined;
  const end = (why: Error) => {
    if (ended) return;
    ended = why;
    for (const { reject } of pending.values()) reject(why);
    died(why);
  };
  worker.on("message", (message: FromThread) => {
    if ("told" in message) return told?.(message.told);
    const { call, value, error } = message;
    const { resolve, reject } = pending.get(call)!;
    pending.delete(call);
    if (!error) resolve(value);
    else if (error.statusCode) reject(new ServiceError(error.statusCode, error.code!, error.message));
    else reject(Object.assign(new Error(error.message), { stack: error.stack }));
  });
  worker.on("error", end);
  worker.on("messageerror", end); // an answer that cannot be read: somebody would wait for ever
  worker.on("exit", (code) => end(new Error(`the thread ${workerData.role} ended with code ${code}`)));
  const call = (method: string, args: unknown[]) =>
    new Promise((resolve, reject) => {
      if (ended) throw ended;
      pending.set(number, { resolve, reject });
      worker.postMessage({ call: number++, method, args } satisfies Call, buffersIn(args[0]));
    });
  return {
    calls: new Proxy({} as Calls<T>, {
      get:
        (_, method) =>
        (...args: unknown[]) =>
          call(String(method), args),
    }),
    async end() {
      ended ??= new Error("the thread has been ended");
      await worker.terminate();
    },
  };
}
