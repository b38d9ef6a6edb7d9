// Progress as server-sent events.
//
//   state  { state }           queued, training
//   epoch  { epoch, logs }     its id is the epoch, counted from 1
//   end    the model           the last one; { id, state: "deleted" } where it is no more
//
// The epochs' logs are in the database, and a training that is resumed gets the same ones: a client that comes back with
// Last-Event-ID misses none, whatever has happened to the service.

import type { ServerResponse } from "node:http";
import type { State } from "./store";
import type { Calls } from "./threads";
import type { Event, Trainings } from "./trainings";

/** What a client may leave unread, in bytes. */
const MOST_UNREAD = 2 ** 20;
/** A comment is sent so often, in milliseconds, so that nobody between takes the connection for dead. */
const ALIVE = 15_000;

const isOver = (state: State | undefined) => state !== "queued" && state !== "training";

interface Stream {
  id: string;
  response: ServerResponse;
  /** The last epoch that was sent. */
  last: number;
  state: State | undefined;
  /** What came while the epochs that the database has are sent. */
  early: Event[] | undefined;
}

/** Waits until a client has read what it was sent, or has gone. */
async function drained(response: ServerResponse): Promise<void> {
  if (!response.writableNeedDrain || response.destroyed) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
}

export class EventStreams {
  readonly #streams = new Set<Stream>();
  readonly #alive = setInterval(() => {
    for (const { response } of this.#streams) response.write(":\n\n");
  }, ALIVE).unref();

  constructor(
    readonly trainings: Calls<Trainings>,
    /** A model as the API shows it. */
    readonly view: (id: string) => Promise<unknown>,
  ) {}

  get size(): number {
    return this.#streams.size;
  }

  /** Sends a training's events behind an epoch to a response, until it ends or the client has gone. */
  async follow(id: string, after: number, response: ServerResponse): Promise<void> {
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      connection: "close",
      "x-accel-buffering": "no",
      "x-content-type-options": "nosniff",
    });
    response.write("retry: 1000\n\n");
    const stream: Stream = { id, response, last: after, state: undefined, early: [] };
    this.#streams.add(stream);
    response.on("close", () => this.#streams.delete(stream));
    response.on("error", () => response.destroy());
    try {
      const { epochs, state } = await this.trainings.epochs(id, after);
      stream.early = []; // what came before that is in it
      if (!isOver(state)) this.#state(stream, state);
      for (const { epoch, logs } of epochs) {
        this.#epoch(stream, epoch, logs);
        await drained(response);
      }
      const early = stream.early!;
      stream.early = undefined;
      if (isOver(state)) await this.#end(stream);
      else for (const event of early) this.#give(stream, event);
    } catch {
      response.end(); // the model has gone meanwhile, or the service stops
    }
  }

  /** Passes on what trainings tell. */
  take(events: readonly Event[]): void {
    for (const event of events)
      for (const stream of this.#streams)
        if (stream.id === event.id) {
          if (stream.early) stream.early.push(event);
          else this.#give(stream, event);
        }
  }

  /** Ends all; clients come back when the service does. */
  close(): void {
    clearInterval(this.#alive);
    for (const { response } of this.#streams) response.end();
  }

  #give(stream: Stream, event: Event): void {
    if ("epoch" in event) this.#epoch(stream, event.epoch, event.logs);
    else if (isOver(event.state)) void this.#end(stream, event.state);
    else this.#state(stream, event.state);
  }

  #state(stream: Stream, state: State | undefined): void {
    if (state !== stream.state) this.#send(stream, "state", { state });
    stream.state = state;
  }

  #epoch(stream: Stream, epoch: number, logs: unknown): void {
    if (epoch <= stream.last) return;
    stream.last = epoch;
    this.#send(stream, "epoch", { epoch, logs }, epoch);
  }

  async #end(stream: Stream, state: State | "deleted" = "deleted"): Promise<void> {
    const model = await this.view(stream.id).catch(() => ({ id: stream.id, state }));
    this.#send(stream, "end", model);
    stream.response.end();
  }

  #send({ response }: Stream, event: string, data: unknown, id?: number): void {
    if (response.writableEnded || response.destroyed) return;
    // who does not read is cut off, and may come back
    if (response.writableLength > MOST_UNREAD) return void response.destroy();
    response.write(`${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }
}
