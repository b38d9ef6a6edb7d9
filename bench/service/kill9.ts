// kill -9 at random moments, while models are made, trained and deleted: none that was acknowledged may be lost, none that was
// deleted may come back, and all of them end with the weights that they get without a break.

import { digitsText } from "./data";
import type { Amounts, Figure } from "./figure";
import { ask, type Host, type ModelView, type Place, startHost, until } from "./host";
import { randomOf } from "./requests";

const SEEDS = 5;
const OPTIONS = {
  target: "digit",
  hiddenLayers: [16],
  epochs: 60,
  validationSplit: 0.2,
  earlyStopping: { patience: 50 },
};
/** Where a process is killed, in milliseconds after it has started. */
const FIRST = 20;
const LAST = 1_500;
const SETTINGS = { TRAININGS: 2, CHECKPOINT: 0.05, MAX_QUEUE: 10_000 };

/** What a client has been told. */
interface Ledger {
  /** Seeds by id. */
  acknowledged: Map<string, number>;
  deleted: Set<string>;
  /** A deletion without an answer: it may have happened or not. */
  unknown: Set<string>;
}

/** Makes and deletes models until the service dies. */
async function client({ url }: Host, csv: string, random: () => number, ledger: Ledger): Promise<void> {
  const { acknowledged, deleted, unknown } = ledger;
  for (let made = 0; made < 8; made++) {
    const seed = Math.floor(random() * SEEDS);
    const { id } = await ask<ModelView>(`${url}/models`, "POST", { csv, ...OPTIONS, seed });
    acknowledged.set(id, seed);
    if (random() < 0.3) {
      const ids = [...acknowledged.keys()].filter((id) => !deleted.has(id) && !unknown.has(id));
      const gone = ids[Math.floor(random() * ids.length)]!;
      unknown.add(gone);
      await ask(`${url}/models/${gone}`, "DELETE");
      unknown.delete(gone);
      deleted.add(gone);
    }
    await new Promise((resolve) => setTimeout(resolve, random() * 150));
  }
}

/** What the service has that it should not have, or the other way round. */
async function differences({ url }: Host, { acknowledged, deleted, unknown }: Ledger): Promise<string[]> {
  const there = new Set<string>();
  for (let after: string | undefined; ; ) {
    const { models } = await ask<{ models: ModelView[] }>(`${url}/models?limit=1000${after ? `&after=${after}` : ""}`);
    for (const { id } of models) there.add(id);
    if (!models.length) break;
    after = models.at(-1)!.id;
  }
  for (const id of unknown) if (!there.has(id)) deleted.add(id);
  unknown.clear();
  return [
    ...[...acknowledged.keys()].filter((id) => !deleted.has(id) && !there.has(id)).map((id) => `${id} is lost`),
    ...[...deleted].filter((id) => there.has(id)).map((id) => `${id} has come back`),
  ];
}

export async function kill9(place: Place, { kills, seed }: Amounts): Promise<Figure[]> {
  const random = randomOf(seed);
  const csv = digitsText(300);
  const ledger: Ledger = { acknowledged: new Map(), deleted: new Set(), unknown: new Set() };
  const wrong: string[] = [];
  let host = await startHost(place, SETTINGS);
  try {
    const hashes: (string | undefined)[] = [];
    for (let seed = 0; seed < SEEDS; seed++) {
      const { id } = await ask<ModelView>(`${host.url}/models`, "POST", { csv, ...OPTIONS, seed });
      hashes.push((await until(host.url, id)).weightsHash);
      ledger.acknowledged.set(id, seed);
    }
    for (let kill = 0; kill < kills; kill++) {
      const working = client(host, csv, random, ledger).catch(() => {}); // it was killed
      await new Promise((resolve) => setTimeout(resolve, FIRST + random() * (LAST - FIRST)));
      await host.end("SIGKILL");
      await working;
      host = await startHost(place, SETTINGS);
      wrong.push(...(await differences(host, ledger)));
      if ((kill + 1) % 10 === 0) console.log(`  ${kill + 1} kills, ${ledger.acknowledged.size} models acknowledged`);
    }
    for (const [id, seed] of ledger.acknowledged) {
      if (ledger.deleted.has(id)) continue;
      const { state, weightsHash, error } = await until(host.url, id);
      if (state !== "trained") wrong.push(`${id} is ${state}: ${error}`);
      else if (weightsHash !== hashes[seed]) wrong.push(`${id} has other weights than without a break`);
    }
  } finally {
    await host.end("SIGKILL");
  }
  for (const line of new Set(wrong)) console.log(`  ${line}`);
  const { acknowledged, deleted } = ledger;
  return [
    {
      name: `models lost in ${kills} kills`,
      measured: `${new Set(wrong).size} of ${acknowledged.size} (${deleted.size} deleted)`,
      goal: "0",
      passes: wrong.length === 0 && kills > 0,
    },
  ];
}
