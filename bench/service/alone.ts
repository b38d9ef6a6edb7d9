// Single-row predictions that one process answers a second, with nothing else to do. Each request is one row in JSON; connections
// stay open, each with one request at a time (no pipelining), as a client's pool has them.

import { DIGITS, digitsRow, digitsText } from "./data";
import type { Amounts, Figure } from "./figure";
import { ask, type ModelView, type Place, startHost, until } from "./host";
import { runLoad } from "./load";

const GOAL = 5_000;
const CONNECTIONS = [1, 10, 100];
/** The figure is of so many connections. */
const OF = 100;

export async function alone(place: Place, { seconds }: Amounts): Promise<Figure[]> {
  const host = await startHost(place);
  try {
    const { id } = await ask<ModelView>(`${host.url}/models`, "POST", { csv: digitsText(), ...DIGITS });
    await until(host.url, id);
    const load = { url: `${host.url}/models/${id}/predict`, body: { row: digitsRow() } };
    await runLoad({ ...load, seconds: 3, connections: OF });
    const figures: Figure[] = [];
    for (const connections of CONNECTIONS) {
      const { perSecond, p50, p99, failed } = await runLoad({ ...load, seconds, connections });
      console.log(`  ${connections} connections: ${Math.round(perSecond)}/s, p50 ${p50} ms, p99 ${p99} ms`);
      if (connections === OF)
        figures.push({
          name: `single-row predictions, ${OF} connections`,
          measured: `${Math.round(perSecond)}/s`,
          goal: `>= ${GOAL}/s`,
          passes: perSecond >= GOAL && failed === 0,
        });
    }
    return figures;
  } finally {
    await host.end("SIGTERM");
  }
}
