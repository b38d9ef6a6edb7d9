// The bundle, alone in a folder outside of the repository, in processes that end in all ways.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ask, type Host, type ModelView, makePlace, type Place, startHost, until } from "../../../bench/service/host";
// @ts-expect-error: a script of the build
import { buildService } from "../../../examples/service/build.js";
import { ownFolder } from "../../../examples/service/folder";
import { flowers } from "./support";

let place: Place;
let built: string;
const hosts: Host[] = [];

beforeAll(async () => {
  built = mkdtempSync(join(tmpdir(), "downhill-bundle-"));
  await buildService(join(built, "service.js"));
  place = makePlace(join(built, "service.js"));
});

afterAll(async () => {
  await Promise.all(hosts.map((host) => host.end("SIGKILL")));
  place.remove();
  rmSync(built, { recursive: true, force: true });
});

async function start(settings: Record<string, string | number> = {}): Promise<Host> {
  const host = await startHost(place, { CHECKPOINT: 0, ...settings });
  hosts.push(host);
  return host;
}

const OPTIONS = {
  rows: flowers(120),
  target: "kind",
  epochs: 400,
  batchSize: 4,
  hiddenLayers: [16],
  dropout: 0.1,
  validationSplit: 0.2,
  earlyStopping: { patience: 400, restoreBestWeights: true },
  optimizer: { type: "adam" },
};

const create = ({ url }: Host) => ask<ModelView>(`${url}/models`, "POST", OPTIONS);
const get = ({ url }: Host, id: string) => ask<ModelView>(`${url}/models/${id}`);

test("SIGTERM and SIGKILL in the middle of trainings: each goes on, and ends with the same bits", async () => {
  let host = await start();
  expect(readdirSync(place.folder).sort()).toEqual(["data", "service.js"]);
  const { weightsHash } = await until(host.url, (await create(host)).id);
  const ids = [(await create(host)).id, (await create(host)).id];
  for (const [at, signal] of [
    [20, "SIGTERM"],
    [60, "SIGKILL"],
    [120, "SIGTERM"],
  ] as const) {
    await until(host.url, ids[0]!, ({ epoch }) => epoch >= at);
    const { code, took } = await host.end(signal);
    if (signal === "SIGTERM") expect(code).toBe(0);
    expect(took).toBeLessThan(30_000); // less than 2 s, which bench/service holds
    expect(host.errors()).toBe("");
    host = await start();
    const { state, epoch } = await get(host, ids[0]!);
    expect(["training", "trained"]).toContain(state); // it may have been fast
    // at SIGTERM the last epoch is kept, at SIGKILL the last checkpoint is there
    expect(epoch).toBeGreaterThanOrEqual(signal === "SIGTERM" ? at : 20);
  }
  for (const id of ids) {
    const model = await until(host.url, id);
    expect(model).toMatchObject({ state: "trained", epoch: 400, weightsHash });
    const prediction = await ask(`${host.url}/models/${id}/predict`, "POST", {
      row: { size: 2, weight: 0, color: "red" },
    });
    expect(prediction).toMatchObject({ prediction: { label: "tulip" } });
  }
  // the epochs' logs have no gap
  const events = await (await fetch(`${host.url}/models/${ids[0]}/events`)).text();
  const epochs = [...events.matchAll(/^id: (\d+)$/gm)].map(([, epoch]) => Number(epoch));
  expect(epochs).toEqual(Array.from({ length: 400 }, (_, i) => i + 1));
  expect((await host.end("SIGINT")).code).toBe(0);
  expect(readdirSync(join(place.folder, "data"))).toEqual(["service.db"]);
});

test("what was acknowledged is there after SIGKILL, at once", async () => {
  let host = await start({ TRAININGS: 2 });
  const made = await Promise.all(Array.from({ length: 6 }, () => create(host)));
  await ask(`${host.url}/models/${made[1]!.id}`, "DELETE");
  await ask(`${host.url}/models/${made[2]!.id}/cancel`, "POST");
  await host.end("SIGKILL");
  host = await start();
  const { models } = await ask<{ models: ModelView[] }>(`${host.url}/models?after=${made[0]!.id}`);
  expect(models.map(({ id }) => id)).toEqual(made.slice(2).map(({ id }) => id));
  expect((await get(host, made[2]!.id)).state).toBe("cancelled");
  for (const { id } of [made[0]!, ...made.slice(2)]) await ask(`${host.url}/models/${id}`, "DELETE");
  await host.end("SIGTERM");
});

