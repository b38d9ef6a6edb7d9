// 200 predictions a second for minutes, with trainings coming and going: does the memory stay flat?
//
// The resident set is read each second. Flat: the median of the last third is at most 5 % over that of the first third, which begins
// after a warm-up of a tenth of the time (caches fill, engines compile, heaps find their size).

import { DIGITS, digitsRow, digitsText } from "./data";
import { type Amounts, type Figure, median } from "./figure";
import { ask, type Host, type ModelView, type Place, startHost, until } from "./host";
import { runLoad } from "./load";

const RATE = 200;
const KEPT = 5;
const BOUND = 1.05;

/** Trains models, predicts with each, and deletes all but the last few, until it is told to stop. */
async function trainer({ url }: Host, going: () => boolean): Promise<number> {
  const ids: string[] = [];
  const csv = digitsText(); // once: this process is also the one that measures
  const row = digitsRow();
  let trained = 0;
  for (; going(); trained++) {
    const options = { ...DIGITS, epochs: 20, seed: trained, hiddenLayers: [16 + (trained % 5) * 16] };
    const { id } = await ask<ModelView>(`${url}/models`, "POST", { csv, ...options });
    ids.push(id);
    const { state, error } = await until(url, id);
    if (state !== "trained") throw new Error(`a training is ${state}: ${error}`);
    await ask(`${url}/models/${id}/predict`, "POST", { row });
    if (ids.length > KEPT) await ask(`${url}/models/${ids.shift()}`, "DELETE");
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return trained;
}

/** In MB. */
async function memory({ url }: Host): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\d+)/m.exec(text)![1]) / 1e6;
}

export async function soak(place: Place, { minutes }: Amounts): Promise<Figure[]> {
  const host = await startHost(place);
  try {
    const { id } = await ask<ModelView>(`${host.url}/models`, "POST", { csv: digitsText(), ...DIGITS });
    await until(host.url, id);
    const seconds = Math.max(6, Math.round(minutes * 60));
    let going = true;
    const training = trainer(host, () => going);
    const url = `${host.url}/models/${id}/predict`;
    const load = runLoad({ url, body: { row: digitsRow() }, seconds, connections: 10, rate: RATE });
    const series: number[] = [];
    const every = Math.max(1, Math.round(seconds / 20));
    for (let second = 0; second < seconds; second++) {
      series.push(await memory(host));
      if (second % every === 0) console.log(`  ${second} s: ${series.at(-1)!.toFixed(1)} MB`);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    going = false;
    const { requests, failed, p99 } = await load;
    const trained = await training;
    const warm = series.slice(Math.ceil(series.length / 10));
    const third = Math.ceil(warm.length / 3);
    const first = median(warm.slice(0, third));
    const last = median(warm.slice(-third));
    console.log(`  ${requests} predictions, ${failed} failed, p99 ${p99} ms; ${trained} trainings`);
    return [
      {
        name: `memory after ${minutes} minutes, last third/first`,
        measured: `${last.toFixed(1)}/${first.toFixed(1)} MB = ${(last / first).toFixed(3)}`,
        goal: `<= ${BOUND}`,
        passes: last / first <= BOUND && failed === 0 && trained > 0,
      },
    ];
  } finally {
    await host.end("SIGTERM");
  }
}
