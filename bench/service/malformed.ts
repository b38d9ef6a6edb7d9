// Malformed requests: always a 4xx (or a closed connection, where it is no HTTP), never a crash, never a hang.

import type { Amounts, Figure } from "./figure";
import { ask, type ModelView, type Place, startHost, until } from "./host";
import { malformedRequests, send } from "./requests";

/** A request that takes longer hangs, in milliseconds. */
const PATIENCE = 15_000;
const CLIENTS = 32;
/** What is no HTTP, or only half of it, may be answered by closing the connection. */
export const MAY_BE_SILENT = ["no HTTP", "a wrong head", "a body cut short"];

export async function malformed(place: Place, { requests: count, seed }: Amounts): Promise<Figure[]> {
  const host = await startHost(place, { TIMEOUT: 1, MAX_UPLOADS: 100 });
  try {
    const rows = [
      { a: 1, b: 2, y: "u" },
      { a: 2, b: 1, y: "v" },
    ];
    const { id } = await ask<ModelView>(`${host.url}/models`, "POST", { rows, target: "y", epochs: 1 });
    await until(host.url, id);
    const requests = malformedRequests(seed, count, id);
    const port = Number(new URL(host.url).port);
    const statuses = new Map<number, number>();
    const wrong: string[] = [];
    let longest = 0;
    const client = async () => {
      for (const request of requests) {
        const begin = performance.now();
        try {
          const { status, text } = await send(request, port, PATIENCE);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
          const silent = status === 0 && MAY_BE_SILENT.includes(request.what);
          if (!silent && (status < 400 || status >= 500))
            wrong.push(
              `${request.what}: ${status} ${text.slice(-200)} to ${request.bytes.subarray(0, 300).toString("latin1")}`,
            );
        } catch (error) {
          wrong.push((error as Error).message);
        }
        longest = Math.max(longest, performance.now() - begin);
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    const { models } = await ask<{ models: ModelView[] }>(`${host.url}/models`);
    const alive = await ask<object>(`${host.url}/models/${id}/predict`, "POST", { row: [1, 2] });
    for (const line of wrong.slice(0, 20)) console.log(`  ${line}`);
    const sorted = [...statuses].sort(([a], [b]) => a - b);
    console.log(
      `  ${sorted.map(([status, n]) => `${n} × ${status || "closed"}`).join(", ")}; longest ${longest.toFixed(0)} ms`,
    );
    return [
      {
        name: `malformed requests without a 4xx`,
        measured: `${wrong.length} of ${count}`,
        goal: "0",
        passes: wrong.length === 0 && models.length === 1 && "prediction" in alive && !host.errors(),
      },
    ];
  } finally {
    const { code } = await host.end("SIGTERM");
    if (code !== 0) console.log(`  it ended with code ${code}: ${host.errors()}`);
  }
}
