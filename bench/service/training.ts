// Predictions of an MLP 64-32-10 at 200 requests a second, while another one trains on its own thread.

import { DIGITS, digitsRow, digitsText } from "./data";
import type { Amounts, Figure } from "./figure";
import { ask, type ModelView, type Place, startHost, until } from "./host";
import { runLoad } from "./load";

const RATE = 200;
const CONNECTIONS = 10;
const GOAL = 20;

export async function training(place: Place, { seconds }: Amounts): Promise<Figure[]> {
  const host = await startHost(place, { MAX_JSON: 2 ** 24 });
  try {
    const csv = digitsText();
    const { id } = await ask<ModelView>(`${host.url}/models`, "POST", { csv, ...DIGITS });
    await until(host.url, id);
    const load = {
      url: `${host.url}/models/${id}/predict`,
      body: { row: digitsRow() },
      connections: CONNECTIONS,
      rate: RATE,
    };
    await runLoad({ ...load, seconds: 2 });
    const idle = await runLoad({ ...load, seconds: Math.min(seconds, 10) });
    console.log(`  without training: p50 ${idle.p50} ms, p99 ${idle.p99} ms, most ${idle.max} ms`);
    const long = await ask<ModelView>(`${host.url}/models`, "POST", {
      csv: digitsText(14_370),
      ...DIGITS,
      epochs: 10_000,
    });
    const before = await until(host.url, long.id, ({ epoch }) => epoch > 0);
    const { p50, p99, max, requests, failed } = await runLoad({ ...load, seconds });
    const after = await until(host.url, long.id, () => true);
    console.log(
      `  p50 ${p50} ms, p99 ${p99} ms, most ${max} ms of ${requests}; meanwhile ${after.epoch - before.epoch} epochs`,
    );
    return [
      {
        name: `p99 at ${RATE}/s while a model trains`,
        measured: `${p99} ms`,
        goal: `< ${GOAL} ms`,
        passes: p99 < GOAL && failed === 0 && after.state === "training",
      },
    ];
  } finally {
    await host.end("SIGTERM");
  }
}
