// A disk that takes nothing, and databases of other days.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Database, SQLite3Error } from "node-sqlite3-wasm";
import { afterEach, expect, test, vi } from "vitest";
import { Store } from "../../../examples/service/store";
import { flowers, LONG, makeFolder, open } from "./support";

const OPTIONS = { rows: flowers(), target: "kind", hiddenLayers: [4] };

afterEach(() => {
  vi.restoreAllMocks();
});

/** Writes fail from here on. Returns how to end that. */
function fillDisk(): () => void {
  vi.spyOn(console, "error").mockImplementation(() => {});
  const full = vi.spyOn(Database.prototype, "run").mockImplementation(() => {
    throw new SQLite3Error("database or disk is full");
  });
  return () => full.mockRestore();
}

test("a disk that is full: what is to be kept is refused, the rest goes on", async () => {
  const { ask, trained, until } = await open({ CHECKPOINT: 0 });
  const { id } = await trained({ ...OPTIONS, epochs: 1 });
  const long = (await ask("POST", "/models", { ...OPTIONS, epochs: 3000 })).body.id;
  const waiting = (await ask("POST", "/models", { ...OPTIONS, ...LONG })).body.id;
  await until(long, ({ epoch }) => epoch > 0);
  const empty = fillDisk();
  const refused = {
    status: 507,
    body: {
      statusCode: 507,
      code: "no_storage",
      message: "expected a database that takes changes, got an error (database or disk is full)",
    },
  };
  expect(await ask("POST", "/models", OPTIONS)).toMatchObject(refused);
  expect(await ask("POST", `/models/${waiting}/cancel`)).toMatchObject(refused);
  expect(await ask("DELETE", `/models/${id}`)).toMatchObject(refused);
  expect((await ask("POST", `/models/${id}/predict`, { row: [1, 2, "red"] })).status).toBe(200);
  const { epoch } = await until(long, () => true);
  await until(long, (model) => model.epoch > epoch + 2); // epochs go on without checkpoints
  empty();
  expect((await ask("POST", `/models/${waiting}/cancel`)).status).toBe(200);
  expect(await until(long)).toMatchObject({ state: "trained", epoch: 3000 });
});

test("a training whose end the disk does not take waits, and is trained again when it does", async () => {
  const { ask, trained, until } = await open();
  const { weightsHash } = await trained({ ...OPTIONS, epochs: 30 });
  const { id } = (await ask("POST", "/models", { ...OPTIONS, epochs: 30 })).body;
  await until(id, ({ state }) => state === "training");
  const empty = fillDisk();
  await until(id, ({ state }) => state === "queued");
  expect((await ask("GET", "/metrics")).text).toMatch(/^downhill_queue_length 1$/m);
  empty();
  expect(await until(id)).toMatchObject({ state: "trained", weightsHash });
}, 30_000);

test("a database without a column of now gets it; what is none is named", () => {
  const folder = makeFolder();
  new Store(folder).close();
  const file = join(folder, "service.db");
  const old = new Database(file);
  old.exec("PRAGMA locking_mode = EXCLUSIVE; ALTER TABLE models DROP COLUMN crashes");
  old.close();
  const store = new Store(folder);
  expect(store.unfinished(1)).toEqual([]);
  store.close();
  writeFileSync(file, "no database".repeat(1000));
  expect(() => new Store(folder)).toThrow(`${file} cannot be opened: file is not a database`);
});