test("a training that the process dies of again and again has failed in the end; others and stops do not count", async () => {
  const settings = { MAX_CRASHES: 3, TRAININGS: 2 };
  let host = await start(settings);
  // an epoch that never ends in time, and a training that needs no longer than it is given
  const endless = { ...OPTIONS, rows: flowers(20_000), batchSize: 1, hiddenLayers: [256, 256] };
  const { id } = await ask<ModelView>(`${host.url}/models`, "POST", endless);
  const other = await create(host);
  for (let stop = 0; stop < 4; stop++) {
    await until(host.url, id, ({ state }) => state === "training");
    await new Promise((resolve) => setTimeout(resolve, 300));
    await host.end("SIGTERM");
    host = await start(settings);
  }
  let kills = 0;
  for (; (await get(host, id)).state !== "failed"; kills++) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    await host.end("SIGKILL");
    host = await start(settings);
  }
  expect(kills).toBeGreaterThanOrEqual(3);
  expect((await get(host, id)).error).toBe(
    "expected a training that comes to a checkpoint, got 3 ends of the service's process before",
  );
  expect(await until(host.url, other.id)).toMatchObject({ state: "trained" });
  for (const gone of [id, other.id]) await ask(`${host.url}/models/${gone}`, "DELETE");
  await host.end("SIGTERM");
}, 120_000);

test("JSON that is too deep to go from thread to thread is answered", async () => {
  const host = await start();
  const body = `{"target":"kind","optimizer":${"[".repeat(1e5)}${"]".repeat(1e5)}}`;
  const headers = { "content-type": "application/json" };
  expect((await fetch(`${host.url}/models`, { method: "POST", headers, body })).status).toBe(422);
  await host.end("SIGTERM");
});

test("a folder has one owner, and a dead one's is taken over", async () => {
  const host = await start();
  await expect(startHost(place)).rejects.toThrow(`data belongs to the process ${host.pid}, which runs`);
  expect((await get(host, (await create(host)).id)).epoch).toBeGreaterThanOrEqual(0);
  await host.end("SIGKILL");
  expect(readdirSync(join(place.folder, "data"))).toEqual(expect.arrayContaining(["service.db.lock", "service.pid"]));
  const next = await start();
  expect((await next.end("SIGTERM")).code).toBe(0);
});

test("what pid files say is believed only where it is so", () => {
  const folder = mkdtempSync(join(built, "owned-"));
  const file = join(folder, "service.pid");
  const release = ownFolder(folder);
  expect(() => ownFolder(folder)).toThrow(`${folder} belongs to the process ${process.pid}, which runs`);
  release();
  release();
  expect(readdirSync(folder)).toEqual([]);
  const own = ownFolder(folder);
  const said = readFileSync(file, "utf8");
  own();
  // a number used again, by this process or another; a number that nobody has; no number
  for (const text of [said, `${process.ppid}\nanother-boot 1\n`, "4194305\n\n", "nonsense", ""]) {
    writeFileSync(file, text);
    mkdirSync(join(folder, "service.db.lock"));
    const release = ownFolder(folder);
    expect(readdirSync(folder)).toEqual(["service.pid"]);
    release();
  }
});

test.runIf(process.platform === "linux")("the thread that predicts goes before those that train", async () => {
  const host = await start();
  const { id } = await create(host);
  await until(host.url, id, ({ epoch }) => epoch > 0);
  const nice = (thread: string | number) => {
    const stat = readFileSync(`/proc/${host.pid}/task/${thread}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]);
  };
  const all = readdirSync(`/proc/${host.pid}/task`).map(nice);
  const main = nice(host.pid);
  expect(all.filter((n) => n === Math.min(19, main + 10)).length).toBeGreaterThanOrEqual(2);
  expect(Math.min(...all)).toBe(main);
  await ask(`${host.url}/models/${id}`, "DELETE");
  await host.end("SIGTERM");
});

test("a wrong setting is told, and nothing is started", async () => {
  await expect(startHost(place, { MAX_ROWS: "many" })).rejects.toThrow(
    /^the service ended: downhill service: MAX_ROWS: expected a number such as 1000000, got "many"\n$/,
  );
  const file = join(built, "file");
  writeFileSync(file, "");
  await expect(startHost(place, { DATA: file })).rejects.toThrow(/EEXIST|ENOTDIR/);
});
