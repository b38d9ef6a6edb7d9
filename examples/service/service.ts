// The service, put together: the HTTP server and predictions in this thread, tables and trainings in threads of their own.

import type { FastifyInstance } from "fastify";
import { createApp, watchConnections } from "./app";
import type { Config } from "./config";
import { EventStreams } from "./events";
import { createMetrics } from "./metrics";
import { Predictor } from "./predictor";
import { addRoutes, viewOf } from "./routes";
import { Tables } from "./table";
import { type Calls, startThread } from "./threads";
import { type Event, Trainings } from "./trainings";

/** For how long a service that stops still answers, and asks clients to close their connections, in milliseconds. */
const FAREWELL = 50;
/** How long requests that are being answered have when the service stops, in milliseconds. */
const LAST_REQUESTS = 500;

export interface Service {
  app: FastifyInstance;
  /** Checkpoints trainings, answers what was asked, closes. */
  stop(): Promise<void>;
}

/**
 * Opens the data folder and makes the server, which does not listen yet.
 *
 * @param file what threads run, main.ts bundled; without it everything runs in this thread
 * @param died called where a thread has died, which is the end of the service
 */
export async function openService(config: Config, file?: URL, died: (why: Error) => void = () => {}): Promise<Service> {
  let streams: EventStreams | undefined;
  let stopping = false;
  const tell = (events: Event[]) => streams?.take(events);
  const failed = (why: Error) => {
    if (!stopping) died(why);
  };
  const threads =
    file &&
    ([
      startThread<Trainings>(file, { role: "trainings" }, { told: (events) => tell(events as Event[]), died: failed }),
      startThread<Tables>(file, { role: "tables" }, { died: failed }),
    ] as const);
  const trainings: Calls<Trainings> = threads ? threads[0].calls : new Trainings(config, tell);
  const tables: Calls<Tables> = threads ? threads[1].calls : new Tables(config);
  await trainings.figures(); // the folder is open

  const app = await createApp(config, () => stopping);
  const metrics = createMetrics();
  const predictor = await Predictor.create(trainings, config.cache, {
    rows: config.batchRows,
    wait: config.batchWait,
    more: watchConnections(app),
    ran: metrics.ran,
  });
  streams = new EventStreams(trainings, async (id) => viewOf(await trainings.get(id)));
  metrics.time(app);
  addRoutes(app, { config, trainings, tables, predictor, streams, metrics, stopping: () => stopping });
  app.addHook("preClose", async () => streams.close());
  await app.ready();

  let stopped: Promise<void> | undefined;
  const stop = async () => {
    stopping = true;
    const late = setTimeout(() => app.server.closeAllConnections(), LAST_REQUESTS);
    const closed = async () => {
      // a connection that is closed while it rests may have a request on its way
      await new Promise((resolve) => setTimeout(resolve, FAREWELL));
      await app.close();
      clearTimeout(late);
    };
    await Promise.all([closed(), trainings.stop()]);
    predictor.dispose();
    await Promise.all(threads?.map((thread) => thread.end()) ?? []);
  };
  return {
    app,
    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}
