// Models and their files in SQLite. What a method has returned from is on the disk (WAL, synchronous = FULL).

import { join } from "node:path";
import { Database, SQLite3Error } from "node-sqlite3-wasm";
import { noStorage } from "./errors";
import { ownFolder } from "./folder";
import type { Spec } from "./network";
import type { Facts } from "./table";

export const STATES = ["queued", "training", "trained", "failed", "cancelled"] as const;
export type State = (typeof STATES)[number];

/** What is known of a model beside its files. */
export interface Entry {
  id: string;
  state: State;
  /** Milliseconds since 1970. */
  created: number;
  spec: Spec;
  facts: Facts;
  parameters: number;
  /** Epochs done, as of the last checkpoint. */
  epoch: number;
  /** Seconds of training, as of the last checkpoint. */
  seconds: number;
  /** How often the process has ended, other than by a stop, while this was trained and before it came to another checkpoint. */
  crashes: number;
  error: string | null;
  weightsHash: string | null;
}

/** What a list tells of a model. */
export interface Summary extends Pick<Entry, "id" | "state" | "created" | "epoch"> {
  name: string;
  target: string;
  epochs: number;
}

export type Logs = Record<string, number>;

/** Epochs count from 1. */
export interface EpochLogs {
  epoch: number;
  logs: Logs;
}

/** `x` and `y` until a training has ended, `checkpoint` while it goes on, `model` when it is done. */
export type FileKind = "x" | "y" | "checkpoint" | "model";

const TABLES = `
  CREATE TABLE IF NOT EXISTS models (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    created INTEGER NOT NULL,
    spec TEXT NOT NULL,
    facts TEXT NOT NULL,
    parameters INTEGER NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,
    error TEXT,
    weightsHash TEXT,
    crashes INTEGER NOT NULL DEFAULT 0
  );
  CREATE INDEX IF NOT EXISTS states ON models(state, number);
  CREATE TABLE IF NOT EXISTS epochs (
    model TEXT NOT NULL REFERENCES models(id) ON DELETE CASCADE,
    epoch INTEGER NOT NULL,
    logs TEXT NOT NULL,
    PRIMARY KEY (model, epoch)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS files (
    model TEXT NOT NULL REFERENCES models(id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (model, kind)
  );
`;

export class Store {
  readonly #db: Database;
  readonly #release: () => void;

