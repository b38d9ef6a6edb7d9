// SIGTERM in the middle of a training, with predictions coming in: the time to the end, and whether what goes on from the checkpoint
// ends with the same weights as what was not interrupted.

import { DIGITS, digitsRow, digitsText } from "./data";
import type { Amounts, Figure } from "./figure";
import { ask, type Host, type ModelView, type Place, startHost, until } from "./host";
import { runLoad } from "./load";
import { randomOf } from "./requests";

const GOAL = 2_000;
/** Of short epochs, and of epochs that are longer than a stop waits. */
const TRAININGS = [
  {
    name: "short epochs",
    rows: 1437,
    options: { ...DIGITS, epochs: 1_500, seed: 1, validationSplit: 0.1, dropout: 0.1 },
  },
  {
    name: "long epochs",
    rows: 14_370,
    options: { ...DIGITS, epochs: 3, batchSize: 4, hiddenLayers: [512, 512], seed: 2 },
  },
];
const STOPS = 3;

export async function sigterm(place: Place, { seed }: Amounts): Promise<Figure[]> {
  const random = randomOf(seed);
  const figures: Figure[] = [];
  for (const { name, rows, options } of TRAININGS) {
    const body = { csv: digitsText(rows), ...options };
    const create = (host: Host) => ask<ModelView>(`${host.url}/models`, "POST", body);
    let host = await startHost(place, { MAX_JSON: 2 ** 24 });
    try {
      const served = await create(host);
      const begin = performance.now();
      const { weightsHash } = await until(host.url, served.id);
      const whole = performance.now() - begin;
      const { id } = await create(host);
      const took: number[] = [];
      for (let stop = 0; stop < STOPS; stop++) {
        const url = `${host.url}/models/${served.id}/predict`;
        const load = runLoad({ url, body: { row: digitsRow() }, seconds: 1, connections: 10, rate: 200 });
        await new Promise((resolve) => setTimeout(resolve, (0.1 + random() / STOPS) * whole));
        const { code, took: time } = await host.end("SIGTERM");
        took.push(code === 0 ? time : Number.POSITIVE_INFINITY);
        await load;
        host = await startHost(place, { MAX_JSON: 2 ** 24 });
        const { epoch, state } = await ask<ModelView>(`${host.url}/models/${id}`);
        console.log(
          `  ${name}: ended in ${time.toFixed(0)} ms with code ${code}; goes on at epoch ${epoch} (${state})`,
        );
      }
      const resumed = await until(host.url, id);
      const longest = Math.max(...took);
      figures.push(
        {
          name: `SIGTERM to end, ${name}`,
          measured: `${longest.toFixed(0)} ms`,
          goal: `< ${GOAL} ms`,
          passes: longest < GOAL,
        },
        {
          name: `goes on to the bit, ${name}`,
          measured: `${resumed.weightsHash?.slice(0, 12)}`,
          goal: `${weightsHash?.slice(0, 12)}`,
          passes: weightsHash !== undefined && resumed.weightsHash === weightsHash,
        },
      );
    } finally {
      await host.end("SIGKILL");
    }
  }
  return figures;
}