  /** Opens a folder's database; throws where another process has it. */
  constructor(folder: string) {
    this.#release = ownFolder(folder);
    const file = join(folder, "service.db");
    try {
      this.#db = new Database(file);
      // one process, one connection: the log needs no shared memory
      this.#db.exec("PRAGMA locking_mode = EXCLUSIVE");
      // of a new database only: this writes, and a full disk takes nothing
      if (!this.#db.get("PRAGMA page_count")?.["page_count"]) this.#db.exec("PRAGMA auto_vacuum = INCREMENTAL");
      this.#db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
      this.#db.exec(TABLES);
      // a database of before there was this column
      if (!this.#db.all("PRAGMA table_info(models)").some(({ name }) => name === "crashes"))
        this.#db.exec("ALTER TABLE models ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0");
      this.#db.exec("PRAGMA incremental_vacuum");
    } catch (error) {
      this.#release();
      throw new Error(`${file} cannot be opened: ${(error as Error).message}`);
    }
  }

  close(): void {
    this.#db.close();
    this.#release();
  }

  /** All of a change or nothing. Throws a ServiceError where the disk does not take it. */
  #change(change: () => void): void {
    try {
      this.#db.exec("BEGIN IMMEDIATE");
      change();
      this.#db.exec("COMMIT");
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec("ROLLBACK");
      throw error instanceof SQLite3Error ? noStorage(error.message) : error;
    }
  }

  create({ id, created, spec, facts, parameters }: Entry, files: { x: Uint8Array; y: Uint8Array }): void {
    this.#change(() => {
      this.#db.run(
        "INSERT INTO models (id, state, created, spec, facts, parameters) VALUES (?, 'queued', ?, ?, ?, ?)",
        [id, created, JSON.stringify(spec), JSON.stringify(facts), parameters],
      );
      this.#putFile(id, "x", files.x);
      this.#putFile(id, "y", files.y);
    });
  }

  /** Models in the order in which they were made, behind one of them. */
  list(limit: number, after?: string): Summary[] {
    return this.#db.all(
      `SELECT id, state, created, epoch, spec ->> 'name' AS name, spec ->> 'target' AS target, spec ->> 'epochs' AS epochs
       FROM models WHERE number > coalesce((SELECT number FROM models WHERE id = ?), 0) ORDER BY number LIMIT ?`,
      [after ?? null, limit],
    ) as unknown as Summary[];
  }

  /** What is to be trained, in the order in which it was made: what waits, and what was under way. */
  unfinished(limit: number): Pick<Entry, "id" | "crashes">[] {
    return this.#db.all(
      "SELECT id, crashes FROM models WHERE state IN ('queued', 'training') ORDER BY number LIMIT ?",
      [limit],
    ) as unknown as Pick<Entry, "id" | "crashes">[];
  }

  get(id: string): Entry | undefined {
    const row = this.#db.get("SELECT * FROM models WHERE id = ?", [id]);
    return row ? entryOf(row) : undefined;
  }

  counts(): Record<State, number> {
    const counts = Object.fromEntries(STATES.map((state) => [state, 0])) as Record<State, number>;
    for (const { state, n } of this.#db.all("SELECT state, count(*) AS n FROM models GROUP BY state"))
      counts[state as State] = Number(n);
    return counts;
  }

  setState(id: string, state: State): void {
    this.#change(() => this.#db.run("UPDATE models SET state = ? WHERE id = ?", [state, id]));
  }

  /** Counts a crash before it happens: `by` is 1 where a training begins, -1 where it does not end by a crash. */
  countCrash(id: string, by: 1 | -1): void {
    this.#change(() => this.#db.run("UPDATE models SET crashes = max(0, crashes + ?) WHERE id = ?", [by, id]));
  }

  /** A training's last finished epoch; `crashes` is 1 where one that happens from here on is to be counted. */
  checkpoint(id: string, bytes: Uint8Array, seconds: number, epochs: readonly EpochLogs[], crashes: 0 | 1): void {
    this.#change(() => {
      this.#putEpochs(id, seconds, epochs);
      this.#putFile(id, "checkpoint", bytes);
      this.#db.run("UPDATE models SET crashes = ? WHERE id = ?", [crashes, id]);
    });
  }

  /** A training has ended; `model` where it has done so well. */
  finish(
    id: string,
    state: State,
    seconds: number,
    epochs: readonly EpochLogs[],
    how: { model?: Uint8Array; weightsHash?: string; error?: string },
  ): void {
    this.#change(() => {
      this.#putEpochs(id, seconds, epochs);
      this.#db.run("DELETE FROM files WHERE model = ?", [id]);
      if (how.model) this.#putFile(id, "model", how.model);
      this.#db.run("UPDATE models SET state = ?, error = ?, weightsHash = ? WHERE id = ?", [
        state,
        how.error ?? null,
        how.weightsHash ?? null,
        id,
      ]);
    });
  }

  remove(id: string): void {
    this.#change(() => this.#db.run("DELETE FROM models WHERE id = ?", [id]));
  }

  file(id: string, kind: FileKind): Uint8Array | undefined {
    const row = this.#db.get("SELECT bytes FROM files WHERE model = ? AND kind = ?", [id, kind]);
    return row?.["bytes"] as Uint8Array | undefined;
  }

  /** The logs of the epochs behind `after`. */
  epochs(id: string, after: number): EpochLogs[] {
    return this.#db
      .all("SELECT epoch, logs FROM epochs WHERE model = ? AND epoch > ? ORDER BY epoch", [id, after])
      .map(({ epoch, logs }) => ({ epoch: Number(epoch), logs: JSON.parse(logs as string) as Logs }));
  }

  #putFile(id: string, kind: FileKind, bytes: Uint8Array): void {
    this.#db.run("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", [id, kind, bytes]);
  }

  #putEpochs(id: string, seconds: number, epochs: readonly EpochLogs[]): void {
    for (const { epoch, logs } of epochs)
      this.#db.run("INSERT OR REPLACE INTO epochs VALUES (?, ?, ?)", [id, epoch, JSON.stringify(logs)]);
    this.#db.run("UPDATE models SET epoch = max(epoch, ?), seconds = ? WHERE id = ?", [
      epochs.at(-1)?.epoch ?? 0,
      seconds,
      id,
    ]);
  }
}

function entryOf(row: Record<string, unknown>): Entry {
  const { number: _, spec, facts, ...rest } = row;
  return { ...rest, spec: JSON.parse(spec as string), facts: JSON.parse(facts as string) } as Entry;
}
